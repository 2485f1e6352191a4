//! Agents as Prometheus targets: whatever the master says of them, the list is one that Prometheus
//! takes.

use std::time::{Duration, Instant};

use plimsoll::discover::mesos::master::agents::parse_slaves;
use plimsoll::expose::service_discovery::{TargetOptions, Targets};

pub fn run(data: &[u8]) {
    let Ok(agents) = parse_slaves(data) else { return };
    let now = Instant::now();
    for by_address in [false, true] {
        let options = TargetOptions {
            port: 10061,
            by_address,
            attributes: None,
            retention: Duration::from_secs(60),
        };
        let mut targets = Targets::new(options);
        targets.observe(agents.clone(), now);
        assert!(targets.len() <= agents.len());
        let groups = targets.groups(now);
        assert_eq!(groups.len(), targets.len());
        for group in &groups {
            assert!(group.targets[0].ends_with(":10061"));
            for (name, value) in &group.labels {
                let mut letters = name.chars();
                assert!(letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_'));
                assert!(letters.all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name:?}");
                // What Prometheus gives a meaning to is not the master's to say.
                assert!(!name.starts_with("__") || name.starts_with("__meta_mesos_agent_"));
                assert!(!["job", "instance"].contains(&name.as_str()) && value.len() <= 256);
            }
        }
        let json = serde_json::to_string(&groups).expect("any name is JSON");
        let back: serde_json::Value = serde_json::from_str(&json).expect("which reads");
        assert_eq!(back.as_array().map(Vec::len), Some(groups.len()));
    }
}
