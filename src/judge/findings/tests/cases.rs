//! Each condition on a host where nothing else is wrong.

use std::collections::BTreeSet;

use super::*;
use crate::judge::conditions;

/// Hosts on which exactly one condition holds, with a piece of its sentence.
pub(crate) fn cases() -> Vec<(&'static str, &'static str, Host)> {
    let host = Host::default;
    let unenforced = |host: Host| host.with(|host| host.flags = vec![("isolation", "cgroups/cpu")]);
    let ended = || Sandbox { completed: true, running: Some(false), ..sandbox("old") };
    // Its removal lies ahead: gc_delay counts from the end of the run.
    let just_ended = || Sandbox { modified: Some(NOW + 14.0 * 86_400.0), ..ended() };
    let running = || sandbox("a");
    let by_quota = |host: Host, hours: f64| {
        host.with(|host| host.subjects_full = Some((hours, FullBy::Quota)))
    };
    vec![
        (
            "volume_near_quota",
            "9.5 GiB of 10.0 GiB (95 %); past its quota its task is killed.",
            host().volume(claimed("v"), Some(GIB * 19 / 2)),
        ),
        (
            "volume_over_quota",
            "will be killed at the agent's next du",
            host().volume(claimed("v"), Some(11 * GIB)),
        ),
        (
            "volume_over_quota_unenforced",
            "11.0 GiB of 10.0 GiB (110 %); nothing enforces",
            unenforced(host().volume(claimed("v"), Some(11 * GIB))),
        ),
        (
            "volume_fills_soon",
            "Its quota (5.0 GiB of 10.0 GiB) is full in 23h at the pace of 1.0 GiB a day.",
            by_quota(host().volume(claimed("v"), Some(5 * GIB)), 23.5),
        ),
        (
            "volume_fills_now",
            "is full in 3h at",
            by_quota(host().volume(claimed("v"), Some(5 * GIB)), 3.5),
        ),
        (
            "sandbox_fills_soon",
            "Its quota (5.0 GiB of 10.0 GiB) is full in 23h",
            by_quota(host().sandbox(running(), 5 * GIB), 23.5),
        ),
        ("sandbox_fills_now", "is full now at", by_quota(host().sandbox(running(), 5 * GIB), -0.5)),
        (
            "filesystem_fills_soon",
            "It (80.0 GiB of 100.0 GiB left) is full in 23h",
            host().volume(claimed("v"), Some(GIB)).sandbox(running(), GIB).with(|host| {
                host.subjects_full = Some((23.5, FullBy::Filesystem));
                host.filesystem_full = Some(23.5);
            }),
        ),
        (
            "filesystem_fills_now",
            "is full in 2h at",
            host().volume(claimed("v"), Some(GIB)).with(|host| {
                host.subjects_full = Some((2.5, FullBy::Filesystem));
                host.filesystem_full = Some(2.5);
            }),
        ),
        (
            "volume_unused",
            "Nobody has used it for 15d; it holds 1.0 GiB.",
            host().volume(
                Volume {
                    kind: VolumeKind::Directory,
                    quota_bytes: None,
                    unused_after: Some(60.0),
                    ..claimed("v")
                },
                Some(GIB),
            ),
        ),
        (
            "volume_unowned",
            "No registered framework uses the role db",
            host().volume(claimed("v"), Some(GIB)).with(|host| host.unowned = true),
        ),
        (
            "volume_orphaned",
            "1.0 GiB lie unclaimed",
            host().volume(volume("v", claims(Witness::Denies, Witness::Denies)), Some(GIB)),
        ),
        (
            "volume_missing",
            "its directory is gone",
            host().volume(Volume { presence: Presence::Missing, ..claimed("v") }, None),
        ),
        (
            "volume_conflict",
            "2 executors use it at once: a, b.",
            host().volume(
                Volume { holders: vec![holder("a", "c1"), holder("b", "c2")], ..claimed("v") },
                None,
            ),
        ),
        (
            "volume_dangling_mount",
            "at /w/run/data, and container c-old has ended",
            host().sandbox(just_ended(), 1).volume(
                Volume { mounts: vec![mount("/w/run/data", "c-old")], ..claimed("v") },
                None,
            ),
        ),
        (
            "volume_mounted_elsewhere",
            "at /srv/backup, which belongs to no container",
            host().volume(Volume { mounts: vec![mount("/srv/backup", "")], ..claimed("v") }, None),
        ),
        (
            "volume_mounted_twice",
            "Container c-a has 2 mounts of it and 1 uses",
            host().sandbox(running(), 1).volume(
                Volume {
                    holders: vec![holder("a", "c-a")],
                    mounts: vec![mount("/w/r/x", "c-a"), mount("/w/r/y", "c-a")],
                    ..claimed("v")
                },
                None,
            ),
        ),
        (
            "volume_unmeasured",
            "permission denied",
            host().volume(claimed("v"), None).with(|host| {
                let failure = MeasureFailure {
                    reason: "permission",
                    message: "open /w: permission denied".into(),
                    at: NOW,
                };
                host.usage.insert(
                    Subject::Volume(claimed("v").key),
                    Measured { failure: Some(failure), ..Measured::default() },
                );
            }),
        ),
        ("sandbox_near_quota", "(95 %)", host().sandbox(running(), GIB * 19 / 2)),
        (
            "sandbox_over_quota",
            "will be killed at the agent's next du",
            host().sandbox(running(), 10 * GIB),
        ),
        (
            "sandbox_over_quota_unenforced",
            "nothing enforces",
            unenforced(host().sandbox(running(), 11 * GIB)),
        ),
        (
            "sandbox_missing",
            "the directory is gone",
            host().sandbox(Sandbox { presence: Presence::Missing, ..running() }, 1),
        ),
        (
            "sandboxes_leaked",
            "1 leaked sandbox holds 2.0 GiB",
            host().sandbox(
                Sandbox {
                    api: Witness::Denies,
                    checkpoint: Witness::Denies,
                    running: Some(false),
                    ..running()
                },
                2 * GIB,
            ),
        ),
        (
            "sandboxes_abandoned",
            "1 abandoned sandbox holds 2.0 GiB",
            host().sandbox(Sandbox { current_agent: Some(false), ..running() }, 2 * GIB),
        ),
        (
            "filesystem_filling",
            "92 % of its bytes are used, 8.0 GiB of 100.0 GiB left",
            host().with(|host| {
                host.filesystem.free_bytes = 8 * GIB;
                host.filesystem.available_bytes = 8 * GIB;
            }),
        ),
        (
            "filesystem_filling",
            "92 % of its bytes are used",
            host().with(|host| {
                host.filesystem.free_bytes = 8 * GIB;
                host.filesystem.available_bytes = 8 * GIB;
                host.remote = true;
                host.network.push(mounted_at("/", network(true, busy())));
            }),
        ),
        (
            "filesystem_full",
            "98 % of its bytes",
            host().with(|host| {
                host.filesystem.free_bytes = 2 * GIB;
                host.filesystem.available_bytes = 2 * GIB;
            }),
        ),
        (
            "filesystem_inodes_low",
            "95 % of its inodes are used, 50 of 1000 left",
            host().with(|host| host.filesystem.files_free = Some(50)),
        ),
        (
            "filesystem_inodes_exhausted",
            "100 % of its inodes",
            host().with(|host| host.filesystem.files_free = Some(0)),
        ),
        (
            "filesystem_overcommitted",
            "150.0 GiB are promised of 100.0 GiB (150 %)",
            host().with(|host| host.disk_mebibytes = 150.0 * 1024.0),
        ),
        (
            "filesystem_readonly",
            "/dev/sda1 (ext4)",
            host().with(|host| host.filesystem.readonly = true),
        ),
        ("filesystem_unresponsive", "does not answer", host().with(|host| host.responsive = false)),
        (
            "network_storage_unresponsive",
            "filer:/vol does not answer.",
            host().with(|host| host.network.push(network(false, Recent::default()))),
        ),
        (
            "network_storage_slow",
            "Its requests took 2.5 s on the average of the last 5m.",
            host().with(|host| {
                let slow = Recent { mean_execute_seconds: Some(2.5), ..busy() };
                host.network.push(network(true, slow));
            }),
        ),
        (
            "network_storage_retransmitting",
            "60 of 1000 requests of the last 5m were sent again (6 %), and 2 timed out.",
            host().with(|host| {
                let lossy = Recent { retransmissions: 60, timeouts: 2, ..busy() };
                host.network.push(network(true, lossy));
            }),
        ),
        ("agent_down", "does not answer", host().with(|host| host.up = false)),
        (
            "agent_recovering",
            "still recovering",
            host().with(|host| {
                host.up = false;
                host.recovering = true;
            }),
        ),
        (
            "gc_behind",
            "1 finished sandboxes hold 3.0 GiB; the oldest should have gone",
            host().sandbox(ended(), 3 * GIB),
        ),
        (
            "reservation_idle",
            "Its dynamic reservation of 2 cpus is not used at all.",
            host().with(|host| host.reserved = true),
        ),
        (
            "source_unreadable",
            "/w/meta could not be read whole: record 3 is torn.",
            host().with(|host| host.sources.push(source(SourceHealth::Partial))),
        ),
        (
            "sources_disagree",
            "10 GiB",
            host().with(|host| {
                host.disagreements.push(Disagreement {
                    subject: "db / v".into(),
                    message: "The API says 10 GiB, the checkpoint 20 GiB.".into(),
                })
            }),
        ),
        ("measurements_overdue", "33m late", host().with(|host| host.debt = 2000.0)),
        ("series_dropped", "7 series", host().with(|host| host.dropped = 7)),
    ]
}

/// The same, where it is about block I/O.
pub(crate) fn by_io() -> impl Iterator<Item = (&'static str, &'static str, Host)> {
    let troubles = super::io::troubles().into_iter();
    troubles.map(|(kind, words, io)| (kind, words, Host { io, ..Host::default() }))
}

#[test]
fn each_condition_fires_alone_with_its_numbers() {
    let mut fired = BTreeSet::from(["volume_reattached"]); // has a test of its own below
    for (kind, words, host) in cases().into_iter().chain(by_io()) {
        let findings = host.settled();
        assert_eq!(kinds(&findings), [kind], "{findings:#?}");
        let finding = &findings[0];
        assert!(finding.reason.contains(words), "{kind}: {}", finding.reason);
        assert!(finding.reason.ends_with('.') && !finding.reason.ends_with(".."), "{kind}");
        assert!(!finding.next.is_empty(), "{kind}");
        assert_eq!(finding.since, NOW, "{kind}");
        let condition = conditions::find(kind).expect(kind);
        assert_eq!(finding.severity, condition.severity);
        assert_eq!(finding.subject.kind, condition.subject);
        let labels = [condition.subject.key().len(), condition.subject.labels().len()];
        assert!(labels.contains(&finding.subject.values.len()), "{kind}");
        fired.insert(kind);
    }
    let all: BTreeSet<&str> = conditions::all().map(|condition| condition.id).collect();
    assert_eq!(fired, all, "a condition has no test");
}

#[test]
fn each_waits_for_its_hold_time_and_then_keeps_its_since() {
    for (kind, _, host) in cases() {
        let hold = conditions::find(kind).expect(kind).hold_seconds;
        let mut memory = FindingMemory::default();
        let first = kinds(&host.look(&mut memory, NOW));
        assert_eq!(first.is_empty(), hold > 0.0, "{kind}: {first:?}");
        if hold > 1.0 {
            assert_eq!(kinds(&host.look(&mut memory, NOW + hold - 1.0)), [""; 0], "{kind}");
        }
        let told = host.look(&mut memory, NOW + hold);
        assert_eq!((kinds(&told), told[0].since), (vec![kind], NOW));
        // Through a state file, and after a clock that was set back.
        let text = serde_json::to_string(&memory).expect("plain data");
        let mut memory: FindingMemory = serde_json::from_str(&text).expect("what was written");
        let told = host.look(&mut memory, NOW - 5.0);
        assert_eq!((kinds(&told), told[0].since), (vec![kind], NOW - 5.0), "{kind}");
    }
}
