//! The agent's checkpoint, `<work_dir>/meta`: what it would recover from. It can be read while
//! the agent is down or keeps its API to itself; most files are root's (mode 0600).
//!
//! Layout (`src/slave/paths.hpp` of Mesos):
//! ```text
//! meta/boot_id
//! meta/resources/{resources_and_operations.state,resources.info}
//! meta/slaves/latest -> …/<agent>
//! meta/slaves/<agent>/slave.info
//! meta/slaves/<agent>/frameworks/<framework>/framework.info
//! …/executors/<executor>/{executor.info,executor_generated_for_command_task}
//! …/runs/<container>/{executor.sentinel,tasks/<task>/{task.info,task.updates}}
//! ```

mod framing;
mod runs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Instant;

pub use framing::{FramingError, MAX_FILE, Problem, many, one};
use prost::Message;

use super::facts::{AgentFacts, CheckpointFacts, FrameworkFacts};
use super::proto::{self, value};
use super::resource::{ResourceError, all_from_proto};
use crate::discover::dirs::{DirError, Folder, present};
use crate::host::names::escape_name;
use crate::model::{Resource, SourceError};

/// Reads the checkpoint below a work directory, given as it is reached from this process
/// ([`crate::discover::dirs::reach`]).
pub fn read(work_dir: &Path) -> CheckpointFacts {
    let start = Instant::now();
    let mut facts = CheckpointFacts::default();
    let meta = Folder::open_root(work_dir).and_then(|work| work.child(OsStr::new("meta")));
    match meta {
        Ok(meta) => {
            read_boot_id(&meta, &mut facts);
            read_resources(&meta, &mut facts);
            read_slaves(&meta, &mut facts);
        }
        Err(error) => facts.errors.push(error.to_source_error()),
    }
    facts.duration_seconds = start.elapsed().as_secs_f64();
    facts
}

fn read_boot_id(meta: &Folder, facts: &mut CheckpointFacts) {
    facts.boot_id = text_file(meta, "boot_id", &mut facts.errors);
}

/// The state file is what a present agent recovers from; `resources.info` is what older ones
/// wrote, and newer ones keep writing for them.
fn read_resources(meta: &Folder, facts: &mut CheckpointFacts) {
    let errors = &mut facts.errors;
    let Some(folder) = or_note(present(meta.child(OsStr::new("resources"))), errors).flatten()
    else {
        return;
    };
    let (state, info) = ("resources_and_operations.state", "resources.info");
    match message::<proto::ResourceState>(&folder, state, errors) {
        None => {}
        Some(Some(message)) => {
            facts.resources = resources(&folder, state, message.resources, errors);
        }
        Some(None) => {
            let bytes = or_note(present(folder.read(info, MAX_FILE)), errors).flatten();
            let Some(bytes) = bytes else { return };
            let mut list = Vec::new();
            let whole = many(&bytes, |resource| list.push(resource));
            if decoded(&folder, info, whole, errors).is_some() {
                facts.resources = resources(&folder, info, list, errors);
            }
        }
    }
}

fn read_slaves(meta: &Folder, facts: &mut CheckpointFacts) {
    let Some(slaves) = or_note(present(meta.child(OsStr::new("slaves"))), &mut facts.errors) else {
        return;
    };
    // An agent that never registered has no such directory, and then no frameworks either.
    let (mut frameworks, mut found) = (BTreeMap::new(), runs::Found::default());
    if let Some(slaves) = slaves {
        // The link is absolute, and may point where this process sees something else: only its
        // last component is used.
        let latest = slaves.read_link(OsStr::new("latest"));
        let latest = or_note(present(latest), &mut facts.errors).flatten();
        let latest = latest.as_deref().and_then(Path::file_name).map(OsStr::to_owned);
        facts.agent_id = latest.as_deref().map(escape_name);

        let Some(names) = or_note(slaves.names(), &mut facts.errors) else { return };
        for agent in found.directories(&slaves, names) {
            let present_agent = latest.as_ref() == Some(&agent);
            let Some(folder) = found.take(present(slaves.child(&agent))).flatten() else {
                continue;
            };
            if present_agent {
                read_agent(&folder, &agent, facts);
            }
            // Tasks below a former agent id are over: a new id is only taken after the old
            // one's containers were killed. Without the link nothing tells which is former.
            let former = latest.is_some() && !present_agent;
            read_frameworks(&folder, &agent, former, &mut frameworks, &mut found);
        }
    }
    facts.errors.append(&mut found.errors);
    facts.frameworks = Some(frameworks.into_values().collect());
    facts.executors_partial = found.hidden || found.executors_partial;
    facts.tasks_partial = found.hidden || found.tasks_partial;
    facts.executors = Some(found.executors);
    facts.tasks = Some(found.tasks);
}

fn read_agent(folder: &Folder, name: &OsStr, facts: &mut CheckpointFacts) {
    let errors = &mut facts.errors;
    let Some(info) = message::<proto::SlaveInfo>(folder, "slave.info", errors).flatten() else {
        return;
    };
    facts.agent_resources = resources(folder, "slave.info", info.resources, errors);
    facts.agent = Some(AgentFacts {
        id: info.id.and_then(|id| id.value).or_else(|| Some(escape_name(name))),
        hostname: info.hostname,
        version: None,
        attributes: info.attributes.into_iter().filter_map(attribute).collect(),
    });
}

/// Name and value as Mesos prints them.
fn attribute(attribute: proto::Attribute) -> Option<(String, String)> {
    let text = match value::Type::try_from(attribute.r#type?).ok()? {
        value::Type::Scalar => attribute.scalar?.value?.to_string(),
        value::Type::Text => attribute.text?.value?,
        value::Type::Set => format!("{{{}}}", attribute.set?.item.join(", ")),
        value::Type::Ranges => {
            let one = |range: &value::Range| format!("{}-{}", range.begin(), range.end());
            let ranges: Vec<_> = attribute.ranges?.range.iter().map(one).collect();
            format!("[{}]", ranges.join(", "))
        }
    };
    Some((attribute.name?, text))
}

fn read_frameworks(
    agent_folder: &Folder,
    agent: &OsStr,
    former: bool,
    frameworks: &mut BTreeMap<OsString, FrameworkFacts>,
    found: &mut runs::Found,
) {
    let Some((folder, names)) = found.listing(agent_folder, "frameworks") else {
        return;
    };
    for name in names {
        let Some(framework) = found.take(present(folder.child(&name))).flatten() else { continue };
        let facts = read_framework(&framework, &name, &mut found.errors);
        // The same framework below two agent ids: the present one knows better.
        if former {
            frameworks.entry(name.clone()).or_insert(facts);
        } else {
            frameworks.insert(name.clone(), facts);
        }
        let place =
            runs::Place { agent: escape_name(agent), framework: escape_name(&name), former };
        runs::read(&framework, &place, found);
    }
}

fn read_framework(folder: &Folder, name: &OsStr, errors: &mut Vec<SourceError>) -> FrameworkFacts {
    let info = message::<proto::FrameworkInfo>(folder, "framework.info", errors).flatten();
    let Some(info) = info else {
        // Its directory proves that it checkpoints, even when the file is unreadable.
        return FrameworkFacts {
            id: escape_name(name),
            checkpoint: Some(true),
            ..FrameworkFacts::default()
        };
    };
    let roles = if info.roles.is_empty() {
        vec![info.role.unwrap_or_else(|| "*".to_owned())]
    } else {
        info.roles
    };
    FrameworkFacts {
        id: info.id.and_then(|id| id.value).unwrap_or_else(|| escape_name(name)),
        name: info.name.unwrap_or_default(),
        roles,
        principal: info.principal,
        checkpoint: Some(info.checkpoint.unwrap_or(false)),
    }
}

/// The value, or a note of the error.
fn or_note<T>(result: Result<T, DirError>, errors: &mut Vec<SourceError>) -> Option<T> {
    result.map_err(|error| errors.push(error.to_source_error())).ok()
}

/// Reads a file that holds one message. `None` after an error (noted), `Some(None)` when there
/// is no such file.
fn message<M: Message + Default>(
    folder: &Folder,
    name: &str,
    errors: &mut Vec<SourceError>,
) -> Option<Option<M>> {
    let Some(bytes) = or_note(present(folder.read(name, MAX_FILE)), errors)? else {
        return Some(None);
    };
    decoded(folder, name, one(&bytes), errors).map(Some)
}

fn decoded<T>(
    folder: &Folder,
    name: &str,
    result: Result<T, FramingError>,
    errors: &mut Vec<SourceError>,
) -> Option<T> {
    result.map_err(|error| errors.push(corrupt(folder, name, &error.to_string()))).ok()
}

fn resources(
    folder: &Folder,
    name: &str,
    list: Vec<proto::Resource>,
    errors: &mut Vec<SourceError>,
) -> Option<Vec<Resource>> {
    let result: Result<_, ResourceError> = all_from_proto(list);
    result.map_err(|error| errors.push(corrupt(folder, name, &error.to_string()))).ok()
}

fn corrupt(folder: &Folder, name: &str, problem: &str) -> SourceError {
    SourceError {
        reason: "malformed",
        message: format!("read {:?}: {problem}", folder.path().join(name)),
        hint: "look at the agent's log: with a checkpoint it cannot read it does not recover, \
               unless --no-strict lets it go on"
            .to_owned(),
    }
}

/// A small text file without its line end.
fn text_file(folder: &Folder, name: &str, errors: &mut Vec<SourceError>) -> Option<String> {
    let bytes = or_note(present(folder.read(name, 4096)), errors).flatten()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
