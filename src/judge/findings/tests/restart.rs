//! What survives a restart, and what tells findings apart.

use std::collections::BTreeMap;

use super::*;

fn restart(memory: &FindingMemory) -> FindingMemory {
    let text = serde_json::to_string(&memory.stored()).expect("plain data");
    let mut after = FindingMemory::default();
    after.restore(serde_json::from_str(&text).expect("what was written"));
    after
}

#[test]
fn after_a_restart_a_finding_waits_for_its_first_measurement() {
    let full = || Host::default().volume(claimed("v"), Some(11 * GIB));
    let listed = || Host::default().volume(claimed("v"), None);
    let mut memory = FindingMemory::default();
    assert_eq!(kinds(&full().look(&mut memory, NOW)), ["volume_over_quota"]);
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

/// Cases of these kinds, which are judged by rates.
fn by_rates() -> Vec<(&'static str, Host)> {
    let all = cases::cases().into_iter().chain(cases::by_io());
    let slow = ["network_storage_slow", "network_storage_retransmitting"];
    let found: Vec<_> = all
        .filter(|(kind, ..)| kind.starts_with("io_") || slow.contains(kind))
        .map(|(kind, _, host)| (kind, host))
        .collect();
    let kinds: std::collections::BTreeSet<_> = found.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    found
}

/// The same host while nothing is known of how fast its counters rise.
fn without_rates(mut host: Host) -> Host {
    for io in &mut host.io {
        io.delay_ratio = None;
        io.pressure = io.pressure.map(|pressure| IoPressure {
            some_ratio: None,
            full_ratio: None,
            ..pressure
        });
        for device in &mut io.devices {
            device.bytes_per_second = None;
            device.write.throttled_ratio = None;
        }
    }
    for network in &mut host.network {
        network.recent = None;
    }
    host
}

#[test]
fn after_a_restart_a_finding_by_rates_waits_for_them_and_no_longer() {
    let blind: Vec<Host> = by_rates().into_iter().map(|(_, host)| without_rates(host)).collect();
    for ((kind, host), blind) in by_rates().into_iter().zip(blind) {
        let mut before = FindingMemory::default();
        host.look(&mut before, NOW);
        assert_eq!(kinds(&host.look(&mut before, NOW + 3600.0)), [kind]);
        let awaits = |memory: &FindingMemory| memory.awaited().count() == 1;

        // Nobody knows: it goes on, and is the same one once it is known.
        let mut memory = restart(&before);
        for second in [3605.0, 3660.0] {
            assert_eq!(blind.look(&mut memory, NOW + second), [], "{kind}");
            assert!(awaits(&memory), "{kind} at {second}");
        }
        let findings = host.look(&mut memory, NOW + 3670.0);
        assert_eq!((kinds(&findings), findings[0].since), (vec![kind], NOW));

        // Before the first counters were read there is nobody at all.
        let mut memory = restart(&before);
        Host::default().look(&mut memory, NOW + 3605.0);
        assert!(awaits(&memory), "{kind} is not forgotten before the first look");
        // Never known again, as what is gone.
        Host::default().look(&mut memory, NOW + 3605.0 + 121.0);
        assert_eq!(memory.stored().len(), 0, "{kind} is gone");
        let mut memory = restart(&before);
        blind.look(&mut memory, NOW + 3605.0);
        blind.look(&mut memory, NOW + 3605.0 + 121.0);
        assert_eq!(memory.stored().len(), 0, "{kind} is never known again");
    }
}

#[test]
fn after_a_restart_what_is_well_by_its_rates_is_over_at_once() {
    for (kind, host) in by_rates() {
        let mut before = FindingMemory::default();
        host.look(&mut before, NOW);
        let mut memory = restart(&before);
        let mut well = host;
        for io in &mut well.io {
            io.pressure = io.pressure.map(|pressure| IoPressure {
                some_ratio: Some(0.0),
                full_ratio: Some(0.0),
                ..pressure
            });
            io.delay_ratio = io.delay_ratio.map(|_| 0.0);
            io.devices[0].write.throttled_ratio = Some(0.0);
        }
        for network in &mut well.network {
            network.recent = Some(busy());
        }
        assert_eq!(well.look(&mut memory, NOW + 70.0), [], "{kind}");
        assert_eq!(memory.stored().len(), 0, "{kind}");
    }
}

#[test]
fn after_a_restart_measurements_are_overdue_until_all_is_measured() {
    let listed = || Host::default().volume(claimed("v"), None);
    let late = |debt: f64| listed().with(|host| host.debt = debt);
    let mut before = FindingMemory::default();
    late(2000.0).look(&mut before, NOW);
    assert_eq!(kinds(&late(2000.0).look(&mut before, NOW + 600.0)), ["measurements_overdue"]);

    let mut memory = restart(&before);
    assert_eq!(late(0.0).look(&mut memory, NOW + 700.0), []);
    assert_eq!(memory.awaited().count(), 1, "nothing can be late yet");
    let findings = late(950.0).look(&mut memory, NOW + 1700.0);
    assert_eq!((kinds(&findings), findings[0].since), (vec!["measurements_overdue"], NOW));

    let mut memory = restart(&before);
    let measured = Host::default().volume(claimed("v"), Some(GIB));
    assert_eq!(measured.look(&mut memory, NOW + 700.0), []);
    assert_eq!(memory.awaited().count(), 0, "all is in time");

    // What nobody will ever measure is not waited for.
    let mut memory = restart(&before);
    let missing = Volume { presence: Presence::Missing, ..claimed("v") };
    Host::default().volume(missing, None).look(&mut memory, NOW + 700.0);
    assert_eq!(memory.awaited().count(), 0);
    // Nor is what should be measured by now: it is late, or it fails, and that is told.
    let mut memory = restart(&before);
    for (second, awaited) in [(700.0, 1), (2490.0, 1), (2500.0, 0)] {
        assert_eq!(late(0.0).look(&mut memory, NOW + second), []);
        assert_eq!(memory.awaited().count(), awaited, "{second}");
    }
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
