//! `/flags` and `/metrics/snapshot`, and which flags must not be shown.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::json::{ParseError, parse, text_of};

/// Flags whose value may hold a secret: registry logins, tokens in environments, module
/// parameters. The agent prints them to whoever may read `/flags`; this project does not.
const SECRET: [&str; 7] = [
    "docker_config",
    "executor_environment_variables",
    "modules",
    "modules_dir",
    "credential",
    "http_credentials",
    "default_container_info",
];

/// What stands in place of a hidden value.
pub const HIDDEN: &str = "<hidden>";

#[derive(Deserialize)]
struct Flags {
    flags: BTreeMap<String, Value>,
}

/// Parses the answer of `/flags`. Values are as the agent prints them, secrets hidden.
pub fn parse_flags(body: &[u8]) -> Result<BTreeMap<String, String>, ParseError> {
    Ok(shown(parse::<Flags>(body)?.flags))
}

pub(super) fn shown(flags: BTreeMap<String, Value>) -> BTreeMap<String, String> {
    flags
        .into_iter()
        .map(|(name, value)| {
            let value = hide_secret(&name, text_of(value));
            (name, value)
        })
        .collect()
}

/// Hides what may be secret in a flag's value. File names stay; so do URLs, without the user and
/// password in them (`zk://user:password@host/mesos`).
pub fn hide_secret(name: &str, value: String) -> String {
    let secret = SECRET.contains(&name)
        || ["secret", "password", "token"].iter().any(|word| name.contains(word));
    if secret && !value.is_empty() && !value.starts_with('/') {
        return HIDDEN.to_owned();
    }
    let Some((scheme, rest)) = value.split_once("://") else {
        return value;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}{}", &rest[at..]),
        None => value,
    }
}

/// `gc/path_removals_pending` of `/metrics/snapshot`; `None` when the agent has no such metric.
pub fn parse_gc_pending(body: &[u8]) -> Result<Option<u64>, ParseError> {
    let metrics: BTreeMap<String, f64> = parse(body)?;
    match metrics.get("gc/path_removals_pending") {
        None => Ok(None),
        Some(value) if *value >= 0.0 && value.fract() == 0.0 => Ok(Some(*value as u64)),
        Some(value) => Err(ParseError::new(format!("gc/path_removals_pending is {value}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_a_real_agent() {
        let body =
            include_bytes!("../../../../tests/fixtures/mesos/02-live-quota-off/agent-flags.json");
        let flags = parse_flags(body).unwrap();
        assert_eq!(flags.len(), 87);
        assert_eq!(flags["work_dir"], "/var/lib/mesos");
        assert_eq!(flags["runtime_dir"], "/var/run/mesos");
        assert_eq!(flags["enforce_container_disk_quota"], "false");
        assert_eq!(flags["master"], "127.0.0.1:5050");
    }

    #[test]
    fn malformed_flags() {
        for body in ["", "[]", "{}", r#"{"flags":[]}"#] {
            assert!(parse_flags(body.as_bytes()).is_err(), "{body}");
        }
        let flags = parse_flags(br#"{"flags":{"a":true,"b":1}}"#).unwrap();
        assert_eq!((flags["a"].as_str(), flags["b"].as_str()), ("true", "1"));
    }

    #[test]
    fn secrets_are_hidden() {
        let hide = |name: &str, value: &str| hide_secret(name, value.to_owned());
        assert_eq!(hide("docker_config", r#"{"auths":{}}"#), HIDDEN);
        assert_eq!(hide("docker_config", ""), "");
        assert_eq!(hide("jwt_secret_key", "abc"), HIDDEN);
        assert_eq!(hide("credential", "/etc/mesos/credential"), "/etc/mesos/credential");
        assert_eq!(hide("master", "zk://u:p@a:1,b:2/mesos"), "zk://<hidden>@a:1,b:2/mesos");
        assert_eq!(hide("master", "zk://a:1/mesos@x"), "zk://a:1/mesos@x");
        assert_eq!(hide("docker_registry", "https://r.example"), "https://r.example");
    }

    #[test]
    fn gc_pending() {
        let body = include_bytes!(
            "../../../../tests/fixtures/mesos/02-live-quota-off/agent-metrics-snapshot.json"
        );
        assert_eq!(parse_gc_pending(body), Ok(Some(15)));
        assert_eq!(parse_gc_pending(b"{}"), Ok(None));
        assert!(parse_gc_pending(b"[]").is_err());
        assert!(parse_gc_pending(br#"{"gc/path_removals_pending":-1}"#).is_err());
        assert!(parse_gc_pending(br#"{"gc/path_removals_pending":"1"}"#).is_err());
    }
}
