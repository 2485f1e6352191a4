//! Filesystems, devices, the network, I/O, sources and the agent.

use std::collections::BTreeMap;

use plimsoll::model::*;

use super::{GIB, MIB, NOW, growth};

pub(super) fn filesystems() -> Vec<FilesystemSample> {
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
pub(super) fn devices() -> Vec<FilesystemDevice> {
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
pub(super) fn network() -> Vec<NetworkFilesystem> {
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

pub(super) fn filesystem(mount_point: &str, size: u64, free: u64) -> FilesystemSample {
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

pub(super) fn run(name: &'static str, success: bool) -> CollectorRun {
    CollectorRun { name, success, duration_seconds: 0.0125 }
}

pub(super) fn source(
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

pub(super) fn agent() -> Agent {
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

/// The I/O of a container with every value that there can be, and of its nested one.
pub(super) fn io(sandboxes: &[SandboxView]) -> Vec<ContainerIo> {
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
        stat: vec![("cost.usage".into(), 2_934_811.0), ("cost.wait".into(), 17_220.0)],
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
        delay_ratio: Some(0.02),
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
