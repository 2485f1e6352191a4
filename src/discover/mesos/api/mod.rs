//! The agent's operator API: one round of questions, and what the answers say.
//!
//! `/state` comes first: it shows whether the agent is up, and only what was there before v1 is
//! asked can be expected in its answers. The rest is asked at once: v1 GET_TASKS, GET_EXECUTORS,
//! GET_CONTAINERS and GET_AGENT, then `/flags`, `/containers` and `/metrics/snapshot`.
//!
//! **What a 200 proves.** With authorisation, `/state` and the v1 calls answer 200 with filtered
//! lists, down to empty ones; `/containers` and `/flags` answer 403 instead. Lists count as whole
//! ([`Authority::Whole`]) when `/containers` (or, should that fail otherwise, `/flags`) was
//! allowed, neither answered 403, and the sums of `/state` add up. They count as filtered when
//! any request was forbidden that decides, or the sums do not add up.
//!
//! **What is asked of whom.** GETs and v1 calls belong to two realms of authentication. Where only
//! the first is open, tasks and executors come from `/state` alone, without resources, and
//! `tasks_have_resources` says so.

mod calls;
mod client;
mod container;
mod error;
mod flags;
mod join;
mod json;
mod resource;
mod state;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Instant;

use super::facts::{ApiFacts, Authority};
use crate::model::SourceError;

pub use crate::discover::http::{
    Auth, ClientConfig as ApiConfig, Failure, SecretSource, TlsConfig,
};
pub use calls::{parse_agent, parse_containers, parse_containers_v0, parse_executors, parse_tasks};
pub use client::Client;
pub use error::ApiError;
pub use flags::{HIDDEN, hide_secret, parse_flags, parse_gc_pending};
pub use json::ParseError;
pub use state::{StateAnswer, parse_state};

/// Asks the agent everything once.
///
/// Never fails as a whole: what could not be read is `None`, with its reason among the errors.
/// Takes at most two of the configured time-outs and the second that rate limits may cost.
pub async fn read(client: &Client) -> ApiFacts {
    let started = Instant::now();
    let mut facts = round(client).await;
    facts.url = client.url().to_owned();
    facts.duration_seconds = started.elapsed().as_secs_f64();
    facts
}

async fn round(client: &Client) -> ApiFacts {
    let mut errors = Vec::new();
    let state = match get(client, "/state", parse_state).await {
        // Whoever cannot be reached need not be asked six times more.
        Err(error) if error.failure.is_transport() => return failed(vec![error]),
        Err(ApiError { failure: Failure::Unavailable, .. }) => return recovering(client),
        Err(error) => {
            errors.push(error);
            None
        }
        // An agent that has not recovered, or never registered, has no id and empty lists.
        Ok(state) if state.agent.id.is_none() => return recovering(client),
        Ok(state) => Some(state),
    };
    let (tasks, executors, containers, agent, flags, listed, gc) = tokio::join!(
        call(client, calls::GET_TASKS, parse_tasks),
        call(client, calls::GET_EXECUTORS, parse_executors),
        call(client, calls::GET_CONTAINERS, parse_containers),
        call(client, calls::GET_AGENT, parse_agent),
        get(client, "/flags", parse_flags),
        get(client, "/containers", parse_containers_v0),
        get(client, "/metrics/snapshot", parse_gc_pending),
    );
    let filtered = state.as_ref().is_some_and(|state| state.filtered);
    let authority = authority(filtered, &errors, &listed, &flags);
    let tasks = noted(tasks, &mut errors);
    let executors = noted(executors, &mut errors);
    let containers = noted(containers, &mut errors);
    let agent = noted(agent, &mut errors);
    let flags = noted(flags, &mut errors);
    let listed = noted(listed, &mut errors);
    let gc = noted(gc, &mut errors);
    if errors.iter().any(|error| matches!(error.failure, Failure::Unavailable)) {
        return recovering(client);
    }
    let anything = state.is_some()
        || tasks.is_some()
        || executors.is_some()
        || containers.is_some()
        || agent.is_some()
        || flags.is_some()
        || listed.is_some();
    let refused = errors
        .iter()
        .any(|error| matches!(error.failure, Failure::Unauthorized(_) | Failure::Forbidden));

    let state = state.map(|state| {
        let StateAnswer { agent, flags, resources, frameworks, executors, tasks, filtered: _ } =
            state;
        ((agent, flags, resources, frameworks), (executors, tasks))
    });
    let (whole, lists) = state.unzip();
    let (state_executors, state_tasks) = lists.unzip();
    let (executors, executors_have_resources) = join::executors(state_executors, executors);
    let (tasks, tasks_have_resources) = join::tasks(state_tasks, tasks);
    let containers_are_whole = containers.is_some();
    let (v1_agent, agent_resources) = agent.unzip();
    let (state_agent, state_flags, resources, frameworks) = match whole {
        Some((agent, flags, resources, frameworks)) => {
            (Some(agent), flags, resources, Some(frameworks))
        }
        None => (None, None, None, None),
    };
    ApiFacts {
        up: anything || refused,
        authority,
        agent: state_agent.or(v1_agent),
        flags: flags.or(state_flags),
        agent_resources,
        resources,
        frameworks,
        executors,
        executors_have_resources,
        tasks,
        tasks_have_resources,
        containers: containers.or(listed),
        containers_are_whole,
        gc_path_removals_pending: gc.flatten(),
        errors: grouped(&errors),
        ..ApiFacts::default()
    }
}

/// The flags alone; `None`: the agent did not tell them.
pub async fn read_flags(client: &Client) -> Option<BTreeMap<String, String>> {
    get(client, "/flags", parse_flags).await.ok()
}

async fn get<T>(
    client: &Client,
    path: &str,
    parse: impl Fn(&[u8]) -> Result<T, ParseError>,
) -> Result<T, ApiError> {
    let body = client.get(path).await?;
    parse(&body).map_err(|error| client.error(path, None, Failure::Malformed(error.0)))
}

async fn call<T>(
    client: &Client,
    (name, question): (&str, &str),
    parse: impl Fn(&[u8]) -> Result<T, ParseError>,
) -> Result<T, ApiError> {
    let body = client.call(name, question).await?;
    parse(&body).map_err(|error| client.error("/api/v1", Some(name), Failure::Malformed(error.0)))
}

fn noted<T>(result: Result<T, ApiError>, errors: &mut Vec<ApiError>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

fn authority<A, B>(
    sums_differ: bool,
    state_errors: &[ApiError],
    containers: &Result<A, ApiError>,
    flags: &Result<B, ApiError>,
) -> Authority {
    let forbidden = |error: &ApiError| matches!(error.failure, Failure::Forbidden);
    let refused = state_errors.iter().any(forbidden)
        || containers.as_ref().is_err_and(forbidden)
        || flags.as_ref().is_err_and(forbidden);
    if sums_differ || refused {
        Authority::Filtered
    } else if containers.is_ok() || flags.is_ok() {
        Authority::Whole
    } else {
        Authority::Unknown
    }
}

fn failed(errors: Vec<ApiError>) -> ApiFacts {
    ApiFacts { errors: grouped(&errors), ..ApiFacts::default() }
}

/// While the agent recovers, whatever it lists proves nothing: none of it is kept.
fn recovering(client: &Client) -> ApiFacts {
    let error = client.error("/state", None, Failure::Unavailable);
    ApiFacts { recovering: true, ..failed(vec![error]) }
}

/// One error for each reason: a wrong secret is one thing to repair, not eight.
fn grouped(errors: &[ApiError]) -> Vec<SourceError> {
    let mut grouped: Vec<SourceError> = Vec::new();
    for error in errors {
        let reason = error.failure.reason();
        match grouped.iter_mut().find(|group| group.reason == reason) {
            None => grouped.push(error.to_source_error()),
            Some(group) => {
                let path = error.url.rsplit_once('/').map_or("", |(_, last)| last);
                group.message.push_str(&format!("; also {} …/{path}", error.method));
            }
        }
    }
    grouped
}
