//! Which roles have a registered framework.
//!
//! `GET /roles` and nothing else: it is small (no task is in it), lists every role that has a
//! framework, a reservation or a quota, and is filtered by role only (`view_roles`), so a role
//! that is listed is listed with all its frameworks. A role that is not listed proves nothing.
//! Frameworks that are disconnected stay in it until their `failover_timeout` is over.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;

use crate::config::MesosConfig;
use crate::discover::http::printable;
use crate::model::{RoleOwners, SourceError, SourceHealth, SourceReport};

use super::super::api::{ApiConfig, ApiError, Failure};
use super::super::settings::api_config;
use super::ask::ask;

/// What is asked.
const ROLES: &str = "/roles";

/// A master as a source.
pub struct MasterSource {
    mesos: MesosConfig,
    config: ApiConfig,
}

#[derive(Deserialize)]
struct RolesJson {
    roles: Vec<RoleJson>,
}

#[derive(Deserialize)]
struct RoleJson {
    name: String,
    /// Not optional: a role whose frameworks are left out must not look as if it had none.
    frameworks: Vec<serde::de::IgnoredAny>,
}

/// Parses the answer of `/roles` (`src/master/readonly_handler.cpp`).
///
/// # Errors
/// When it is not such an answer.
pub fn parse_roles(body: &[u8]) -> Result<RoleOwners, serde_json::Error> {
    let answer: RolesJson = serde_json::from_slice(body)?;
    let mut frameworks = BTreeMap::new();
    for role in answer.roles {
        *frameworks.entry(role.name).or_insert(0) += role.frameworks.len();
    }
    Ok(RoleOwners { frameworks })
}

impl MasterSource {
    /// A master at `url`, with the credentials and the TLS settings of the agent. Asks nothing yet.
    pub fn new(mesos: &MesosConfig, url: &str) -> Self {
        Self { mesos: mesos.clone(), config: api_config(mesos, url) }
    }

    /// Whether it was made from this configuration.
    pub fn is_of(&self, mesos: &MesosConfig) -> bool {
        self.mesos == *mesos
    }

    /// Asks once. `None`: the report says why not.
    pub async fn ask(&self) -> (Option<RoleOwners>, SourceReport) {
        let started = Instant::now();
        let (owners, errors) = match self.roles().await {
            Ok(owners) => (Some(owners), Vec::new()),
            Err(error) => (None, vec![reported(&error)]),
        };
        let health = if errors.is_empty() { SourceHealth::Ok } else { SourceHealth::Failed };
        let report = SourceReport {
            name: "mesos_master",
            health,
            target: self.config.url.clone(),
            errors,
            duration_seconds: started.elapsed().as_secs_f64(),
        };
        (owners, report)
    }

    async fn roles(&self) -> Result<RoleOwners, ApiError> {
        let (url, body) = ask(&self.config, ROLES).await?;
        parse_roles(&body).map_err(|error| ApiError {
            method: "GET".into(),
            url: format!("{url}{ROLES}"),
            failure: Failure::Malformed(printable(error.to_string().as_bytes(), 200)),
        })
    }
}

fn reported(error: &ApiError) -> SourceError {
    let hint = match &error.failure {
        Failure::Unauthorized(_) => {
            "the credentials configured for the agent must be good for the master, too"
        }
        Failure::Forbidden => "allow the principal to view_roles in the master's --acls",
        Failure::Unavailable => "wait until a leading master is elected",
        Failure::Redirect { .. } => "set mesos.master_url to the leading master's own address",
        _ => "check mesos.master_url; until the master answers, unowned volumes are idle",
    };
    SourceError {
        reason: error.failure.reason(),
        message: error.to_string(),
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ok, redirect, server};
    use super::*;

    fn asked_of(address: &str) -> (Option<RoleOwners>, SourceReport) {
        let mesos = MesosConfig {
            bearer_token: Some(crate::config::Secret::new("t0ken")),
            ..MesosConfig::default()
        };
        let master = MasterSource::new(&mesos, &format!("http://{address}"));
        assert!(master.is_of(&mesos));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(master.ask())
    }

    fn owners(listed: &[(&str, usize)]) -> RoleOwners {
        let frameworks = listed.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        RoleOwners { frameworks }
    }

    #[test]
    fn roles_of_a_real_master() {
        let file = "tests/fixtures/mesos/02-live-quota-off/master-roles.json";
        let body = std::fs::read(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let roles = parse_roles(&body).unwrap();
        let listed = [
            ("*", 1),
            ("analytics", 1),
            ("eng", 0),
            ("eng/storage", 1),
            ("ops", 0),
            ("ops/db", 0),
            ("ops/db/eu", 0),
        ];
        assert_eq!(roles, owners(&listed));
        assert_eq!(roles.owned("ops/db/eu"), Some(false));
        assert_eq!(roles.owned("eng"), Some(true));
    }

    #[test]
    fn what_leaves_frameworks_out_is_malformed() {
        assert!(parse_roles(br#"{"roles":[{"name":"a"}]}"#).is_err());
        assert!(parse_roles(b"{}").is_err());
        assert!(parse_roles(b"").is_err());
        assert_eq!(parse_roles(br#"{"roles":[]}"#).unwrap(), RoleOwners::default());
    }

    #[test]
    fn a_standby_master_leads_to_the_leader_once() {
        let (leading, asked) = server(vec![ok(r#"{"roles":[{"name":"a","frameworks":["f"]}]}"#)]);
        let (standby, _first) = server(vec![redirect(&format!("//{leading}/master/roles"))]);
        let (found, report) = asked_of(&standby);
        assert_eq!(found, Some(owners(&[("a", 1)])));
        assert_eq!(report.health, SourceHealth::Ok);
        let head = asked.recv().unwrap();
        assert!(head.starts_with("GET /roles HTTP/1.1\n"), "{head}");
        assert!(head.to_lowercase().contains("authorization: bearer t0ken"), "{head}");

        let (second, _) = server(vec![redirect("//127.0.0.1:1/roles")]);
        let (first, _) = server(vec![redirect(&format!("//{second}/roles"))]);
        let (found, report) = asked_of(&first);
        assert_eq!((found, report.health), (None, SourceHealth::Failed));
        assert_eq!(report.errors[0].reason, "status");
    }

    #[test]
    fn errors_say_what_to_do() {
        let (address, _) =
            server(vec!["HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".into()]);
        let (found, report) = asked_of(&address);
        assert_eq!(found, None);
        assert_eq!(report.errors[0].reason, "forbidden");
        assert!(report.errors[0].hint.contains("view_roles"));
    }
}
