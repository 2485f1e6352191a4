//! What the clients of network filesystems count: NFS, CIFS and Ceph read the same text.

use plimsoll::measure::network::{ceph, cifs, mountstats};

pub fn run(data: &[u8]) {
    let lines = data.split(|&byte| byte == b'\n').count();
    let stats = mountstats::parse(data);
    assert!(stats.mounts.len() + stats.malformed <= lines);
    for mount in &stats.mounts {
        assert!(mount.fstype.starts_with("nfs"), "{}", mount.fstype);
        assert!(mount.transports.len() + mount.operations.len() <= lines);
        assert!(mount.operations.iter().all(|operation| operation.requests > 0));
        assert!(mount.option("").is_none_or(|value| mount.options.contains(value)));
    }

    let shares = cifs::parse(data);
    assert!(shares.len() <= lines);
    for share in &shares {
        assert!(!share.server.starts_with(['\\', '/']) && !share.server.contains(['\\', '/']));
        for (name, sent, _) in &share.operations {
            assert!(*sent > 0 && !name.is_empty());
        }
        for (name, seconds) in &share.seconds {
            assert!(seconds.is_finite() && *seconds >= 0.0);
            assert!(share.operations.iter().any(|(known, ..)| known == name));
        }
    }

    for row in ceph::parse_metrics(data) {
        // Of latencies or of sizes, never both.
        assert!(row.mean_micros.is_some() != row.bytes.is_some());
        assert!(row.item.split_ascii_whitespace().eq([row.item.as_str()]));
    }
    if let Some(waiting) = ceph::parse_osdc(data) {
        assert!(data.starts_with(b"REQUESTS "));
        assert_eq!(
            ceph::parse_osdc(format!("REQUESTS {waiting} homeless 0\n").as_bytes()),
            Some(waiting)
        );
    }
    assert!(ceph::parse_mdsc(data) <= lines as u64);
}
