//! What survives a restart, and what tells findings apart.

use std::collections::BTreeMap;

use super::*;

#[test]
fn after_a_restart_a_finding_waits_for_its_first_measurement() {
    let full = || Host::default().volume(claimed("v"), Some(11 * GIB));
    let listed = || Host::default().volume(claimed("v"), None);
    let mut memory = FindingMemory::default();
    assert_eq!(kinds(&full().look(&mut memory, NOW)), ["volume_over_quota"]);
    let restart = |memory: &FindingMemory| {
        let text = serde_json::to_string(&memory.stored()).expect("plain data");
        let mut after = FindingMemory::default();
        after.restore(serde_json::from_str(&text).expect("what was written"));
        after
    };
    let mut second = restart(&memory);
    assert_eq!(listed().look(&mut second, NOW + 60.0), [], "not measured yet");
    // Restarted once more before it was.
    let mut third = restart(&second);
    assert_eq!(listed().look(&mut third, NOW + 90.0), []);
    let findings = full().look(&mut third, NOW + 120.0);
    assert_eq!((kinds(&findings), findings[0].since), (vec!["volume_over_quota"], NOW));
    // Measured and well, or gone: forgotten.
    for host in [Host::default().volume(claimed("v"), Some(GIB)), Host::default()] {
        let mut memory = restart(&memory);
        assert_eq!(host.look(&mut memory, NOW + 60.0), []);
        assert_eq!(memory.stored().len(), 0);
        assert_eq!(full().look(&mut memory, NOW + 120.0)[0].since, NOW + 120.0);
    }
    let alien = r#"{"entries":{"no json":{"since":1.0,"told":true},"[\"x\",[\"y\"]]":{"since":1.0,"told":true}}}"#;
    let mut memory = FindingMemory::default();
    memory.restore(serde_json::from_str(alien).expect("plain data"));
    full().look(&mut memory, NOW);
    assert_eq!(memory.stored().len(), 2, "near its quota and over it");
}

#[test]
fn hostile_names_keep_findings_apart() {
    let denied = claims(Witness::Denies, Witness::Denies);
    let named = |role: &str, id: &str| {
        let mut volume = volume(id, denied);
        volume.key.role = role.into();
        volume
    };
    let host =
        Host::default().volume(named("a\",\"b", "c"), None).volume(named("a", "b\",\"c"), None);
    assert_eq!(host.settled().len(), 2);
    let labels: BTreeMap<_, _> = host
        .settled()
        .iter()
        .map(|finding| (finding.subject.values.clone(), finding.kind))
        .collect();
    assert_eq!(labels.len(), 2);
}
