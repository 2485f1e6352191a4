//! Volumes and sandboxes.

use std::path::PathBuf;

use plimsoll::model::*;

use super::{GIB, MIB, NOW};

pub(super) fn volumes() -> Vec<VolumeView> {
    let mut full = volume(
        "cassandra",
        "4a1f0c7e-commitlog",
        DiskType::Path,
        "/mnt/path1",
        47 * GIB,
        Some(50 * GIB),
    );
    full.enforcement = Enforcement::HardQuota;
    let mut over =
        volume("galera", "mariadb-1-data", DiskType::Root, "ROOT", 26 * GIB, Some(20 * GIB));
    over.enforcement = Enforcement::SoftKill;
    let mut orphan = volume("hdfs", "datanode-3-old", DiskType::Path, "/mnt/path1", 88 * GIB, None);
    orphan.state = VolumeState::Orphaned;
    orphan.orphan_reason = Some(OrphanReason::Destroyed);
    orphan.reason = "Its volume was destroyed and the data stayed.".into();
    orphan.volume.holders.clear();
    orphan.volume.mounts.clear();
    orphan.volume.created = Some(NOW - 41.0 * 86_400.0);
    orphan.volume.reservation = None;
    orphan.measured.newest_change = Some(NewestChange {
        at: NOW - 40.0 * 86_400.0,
        claimed: NOW + 365.0 * 86_400.0,
        seen_at: NOW - 90.125,
    });
    orphan.open_files = Some(OpenFiles::LookedUp(HeldOpen {
        by: vec![FileUser {
            pid: 4711,
            command: "java".into(),
            container: "c-node-3".into(),
            task: "datanode-3".into(),
            files: 12,
            deleted: 2,
            ..FileUser::default()
        }],
        processes: 1,
        files: 12,
        looked_at: NOW - 30.0,
        ..HeldOpen::default()
    }));
    let mut missing = volume("mysql", "binlog", DiskType::Root, "ROOT", 0, Some(20 * GIB));
    missing.state = VolumeState::Missing;
    missing.reason = "The agent claims it, but its directory is gone.".into();
    missing.measured = Measured::default();
    missing.volume.presence = Presence::Missing;
    missing.volume.holders.clear();
    missing.volume.mounts.clear();
    let mut idle =
        volume("eng/storage", "journal", DiskType::Root, "ROOT", 3 * GIB, Some(10 * GIB));
    idle.state = VolumeState::Idle;
    idle.reason = "No running task uses it.".into();
    idle.volume.unused_after = Some(604_800.0);
    idle.volume.holders.clear();
    idle.volume.mounts.clear();
    let mut shared =
        volume("mongo", "shared-backups", DiskType::Mount, "/mnt/ssd0", 310 * GIB, Some(400 * GIB));
    shared.volume.shared = true;
    shared.measured.sample =
        shared.measured.sample.map(|sample| UsageSample { method: Method::Statfs, ..sample });
    shared.enforcement = Enforcement::Filesystem;
    shared.volume.holders = (0..5)
        .map(|n| Holder { read_only: n > 0, ..holder("mongo", &format!("reader-{n}"), "backups") })
        .collect();
    let mut hostile = volume(
        "<script>alert(1)</script>",
        "evil\"\\\nname\u{202e}txt",
        DiskType::External,
        "HOST_PATH",
        5 * MIB,
        None,
    );
    hostile.volume.kind = VolumeKind::HostPath;
    hostile.volume.path = Some(path_of(b"/srv/\xff\xfe<img src=x>/a\nb"));
    hostile.volume.reservation = None;
    hostile.enforcement = Enforcement::None;
    hostile.measured.failure = Some(MeasureFailure {
        reason: "permission",
        message: "reading /srv/<img src=x>: permission denied".into(),
        at: NOW - 5.0,
    });
    let mut docker = volume("", "grafana-storage", DiskType::External, "DOCKER", 640 * MIB, None);
    docker.volume.key.source = SourceKind::Docker;
    docker.volume.kind = VolumeKind::DockerVolume;
    docker.volume.driver = Some("local".into());
    docker.volume.engine = Some(EngineVolume {
        program: "docker",
        labels: vec![("team".into(), "metrics\n\"}".into())],
        log_limit_bytes: Some(30 * MIB),
        ..EngineVolume::default()
    });
    docker.volume.path = Some("/var/lib/docker/volumes/grafana-storage/_data".into());
    docker.volume.holders = vec![Holder {
        container: "grafana".into(),
        executor: String::new(),
        task: String::new(),
        ..holder("", "", "/var/lib/grafana")
    }];
    docker.volume.holders[0].framework.clear();
    docker.volume.reservation = None;
    docker.enforcement = Enforcement::None;
    let mut unknown = volume("spark", "scratch", DiskType::Root, "ROOT", GIB, Some(8 * GIB));
    unknown.state = VolumeState::Unknown;
    unknown.reason = "The checkpoint could not be read whole.".into();
    unknown.enforcement = Enforcement::Unknown;
    let mut all = vec![full, over, orphan, missing, idle, shared, hostile, docker, unknown];
    all.push(volume(
        "cassandra",
        "data-0",
        DiskType::Mount,
        "/mnt/ssd1",
        120 * GIB,
        Some(200 * GIB),
    ));
    all.sort_by(|a, b| a.volume.key.cmp(&b.volume.key));
    all
}

pub(super) fn sandboxes() -> Vec<SandboxView> {
    let mut all = vec![
        sandbox("cassandra", "node-0", SandboxState::Live, 800 * MIB, Some(2 * GIB)),
        sandbox("galera", "mariadb-1", SandboxState::Live, 1_950 * MIB, Some(2 * GIB)),
        sandbox("jenkins", "build-4711", SandboxState::Live, 13 * GIB, Some(10 * GIB)),
        sandbox("marathon", "web-7f", SandboxState::Live, 36 * MIB, Some(GIB)),
        sandbox("marathon", "api-2c", SandboxState::Live, 210 * MIB, None),
        sandbox("spark", "executor-9", SandboxState::Unknown, 90 * MIB, None),
    ];
    let mut pod = sandbox("mongo", "pod-1", SandboxState::Live, 420 * MIB, Some(GIB));
    pod.sandbox.kind = SandboxKind::Executor(Some(ExecutorKind::Default));
    pod.sandbox.tasks = ["db", "backup"]
        .map(|name| TaskRef {
            id: format!("{name}-1"),
            name: name.into(),
            container: format!("{}.{name}", pod.sandbox.key.container),
        })
        .to_vec();
    let mut nested = sandbox("mongo", "pod-1", SandboxState::Live, 400 * MIB, None);
    nested.sandbox.key.container.push_str(".db");
    nested.sandbox.kind = SandboxKind::Nested;
    let mut docker = sandbox("marathon", "legacy", SandboxState::Live, 12 * MIB, Some(512 * MIB));
    docker.sandbox.containerizer = Some(Containerizer::Docker);
    docker.sandbox.engine = Some(EngineContainer {
        program: "docker",
        labels: vec![("team".into(), "legacy".into())],
        ..EngineContainer::default()
    });
    docker.enforcement = Enforcement::Accounting;
    let mut standalone = sandbox("", "debug-shell", SandboxState::Standalone, 4096, None);
    standalone.sandbox.key.executor.clear();
    standalone.sandbox.kind = SandboxKind::Standalone;
    standalone.sandbox.tasks.clear();
    let mut fresh = sandbox("marathon", "just-started", SandboxState::Live, 0, Some(GIB));
    fresh.measured = Measured::default();
    all.extend([pod, nested, docker, standalone, fresh]);
    for n in 0..37 {
        all.push(sandbox(
            "jenkins",
            &format!("build-{n}"),
            SandboxState::AwaitingGc,
            300 * MIB,
            Some(GIB),
        ));
    }
    for n in 0..6 {
        let mut leaked =
            sandbox("spark", &format!("lost-{n}"), SandboxState::Leaked, 2 * GIB, None);
        leaked.reason =
            "Neither the API nor the checkpoint knows the run: the agent will never remove it."
                .into();
        all.push(leaked);
    }
    let mut unmeasured = sandbox("spark", "lost-9", SandboxState::Leaked, 0, None);
    unmeasured.reason =
        "Neither the API nor the checkpoint knows the run: the agent will never remove it.".into();
    unmeasured.measured = Measured::default();
    all.push(unmeasured);
    let mut abandoned = sandbox("old-batch", "job-1", SandboxState::Abandoned, 700 * MIB, None);
    abandoned.reason = "It lies below a former agent id.".into();
    all.push(abandoned);
    all.sort_by(|a, b| a.sandbox.key.cmp(&b.sandbox.key));
    all
}

/// A volume in use, measured 90 seconds ago.
pub fn volume(
    role: &str,
    id: &str,
    disk_type: DiskType,
    disk: &str,
    used: u64,
    quota: Option<u64>,
) -> VolumeView {
    let root = if disk.starts_with('/') { disk } else { "/var/lib/mesos" };
    let path = match disk_type {
        DiskType::Mount => PathBuf::from(root),
        _ => format!("{root}/volumes/roles/{}/{id}", role.replace('/', " ")).into(),
    };
    VolumeView {
        volume: Volume {
            key: VolumeKey {
                source: SourceKind::Mesos,
                role: role.into(),
                volume: id.into(),
                disk: disk.into(),
            },
            kind: VolumeKind::Persistent,
            disk_type,
            path: Some(path),
            presence: Presence::Present,
            own_filesystem: disk_type == DiskType::Mount,
            principal: Some(format!("{role}-principal")),
            reservation: Some(ReservationKind::Dynamic),
            shared: false,
            container_path: Some("data".into()),
            driver: None,
            quota_bytes: quota,
            claims: Claims { api: Witness::Claims, checkpoint: Witness::Claims },
            holders: vec![holder(role, "node-0", "data")],
            mounts: vec![MountUse {
                mount_point: "/var/lib/mesos/slaves/S0/data".into(),
                container: "c1".into(),
            }],
            created: Some(NOW - 30.0 * 86_400.0 + 0.125),
            unused_after: None,
            remote: None,
            engine: None,
        },
        state: VolumeState::InUse,
        reason: "A running task holds it.".into(),
        orphan_reason: None,
        enforcement: Enforcement::SoftKill,
        measured: measured(used),
        growth: growth(FullBy::Quota),
        history: history(used, quota),
        open_files: None,
        filesystem: Some(root.into()),
    }
}

pub(super) fn holder(framework: &str, task: &str, container_path: &str) -> Holder {
    Holder {
        framework: format!("3d1f2c66-{framework}-0001"),
        framework_name: framework.into(),
        executor: task.into(),
        task: task.into(),
        container: format!("c-{task}"),
        container_path: container_path.into(),
        read_only: false,
        sees: Default::default(),
    }
}

/// A sandbox of a command task, measured 90 seconds ago.
pub fn sandbox(
    framework: &str,
    task: &str,
    state: SandboxState,
    used: u64,
    quota: Option<u64>,
) -> SandboxView {
    let framework_id =
        if framework.is_empty() { String::new() } else { format!("3d1f2c66-{framework}-0001") };
    let container = format!("{task}-5c0e-4d3a");
    let running = matches!(state, SandboxState::Live | SandboxState::Standalone);
    SandboxView {
        sandbox: Sandbox {
            path: format!("/var/lib/mesos/slaves/S0/frameworks/{framework_id}/executors/{task}/runs/{container}").into(),
            key: SandboxKey { source: SourceKind::Mesos, framework: framework_id, executor: task.into(), container },
            kind: SandboxKind::Executor(Some(ExecutorKind::Command)),
            containerizer: Some(Containerizer::Mesos),
            presence: Presence::Present,
            agent_id: "S0".into(),
            current_agent: Some(true),
            framework_name: framework.into(),
            role: framework.into(),
            tasks: vec![TaskRef { id: task.into(), name: task.into(), container: String::new() }],
            quota_bytes: quota,
            running: Some(running),
            api: Witness::Claims,
            checkpoint: Witness::Claims,
            completed: state == SandboxState::AwaitingGc,
            extra_paths: vec![],
            modified: Some(NOW - 3600.0),
            engine: None,
        },
        state,
        reason: if running { "Its container runs.".into() } else { "Its run is over.".into() },
        enforcement: Enforcement::SoftKill,
        measured: measured(used),
        growth: growth(FullBy::Quota),
        history: history(used, quota),
        filesystem: Some("/var/lib/mesos".into()),
        expected_removal: (state == SandboxState::AwaitingGc).then_some(NOW + 3600.0),
    }
}

/// Two MiB a second; full in three days, which is no trouble yet.
pub(super) fn growth(full_by: FullBy) -> Option<Growth> {
    Some(Growth {
        bytes_per_second: 2_097_152.0,
        window_seconds: 3_600.0,
        confidence: 0.9,
        full_at: Some(NOW + 259_200.0),
        full_by: Some(full_by),
    })
}

/// Of a subject that was fuller yesterday, and is used now.
pub(super) fn history(used: u64, quota: Option<u64>) -> History {
    History {
        first_seen: Some(NOW - 86_400.0),
        last_used: Some(NOW - 5.0),
        peak: Some(Peak { bytes: used + MIB, at: NOW - 3600.0 }),
        over_quota_since: quota.filter(|quota| used > *quota).map(|_| NOW - 7200.0),
        quota_change: Some(QuotaChange {
            from_bytes: Some(GIB),
            to_bytes: quota,
            at: NOW - 1800.0,
        }),
        ..History::default()
    }
}

pub(super) fn measured(used: u64) -> Measured {
    Measured {
        sample: Some(UsageSample {
            used_bytes: used,
            apparent_bytes: Some(used + used / 7),
            files: Some(used / 65_536 + 1),
            method: Method::Walk,
            error_bound_bytes: Some(0),
            measured_at: NOW - 90.125,
            duration_seconds: 0.4,
        }),
        failure: None,
        kernel_limit: None,
        newest_change: Some(NewestChange {
            at: NOW - 600.0,
            claimed: NOW - 600.0,
            seen_at: NOW - 90.125,
        }),
    }
}

pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}
