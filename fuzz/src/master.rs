//! Answers of the master: `/slaves` and `/roles`.

use plimsoll::discover::mesos::master::agents::parse_slaves;
use plimsoll::discover::mesos::master::roles::parse_roles;

pub fn run(data: &[u8]) {
    if let Ok(agents) = parse_slaves(data) {
        assert!(agents.is_sorted_by(|a, b| a.id < b.id), "each agent once, sorted");
    }
    if let Ok(roles) = parse_roles(data) {
        let frameworks: usize = roles.frameworks.values().sum();
        assert!(frameworks <= data.len());
    }
}
