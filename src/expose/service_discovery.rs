//! Agents as Prometheus targets: HTTP SD and file SD have the same form.
//!
//! A host whose agent died is the very host to watch, and the master forgets it after 75 seconds:
//! so an agent that vanished stays a target for a while. A master that cannot be asked changes
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::discover::mesos::master::agents::RegisteredAgent;

/// Longest value of a label, in bytes.
const MAX_VALUE: usize = 256;

/// Labels that Prometheus or its users set themselves.
const TAKEN: [&str; 2] = ["instance", "job"];

/// How agents become targets.
#[derive(Clone, Debug)]
pub struct TargetOptions {
    /// Port on which Plimsoll listens there.
    pub port: u16,
    /// By address instead of host name.
    pub by_address: bool,
    /// Attributes that become labels; all when absent.
    pub attributes: Option<BTreeSet<String>>,
    /// How long an agent that vanished stays a target.
    pub retention: Duration,
}

/// One entry of a list of targets, with Prometheus' field names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetGroup {
    /// `host:port`, one.
    pub targets: [String; 1],
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// The agents that are targets.
#[derive(Debug)]
pub struct Targets {
    options: TargetOptions,
    known: BTreeMap<String, (RegisteredAgent, Instant)>,
}

impl Targets {
    /// None yet.
    pub fn new(options: TargetOptions) -> Self {
        Self { options, known: BTreeMap::new() }
    }

    /// Takes up what a master answered.
    pub fn observe(&mut self, agents: Vec<RegisteredAgent>, now: Instant) {
        for agent in agents {
            self.known.insert(host(&agent, &self.options), (agent, now));
        }
        let retention = self.options.retention;
        self.known.retain(|_, (_, seen)| now.duration_since(*seen) <= retention);
    }

    /// One group for each host, sorted. `now` tells which of them are no longer registered.
    pub fn groups(&self, now: Instant) -> Vec<TargetGroup> {
        let group = |(host, (agent, seen)): (&String, &(RegisteredAgent, Instant))| TargetGroup {
            targets: [with_port(host, self.options.port)],
            labels: labels(agent, &self.options, *seen == now),
        };
        self.known.iter().map(group).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Where the host is reached. Two agents of one host are one target: Plimsoll is one per host.
fn host(agent: &RegisteredAgent, options: &TargetOptions) -> String {
    match &agent.address {
        Some(address) if options.by_address => address.clone(),
        _ => agent.hostname.clone(),
    }
}

fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn labels(
    agent: &RegisteredAgent,
    options: &TargetOptions,
    registered: bool,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut meta = |name: &str, value: &str| {
        labels.insert(format!("__meta_mesos_agent_{name}"), bounded(value));
    };
    meta("id", &agent.id);
    meta("hostname", &agent.hostname);
    meta("address", agent.address.as_deref().unwrap_or_default());
    meta("version", &agent.version);
    meta("active", if agent.active { "true" } else { "false" });
    meta("registered", if registered { "true" } else { "false" });
    let wanted = |name: &str| options.attributes.as_ref().is_none_or(|set| set.contains(name));
    for (name, value) in agent.attributes.iter().filter(|(name, _)| wanted(name)) {
        labels.entry(label_name(name)).or_insert_with(|| bounded(value));
    }
    if let Some((region, zone)) = &agent.fault_domain {
        labels.entry("region".into()).or_insert_with(|| bounded(region));
        labels.entry("zone".into()).or_insert_with(|| bounded(zone));
    }
    labels
}

/// A name that Prometheus takes for a label and that is nobody else's.
fn label_name(attribute: &str) -> String {
    let mut name: String =
        attribute.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if TAKEN.contains(&name.as_str()) || name.starts_with("__") || name.is_empty() {
        name.insert_str(0, "attribute_");
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

fn bounded(value: &str) -> String {
    let fits = |end: &usize| value.is_char_boundary(*end);
    value[..(0..=MAX_VALUE.min(value.len())).rev().find(fits).unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str, hostname: &str) -> RegisteredAgent {
        RegisteredAgent {
            id: id.into(),
            hostname: hostname.into(),
            address: Some("10.0.0.7".into()),
            version: "1.11.0".into(),
            active: true,
            attributes: BTreeMap::new(),
            fault_domain: None,
        }
    }

    fn options() -> TargetOptions {
        TargetOptions {
            port: 10061,
            by_address: false,
            attributes: None,
            retention: Duration::from_secs(100),
        }
    }

    #[test]
    fn attributes_become_labels_under_names_that_are_free() {
        let mut found = agent("S0", "a");
        let given =
            [("rack", "r7"), ("job", "x"), ("2nd-disk", "ssd"), ("__name__", "y"), ("zone", "z")];
        found.attributes = given.map(|(name, value)| (name.into(), value.into())).into();
        found.fault_domain = Some(("eu".into(), "other".into()));
        let made = labels(&found, &options(), true);
        let plain: Vec<(&str, &str)> = made
            .iter()
            .filter(|(name, _)| !name.starts_with("__meta_"))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let expected = [
            ("_2nd_disk", "ssd"),
            ("attribute___name__", "y"),
            ("attribute_job", "x"),
            ("rack", "r7"),
            ("region", "eu"),
            ("zone", "z"),
        ];
        assert_eq!(plain, expected);
        let only = TargetOptions { attributes: Some(["rack".to_owned()].into()), ..options() };
        let made = labels(&found, &only, true);
        assert!(made.contains_key("rack") && !made.contains_key("attribute_job"));
        assert_eq!(made["zone"], "other");
        assert_eq!(made["__meta_mesos_agent_id"], "S0");
    }

    #[test]
    fn an_agent_that_vanished_stays_for_the_retention() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut targets = Targets::new(options());
        targets.observe(vec![agent("S0", "a"), agent("S1", "b")], at(0));
        targets.observe(vec![agent("S1", "b")], at(60));
        let registered = |targets: &Targets, now| -> Vec<(String, String)> {
            let pick = |group: TargetGroup| {
                let [target] = group.targets;
                (target, group.labels["__meta_mesos_agent_registered"].clone())
            };
            targets.groups(now).into_iter().map(pick).collect()
        };
        let expected = [("a:10061", "false"), ("b:10061", "true")];
        let expected = expected.map(|(target, is)| (target.to_owned(), is.to_owned()));
        assert_eq!(registered(&targets, at(60)), expected);
        targets.observe(vec![agent("S1", "b")], at(101));
        assert_eq!(registered(&targets, at(101)), expected[1..]);
    }

    #[test]
    fn two_agents_of_one_host_are_one_target_and_ipv6_has_brackets() {
        let now = Instant::now();
        let mut targets = Targets::new(TargetOptions { by_address: true, ..options() });
        let six = RegisteredAgent { address: Some("fd00::7".into()), ..agent("S2", "c") };
        targets.observe(vec![agent("S0", "a"), agent("S1", "a"), six], now);
        let groups = targets.groups(now);
        let named: Vec<&str> = groups.iter().map(|group| group.targets[0].as_str()).collect();
        assert_eq!(named, ["10.0.0.7:10061", "[fd00::7]:10061"]);
    }
}
