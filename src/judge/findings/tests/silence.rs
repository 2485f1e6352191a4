//! What must not be told.

use super::*;

/// Hosts of which nothing is told.
pub(crate) fn hosts() -> Vec<(&'static str, Host)> {
    let silent = claims(Witness::Silent, Witness::Silent);
    let denied = claims(Witness::Denies, Witness::Denies);
    let fresh = Some(NOW + 14.0 * 86_400.0 - 60.0);
    let host = Host::default;
    let pod = |container: &str| holder("pod", container);
    let cases = vec![
        ("a host that is well", host().volume(claimed("v"), Some(GIB)).sandbox(sandbox("a"), GIB)),
        ("agent restarting, lists not complete", host().volume(volume("v", silent), Some(GIB))),
        (
            "API filtered, checkpoint torn",
            host().volume(volume("v", claims(Witness::Silent, Witness::Silent)), Some(GIB)),
        ),
        (
            "agent dead, checkpoint claims",
            host().volume(volume("v", claims(Witness::Silent, Witness::Claims)), Some(GIB)),
        ),
        (
            "API stale, checkpoint claims",
            host().volume(volume("v", claims(Witness::Denies, Witness::Claims)), Some(GIB)),
        ),
        (
            "volume being created",
            host().volume(Volume { created: fresh, ..volume("v", denied) }, Some(GIB)),
        ),
        (
            "directory not looked at",
            host().volume(Volume { presence: Presence::Unknown, ..volume("v", denied) }, None),
        ),
        (
            "unclaimed, but a task holds it",
            host().volume(Volume { holders: vec![holder("a", "c")], ..volume("v", denied) }, None),
        ),
        (
            "unclaimed, but mounted in a container that may run",
            host().volume(Volume { mounts: vec![mount("/x", "c")], ..volume("v", denied) }, None),
        ),
        (
            "task being launched",
            host().sandbox(
                Sandbox {
                    api: Witness::Denies,
                    checkpoint: Witness::Denies,
                    running: None,
                    modified: fresh,
                    ..sandbox("a")
                },
                1,
            ),
        ),
        (
            "sandbox nobody could be asked about",
            host().sandbox(
                Sandbox {
                    api: Witness::Silent,
                    checkpoint: Witness::Silent,
                    running: None,
                    ..sandbox("a")
                },
                1,
            ),
        ),
        (
            "tasks of one executor share its volume",
            host().volume(Volume { holders: vec![pod("p.a"), pod("p.b")], ..claimed("v") }, None),
        ),
        (
            "shared on purpose",
            host().volume(
                Volume {
                    shared: true,
                    holders: vec![holder("a", "c1"), holder("b", "c2")],
                    ..claimed("v")
                },
                None,
            ),
        ),
        (
            "full only the day after tomorrow",
            host().volume(claimed("v"), Some(GIB)).sandbox(sandbox("a"), GIB).with(|host| {
                host.subjects_full = Some((40.0, FullBy::Quota));
                host.filesystem_full = Some(40.0);
            }),
        ),
        (
            "a subject's word on a filesystem that says nothing itself",
            host()
                .volume(claimed("v"), Some(GIB))
                .sandbox(sandbox("a"), GIB)
                .with(|host| host.subjects_full = Some((1.0, FullBy::Filesystem))),
        ),
        (
            "a sandbox that fills a quota nobody enforces",
            host().sandbox(sandbox("a"), GIB).with(|host| {
                host.flags = vec![("isolation", "cgroups/cpu")];
                host.subjects_full = Some((1.0, FullBy::Quota));
            }),
        ),
        (
            "a volume without a quota",
            host()
                .volume(Volume { quota_bytes: None, ..claimed("v") }, Some(GIB))
                .with(|host| host.subjects_full = Some((1.0, FullBy::Quota))),
        ),
        ("promised in full", host().with(|host| host.disk_mebibytes = 100.0 * 1024.0)),
        (
            "a finished sandbox over its quota",
            host().sandbox(
                Sandbox {
                    completed: true,
                    running: Some(false),
                    modified: Some(NOW + 14.0 * 86_400.0),
                    ..sandbox("a")
                },
                11 * GIB,
            ),
        ),
        (
            "an image that is full because nobody writes it",
            host().with(|host| {
                host.fstype = "squashfs";
                host.filesystem.readonly = true;
                host.filesystem.free_bytes = 0;
                host.filesystem.available_bytes = 0;
                host.filesystem.files_free = Some(0);
            }),
        ),
        (
            "a share that the server lets nobody write",
            host().with(|host| {
                host.remote = true;
                host.filesystem.readonly = true;
                host.filesystem.available_bytes = 0;
            }),
        ),
        (
            "a filesystem without a limit of inodes",
            host().with(|host| {
                host.filesystem.files = Some(0);
                host.filesystem.files_free = Some(0);
            }),
        ),
        (
            "a source that is not there",
            host().with(|host| host.sources.push(source(SourceHealth::Absent))),
        ),
    ];
    let io = super::io::silent().into_iter().map(|(name, io)| (name, Host { io, ..host() }));
    cases.into_iter().chain(io).collect()
}

#[test]
fn what_is_well_or_only_seems_ill_stays_silent() {
    for (name, host) in hosts() {
        assert_eq!(host.settled(), [], "{name}");
    }
    let mut memory = FindingMemory::default();
    let facts = Facts {
        snapshot: &Snapshot::default(),
        thresholds: &Thresholds::default(),
        series_dropped: 9,
        debt_seconds: 9e9,
        now: NOW,
    };
    assert_eq!(memory.update(&facts), [], "before the first inventory");
}
