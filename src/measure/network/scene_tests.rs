//! A whole round on a made-up host: every client, shared superblocks and connections, containers.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::{NetworkMeter, NetworkReport};
use crate::host::{Guard, Roots};
use crate::model::{
    ContainerRef, Inventory, NetworkFilesystem, SandboxKey, SourceHealth, SourceKind,
};

const FSID: &str = "0c93a60d-5645-4c46-8568-4c8f63db4c7f";

struct Host {
    dir: tempfile::TempDir,
    mountinfo: String,
}

impl Host {
    fn new() -> Self {
        let host = Self {
            dir: tempfile::tempdir().unwrap(),
            mountinfo: "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n".into(),
        };
        host.put("proc/self/mountinfo", &host.mountinfo);
        host
    }

    fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Mounts a filesystem: its minor number, where, its type, source and options.
    fn mount(&mut self, minor: u32, at: &str, fstype: &str, source: &str, options: &str) {
        let id = self.mountinfo.lines().count() + 1;
        self.mountinfo += &format!("{id} 1 0:{minor} / {at} rw - {fstype} {source} rw{options}\n");
        self.put("proc/self/mountinfo", &self.mountinfo);
    }

    fn guard(&self) -> Guard {
        let roots = Roots {
            procfs: self.dir.path().join("proc"),
            sysfs: self.dir.path().join("sys"),
            ..Roots::default()
        };
        Guard::new(roots, Duration::from_secs(5))
    }

    /// A round in which every filesystem up to this minor number was asked, and answered.
    fn measure(&self, inventory: &Inventory) -> NetworkReport {
        let answered: HashMap<_, _> = (0..200).map(|minor| ((0, minor), minor != 42)).collect();
        NetworkMeter::default().measure(&self.guard(), inventory, &answered)
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/network/");
    std::fs::read(format!("{path}{name}")).unwrap()
}

fn at<'a>(report: &'a NetworkReport, mount_point: &str) -> &'a NetworkFilesystem {
    let found = report.filesystems.iter().find(|one| one.key.mount_point == mount_point);
    found.unwrap_or_else(|| panic!("nothing at {mount_point}"))
}

fn source(report: &NetworkReport, name: &str) -> SourceHealth {
    report.sources.iter().find(|source| source.name == name).expect(name).health
}

#[test]
fn nfs_mounts_of_one_superblock_are_one_and_connections_are_counted_once() {
    let mut host = Host::new();
    let options = ",vers=4.2,proto=tcp,clientaddr=10.0.0.9,addr=10.0.0.5";
    host.mount(50, "/srv/db", "nfs4", "filer:/vol/db", options);
    host.mount(50, "/var/lib/docker/volumes/a\\040b/_data", "nfs4", "filer:/vol/db", options);
    host.mount(51, "/srv/ib", "nfs", "[fd00::7]:/ib", ",vers=3,proto=rdma,addr=fd00::7");
    host.put("proc/self/mountstats", fixture("mountstats-6.1.txt"));
    let report = host.measure(&Inventory::default());

    assert_eq!(report.filesystems.len(), 2);
    let db = at(&report, "/srv/db");
    assert_eq!((db.key.server.as_str(), db.key.export.as_str()), ("filer", "/vol/db"));
    assert_eq!((db.mounts, db.responsive, db.age_seconds), (2, Some(true), Some(7200)));
    assert_eq!((db.version.as_str(), db.protocol.as_str()), ("4.2", "tcp"));
    assert_eq!((db.read_bytes, db.written_bytes), (Some(123_456_789), Some(987_654_321)));
    let read = db.application_read.expect("bytes");
    assert_eq!((read.buffered, read.direct), (5000, 7000));
    // READ and READ_PLUS are one; LAYOUTSTATS has no name here; SEQUENCE is upkeep.
    let names: Vec<&str> = db.operations.keys().map(String::as_str).collect();
    assert_eq!(names, ["OTHER", "READ", "SESSION", "WRITE"]);
    let read = &db.operations["READ"];
    assert_eq!((read.requests, read.errors), (1007, Some(4)));
    assert_eq!((read.retransmissions, read.timeouts), (Some(10), Some(3)));
    assert_eq!(read.execute_seconds, Some(25.003));
    assert_eq!(db.operations["SESSION"].requests, 120);
    assert_eq!(db.total().requests, 1007 + 2000 + 1);

    // Two sockets though two mounts show them; RDMA, which has no port.
    let told: Vec<_> = report
        .transports
        .iter()
        .map(|t| (t.address.as_str(), t.protocol.as_str(), t.sockets, t.connects, t.sends))
        .collect();
    assert_eq!(
        told,
        [("10.0.0.5", "tcp", 2, Some(4), 7428), ("fd00::7", "rdma", 1, Some(1), 5002)]
    );
    assert_eq!(source(&report, "network_nfs"), SourceHealth::Ok);
}

#[test]
fn of_mounts_stacked_on_one_point_the_reachable_one_has_its_own_counters() {
    let mut host = Host::new();
    host.mount(60, "/mnt", "nfs4", "a:/x", "");
    let id = host.mountinfo.lines().count();
    host.mountinfo += &format!("9 {id} 0:61 / /mnt rw - nfs4 b:/y rw\n");
    host.put("proc/self/mountinfo", &host.mountinfo);
    let block = |source: &str, bytes: u64| {
        format!(
            "device {source} mounted on /mnt with fstype nfs4 statvers=1.1\n\tbytes:\t0 0 0 0 {bytes} 0 0 0\n"
        )
    };
    host.put("proc/self/mountstats", block("a:/x", 111) + &block("b:/y", 222));
    let report = host.measure(&Inventory::default());
    let [shown] = report.filesystems.as_slice() else { panic!("{report:?}") };
    assert_eq!((shown.key.server.as_str(), shown.read_bytes), ("b", Some(222)));

    // Mounted between the two looks: not taken for the one before.
    host.put("proc/self/mountstats", block("a:/x", 111) + &block("c:/z", 333));
    assert_eq!(host.measure(&Inventory::default()).filesystems[0].read_bytes, None);
}

#[test]
fn directories_below_one_share_count_once() {
    let mut host = Host::new();
    host.mount(70, "/mnt/a", "cifs", "//nas.EXAMPLE/data", ",vers=3.1.1,addr=10.0.0.8");
    host.mount(71, "/mnt/b", "cifs", "//nas.example/data/sub", ",vers=3.1.1");
    host.mount(72, "/mnt/c", "cifs", "//ann:hunter2@10.0.0.8/x", "");
    host.put("proc/fs/cifs/Stats", fixture("cifs-stats-6.1.txt"));
    let report = host.measure(&Inventory::default());
    let (a, b, c) = (at(&report, "/mnt/a"), at(&report, "/mnt/b"), at(&report, "/mnt/c"));
    assert_eq!((a.read_bytes, a.disconnected), (Some(700_000), Some(true)));
    assert_eq!((a.version.as_str(), a.operations["READ"].errors), ("3.1.1", Some(1)));
    assert_eq!((b.read_bytes, b.operations.len()), (None, 0));
    assert_eq!((c.read_bytes, c.disconnected), (Some(1), Some(false)));
    assert_eq!(a.operations["READ"].execute_seconds, None);
    assert!(!format!("{report:?}").contains("hunter2"));
    assert_eq!(source(&report, "network_cifs"), SourceHealth::Ok);

    host.mount(73, "/mnt/d", "cifs", "//127.0.0.1/data", ",vers=3.1.1,addr=127.0.0.1");
    host.put("proc/fs/cifs/Stats", fixture("cifs-stats-6.1-one-share.txt"));
    let report = host.measure(&Inventory::default());
    let (alone, other) = (at(&report, "/mnt/d"), at(&report, "/mnt/a"));
    assert_eq!(alone.operations["WRITE"].execute_seconds, Some(0.52));
    assert_eq!(alone.operations["IOCTL"].execute_seconds, None);
    assert_eq!((other.read_bytes, other.operations.len()), (None, 0));
    std::fs::remove_file(host.dir.path().join("proc/fs/cifs/Stats")).unwrap();
    assert_eq!(source(&host.measure(&Inventory::default()), "network_cifs"), SourceHealth::Absent);
}

#[test]
fn fuse_counts_what_waits_by_the_number_of_the_filesystem() {
    let mut host = Host::new();
    host.mount(42, "/mnt/s3", "fuse.s3fs", "s3fs", ",user_id=0");
    host.mount(43, "/mnt/g", "fuse.glusterfs", "g1:/gv0", "");
    let absent = host.measure(&Inventory::default());
    assert_eq!(source(&absent, "network_fuse"), SourceHealth::Absent);
    host.put("sys/fs/fuse/connections/42/waiting", "5\n");
    let report = host.measure(&Inventory::default());
    let s3 = at(&report, "/mnt/s3");
    assert_eq!((s3.waiting, s3.responsive), (Some(5), Some(false)));
    // One that was just unmounted, or is another user's and hidden: nothing is known of it.
    assert_eq!(at(&report, "/mnt/g").waiting, None);
    assert_eq!(source(&report, "network_fuse"), SourceHealth::Ok);
}

#[test]
fn ceph_clients_belong_to_the_mount_of_their_cluster_and_sums_never_fall() {
    let mut host = Host::new();
    host.mount(80, "/mnt/ceph", "ceph", &format!("ann@{FSID}.cephfs=/"), "");
    host.mount(81, "/mnt/old", "ceph", "10.0.0.1:6789:/", "");
    let client = format!("sys/kernel/debug/ceph/{FSID}.client4267");
    host.put(&format!("{client}/metrics/latency"), fixture("ceph-latency.txt"));
    host.put(&format!("{client}/metrics/size"), fixture("ceph-size.txt"));
    host.put(&format!("{client}/osdc"), fixture("ceph-osdc.txt"));
    host.put(&format!("{client}/mdsc"), fixture("ceph-mdsc.txt"));
    for id in ["client8", "client9"] {
        let other = format!("sys/kernel/debug/ceph/11111111-5645-4c46-8568-4c8f63db4c7f.{id}");
        host.put(&format!("{other}/osdc"), "REQUESTS 9 homeless 0\n");
    }
    let mut meter = NetworkMeter::default();
    let mut measure = |host: &Host| {
        meter.measure(
            &host.guard(),
            &Inventory::default(),
            &HashMap::from([((0, 80), true), ((0, 81), true)]),
        )
    };
    let report = measure(&host);
    let ceph = at(&report, "/mnt/ceph");
    assert_eq!(ceph.key.server, format!("{FSID}.cephfs"));
    assert_eq!((ceph.read_bytes, ceph.written_bytes), (Some(53_248), Some(176_160_768)));
    assert_eq!((ceph.waiting, ceph.operations["WRITE"].requests), (Some(3), 42));
    let before = ceph.operations["METADATA"].execute_seconds.expect("a sum");
    assert!((before - 104.0 * 0.004_740).abs() < 1e-9, "{before}");
    // Which of two clients is behind a source that names no cluster cannot be told; of one it can.
    assert_eq!(at(&report, "/mnt/old").waiting, None);
    let gone = "sys/kernel/debug/ceph/11111111-5645-4c46-8568-4c8f63db4c7f.client8";
    std::fs::remove_dir_all(host.dir.path().join(gone)).unwrap();
    assert_eq!(at(&measure(&host), "/mnt/old").waiting, Some(9));

    // One request more, and a mean rounded down: less in the sum, not in the counter.
    let text = String::from_utf8(fixture("ceph-latency.txt")).unwrap();
    let text = text.replace("104         4740", "105         4600");
    host.put(&format!("{client}/metrics/latency"), text);
    let after = at(&measure(&host), "/mnt/ceph").operations["METADATA"].execute_seconds;
    assert_eq!(after, Some(before));
}

fn container(id: &str, pid: Option<u32>) -> ContainerRef {
    ContainerRef {
        key: SandboxKey {
            source: SourceKind::Mesos,
            framework: "F".into(),
            executor: "e".into(),
            container: id.into(),
        },
        nested: false,
        pid,
        group: None,
        directory: vec![],
    }
}

#[test]
fn a_mount_that_only_a_container_has_is_told_with_its_counters() {
    let mut host = Host::new();
    host.mount(50, "/srv/db", "nfs4", "filer:/vol/db", ",addr=10.0.0.5");
    host.put("proc/self/mountstats", "device rootfs mounted on / with fstype rootfs\n");
    // A copy of the host's mount, the same export given to the container, one of its own.
    host.put(
        "proc/4711/mountinfo",
        "91 90 0:50 / /srv/db rw - nfs4 filer:/vol/db rw\n\
         92 90 0:50 /x /w/box/data rw - nfs4 filer:/vol/db rw\n\
         93 90 0:90 / /w/box/media rw - nfs4 other:/media rw,addr=10.0.0.6\n",
    );
    host.put(
        "proc/4711/mountstats",
        "device other:/media mounted on /w/box/media with fstype nfs4 statvers=1.1\n\
         \tage:\t7\n\tbytes:\t0 0 0 0 77 88 0 0\n\txprt:\ttcp 900 1 1 0 0 5 5 0 1 1 1 1 1\n",
    );
    let inventory = Inventory {
        containers: vec![
            container("c-1", Some(4711)),
            container("gone", Some(4712)),
            container("unknown", None),
        ],
        ..Inventory::default()
    };
    let report = host.measure(&inventory);
    assert_eq!(report.filesystems.len(), 2);
    let users: Vec<&str> =
        at(&report, "/srv/db").users.iter().map(|user| user.container.as_str()).collect();
    assert_eq!(users, ["c-1"]);
    let own = at(&report, "c-1:/w/box/media");
    assert_eq!((own.key.server.as_str(), own.mounts, own.responsive), ("other", 0, None));
    assert_eq!((own.read_bytes, own.written_bytes, own.age_seconds), (Some(77), Some(88), Some(7)));
    assert_eq!(own.users.len(), 1);
    assert_eq!(report.transports.len(), 1);
    assert_eq!(report.transports[0].address, "10.0.0.6");
}

#[test]
fn what_an_automount_holds_is_not_asked() {
    let mut host = Host::new();
    let real = host.dir.path().join("auto");
    std::fs::create_dir_all(real.join("x")).unwrap();
    host.mount(60, &real.display().to_string(), "autofs", "auto.home", "");
    let id = host.mountinfo.lines().count();
    host.mountinfo += &format!("{} {id} 0:61 / {}/x rw - nfs4 f:/x rw\n", id + 1, real.display());
    host.put("proc/self/mountinfo", &host.mountinfo);
    // A directory of this machine stands for a server that answers.
    let open = host.dir.path().join("open");
    std::fs::create_dir(&open).unwrap();
    host.mount(62, &open.display().to_string(), "nfs4", "f:/open", "");
    let report =
        NetworkMeter::default().measure(&host.guard(), &Inventory::default(), &HashMap::new());
    let asked = |place: &Path| at(&report, &place.display().to_string()).responsive;
    assert_eq!((asked(&real.join("x")), asked(&open)), (None, Some(true)));
    // There is no mountstats: its counters are absent, and nothing else.
    assert_eq!(source(&report, "network_nfs"), SourceHealth::Absent);
}
