//! Answers of the agent's API: all parsers read the same body.

use plimsoll::discover::mesos::api::{
    HIDDEN, hide_secret, parse_agent, parse_containers, parse_containers_v0, parse_executors,
    parse_flags, parse_gc_pending, parse_state, parse_tasks,
};
use plimsoll::model::Resource;

pub fn run(data: &[u8]) {
    if let Ok(state) = parse_state(data) {
        resources(state.resources.as_deref().unwrap_or_default());
        for (name, value) in state.flags.iter().flatten() {
            flag(name, value);
        }
        assert!(state.executors.len() + state.tasks.len() <= data.len());
    }
    if let Ok((_, found)) = parse_agent(data) {
        resources(&found);
    }
    for (name, value) in parse_flags(data).iter().flatten() {
        flag(name, value);
    }
    for parse in [parse_containers, parse_containers_v0] {
        let _ = parse(data).map(|found| assert!(found.len() <= data.len()));
    }
    let _ = parse_executors(data).map(|found| assert!(found.len() <= data.len()));
    let _ = parse_tasks(data).map(|found| assert!(found.len() <= data.len()));
    let _ = parse_gc_pending(data);
}

/// What is hidden stays hidden, and no address shows who logs in.
fn flag(name: &str, value: &str) {
    assert_eq!(hide_secret(name, value.to_owned()), value);
    if name.contains("password") || name.contains("token") {
        assert!(value.is_empty() || value == HIDDEN || value.starts_with('/'));
    }
}

pub(super) fn resources(resources: &[Resource]) {
    for resource in resources {
        let amount = resource.quantity.amount();
        assert!(amount.is_finite() && amount >= 0.0, "{resource:?}");
        let _ = (resource.role(), resource.reservation_kind(), resource.disk_source());
    }
}
