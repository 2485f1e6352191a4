//! The kernel's formats, by its generations.

use super::{ceph, cifs, mountstats};

fn fixture(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/network/");
    std::fs::read(format!("{path}{name}")).unwrap()
}

fn stats(version: &str) -> mountstats::MountStats {
    mountstats::parse(&fixture(&format!("mountstats-{version}.txt")))
}

fn operation(mount: &mountstats::NfsMount, name: &str) -> mountstats::Operation {
    mount.operations.iter().find(|operation| operation.name == name).cloned().unwrap()
}

#[test]
fn nfs_of_linux_2_6_32_by_datagrams() {
    let stats = stats("2.6.32");
    assert_eq!((stats.mounts.len(), stats.malformed), (2, 0));
    let udp = &stats.mounts[0];
    assert_eq!((udp.source.as_str(), udp.fstype.as_str()), ("10.0.0.5:/export/a", "nfs"));
    assert_eq!(udp.mount_point, std::path::Path::new("/mnt/udp"));
    assert_eq!((udp.option("vers"), udp.option("proto")), (Some("3"), Some("udp")));
    assert_eq!((udp.option("ver"), udp.option("hard")), (None, None));
    assert_eq!(udp.age_seconds, Some(3210));
    assert_eq!(udp.bytes, Some([4096, 8192, 0, 0, 4200, 8300]));
    assert_eq!(
        udp.transports,
        [mountstats::Transport {
            protocol: "udp".into(),
            port: 997,
            connects: None,
            sends: 120,
            receives: 118,
            bad_replies: 3,
        }]
    );
    // Operations that never occurred are not there.
    let names: Vec<&str> = udp.operations.iter().map(|op| op.name.as_str()).collect();
    assert_eq!(names, ["NULL", "GETATTR", "READ", "WRITE", "FSINFO", "COMMIT"]);
    assert_eq!(
        operation(udp, "READ"),
        mountstats::Operation {
            name: "READ".into(),
            requests: 4,
            transmissions: 6,
            timeouts: 2,
            queue_millis: 10,
            response_millis: 180,
            execute_millis: 700,
            errors: None,
        }
    );
    let tcp = &stats.mounts[1].transports[0];
    assert_eq!((tcp.port, tcp.connects, tcp.sends, tcp.bad_replies), (722, Some(1), 40, 0));
}

#[test]
fn nfs_of_linux_3_10_and_4_18() {
    let old = stats("3.10");
    assert_eq!((old.mounts.len(), old.malformed), (1, 0));
    let mount = &old.mounts[0];
    assert_eq!(mount.bytes, Some([1_048_576, 2_097_152, 65_536, 131_072, 900_000, 2_228_224]));
    let tcp = &mount.transports[0];
    assert_eq!((tcp.port, tcp.connects, tcp.sends, tcp.receives), (865, Some(2), 6428, 6427));
    assert_eq!(tcp.bad_replies, 1);
    let write = operation(mount, "WRITE");
    assert_eq!((write.requests, write.transmissions, write.timeouts), (400, 404, 1));
    assert_eq!((write.queue_millis, write.response_millis, write.execute_millis), (40, 8000, 9000));

    let new = stats("4.18");
    let mount = &new.mounts[0];
    assert_eq!((mount.option("vers"), mount.option("proto")), (Some("4.1"), Some("tcp6")));
    assert_eq!((mount.option("addr"), new.malformed), (Some("fd00::5"), 0));
    assert_eq!(operation(mount, "ACCESS").errors, None);
}

#[test]
fn nfs_of_linux_6_1_with_errors_several_connections_and_rdma() {
    let stats = stats("6.1");
    assert_eq!((stats.mounts.len(), stats.malformed), (3, 0));
    let [db, volume, ib] = stats.mounts.as_slice() else { panic!("three") };
    assert_eq!(operation(db, "READ").errors, Some(4));
    assert_eq!(operation(db, "READ_PLUS").requests, 7);
    let ports: Vec<u64> = db.transports.iter().map(|transport| transport.port).collect();
    assert_eq!(ports, [832, 833]);
    assert_eq!(
        volume.mount_point,
        std::path::Path::new("/var/lib/docker/volumes/a b/_data"),
        "the kernel's escapes are undone"
    );
    assert_eq!(volume.operations, db.operations);
    let rdma = &ib.transports[0];
    assert_eq!((rdma.protocol.as_str(), rdma.port, rdma.connects), ("rdma", 0, Some(1)));
    assert_eq!((rdma.sends, rdma.receives, rdma.bad_replies), (5002, 5001, 0));
}

#[test]
fn malformed_mountstats() {
    let stats = stats("malformed");
    let points: Vec<_> = stats.mounts.iter().map(|m| m.mount_point.display().to_string()).collect();
    assert_eq!(points, ["/d", "/e"]);
    let mount = &stats.mounts[0];
    assert_eq!((mount.age_seconds, mount.bytes), (None, None));
    assert!(mount.transports.is_empty());
    // A number too large is the largest; the rest of what is not a number is left out.
    assert_eq!(mount.operations.len(), 1);
    assert_eq!(operation(mount, "COMMIT").requests, u64::MAX);
    assert_eq!(stats.malformed, 8);
    assert_eq!(mountstats::parse(b""), mountstats::MountStats::default());
}

#[test]
fn shares_of_smb_1() {
    let shares = cifs::parse(&fixture("cifs-stats-3.10.txt"));
    let [share] = shares.as_slice() else { panic!("{shares:?}") };
    assert_eq!((share.server.as_str(), share.share.as_str()), ("nas", "media"));
    assert_eq!((share.read_bytes, share.written_bytes), (Some(30_000), Some(20_000)));
    assert_eq!(
        share.operations,
        [
            ("READ", 3, None),
            ("WRITE", 2, None),
            ("FLUSH", 1, None),
            ("CREATE", 4, None),
            ("CLOSE", 4, None),
            ("DELETE", 1, None),
            ("RENAME", 1, None),
            ("QUERY_DIRECTORY", 1, None),
        ]
    );
}

#[test]
fn shares_of_smb_3() {
    for (name, count) in [("cifs-stats-4.18.txt", 1), ("cifs-stats-6.1.txt", 3)] {
        let shares = cifs::parse(&fixture(name));
        assert_eq!(shares.len(), count);
        let data = shares.iter().find(|share| share.share == "data").unwrap();
        assert_eq!((data.read_bytes, data.written_bytes), (Some(700_000), Some(9_000_000_000)));
        assert_eq!(data.disconnected, count == 3);
        assert!(data.operations.contains(&("CREATE", 40, Some(2))), "{data:?}");
        assert!(data.operations.contains(&("READ", 7, Some(1))));
        assert_eq!(data.operations.len(), 10, "those that never occurred are not there");
    }
    let shares = cifs::parse(&fixture("cifs-stats-6.1.txt"));
    assert_eq!(shares[2].server, "10.0.0.8");
}

#[test]
fn times_of_a_connection_are_those_of_the_one_share_that_uses_it() {
    let one = cifs::parse(&fixture("cifs-stats-6.1-one-share.txt"));
    let [share] = one.as_slice() else { panic!("{one:?}") };
    assert_eq!((share.read_bytes, share.written_bytes), (Some(10_485_760), Some(10_485_760)));
    let expected = [
        ("CREATE", 0.124),
        ("CLOSE", 0.044),
        ("FLUSH", 0.008),
        ("READ", 0.152),
        ("WRITE", 0.52),
        ("QUERY_DIRECTORY", 0.024),
        ("QUERY_INFO", 0.048),
        ("SET_INFO", 0.016),
    ];
    assert_eq!(share.seconds, expected);
    let older = cifs::parse(&fixture("cifs-stats-4.18.txt"));
    assert_eq!(older[0].seconds, [("READ", 0.07)]);

    let two = cifs::parse(&fixture("cifs-stats-6.1-two-shares-lost.txt"));
    assert_eq!(two.len(), 2);
    for (share, (name, read, written)) in
        two.iter().zip([("more", 0, 3_145_728), ("data", 10_485_760, 10_485_760)])
    {
        assert_eq!((share.share.as_str(), share.disconnected), (name, true));
        assert_eq!((share.read_bytes, share.written_bytes), (Some(read), Some(written)));
        assert_eq!(share.seconds, []);
    }
}

#[test]
fn times_that_may_be_another_shares_are_nobodys() {
    let text = String::from_utf8(fixture("cifs-stats-6.1-one-share.txt")).unwrap();
    let seconds = |text: &str| cifs::parse(text.as_bytes())[0].seconds.clone();
    // One read more than this share ever sent.
    let before = text.replace("\n  8\t\t6\t", "\n  8\t\t7\t");
    let names: Vec<&str> = seconds(&before).iter().map(|(name, _)| *name).collect();
    assert_eq!((names.len(), names.contains(&"READ")), (7, false));
    // A further connection, of whatever share.
    assert_eq!(seconds(&(text.clone() + "\nMax requests in flight: 4\n")), []);
    // No unit, or one of nothing.
    assert_eq!(seconds(&text.replace("(250 per", "(0 per")), []);
    assert_eq!(seconds(&text.replace("jiffies (250 per second)", "")), []);
    // SMB 1 numbers its requests otherwise.
    let share = "1) \\\\nas\\x\nReads:  9 Bytes: 5\n";
    let table =
        "Max requests in flight: 1\nTime units are jiffies (250 per second)\n 8 6 38 3 11\n";
    assert_eq!(seconds(&format!("{table}{share}")), []);
}

#[test]
fn malformed_shares() {
    let shares = cifs::parse(&fixture("cifs-stats-malformed.txt"));
    assert_eq!(shares.len(), 2);
    assert_eq!((shares[0].read_bytes, shares[0].written_bytes), (None, Some(5)));
    // The heading that is none leaves what follows with the share before.
    assert_eq!(shares[1].operations, [("READ", 5, Some(1))]);
    assert_eq!(cifs::parse(b""), []);
}

#[test]
fn cephs_tables() {
    let latency = ceph::parse_metrics(&fixture("ceph-latency.txt"));
    let row =
        |rows: &[ceph::Row], item: &str| rows.iter().find(|r| r.item == item).cloned().unwrap();
    assert_eq!(latency.len(), 4);
    let write = row(&latency, "write");
    assert_eq!((write.total, write.mean_micros, write.bytes), (42, Some(3_123_928), None));
    let size = ceph::parse_metrics(&fixture("ceph-size.txt"));
    assert_eq!(row(&size, "write").bytes, Some(176_160_768));
    let both = ceph::parse_metrics(&fixture("ceph-metrics-5.9.txt"));
    assert_eq!(both.len(), 5, "{both:?}");
    assert_eq!(ceph::parse_osdc(&fixture("ceph-osdc.txt")), Some(2));
    assert_eq!(ceph::parse_mdsc(&fixture("ceph-mdsc.txt")), 1);
    assert_eq!((ceph::parse_osdc(b""), ceph::parse_mdsc(b"")), (None, 0));
    assert_eq!(ceph::parse_metrics(b"item a avg_lat\nread x y 1 1 1\nread 1 2\n"), []);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_taken(text: Vec<u8>) {
        let _ = mountstats::parse(&text);
        let _ = cifs::parse(&text);
        let _ = (ceph::parse_metrics(&text), ceph::parse_osdc(&text), ceph::parse_mdsc(&text));
    }

    /// Real files, with bytes changed and cut anywhere.
    #[test]
    fn damaged_files_are_taken(which in 0_usize..8, at in 0.0..1.0_f64, byte: u8, keep in 0.0..1.0_f64) {
        let names = [
            "mountstats-2.6.32.txt", "mountstats-6.1.txt", "cifs-stats-3.10.txt",
            "cifs-stats-6.1.txt", "cifs-stats-6.1-one-share.txt", "ceph-latency.txt", "ceph-metrics-5.9.txt", "ceph-osdc.txt",
        ];
        let mut text = fixture(names[which]);
        let at = (at * (text.len() - 1) as f64) as usize;
        text[at] = byte;
        text.truncate((keep * text.len() as f64) as usize);
        let stats = mountstats::parse(&text);
        proptest::prop_assert!(stats.mounts.len() <= 3);
        let _ = (cifs::parse(&text), ceph::parse_metrics(&text), ceph::parse_osdc(&text));
    }
}
