//! Every condition fires, stays silent where it must, and comes and goes as its time says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::judge::growth::Histories;
use crate::judge::{Evidence, Memory, assemble, conditions};
use crate::model::*;

const NOW: f64 = 1e9;
const GIB: u64 = 1 << 30;

fn volume(id: &str, claims: Claims) -> Volume {
    Volume {
        key: VolumeKey {
            source: SourceKind::Mesos,
            role: "db".into(),
            volume: id.into(),
            disk: "ROOT".into(),
        },
        kind: VolumeKind::Persistent,
        disk_type: DiskType::Root,
        path: Some(format!("/w/volumes/roles/db/{id}").into()),
        presence: Presence::Present,
        own_filesystem: false,
        principal: None,
        reservation: None,
        shared: false,
        container_path: None,
        driver: None,
        quota_bytes: Some(10 * GIB),
        claims,
        holders: vec![],
        mounts: vec![],
        created: Some(NOW - 1e6),
        unused_after: None,
        remote: None,
        engine: None,
    }
}

fn claims(api: Witness, checkpoint: Witness) -> Claims {
    Claims { api, checkpoint }
}

fn claimed(id: &str) -> Volume {
    volume(id, claims(Witness::Claims, Witness::Claims))
}

fn holder(executor: &str, container: &str) -> Holder {
    Holder {
        framework: "F".into(),
        framework_name: String::new(),
        executor: executor.into(),
        task: executor.into(),
        container: container.into(),
        container_path: "data".into(),
        read_only: false,
    }
}

fn mount(at: &str, container: &str) -> MountUse {
    MountUse { mount_point: at.into(), container: container.into() }
}

fn sandbox(executor: &str) -> Sandbox {
    Sandbox {
        key: SandboxKey {
            source: SourceKind::Mesos,
            framework: "F".into(),
            executor: executor.into(),
            container: format!("c-{executor}"),
        },
        kind: SandboxKind::Executor(Some(ExecutorKind::Command)),
        containerizer: Some(Containerizer::Mesos),
        path: format!("/w/slaves/S/frameworks/F/executors/{executor}/runs/c-{executor}").into(),
        presence: Presence::Present,
        agent_id: "S".into(),
        current_agent: Some(true),
        framework_name: "web".into(),
        role: "*".into(),
        tasks: vec![],
        quota_bytes: Some(10 * GIB),
        running: Some(true),
        api: Witness::Claims,
        checkpoint: Witness::Claims,
        completed: false,
        extra_paths: vec![],
        modified: Some(NOW - 1e6),
        engine: None,
    }
}

fn used(bytes: u64) -> Measured {
    Measured {
        sample: Some(UsageSample {
            used_bytes: bytes,
            apparent_bytes: None,
            files: Some(1),
            method: Method::Walk,
            measured_at: NOW,
            duration_seconds: 0.0,
            error_bound_bytes: 0,
        }),
        ..Measured::default()
    }
}

/// A host: what a case changes, and the rest well.
struct Host {
    volumes: Vec<Volume>,
    sandboxes: Vec<Sandbox>,
    usage: HashMap<Subject, Measured>,
    filesystem: FilesystemUsage,
    responsive: bool,
    disk_mebibytes: f64,
    flags: Vec<(&'static str, &'static str)>,
    up: bool,
    recovering: bool,
    reserved: bool,
    sources: Vec<SourceReport>,
    disagreements: Vec<Disagreement>,
    dropped: usize,
    debt: f64,
    /// Hours until each subject is full, and by what.
    subjects_full: Option<(f64, FullBy)>,
    /// Hours until the filesystem is full.
    filesystem_full: Option<f64>,
    unowned: bool,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            volumes: vec![],
            sandboxes: vec![],
            usage: HashMap::new(),
            filesystem: FilesystemUsage {
                size_bytes: 100 * GIB,
                free_bytes: 80 * GIB,
                available_bytes: 80 * GIB,
                files: Some(1000),
                files_free: Some(900),
                readonly: false,
                measured_at: NOW,
            },
            responsive: true,
            disk_mebibytes: 1024.0,
            flags: vec![
                ("isolation", "disk/du"),
                ("enforce_container_disk_quota", "true"),
                ("gc_delay", "1weeks"),
            ],
            up: true,
            recovering: false,
            reserved: false,
            sources: vec![],
            disagreements: vec![],
            dropped: 0,
            debt: 0.0,
            subjects_full: None,
            filesystem_full: None,
            unowned: false,
        }
    }
}

impl Host {
    fn volume(mut self, volume: Volume, bytes: Option<u64>) -> Self {
        if let Some(bytes) = bytes {
            self.usage.insert(Subject::Volume(volume.key.clone()), used(bytes));
        }
        self.volumes.push(volume);
        self
    }

    fn sandbox(mut self, sandbox: Sandbox, bytes: u64) -> Self {
        self.usage.insert(Subject::Sandbox(sandbox.key.clone()), used(bytes));
        self.sandboxes.push(sandbox);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn snapshot(&self, now: f64) -> Snapshot {
        let cpus = |reserved: bool| Resource {
            name: "cpus".into(),
            quantity: Quantity::Scalar(2.0),
            reservations: reserved
                .then(|| Reservation { dynamic: true, role: "db".into(), principal: None })
                .into_iter()
                .collect(),
            allocated_to: None,
            disk: None,
            shared: false,
            revocable: false,
            provider_id: None,
        };
        let disk = Resource {
            name: "disk".into(),
            quantity: Quantity::Scalar(self.disk_mebibytes),
            ..cpus(false)
        };
        let mut resources = vec![cpus(false), disk];
        if self.reserved {
            resources.push(cpus(true));
        }
        let agent = Agent {
            id: Some("S".into()),
            up: self.up,
            recovering: self.recovering,
            work_dir: Some("/w".into()),
            flags: self.flags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            resources,
            allocated: Some(vec![cpus(false)]),
            ..Agent::default()
        };
        let paths = self.volumes.iter().filter_map(|volume| volume.path.clone());
        let paths = paths.chain(self.sandboxes.iter().map(|sandbox| sandbox.path.clone()));
        let filesystem_of: HashMap<PathBuf, PathBuf> =
            paths.chain([PathBuf::from("/w")]).map(|path| (path, PathBuf::from("/"))).collect();
        let mut snapshot = assemble(Evidence {
            inventory: Arc::new(Inventory {
                taken_at: now,
                agent: Some(agent),
                volumes: self.volumes.clone(),
                sandboxes: self.sandboxes.clone(),
                sources: self.sources.clone(),
                disagreements: self.disagreements.clone(),
            }),
            memory: &Memory::default(),
            owners: None,
            histories: &Histories::default(),
            usage: &self.usage,
            filesystems: vec![FilesystemSample {
                mount_point: "/".into(),
                device: "/dev/sda1".into(),
                fstype: "ext4".into(),
                device_number: (8, 1),
                remote: false,
                responsive: self.responsive,
                usage: Some(self.filesystem),
                unattributed_bytes: None,
                promised_bytes: None,
                growth: None,
            }],
            filesystem_of: &filesystem_of,
            collectors: vec![],
            now,
            grace: 600.0,
            sequence: 1,
        });
        let growth = |(hours, by): (f64, FullBy)| Growth {
            bytes_per_second: GIB as f64 / 86_400.0,
            window_seconds: 86_400.0,
            confidence: 1.0,
            full_at: Some(now + hours * 3_600.0),
            full_by: Some(by),
        };
        for view in &mut snapshot.volumes {
            view.growth = self.subjects_full.map(growth);
            if self.unowned {
                view.state = VolumeState::Unowned;
                view.reason = "no registered framework uses the role db since 2h".into();
            }
        }
        for view in &mut snapshot.sandboxes {
            view.growth = self.subjects_full.map(growth);
        }
        for sample in &mut snapshot.filesystems {
            sample.growth = self.filesystem_full.map(|hours| growth((hours, FullBy::Filesystem)));
        }
        snapshot
    }

    /// Takes a look, with the memory of former ones.
    fn look(&self, memory: &mut FindingMemory, now: f64) -> Vec<Finding> {
        memory.update(&Facts {
            snapshot: &self.snapshot(now),
            thresholds: &Thresholds::default(),
            series_dropped: self.dropped,
            debt_seconds: self.debt,
            now,
        })
    }

    /// What is found when all stays as it is for a fortnight.
    fn settled(&self) -> Vec<Finding> {
        let mut memory = FindingMemory::default();
        self.look(&mut memory, NOW);
        self.look(&mut memory, NOW + 14.0 * 86_400.0)
    }
}

fn kinds(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.kind).collect()
}

fn source(health: SourceHealth) -> SourceReport {
    SourceReport {
        name: "mesos_checkpoint",
        health,
        target: "/w/meta".into(),
        errors: vec![SourceError {
            reason: "malformed",
            message: "record 3 is torn".into(),
            hint: "It is written anew.".into(),
        }],
        duration_seconds: 0.0,
    }
}

/// Hosts on which exactly one condition holds, with a piece of its sentence.
fn cases() -> Vec<(&'static str, &'static str, Host)> {
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

#[test]
fn each_condition_fires_alone_with_its_numbers() {
    let mut fired = BTreeSet::from(["volume_reattached"]); // has a test of its own below
    for (kind, words, host) in cases() {
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
        assert_eq!(finding.subject.values.len(), condition.subject.labels().len(), "{kind}");
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

#[test]
fn what_is_well_or_only_seems_ill_stays_silent() {
    let silent = claims(Witness::Silent, Witness::Silent);
    let denied = claims(Witness::Denies, Witness::Denies);
    let fresh = Some(NOW + 14.0 * 86_400.0 - 60.0);
    let host = Host::default;
    let pod = |container: &str| holder("pod", container);
    let cases = [
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
                    engine: None,
                    ..sandbox("a")
                },
                11 * GIB,
            ),
        ),
        (
            "a source that is not there",
            host().with(|host| host.sources.push(source(SourceHealth::Absent))),
        ),
    ];
    for (name, host) in cases {
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

#[test]
fn a_value_at_the_threshold_does_not_flap() {
    let at = |tenths: u64| Host::default().volume(claimed("v"), Some(GIB * tenths / 100));
    let mut memory = FindingMemory::default();
    let mut steps = Vec::new();
    // 10 GiB are the quota: 900 is the threshold, 870 the threshold less the margin.
    for (minutes, hundredths) in [
        (0, 899),
        (1, 900),
        (5, 905),
        (6, 901),
        (7, 899),
        (8, 880),
        (9, 901),
        (10, 869),
        (11, 899),
        (12, 901),
    ] {
        let findings = at(hundredths).look(&mut memory, NOW + f64::from(minutes) * 60.0);
        steps.push(findings.len());
    }
    // Silent below; held for five minutes; stays within the margin; gone below it; waits anew.
    assert_eq!(steps, [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]);
}

#[test]
fn a_spike_shorter_than_the_hold_time_is_never_told() {
    let mut memory = FindingMemory::default();
    let (low, high) = (GIB, GIB * 19 / 2);
    for minute in 0..60 {
        let bytes = if minute % 4 == 0 { low } else { high };
        let host = Host::default().volume(claimed("v"), Some(bytes));
        assert_eq!(host.look(&mut memory, NOW + f64::from(minute) * 60.0), [], "{minute}");
    }
}

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
    assert_eq!(memory.stored().len(), 1);
}

#[test]
fn a_prediction_at_the_horizon_does_not_flap_and_one_that_is_over_its_quota_is_told_once() {
    let mut memory = FindingMemory::default();
    let mut look = |minute: f64, hours: f64| {
        let host = Host::default()
            .volume(claimed("v"), Some(5 * GIB))
            .with(|host| host.subjects_full = Some((hours, FullBy::Quota)));
        kinds(&host.look(&mut memory, NOW + minute * 60.0))
    };
    assert_eq!(look(0.0, 24.1), [""; 0]);
    assert_eq!(look(1.0, 23.9), [""; 0]);
    assert_eq!(look(11.0, 23.9), ["volume_fills_soon"]);
    assert_eq!(look(12.0, 26.9), ["volume_fills_soon"], "within the margin");
    assert_eq!(look(13.0, 4.1), ["volume_fills_soon"]);
    assert_eq!(look(14.0, 27.1), [""; 0]);
    let over = Host::default()
        .volume(claimed("v"), Some(11 * GIB))
        .with(|host| host.subjects_full = Some((0.0, FullBy::Quota)));
    assert_eq!(kinds(&over.settled()), ["volume_over_quota"]);
}
