//! The master, asked one thing: which roles have a registered framework.
//!
//! `GET /roles` and nothing else: it is small (no task is in it), lists every role that has a
//! framework, a reservation or a quota, and is filtered by role only (`view_roles`), so a role
//! that is listed is listed with all its frameworks. A role that is not listed proves nothing.
//! Frameworks that are disconnected stay in it until their `failover_timeout` is over.

use std::collections::BTreeMap;
use std::time::Instant;

use hyper::Uri;
use serde::Deserialize;

use crate::config::MesosConfig;
use crate::model::{RoleOwners, SourceError, SourceHealth, SourceReport};

use super::api::{ApiConfig, ApiError, Client, Failure};
use super::settings::api_config;

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

/// Base URL a standby master sends to: `//HOST:PORT/master/roles` or a whole URL. Only from
/// `scheme` to the same scheme, so that no credential leaves TLS.
fn leader(scheme: &str, location: &str) -> Option<String> {
    let whole = match location.strip_prefix("//") {
        Some(rest) => format!("{scheme}://{rest}"),
        None => location.to_owned(),
    };
    let uri: Uri = whole.parse().ok()?;
    let authority = uri.authority()?;
    let same = uri.scheme_str() == Some(scheme) && !authority.as_str().contains('@');
    same.then(|| format!("{scheme}://{authority}"))
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
        let first = Client::new(self.config.clone())?;
        let (client, answer) = match first.get(ROLES).await {
            Err(ApiError { failure: Failure::Redirect { status, location }, method, url }) => {
                let scheme = if self.config.url.starts_with("https") { "https" } else { "http" };
                let Some(leader) = location.as_deref().and_then(|to| leader(scheme, to)) else {
                    let failure = Failure::Redirect { status, location };
                    return Err(ApiError { method, url, failure });
                };
                // Once: a leader that sends elsewhere is none.
                let client = Client::new(ApiConfig { url: leader, ..self.config.clone() })?;
                let answer = client.get(ROLES).await;
                (client, answer)
            }
            answer => (first, answer),
        };
        parse_roles(&answer?).map_err(|error| ApiError {
            method: "GET".into(),
            url: format!("{}{ROLES}", client.url()),
            failure: Failure::Malformed(error.to_string()),
        })
    }
}

fn reported(error: &ApiError) -> SourceError {
    let hint = match &error.failure {
        Failure::Unauthorized(_) => {
            "the credentials configured for the agent must be good for the master, too"
        }
        Failure::Forbidden => "allow the principal to view_roles in the master's --acls",
        Failure::Recovering => "wait until a leading master is elected",
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
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    /// Answers as many requests as there are answers, and tells their first lines and credentials.
    fn server(answers: Vec<String>) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = String::new();
                for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                    if line.is_empty() {
                        break;
                    }
                    head += &format!("{line}\n");
                }
                let _ = sender.send(head);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (address.to_string(), asked)
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn redirect(location: &str) -> String {
        format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        )
    }

    fn ask(address: &str) -> (Option<RoleOwners>, SourceReport) {
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
    fn a_redirect_leads_to_the_same_scheme_only() {
        let to = |location| leader("https", location);
        assert_eq!(to("//m2:5050/master/roles").as_deref(), Some("https://m2:5050"));
        assert_eq!(to("https://m2:5050/roles").as_deref(), Some("https://m2:5050"));
        assert_eq!(to("http://m2:5050/roles"), None);
        assert_eq!(to("https://user@m2:5050/roles"), None);
        assert_eq!(to("/roles"), None);
        assert_eq!(to(""), None);
    }

    #[test]
    fn a_standby_master_leads_to_the_leader_once() {
        let (leading, asked) = server(vec![ok(r#"{"roles":[{"name":"a","frameworks":["f"]}]}"#)]);
        let (standby, _first) = server(vec![redirect(&format!("//{leading}/master/roles"))]);
        let (found, report) = ask(&standby);
        assert_eq!(found, Some(owners(&[("a", 1)])));
        assert_eq!(report.health, SourceHealth::Ok);
        let head = asked.recv().unwrap();
        assert!(head.starts_with("GET /roles HTTP/1.1\n"), "{head}");
        assert!(head.to_lowercase().contains("authorization: bearer t0ken"), "{head}");

        let (second, _) = server(vec![redirect("//127.0.0.1:1/roles")]);
        let (first, _) = server(vec![redirect(&format!("//{second}/roles"))]);
        let (found, report) = ask(&first);
        assert_eq!((found, report.health), (None, SourceHealth::Failed));
        assert_eq!(report.errors[0].reason, "status");
    }

    #[test]
    fn errors_say_what_to_do() {
        let (address, _) =
            server(vec!["HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".into()]);
        let (found, report) = ask(&address);
        assert_eq!(found, None);
        assert_eq!(report.errors[0].reason, "forbidden");
        assert!(report.errors[0].hint.contains("view_roles"));
    }
}
