//! Filesystems on partitions, a logical volume over two disks, a plain mapping and a file: each is
//! followed to the disks below it, and a volume on a device of its own has that device's counters.

use std::fs;
use std::path::Path;

use crate::daemon::Daemon;
use crate::disks::{self, Mapped, SCRATCH, SECOND};
use crate::files::{MIB, settle, write};
use crate::host::{Host, eventually, series};
use crate::report::Report;

/// Sectors of a mebibyte.
const SECTORS: u64 = 2_048;

/// The scenario.
pub fn run(report: &mut Report) {
    let work = Path::new("/mnt/work");
    disks::fresh("ext4", disks::EXT4, work, "rw");
    disks::partition(SCRATCH, &[64 * SECTORS, 128 * SECTORS]);
    disks::partition(SECOND, &[128 * SECTORS, 64 * SECTORS]);
    let half = 96 * SECTORS;
    // As LVM names and marks its own: `-` within a name is doubled, the id begins with LVM-.
    let id = format!("LVM-{}", "0123456789abcdef".repeat(4));
    let table = format!("0 {half} linear /dev/vdc2 0\n{half} {half} linear /dev/vdd1 0");
    let logical = Mapped::with("vg0-my--data", Some(&id), &table);
    let plain = Mapped::with("plain", None, &format!("0 {} linear /dev/vdd2 0", 64 * SECTORS));

    let tops = ["/mnt/partition", "/mnt/logical", "/mnt/plain", "/mnt/file"].map(Path::new);
    let [partition, lvm, mapping, file] = tops;
    disks::fresh("ext4", "/dev/vdc1", partition, "rw");
    disks::fresh("ext4", &logical.device().display().to_string(), lvm, "rw");
    disks::fresh("ext4", &plain.device().display().to_string(), mapping, "rw");
    let image = lvm.join("image");
    let blank = fs::File::create(&image).and_then(|image| image.set_len(32 * MIB));
    blank.expect("room");
    disks::run(&format!("losetup /dev/loop0 {}", image.display()));
    disks::fresh("ext4", "/dev/loop0", file, "rw");

    let config = format!(
        "directories: [{}]\nfilesystems:\n  interval: 1s\nusage:\n  cpu_budget: 0.3\n",
        tops.map(|top| top.display().to_string()).join(", ")
    );
    let host = Host::create(work, &config);
    let daemon = host.serve();
    followed(report, &daemon);
    report.name = "own counters".to_owned();
    own_counters(report, &daemon, partition);
    drop(daemon);
    drop(host);
    report.name = "cleaned up".to_owned();
    report.equal("file", disks::unmount(file), Ok(()));
    disks::run("losetup -d /dev/loop0");
    for top in [partition, lvm, mapping, work] {
        report.equal("unmounted", disks::unmount(top), Ok(()));
    }
}

fn followed(report: &mut Report, daemon: &Daemon) {
    let family = "plimsoll_filesystem_device_info";
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("/mnt/partition", &[("device", "vdc1"), ("kind", "partition"), ("disks", "vdc")]),
        (
            "/mnt/logical",
            &[
                ("kind", "lvm"),
                ("volume_group", "vg0"),
                ("logical_volume", "my-data"),
                ("disks", "vdc,vdd"),
            ],
        ),
        ("/mnt/plain", &[("kind", "mapper"), ("mapper", "plain"), ("disks", "vdd")]),
        ("/mnt/file", &[("device", "loop0"), ("kind", "loop"), ("disks", "vdc,vdd")]),
    ];
    for (top, facts) in cases {
        report.name = top.to_owned();
        let labels: Vec<_> = [("mount_point", top)].iter().chain(facts).copied().collect();
        let told = eventually(20, || series(daemon, family, &labels) == Some(1.0));
        report.holds("what lies below", told, || {
            let body = daemon.get("/metrics").body;
            let lines = body.lines().filter(|line| line.starts_with(family) && line.contains(top));
            lines.collect::<Vec<_>>().join("\n")
        });
        for disk in ["vda", "vdb", "vdc", "vdd"] {
            let labels = [("mount_point", top), ("device", disk)];
            let named = series(daemon, "plimsoll_filesystem_disk_info", &labels).is_some();
            let below = facts.iter().any(|(name, value)| *name == "disks" && value.contains(disk));
            report.equal(disk, named, below);
        }
    }
}

/// The kernel's counters of the partition, sectors of 512 bytes.
fn own_counters(report: &mut Report, daemon: &Daemon, top: &Path) {
    write(&top.join("data"), 8 * MIB).expect("room");
    settle();
    let kernel = || {
        let text = fs::read_to_string("/sys/class/block/vdc1/stat").expect("a partition");
        let numbers: Vec<f64> =
            text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        [numbers[0], numbers[2] * 512.0, numbers[4], numbers[6] * 512.0]
    };
    let volume = top.display().to_string();
    let told = || {
        [
            "reads_completed_total",
            "read_bytes_total",
            "writes_completed_total",
            "written_bytes_total",
        ]
        .map(|name| {
            let family = format!("plimsoll_volume_io_{name}");
            series(daemon, &family, &[("volume", &volume)]).unwrap_or(-1.0)
        })
    };
    let same = eventually(30, || told() == kernel());
    report.holds("as the kernel counts", same, || format!("{:?}, kernel {:?}", told(), kernel()));
    let written = told()[3];
    report.holds("what was written", written > 8.0 * MIB as f64, || format!("{written}"));
}
