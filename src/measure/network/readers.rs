//! Counters of each client, put on the filesystems they belong to.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::host::errno::{self, Outcome};
use crate::host::{MountEntry, source};
use crate::model::{BytesMoved, NetworkFilesystem, NetworkTransport, OperationStats, SESSION};

use super::mountstats::{self, NfsMount};
use super::report::Reading;
use super::{ceph, cifs};

/// NFS requests with a name of their own; all others are counted together.
const WELL_KNOWN: [&str; 17] = [
    "ACCESS",
    "CLOSE",
    "COMMIT",
    "CREATE",
    "FSSTAT",
    "GETATTR",
    "LOCK",
    "LOCKU",
    "LOOKUP",
    "OPEN",
    "READ",
    "READDIR",
    "READDIRPLUS",
    "REMOVE",
    "RENAME",
    "SETATTR",
    "WRITE",
];
/// Requests that keep up the connection to a server. The client adds those of the connection to
/// each of its mounts: counted as the mounts' own they would be counted many times.
const OF_SESSION: [&str; 18] = [
    "BIND_CONN_TO_SESSION",
    "CREATE_SESSION",
    "DESTROY_CLIENTID",
    "DESTROY_SESSION",
    "EXCHANGE_ID",
    "FREE_STATEID",
    "FSID_PRESENT",
    "FS_LOCATIONS",
    "GET_LEASE_TIME",
    "NULL",
    "RECLAIM_COMPLETE",
    "RENEW",
    "SECINFO",
    "SECINFO_NO_NAME",
    "SEQUENCE",
    "SETCLIENTID",
    "SETCLIENTID_CONFIRM",
    "TEST_STATEID",
];

/// The name under which an NFS request is counted.
fn operation_name(name: &str) -> &'static str {
    let name = match name {
        "OPEN_NOATTR" => "OPEN",
        "READ_PLUS" => "READ",
        "STATFS" => "FSSTAT",
        name => name,
    };
    match WELL_KNOWN.binary_search(&name) {
        Ok(known) => WELL_KNOWN[known],
        Err(_) if OF_SESSION.binary_search(&name).is_ok() => SESSION,
        Err(_) => "OTHER",
    }
}

/// Puts the counters of one mount on its filesystem.
pub(super) fn nfs(filesystem: &mut NetworkFilesystem, mount: &NfsMount) {
    filesystem.age_seconds = mount.age_seconds;
    if let Some([read, written, direct_read, direct_written, server_read, server_written]) =
        mount.bytes
    {
        filesystem.read_bytes = Some(server_read);
        filesystem.written_bytes = Some(server_written);
        filesystem.application_read = Some(BytesMoved { buffered: read, direct: direct_read });
        filesystem.application_written =
            Some(BytesMoved { buffered: written, direct: direct_written });
    }
    let seconds = |millis: u64| Some(millis as f64 / 1000.0);
    for operation in &mount.operations {
        let stats = OperationStats {
            requests: operation.requests,
            errors: operation.errors,
            retransmissions: Some(operation.transmissions.saturating_sub(operation.requests)),
            timeouts: Some(operation.timeouts),
            queue_seconds: seconds(operation.queue_millis),
            response_seconds: seconds(operation.response_millis),
            execute_seconds: seconds(operation.execute_millis),
        };
        let name = operation_name(&operation.name).to_owned();
        filesystem.operations.entry(name).or_default().add(&stats);
    }
}

/// The NFS mounts of a mountstats file by superblock. Both it and the mount table list the mounts
/// in the same order, so that of several at one point the nth is the nth.
pub(super) fn by_superblock(
    stats: Vec<NfsMount>,
    table: &[MountEntry],
) -> HashMap<(u32, u32), NfsMount> {
    let mut at: HashMap<&Path, Vec<&MountEntry>> = HashMap::new();
    for entry in table.iter().filter(|entry| matches!(entry.fstype.as_str(), "nfs" | "nfs4")) {
        at.entry(&entry.mount_point).or_default().push(entry);
    }
    let mut seen: HashMap<PathBuf, usize> = HashMap::new();
    let mut found = HashMap::new();
    for mount in stats {
        let nth = seen.entry(mount.mount_point.clone()).or_default();
        let entry = at.get(mount.mount_point.as_path()).and_then(|entries| entries.get(*nth));
        *nth += 1;
        // Something else may have been mounted between the two looks.
        if let Some(entry) = entry.filter(|entry| entry.source == mount.source) {
            found.entry(entry.device).or_insert(mount);
        }
    }
    found
}

/// The connections behind these mounts, by server and protocol. Mounts of one server use the same
/// ones, told by this end's port: each is counted once.
pub(super) fn transports<'a>(
    mounts: impl Iterator<Item = (&'a str, &'a NfsMount)>,
) -> Vec<NetworkTransport> {
    let mut sockets: BTreeMap<(String, String, u64), mountstats::Transport> = BTreeMap::new();
    for (address, mount) in mounts {
        for transport in &mount.transports {
            let key = (address.to_owned(), transport.protocol.clone(), transport.port);
            let known = sockets.entry(key).or_insert_with(|| transport.clone());
            // Read a moment later: never less.
            known.connects = known.connects.max(transport.connects);
            known.sends = known.sends.max(transport.sends);
            known.receives = known.receives.max(transport.receives);
            known.bad_replies = known.bad_replies.max(transport.bad_replies);
        }
    }
    let mut servers: Vec<NetworkTransport> = Vec::new();
    for ((address, protocol, _), socket) in sockets {
        match servers.last_mut() {
            Some(last) if last.address == address && last.protocol == protocol => {
                last.sockets += 1;
                last.connects = last.connects.zip(socket.connects).map(|(a, b)| a + b);
                last.sends = last.sends.saturating_add(socket.sends);
                last.receives = last.receives.saturating_add(socket.receives);
                last.bad_replies = last.bad_replies.saturating_add(socket.bad_replies);
            }
            _ => servers.push(NetworkTransport {
                address,
                protocol,
                sockets: 1,
                connects: socket.connects,
                sends: socket.sends,
                receives: socket.receives,
                bad_replies: socket.bad_replies,
            }),
        }
    }
    servers
}

/// Reads what the SMB client counts. A share's counters go to the first of its filesystems: those
/// that mount directories below one share count together.
pub(super) fn cifs(filesystems: &mut [&mut NetworkFilesystem], procfs: &Path) -> Reading {
    let path = procfs.join("fs/cifs/Stats");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) => return Reading::failed("network_cifs", &path, "read", &error),
    };
    let mut shares = cifs::parse(&text);
    for filesystem in filesystems.iter_mut() {
        let export = filesystem.key.export.split(['/', '\\']).next().unwrap_or_default();
        let server = filesystem.key.server.clone();
        let (own, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut shares).into_iter().partition(|share| {
                share.server.eq_ignore_ascii_case(&server)
                    && share.share.eq_ignore_ascii_case(export)
            });
        shares = rest;
        let sum = |a: Option<u64>, b: Option<u64>| a.map_or(b, |a| Some(a.saturating_add(b?)));
        for share in own {
            filesystem.read_bytes = sum(filesystem.read_bytes, share.read_bytes);
            filesystem.written_bytes = sum(filesystem.written_bytes, share.written_bytes);
            filesystem.disconnected =
                Some(filesystem.disconnected.unwrap_or(false) || share.disconnected);
            for (name, requests, errors) in share.operations {
                let seconds = share.seconds.iter().find(|(timed, _)| *timed == name);
                let stats = OperationStats {
                    requests,
                    errors,
                    execute_seconds: seconds.map(|(_, seconds)| *seconds),
                    ..OperationStats::default()
                };
                filesystem.operations.entry(name.to_owned()).or_default().add(&stats);
            }
        }
    }
    Reading::good("network_cifs", &path)
}

/// Reads how many requests wait in each FUSE filesystem (kernel:
/// `Documentation/filesystems/fuse.rst`): the only thing the kernel counts of them.
pub(super) fn fuse(filesystems: &mut [&mut NetworkFilesystem], sysfs: &Path) -> Reading {
    let connections = sysfs.join("fs/fuse/connections");
    let mut reading = Reading::good("network_fuse", &connections);
    for filesystem in filesystems.iter_mut() {
        let (major, minor) = filesystem.device_number;
        // The kernel's own `dev_t`: 20 bits of minor number.
        let path = connections.join(format!("{}", u64::from(major) << 20 | u64::from(minor)));
        match std::fs::read_to_string(path.join("waiting")) {
            Ok(text) => filesystem.waiting = text.trim().parse().ok(),
            Err(error) if errno::outcome_of(&error) == Outcome::Gone => {
                if is_empty(&connections) {
                    reading = Reading::absent(
                        "network_fuse",
                        &connections,
                        "no control filesystem of FUSE is mounted: requests that wait are not counted",
                        "mount -t fusectl fusectl /sys/fs/fuse/connections",
                    );
                }
            }
            Err(error) => {
                reading = Reading::failed("network_fuse", &path.join("waiting"), "read", &error);
            }
        }
    }
    reading
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none())
}

/// Reads what the CephFS client counts, where debugfs may be read and it is clear which client
/// belongs to which mount: by the cluster's id in the mount's source, or because but one of each is
/// left.
pub(super) fn ceph(filesystems: &mut [&mut NetworkFilesystem], sysfs: &Path) -> Reading {
    let root = sysfs.join("kernel/debug/ceph");
    let clients: Vec<PathBuf> = match std::fs::read_dir(&root) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) => {
            let what =
                format!("requests of CephFS are not counted: read {}: {error}", root.display());
            let hint = "mount -t debugfs debugfs /sys/kernel/debug, and read it as root";
            return Reading::absent("network_ceph", &root, &what, hint);
        }
    };
    let cluster = |client: &Path| {
        let name = client.file_name()?.to_str()?;
        Some(name.split('.').next()?.to_owned())
    };
    let mut left = clients;
    let mut nameless = Vec::new();
    for filesystem in filesystems.iter_mut() {
        let Some(id) = cluster_id(&filesystem.key.server).map(str::to_owned) else {
            nameless.push(filesystem);
            continue;
        };
        let (own, others): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|client| cluster(client).as_ref() == Some(&id));
        left = others;
        // Two clients of one cluster: which of them it is cannot be told.
        if let [client] = own.as_slice() {
            ceph_client(filesystem, client);
        }
    }
    if let ([filesystem], [client]) = (nameless.as_mut_slice(), left.as_slice()) {
        ceph_client(filesystem, client);
    }
    Reading::good("network_ceph", &root)
}

/// The cluster's id (a UUID) that `FSID.FSNAME` begins with.
fn cluster_id(server: &str) -> Option<&str> {
    let id = server.split('.').next()?;
    let of_uuid = |c: char| c.is_ascii_hexdigit() || c == '-';
    (id.len() == 36 && id.chars().all(of_uuid)).then_some(id)
}

fn ceph_client(filesystem: &mut NetworkFilesystem, client: &Path) {
    let read = |name: &str| std::fs::read(client.join(name)).ok();
    let mut rows = Vec::new();
    for name in ["metrics", "metrics/latency", "metrics/size"] {
        rows.extend(read(name).iter().flat_map(|text| ceph::parse_metrics(text)));
    }
    for row in rows {
        if let Some(bytes) = row.bytes {
            match row.item.as_str() {
                "read" => filesystem.read_bytes = Some(bytes),
                "write" => filesystem.written_bytes = Some(bytes),
                _ => {}
            }
        } else if row.total > 0 {
            let micros = row.mean_micros.map(|mean| row.total as f64 * mean as f64 / 1e6);
            let stats = OperationStats {
                requests: row.total,
                execute_seconds: micros,
                ..OperationStats::default()
            };
            filesystem.operations.insert(row.item.to_ascii_uppercase(), stats);
        }
    }
    let osdc = read("osdc").and_then(|text| ceph::parse_osdc(&text));
    filesystem.waiting =
        osdc.map(|waiting| waiting + read("mdsc").map_or(0, |text| ceph::parse_mdsc(&text)));
}

/// What a mount itself tells of its filesystem.
pub(super) fn described(entry: &MountEntry, mount_point: String) -> NetworkFilesystem {
    let endpoint = source::endpoint(&entry.fstype, &entry.source);
    let option = |name: &str| {
        let found = entry
            .super_options
            .split(',')
            .find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
        // Words of a mount's owner: none of these is ever long.
        found.filter(|value| value.len() <= 64).unwrap_or_default().to_owned()
    };
    NetworkFilesystem {
        key: crate::model::NetworkKey {
            server: endpoint.server,
            export: endpoint.export,
            mount_point,
        },
        fstype: entry.fstype.clone(),
        device_number: entry.device,
        version: option("vers"),
        protocol: option(if entry.fstype == "9p" { "trans" } else { "proto" }),
        address: option("addr"),
        mounts: 0,
        responsive: None,
        age_seconds: None,
        read_bytes: None,
        written_bytes: None,
        application_read: None,
        application_written: None,
        waiting: None,
        disconnected: None,
        operations: BTreeMap::new(),
        recent: None,
        users: Vec::new(),
        volumes: Vec::new(),
    }
}

/// Whether a remote filesystem stores what somebody else keeps: FUSE also serves views of this
/// host's own files and state.
pub(super) fn is_storage(fstype: &str) -> bool {
    !matches!(
        fstype,
        "fuse.lxcfs"
            | "fuse.fuse-overlayfs"
            | "fuse.gvfsd-fuse"
            | "fuse.portal"
            | "fuse.snapfuse"
            | "fuse.squashfuse"
            | "fuse.bindfs"
            | "fuse.mergerfs"
            | "fuse.encfs"
            | "fuse.gocryptfs"
            | "fuse.vmware-vmblock"
    )
}

/// Served by the kernel's NFS client.
pub(super) fn is_nfs(fstype: &str) -> bool {
    matches!(fstype, "nfs" | "nfs4")
}
