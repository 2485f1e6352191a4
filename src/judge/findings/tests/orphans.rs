//! Orphans: outages, new owners, and what a person is told to do.

use super::*;

#[test]
fn an_orphan_outlasts_an_outage_and_is_told_when_it_is_taken_over() {
    let mut memory = FindingMemory::default();
    let with = |claims| Host::default().volume(volume("v", claims), Some(GIB));
    let orphan = with(claims(Witness::Denies, Witness::Denies));
    assert_eq!(kinds(&orphan.look(&mut memory, NOW)), ["volume_orphaned"]);
    let outage = with(claims(Witness::Silent, Witness::Silent));
    let findings = outage.look(&mut memory, NOW + 60.0);
    assert_eq!((kinds(&findings), findings[0].since), (vec!["volume_orphaned"], NOW));
    let taken = with(claims(Witness::Claims, Witness::Claims));
    let findings = taken.look(&mut memory, NOW + 120.0);
    assert_eq!(kinds(&findings), ["volume_reattached"]);
    assert_eq!(findings[0].reason, "It was created where unclaimed data lay; it holds 1.0 GiB.");
    assert_eq!(kinds(&taken.look(&mut memory, NOW + 3600.0)), ["volume_reattached"]);
    assert_eq!(taken.look(&mut memory, NOW + 2.0 * 86_400.0), []);
    assert!(memory.is_empty());
    // Gone with its subject.
    orphan.look(&mut memory, NOW);
    assert_eq!(Host::default().look(&mut memory, NOW + 1.0), []);
    assert_eq!(memory.len(), 0);
}

#[test]
fn advice_never_removes_what_is_mounted_and_names_the_exact_call() {
    let mut snapshot = Host::default()
        .volume(volume("v\"1", claims(Witness::Denies, Witness::Denies)), Some(GIB + 1))
        .snapshot(NOW);
    let agent = snapshot.inventory.agent.clone();
    let advice = orphan_advice(&snapshot.volumes[0], agent.as_ref());
    assert!(advice.text.contains("CREATE a volume with the same id"), "{}", advice.text);
    let call: serde_json::Value =
        serde_json::from_str(&advice.call.expect("a call")).expect("JSON");
    assert_eq!(call["type"], "CREATE_VOLUMES");
    assert_eq!(call["create_volumes"]["agent_id"]["value"], "S");
    let made = &call["create_volumes"]["volumes"][0];
    assert_eq!(made["disk"]["persistence"]["id"], "v\"1");
    assert_eq!(made["scalar"]["value"], 1025);
    assert_eq!(made["reservations"][0]["role"], "db");
    snapshot.volumes[0].volume.mounts = vec![mount("/w/x", "c9")];
    let advice = orphan_advice(&snapshot.volumes[0], agent.as_ref());
    assert!(advice.text.contains("/w/x by container c9"), "{}", advice.text);
    assert!(advice.text.contains("remove nothing while it is mounted") && advice.call.is_none());
}
