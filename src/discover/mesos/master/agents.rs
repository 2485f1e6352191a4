//! Which agents are registered, with what tells them apart.
//!
//! `GET /slaves`. Agents that a new leader waits for are in it as `recovered_slaves`: they are
//! hosts as good as the others.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::config::MesosConfig;
use crate::discover::http::printable;

use super::super::api::{ApiError, Failure};
use super::super::settings::api_config;
use super::ask::ask;

/// What is asked.
const SLAVES: &str = "/slaves";

/// One agent, as the master knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredAgent {
    /// Agent id.
    pub id: String,
    /// The name it registered with.
    pub hostname: String,
    /// Address of its process, from its `pid` (`slave(1)@10.0.0.7:5051`); absent when that is none.
    pub address: Option<String>,
    /// Version of Mesos or Clusterd; empty when not said.
    pub version: String,
    /// It is connected.
    pub active: bool,
    /// Attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// Region and zone of its fault domain.
    pub fault_domain: Option<(String, String)>,
}

#[derive(Deserialize)]
struct SlavesJson {
    slaves: Vec<SlaveJson>,
    #[serde(default)]
    recovered_slaves: Vec<SlaveJson>,
}

#[derive(Deserialize)]
struct SlaveJson {
    id: String,
    hostname: String,
    #[serde(default)]
    pid: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    #[serde(default)]
    domain: Value,
}

/// Parses the answer of `/slaves` (`src/master/http.cpp`): the agents, sorted by id.
///
/// # Errors
/// When it is not such an answer.
pub fn parse_slaves(body: &[u8]) -> Result<Vec<RegisteredAgent>, serde_json::Error> {
    let answer: SlavesJson = serde_json::from_slice(body)?;
    let mut agents: BTreeMap<String, RegisteredAgent> = BTreeMap::new();
    // Those that are back count more than what is remembered of them.
    for slave in answer.recovered_slaves.into_iter().chain(answer.slaves) {
        agents.insert(slave.id.clone(), agent(slave));
    }
    Ok(agents.into_values().collect())
}

fn agent(slave: SlaveJson) -> RegisteredAgent {
    let domain = |part: &str| {
        let name = slave.domain.get("fault_domain")?.get(part)?.get("name")?;
        name.as_str().map(str::to_owned)
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    RegisteredAgent {
        fault_domain: domain("region").zip(domain("zone")),
        address: address(&slave.pid),
        id: slave.id,
        hostname: slave.hostname,
        version: slave.version,
        active: slave.active,
        attributes: slave.attributes.into_iter().map(|(name, value)| (name, text(value))).collect(),
    }
}

/// The host of a libprocess pid, an IPv6 one without its brackets.
fn address(pid: &str) -> Option<String> {
    let (_, place) = pid.rsplit_once('@')?;
    let (host, _) = place.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| host.to_owned())
}

/// Asks the first of `masters` (base URLs) that leads to an answer, with the credentials and TLS
/// settings of `mesos`. Returns who answered, and its agents.
///
/// # Errors
/// One for each master, in their order.
pub async fn registered(
    mesos: &MesosConfig,
    masters: &[String],
) -> Result<(String, Vec<RegisteredAgent>), Vec<ApiError>> {
    let mut errors = Vec::new();
    for master in masters {
        let answer = ask(&api_config(mesos, master), SLAVES).await;
        let parsed = answer.and_then(|(url, body)| match parse_slaves(&body) {
            Ok(agents) => Ok((url, agents)),
            Err(error) => Err(ApiError {
                method: "GET".into(),
                url: format!("{url}{SLAVES}"),
                failure: Failure::Malformed(printable(error.to_string().as_bytes(), 200)),
            }),
        });
        match parsed {
            Ok(found) => return Ok(found),
            Err(error) => errors.push(error),
        }
    }
    Err(errors)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ok, redirect, server};
    use super::*;

    #[test]
    fn agents_of_a_real_master() {
        let file = "tests/fixtures/mesos/07-after-gc/master-slaves.json";
        let body = std::fs::read(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let expected = RegisteredAgent {
            id: "812dc90a-064e-4cb1-8792-db2028eecc18-S0".into(),
            hostname: "agent1.mesos.example".into(),
            address: Some("127.0.0.1".into()),
            version: "1.12.0".into(),
            active: true,
            attributes: [("rack", "r7"), ("zone", "eu-1a")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            fault_domain: None,
        };
        assert_eq!(parse_slaves(&body).unwrap(), [expected]);
    }

    #[test]
    fn numbers_sets_fault_domains_and_agents_the_leader_waits_for() {
        let body = br#"{"slaves":[{"id":"S1","hostname":"b","pid":"slave(1)@[fd00::7]:5051",
            "attributes":{"cores":16,"os":"{a,b}"},
            "domain":{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}}],
            "recovered_slaves":[{"id":"S0","hostname":"a"},{"id":"S1","hostname":"old"}]}"#;
        let agents = parse_slaves(body).unwrap();
        let hosts: Vec<&str> = agents.iter().map(|agent| agent.hostname.as_str()).collect();
        assert_eq!(hosts, ["a", "b"]);
        assert_eq!(agents[1].address.as_deref(), Some("fd00::7"));
        assert_eq!(agents[1].attributes["cores"], "16");
        assert_eq!(agents[1].fault_domain, Some(("eu".into(), "eu-1".into())));
        assert_eq!((agents[0].address.as_deref(), agents[0].active), (None, false));
    }

    #[test]
    fn what_lacks_its_list_is_malformed() {
        for body in [&b"{}"[..], b"", b"[]", br#"{"slaves":[{"id":"S1"}]}"#] {
            assert!(parse_slaves(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_dead_master_is_passed_over_and_a_standby_leads_on() {
        let (leading, _) = server(vec![ok(r#"{"slaves":[{"id":"S0","hostname":"a"}]}"#)]);
        let (standby, _) = server(vec![redirect(&format!("//{leading}/master/slaves"))]);
        let masters = ["http://127.0.0.1:1".to_owned(), format!("http://{standby}")];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let asked = runtime.block_on(registered(&MesosConfig::default(), &masters));
        let (url, agents) = asked.unwrap();
        assert_eq!((url, agents.len()), (format!("http://{leading}"), 1));
        let asked = runtime.block_on(registered(&MesosConfig::default(), &masters[..1]));
        assert_eq!(asked.unwrap_err().len(), 1);
    }
}
