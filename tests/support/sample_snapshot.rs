//! Snapshots to show and to measure: shared by tests, the benchmark and the sample server.
#![allow(dead_code)] // each of them uses a part

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use plimsoll::model::*;

pub const GIB: u64 = 1 << 30;
pub const MIB: u64 = 1 << 20;

/// When the samples were taken: 2025-11-22 20:32:30 UTC.
pub const NOW: Timestamp = 1_763_843_550.25;

/// A host on which everything is well: two volumes, one sandbox.
pub fn well() -> Snapshot {
    let mut snapshot = Snapshot {
        taken_at: NOW,
        sequence: 1,
        volumes: vec![
            volume("cassandra", "data-0", DiskType::Mount, "/mnt/ssd0", 120 * GIB, Some(200 * GIB)),
            volume("eng/storage", "journal", DiskType::Root, "ROOT", 3 * GIB, Some(10 * GIB)),
        ],
        sandboxes: vec![sandbox(
            "cassandra",
            "node-0",
            SandboxState::Live,
            800 * MIB,
            Some(2 * GIB),
        )],
        filesystems: vec![
            filesystem("/mnt/ssd0", 400 * GIB, 270 * GIB),
            filesystem("/var/lib/mesos", 500 * GIB, 210 * GIB),
        ],
        collectors: vec![run("filesystems", true), run("mesos_api", true), run("usage", true)],
        ready: true,
        ..Snapshot::default()
    };
    snapshot.inventory = Arc::new(Inventory {
        taken_at: NOW,
        agent: Some(agent()),
        sources: vec![source("mesos_api", SourceHealth::Ok, "http://10.0.0.7:5051", &[])],
        ..Inventory::default()
    });
    snapshot
}

/// A host with every sort of trouble, every kind of subject and hostile names.
pub fn troubled() -> Snapshot {
    let mut snapshot = well();
    snapshot.volumes = volumes();
    snapshot.sandboxes = sandboxes();
    let limit = KernelLimit {
        project: 5003,
        bytes_hard: Some(10 * GIB),
        files_hard: Some(100_000),
        enforced: true,
        ..KernelLimit::default()
    };
    snapshot.volumes[0].measured.kernel_limit = Some(limit);
    snapshot.sandboxes[0].measured.kernel_limit = Some(limit);
    snapshot.filesystems = filesystems();
    snapshot.io = Arc::new(io(&snapshot.sandboxes));
    snapshot.devices = devices();
    snapshot.network = network();
    snapshot.transports = vec![NetworkTransport {
        address: "10.0.0.5".into(),
        protocol: "tcp".into(),
        sockets: 2,
        connects: Some(4),
        sends: 7428,
        receives: 7427,
        bad_replies: 2,
    }];
    snapshot.collectors.insert(1, run("mesos_checkpoint", false));
    let mut agent = agent();
    agent.gc_path_removals_pending = Some(14);
    snapshot.inventory = Arc::new(Inventory {
        taken_at: NOW,
        agent: Some(agent),
        sources: vec![
            source("mesos_api", SourceHealth::Ok, "http://10.0.0.7:5051", &[]),
            source(
                "mesos_checkpoint",
                SourceHealth::Partial,
                "/var/lib/mesos/meta",
                &[SourceError {
                    reason: "malformed",
                    message: "/var/lib/mesos/meta/resources/resources.info: record 3 ends after 17 of 214 bytes".into(),
                    hint: "The agent writes it anew with the next change of its volumes; until then the API alone is believed.".into(),
                }],
            ),
            source("mesos_layout", SourceHealth::Ok, "/var/lib/mesos", &[]),
            source(
                "mesos_runtime",
                SourceHealth::Failed,
                "/var/run/mesos",
                &[SourceError {
                    reason: "permission",
                    message: "reading /var/run/mesos/containers: permission denied".into(),
                    hint: "Give the service CAP_DAC_READ_SEARCH.".into(),
                }],
            ),
            source("docker", SourceHealth::Absent, "/run/docker.sock", &[]),
        ],
        disagreements: vec![Disagreement {
            subject: "mysql / binlog".into(),
            message: "The API lists the volume with 20 GiB, the checkpoint with 10 GiB.".into(),
        }],
        ..Inventory::default()
    });
    snapshot.gc = Some(GcView {
        delay_seconds: 86_400.0,
        pending: 37,
        pending_bytes: 37 * 300 * MIB,
        next_removal: Some(NOW + 3600.0),
    });
    with_findings(snapshot)
}

fn volumes() -> Vec<VolumeView> {
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

fn sandboxes() -> Vec<SandboxView> {
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

fn filesystems() -> Vec<FilesystemSample> {
    let mut nearly_full = filesystem("/mnt/path1", 200 * GIB, 12 * GIB);
    nearly_full.device = "/dev/sdd1".into();
    let mut hung = filesystem("/mnt/nfs", 0, 0);
    hung.device = "filer:/export/home".into();
    hung.fstype = "nfs4".into();
    hung.device_number = (0, 77);
    hung.remote = true;
    hung.responsive = false;
    hung.usage = None;
    hung.unattributed_bytes = None;
    hung.promised_bytes = None;
    hung.growth = None;
    let mut readonly = filesystem("/mnt/ssd1", 400 * GIB, 270 * GIB);
    readonly.usage = readonly.usage.map(|usage| FilesystemUsage { readonly: true, ..usage });
    let mut unsplit = filesystem("/mnt/ssd0", 420 * GIB, 90 * GIB);
    unsplit.unattributed_bytes = None;
    let mut all = vec![
        nearly_full,
        hung,
        readonly,
        unsplit,
        filesystem("/var/lib/mesos", 500 * GIB, 210 * GIB),
    ];
    all.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
    all
}

/// An encrypted logical volume that is one volume's own, and a partition that many share.
fn devices() -> Vec<FilesystemDevice> {
    let device = |name: &str, number, kind| Device {
        number,
        name: name.into(),
        kind,
        mapper: None,
        logical_volume: None,
        raid_level: None,
        backing_file: None,
        rotational: Some(false),
    };
    let mut crypt = device("dm-1", (253, 1), DeviceKind::Crypt);
    crypt.mapper = Some("ssd1".into());
    let mut lvm = device("dm-0", (253, 0), DeviceKind::Lvm);
    lvm.mapper = Some("fast-ssd1".into());
    lvm.logical_volume = Some(("fast".into(), "ssd1".into()));
    let disk = device("nvme0n1", (259, 0), DeviceKind::Disk);
    let io = DeviceCounters {
        read_bytes: 3 * GIB,
        written_bytes: 7 * GIB,
        reads: 30_000,
        writes: 70_000,
        read_seconds: 12.5,
        write_seconds: 80.25,
        busy_seconds: 60.0,
        weighted_seconds: 93.5,
        in_flight: 2,
    };
    let own = |mount_point: &str, layers: Vec<Device>| FilesystemDevice {
        mount_point: mount_point.into(),
        disks: vec![layers.len() - 1],
        layers,
        io: Some(io),
        subjects: 1,
    };
    let partition = device("nvme0n1p2", (259, 2), DeviceKind::Partition);
    let mut shared = own("/var/lib/mesos", vec![partition, disk.clone()]);
    shared.subjects = 9;
    vec![own("/mnt/ssd0", vec![crypt, lvm, disk]), shared]
}

/// An NFS export that hangs, a FUSE mount of one container, and a share that lost its server.
fn network() -> Vec<NetworkFilesystem> {
    let named = |server: &str, export: &str, mount_point: &str, fstype: &str| NetworkFilesystem {
        key: NetworkKey {
            server: server.into(),
            export: export.into(),
            mount_point: mount_point.into(),
        },
        fstype: fstype.into(),
        device_number: (0, 77),
        ..NetworkFilesystem::default()
    };
    let operation = |requests: u64, millis: u64| OperationStats {
        requests,
        errors: Some(requests / 100),
        retransmissions: Some(3),
        timeouts: Some(1),
        queue_seconds: Some(millis as f64 / 1e4),
        response_seconds: Some(millis as f64 / 2e3),
        execute_seconds: Some(millis as f64 / 1e3),
    };
    let mut nfs = named("filer", "/export/home", "/mnt/nfs", "nfs4");
    nfs.version = "4.2".into();
    nfs.protocol = "tcp".into();
    nfs.address = "10.0.0.5".into();
    nfs.mounts = 3;
    nfs.responsive = Some(false);
    nfs.age_seconds = Some(86_400);
    nfs.read_bytes = Some(40 * GIB);
    nfs.written_bytes = Some(9 * GIB);
    nfs.application_read = Some(BytesMoved { buffered: 60 * GIB, direct: GIB });
    nfs.application_written = Some(BytesMoved { buffered: 8 * GIB, direct: GIB });
    nfs.operations = BTreeMap::from([
        ("READ".into(), operation(41_000, 80_000)),
        ("WRITE".into(), operation(9_300, 150_250)),
        (SESSION.into(), operation(1_200, 999)),
    ]);
    nfs.users = vec![MountUser {
        source: "mesos".into(),
        framework: "3d1f2c66-hdfs-0001".into(),
        executor: "datanode-0".into(),
        container: "c-datanode-0".into(),
    }];
    nfs.volumes = vec![VolumeKey {
        source: SourceKind::Mesos,
        role: String::new(),
        volume: "/mnt/nfs/home".into(),
        disk: "HOST_PATH".into(),
    }];
    let mut fuse = named("host<b>", "/srv\n", "c-job-1:/data \"x\"", "fuse.sshfs");
    fuse.waiting = Some(4);
    let mut share = named("nas", "media", "/mnt/media", "cifs");
    share.disconnected = Some(true);
    share.responsive = Some(true);
    share.mounts = 1;
    let mut all = vec![nfs, fuse, share];
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

/// `volumes` volumes and as many live sandboxes, all with every value known.
pub fn scaled(volumes: usize) -> Snapshot {
    let mut snapshot = well();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut uuid = move || {
        let (a, b) = (random(), random());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            a & 0xffff,
            (a >> 16) & 0xfff,
            b & 0xfff,
            b >> 16
        )
    };
    snapshot.volumes = (0..volumes)
        .map(|n| {
            let mut view = volume(
                &format!("team-{}/service", n % 40),
                &uuid(),
                DiskType::Root,
                "ROOT",
                4096 * (n as u64 + 77_777),
                Some(10 * GIB),
            );
            view.volume.holders[0].container = uuid();
            view
        })
        .collect();
    snapshot.sandboxes = (0..volumes)
        .map(|n| {
            let executor = format!("service.{}", uuid());
            let mut view = sandbox(
                &format!("team-{}", n % 40),
                &executor,
                SandboxState::Live,
                4096 * (n as u64 + 55_555),
                Some(GIB),
            );
            view.sandbox.key.container = uuid();
            view
        })
        .collect();
    snapshot.volumes.sort_by(|a, b| a.volume.key.cmp(&b.volume.key));
    snapshot.sandboxes.sort_by(|a, b| a.sandbox.key.cmp(&b.sandbox.key));
    snapshot
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

fn holder(framework: &str, task: &str, container_path: &str) -> Holder {
    Holder {
        framework: format!("3d1f2c66-{framework}-0001"),
        framework_name: framework.into(),
        executor: task.into(),
        task: task.into(),
        container: format!("c-{task}"),
        container_path: container_path.into(),
        read_only: false,
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
fn growth(full_by: FullBy) -> Option<Growth> {
    Some(Growth {
        bytes_per_second: 2_097_152.0,
        window_seconds: 3_600.0,
        confidence: 0.9,
        full_at: Some(NOW + 259_200.0),
        full_by: Some(full_by),
    })
}

/// Of a subject that was fuller yesterday, and is used now.
fn history(used: u64, quota: Option<u64>) -> History {
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

fn measured(used: u64) -> Measured {
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

fn filesystem(mount_point: &str, size: u64, free: u64) -> FilesystemSample {
    FilesystemSample {
        mount_point: mount_point.into(),
        device: "/dev/sdc1".into(),
        fstype: "xfs".into(),
        device_number: (8, 33),
        remote: false,
        responsive: true,
        usage: Some(FilesystemUsage {
            size_bytes: size,
            free_bytes: free,
            available_bytes: free - free / 20,
            files: Some(1_000_000),
            files_free: Some(900_000),
            readonly: false,
            measured_at: NOW - 10.0,
        }),
        unattributed_bytes: Some(7 * GIB as i64),
        growth: growth(FullBy::Filesystem),
        promised_bytes: Some(size / 2),
    }
}

fn run(name: &'static str, success: bool) -> CollectorRun {
    CollectorRun { name, success, duration_seconds: 0.0125 }
}

fn source(
    name: &'static str,
    health: SourceHealth,
    target: &str,
    errors: &[SourceError],
) -> SourceReport {
    SourceReport {
        name,
        health,
        target: target.into(),
        errors: errors.to_vec(),
        duration_seconds: 0.0125,
    }
}

fn agent() -> Agent {
    let scalar = |name: &str, amount: f64, role: Option<&str>| Resource {
        name: name.into(),
        quantity: Quantity::Scalar(amount),
        reservations: role
            .map(|role| Reservation { dynamic: true, role: role.into(), principal: None })
            .into_iter()
            .collect(),
        allocated_to: None,
        disk: None,
        shared: false,
        revocable: false,
        provider_id: None,
    };
    let persistent = |id: &str, mebibytes: f64, source: DiskSource| Resource {
        disk: Some(DiskInfo {
            persistence: Some(Persistence { id: id.into(), principal: None }),
            volume: Some(VolumeSpec { container_path: "data".into(), read_only: false }),
            source,
        }),
        ..scalar("disk", mebibytes, Some("cassandra"))
    };
    let ports = Resource {
        quantity: Quantity::Ranges(vec![(31_000, 32_000)]),
        ..scalar("ports", 0.0, None)
    };
    let data = persistent("data-0", 204_800.0, DiskSource::Mount { root: "/mnt/ssd0".into() });
    Agent {
        id: Some("a3f7c1d2-5d9b-4c57-9f0e-0b8a3d7e6c11-S0".into()),
        hostname: Some("node-17.rack-4.example.net".into()),
        version: Some("1.11.0".into()),
        url: Some("http://10.0.0.7:5051".into()),
        up: true,
        recovering: false,
        work_dir: Some("/var/lib/mesos".into()),
        runtime_dir: Some("/var/run/mesos".into()),
        attributes: BTreeMap::from([("rack".to_owned(), "4".to_owned())]),
        flags: BTreeMap::new(),
        resources: vec![
            scalar("cpus", 24.0, None),
            scalar("mem", 98_304.0, None),
            scalar("disk", 307_200.0, None),
            ports.clone(),
            scalar("cpus", 8.0, Some("cassandra")),
            scalar("mem", 32_768.0, Some("cassandra")),
            data.clone(),
            persistent("journal", 10_240.0, DiskSource::Root),
        ],
        allocated: Some(vec![
            scalar("cpus", 10.5, None),
            scalar("mem", 40_000.0, None),
            Resource { quantity: Quantity::Ranges(vec![(31_000, 31_006)]), ..ports },
            scalar("cpus", 8.0, Some("cassandra")),
            scalar("mem", 32_768.0, Some("cassandra")),
            data,
        ]),
        gc_path_removals_pending: Some(0),
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// The findings a daemon would make of this snapshot at one look.
pub fn with_findings(mut snapshot: Snapshot) -> Snapshot {
    use plimsoll::judge::conditions::Thresholds;
    use plimsoll::judge::findings::{Facts, at_once};
    snapshot.findings = at_once(&Facts {
        snapshot: &snapshot,
        thresholds: &Thresholds::default(),
        series_dropped: 0,
        debt_seconds: 0.0,
        now: NOW,
    });
    snapshot
}

/// The I/O of a container with every value that there can be, and of its nested one.
fn io(sandboxes: &[SandboxView]) -> Vec<ContainerIo> {
    let limit = |per_second| IoLimit {
        per_second,
        group: "/mesos".into(),
        used_ratio: Some(0.97),
        used_group: "/mesos".into(),
    };
    let direction = |bytes| DirectionIo {
        bytes: Some(bytes),
        operations: Some(bytes / 4096),
        limit_bytes: Some(limit(50 * MIB)),
        limit_operations: Some(limit(1200)),
        throttled_seconds: Some(61.5),
        throttled_ratio: Some(0.1),
        wait_seconds: Some(4.25),
        service_seconds: Some(31.0),
        merged: Some(7),
        queued: Some(0),
    };
    let device = DeviceIo {
        number: DeviceNumber { major: 8, minor: 0 },
        name: "sda".into(),
        read: direction(3 * GIB),
        write: direction(8 * GIB),
        discard_bytes: Some(GIB),
        discard_operations: Some(12),
        weight: Some(100),
        latency_target_seconds: Some(0.075),
        stat: vec![("cost.wait".into(), 17_220.0)],
        bytes_per_second: Some(1e6),
    };
    let container = |key: SandboxKey, nested| ContainerIo {
        group: format!("/mesos/{}", key.container),
        key,
        nested,
        version: CgroupVersion::V2,
        devices: vec![device.clone()],
        weight: Some(100),
        pressure: Some(IoPressure {
            some_seconds: 12.5,
            full_seconds: 7.25,
            some_ratio: Some(0.05),
            full_ratio: Some(0.02),
        }),
        delay_seconds: Some(99.5),
        measured_at: NOW - 2.0,
    };
    let own = sandboxes.iter().map(|view| view.sandbox.key.clone()).next();
    own.into_iter()
        .flat_map(|key| {
            let nested = SandboxKey { container: format!("{}.n", key.container), ..key.clone() };
            [container(key, false), container(nested, true)]
        })
        .collect()
}
