//! Stacks of devices, from trees of sysfs and on this machine.

use std::path::Path;
use std::process::Command;

use super::fixtures::tree;
use super::{Sysfs, below};
use crate::host::{MountTable, Roots};
use crate::model::{DeviceKind, FilesystemDevice};

fn of(sysfs: &Sysfs, table: &str, mount_point: &str) -> FilesystemDevice {
    let table = MountTable::parse(table.as_bytes());
    let mount = table.at(Path::new(mount_point)).expect("in the table").clone();
    below(sysfs, &table, &mount)
}

/// `kind:name` of each layer.
fn layers(found: &FilesystemDevice) -> Vec<String> {
    let word = |kind: DeviceKind, name: &str| format!("{}:{name}", kind.as_str());
    found.layers.iter().map(|layer| word(layer.kind, &layer.name)).collect()
}

#[test]
fn crypt_on_lvm_on_raid_on_partitions() {
    let (_dir, sysfs) = tree("crypt-lvm-raid.txt");
    let table = "1 0 253:1 / /data rw - xfs /dev/mapper/mysql-0 rw\n\
                 2 1 253:0 / /data/raw rw - xfs /dev/mapper/fast--vg-mysql--0 rw\n";
    let found = of(&sysfs, table, "/data");
    assert_eq!(
        layers(&found),
        [
            "crypt:dm-1",
            "lvm:dm-0",
            "raid:md127",
            "partition:nvme0n1p2",
            "disk:nvme0n1",
            "partition:nvme1n1p2",
            "disk:nvme1n1",
        ]
    );
    assert_eq!(found.disk_names(), "nvme0n1,nvme1n1");
    assert_eq!(found.layers[0].mapper.as_deref(), Some("mysql-0"));
    assert_eq!(found.layers[0].logical_volume, None);
    let volume = found.layers[1].logical_volume.as_ref().expect("of LVM");
    assert_eq!((volume.0.as_str(), volume.1.as_str()), ("fast-vg", "mysql-0"));
    assert_eq!(found.layers[2].raid_level.as_deref(), Some("raid1"));
    assert_eq!(found.layers[4].number, (259, 0));
    assert_eq!(found.layers[4].rotational, Some(false));
    // The counters are those of the filesystem's own device, not of the disks.
    let io = found.io.expect("counters");
    assert_eq!((io.read_bytes, io.written_bytes, io.in_flight), (3000 * 512, 7000 * 512, 4));
}

#[test]
fn a_partition_of_a_disk_with_two_paths() {
    let (_dir, sysfs) = tree("multipath.txt");
    let table = "1 0 253:3 / /data rw - ext4 /dev/mapper/mpatha1 rw\n";
    let found = of(&sysfs, table, "/data");
    assert_eq!(layers(&found), ["partition:dm-3", "multipath:dm-2", "disk:sdb", "disk:sdc"]);
    assert_eq!(found.disk_names(), "sdb,sdc");
    assert_eq!(found.layers[2].rotational, Some(true));
    assert_eq!(found.io.expect("11 fields").written_bytes, 700 * 512);
}

#[test]
fn a_loop_leads_to_the_disk_its_file_lies_on() {
    let (_dir, sysfs) = tree("loop-btrfs-bcache.txt");
    let table = "1 0 8:3 / / rw - ext4 /dev/sda3 rw\n\
                 2 1 7:0 / /vol rw - xfs /dev/loop0 rw\n\
                 3 1 7:1 / /old rw - xfs /dev/loop1 rw\n\
                 4 1 0:40 / /mem rw - tmpfs tmpfs rw\n\
                 5 1 0:41 / /nfs rw - nfs4 filer:/x rw\n\
                 6 1 0:42 / /box rw - overlay overlay rw,lowerdir=l,upperdir=/vol/up,workdir=/vol/w\n\
                 7 1 0:43 / /odd rw - overlay overlay rw,lowerdir=l,upperdir=up\n\
                 8 1 252:0 / /cached rw - ext4 /dev/bcache0 rw\n";
    for mount_point in ["/vol", "/old"] {
        let found = of(&sysfs, table, mount_point);
        assert_eq!(layers(&found)[1..], ["partition:sda3", "disk:sda"]);
        assert_eq!(found.layers[0].kind, DeviceKind::Loop);
        assert_eq!(found.disk_names(), "sda");
    }
    let over = of(&sysfs, table, "/box");
    assert_eq!(layers(&over), ["overlay:", "loop:loop0", "partition:sda3", "disk:sda"]);
    assert_eq!((over.disk_names(), over.io), ("sda".to_string(), None));
    assert_eq!(layers(&of(&sysfs, table, "/odd")), ["overlay:"]);
    assert_eq!(layers(&of(&sysfs, table, "/mem")), ["memory:"]);
    assert_eq!(layers(&of(&sysfs, table, "/nfs")), ["network:"]);
    let cached = of(&sysfs, table, "/cached");
    assert_eq!(layers(&cached), ["bcache:bcache0", "partition:sda3", "disk:sda", "disk:sdb"]);
    assert_eq!(cached.disk_names(), "sda,sdb");
}

#[test]
fn btrfs_is_found_through_the_device_in_its_source() {
    let (_dir, sysfs) = tree("loop-btrfs-bcache.txt");
    let table = "1 0 8:1 / / rw - ext4 d rw\n\
                 4 1 0:50 / /pool rw - btrfs /dev/sdc rw,subvolid=5\n\
                 2 1 0:51 / /one rw - btrfs /dev/sda3 rw\n\
                 3 1 0:52 / /none rw - btrfs /dev/root rw\n";
    let pool = of(&sysfs, table, "/pool");
    assert_eq!(layers(&pool), ["btrfs:", "disk:sdb", "disk:sdc"]);
    // Whose the counters of two disks are cannot be told from one of them.
    assert_eq!((pool.disk_names(), pool.io), ("sdb,sdc".to_string(), None));
    let one = of(&sysfs, table, "/one");
    assert_eq!(layers(&one), ["btrfs:", "partition:sda3", "disk:sda"]);
    assert_eq!(one.io.expect("its only device's").written_bytes, 700 * 512);
    assert_eq!(layers(&of(&sysfs, table, "/none")), ["btrfs:"]);
}

#[test]
fn a_sysfs_that_lies_ends() {
    let (_dir, sysfs) = tree("hostile.txt");
    let table = "1 0 8:1 / / rw - ext4 d rw\n\
                 5 1 253:8 / /a rw - ext4 d rw\n2 1 253:10 / /b rw - ext4 d rw\n\
                 3 1 253:11 / /c rw - ext4 d rw\n4 1 253:12 / /d rw - ext4 d rw\n";
    let circle = of(&sysfs, table, "/a");
    assert_eq!(layers(&circle), ["mapper:dm-8", "mapper:dm-9"]);
    assert_eq!((circle.disk_names(), circle.io), (String::new(), None));
    // The link is there and names it; nothing else is known.
    assert_eq!(layers(&of(&sysfs, table, "/b")), ["disk:nowhere"]);
    assert_eq!(layers(&of(&sysfs, table, "/c")), ["mapper:dm-11"]);
    assert_eq!(layers(&of(&sysfs, table, "/d")), ["unknown:"]);
}

/// A real loop device with ext4, mounted: its counters are exactly what is written to it, and its
/// disks are those of the filesystem that holds the file.
#[test]
fn a_real_loop_device() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let image = dir.path().join("vol.img");
    let point = dir.path().join("vol");
    std::fs::create_dir(&point).unwrap();
    std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        output.is_ok_and(|output| output.status.success())
    };
    let (image_text, point_text) = (image.to_str().unwrap(), point.to_str().unwrap());
    let made = run("mkfs.ext4", &["-q", image_text])
        && run("mount", &["-o", "loop", image_text, point_text]);
    if !made {
        eprintln!("SKIPPED a_real_loop_device: no loop device can be mounted here (needs root)");
        return;
    }
    let checked = std::panic::catch_unwind(|| {
        let sysfs = Sysfs::new(Path::new("/sys"));
        let table = MountTable::read(&Roots::default()).unwrap();
        let mount = table.at(&point).expect("just mounted");
        let found = below(&sysfs, &table, mount);
        assert_eq!(found.layers[0].kind, DeviceKind::Loop);
        assert_eq!(found.layers[0].backing_file.as_deref(), Some(image.as_path()));
        let holder = table.containing(&image).expect("the file lies somewhere");
        let below_file = below(&sysfs, &table, holder);
        assert_eq!(found.disk_names(), below_file.disk_names());
        assert!(!found.disk_names().is_empty(), "{found:?}");
        let before = found.io.expect("counters");
        std::fs::write(point.join("data"), vec![7_u8; 8 << 20]).unwrap();
        assert!(run("sync", &["-f", point_text]));
        let after = below(&sysfs, &table, mount).io.expect("counters");
        let written = after.written_bytes - before.written_bytes;
        // The data, and little beside it for ext4's own records.
        assert!((8 << 20..9 << 20).contains(&written), "{written}");
        assert!(after.writes > before.writes && after.busy_seconds >= before.busy_seconds);
    });
    assert!(run("umount", &[point_text]), "the loop device is given back");
    checked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}
