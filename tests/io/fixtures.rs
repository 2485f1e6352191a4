//! Files of control groups as kernels of every generation print them (`tests/fixtures/cgroup`).

use std::path::{Path, PathBuf};

use plimsoll::measure::io::cgroup::{
    DescriptorRoom, GroupFiles, LimitFiles, Lost, RawDirection, Scope, parse_pressure, settings,
};
use plimsoll::model::{CgroupVersion, DeviceNumber};

const SDA: DeviceNumber = DeviceNumber { major: 8, minor: 0 };
const VDA: DeviceNumber = DeviceNumber { major: 254, minor: 0 };

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup").join(name)
}

fn open(name: &str, version: CgroupVersion) -> GroupFiles {
    GroupFiles::open(version, &fixture(name), Scope::Whole, &DescriptorRoom::new(10)).expect(name)
}

fn read(name: &str, version: CgroupVersion) -> plimsoll::measure::io::cgroup::Reading {
    open(name, version).counters(&mut Vec::new()).expect(name)
}

fn moved(bytes: u64, operations: u64) -> RawDirection {
    RawDirection { bytes: Some(bytes), operations: Some(operations), ..RawDirection::default() }
}

#[test]
fn kernel_4_4_with_cfq() {
    let reading = read("v1-4.4-cfq", CgroupVersion::V1);
    assert_eq!(reading.keys().copied().collect::<Vec<_>>(), [SDA]);
    let device = &reading[&SDA];
    let read = RawDirection {
        wait_ns: Some(1_204_381_922),
        service_ns: Some(2_918_330_417),
        merged: Some(12),
        queued: Some(0),
        ..moved(27_316_224, 607)
    };
    let write = RawDirection {
        wait_ns: Some(90_455_120_331),
        service_ns: Some(31_442_918_007),
        merged: Some(804),
        queued: Some(3),
        ..moved(104_857_600, 1_600)
    };
    assert_eq!((device.read, device.write), (read, write));
    // No kernel before 4.20 counted discards.
    assert_eq!((device.discard_bytes, device.discard_operations), (None, None));
    let set = settings(CgroupVersion::V1, &fixture("v1-4.4-cfq")).expect("settings");
    assert_eq!((set.weight, set.weights.get(&SDA)), (Some(500), Some(&800)));
}

#[test]
fn kernel_4_18_has_no_discards_and_limits_of_four_kinds() {
    let device = &read("v1-4.18", CgroupVersion::V1)[&SDA];
    assert_eq!((device.read, device.write), (moved(4096, 1), moved(1_048_576, 16)));
    assert_eq!(device.discard_bytes, None);
    let directory = fixture("v1-4.18");
    let limits = LimitFiles::new(CgroupVersion::V1, &directory, &DescriptorRoom::new(0))
        .read(&mut Vec::new())
        .expect("limits");
    let max = limits[&SDA];
    assert_eq!((max.read_bytes, max.write_bytes), (Some(10_485_760), Some(1_048_576)));
    assert_eq!((max.read_operations, max.write_operations), (None, Some(120)));
}

#[test]
fn kernel_5_and_6_on_v1() {
    // 5.10: the group itself wrote a part of what the groups below it did.
    let whole = &read("v1-5.10", CgroupVersion::V1)[&VDA];
    assert_eq!(whole.write, moved(6_291_456, 96));
    let mut own = GroupFiles::open(
        CgroupVersion::V1,
        &fixture("v1-5.10"),
        Scope::Own,
        &DescriptorRoom::new(0),
    )
    .expect("there");
    assert_eq!(own.counters(&mut Vec::new()).expect("read")[&VDA].write, moved(2_097_152, 32));

    // 6.18 with BFQ's files, of which only the throttling ones count.
    let device = &read("v1-6.18", CgroupVersion::V1)[&VDA];
    assert_eq!((device.read, device.write), (moved(4_018_176, 197), moved(27_316_224, 407)));
    assert_eq!((device.discard_bytes, device.discard_operations), (Some(0), Some(0)));

    // 6.18 where no limit was ever written: no row, which is not 0.
    assert!(read("v1-6.18-no-rows", CgroupVersion::V1).is_empty());
}

#[test]
fn bfq_with_debugging_counts_times_where_throttling_has_no_rows() {
    let device = &read("v1-5.10-bfq", CgroupVersion::V1)[&SDA];
    assert_eq!((device.read.bytes, device.read.operations), (Some(8192), Some(2)));
    assert_eq!((device.write.wait_ns, device.write.service_ns), (Some(52_000), Some(840_000)));
}

#[test]
fn v2_of_every_generation() {
    let reading = read("v2-5.15", CgroupVersion::V2);
    // Devices that never counted stand on the line of the next one there.
    assert_eq!(reading.keys().copied().collect::<Vec<_>>(), [SDA]);
    assert_eq!(reading[&SDA].read, moved(1_459_200, 192));

    let mesos = read("v2-6.1-mesos", CgroupVersion::V2);
    assert_eq!(mesos[&VDA].write, moved(6_171_648, 48));
    let limits =
        LimitFiles::new(CgroupVersion::V2, &fixture("v2-6.1-mesos"), &DescriptorRoom::new(0))
            .read(&mut Vec::new())
            .expect("limits");
    assert_eq!((limits[&VDA].write_bytes, limits[&VDA].read_bytes), (Some(1_048_576), None));
    assert_eq!((limits[&VDA].read_operations, limits[&VDA].write_operations), (Some(200), None));
    let text = std::fs::read(fixture("v2-6.1-mesos/io.pressure")).expect("there");
    assert_eq!(parse_pressure(&text).expect("pressure").some_seconds, 0.954_664);

    let cost = &read("v2-6.6-iocost", CgroupVersion::V2)[&SDA];
    let other: Vec<(&str, f64)> =
        cost.other.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    assert_eq!(
        other,
        [
            ("cost.usage", 2_934_811.0),
            ("cost.wait", 17_220.0),
            ("cost.indebt", 0.0),
            ("cost.indelay", 410.0),
            ("avg_lat", 1_320.0),
            ("win", 100.0)
        ]
    );
    let set = settings(CgroupVersion::V2, &fixture("v2-6.6-iocost")).expect("settings");
    assert_eq!((set.weight, set.weights.get(&SDA)), (Some(100), Some(&250)));
    assert_eq!(set.latency.get(&SDA), Some(&75_000));
}

#[test]
fn malformed_files_are_errors_that_name_the_file_and_the_line() {
    for (name, version, words) in [
        (
            "malformed/v1",
            CgroupVersion::V1,
            "blkio.throttle.io_service_bytes: unexpected line \"8:0 Read",
        ),
        ("malformed/v2", CgroupVersion::V2, "io.stat: unexpected line \"8:0 rbytes=many"),
    ] {
        let error = format!("{:?}", open(name, version).counters(&mut Vec::new()).expect_err(name));
        assert!(
            error.contains(words.trim_end_matches('"')) || error.replace('\\', "").contains(words),
            "{error}"
        );
    }
    let error =
        LimitFiles::new(CgroupVersion::V2, &fixture("malformed/v2"), &DescriptorRoom::new(0))
            .read(&mut Vec::new())
            .expect_err("malformed");
    assert!(format!("{error:?}").contains("io.max"), "{error:?}");
}

#[test]
fn a_group_without_the_controller_is_gone_and_no_error() {
    // Of the first the kernel keeps pressure only; the second is not there at all.
    for name in ["v2-6.1-mesos-leaf-of-agent", "nowhere"] {
        let room = DescriptorRoom::new(1);
        let opened = GroupFiles::open(CgroupVersion::V2, &fixture(name), Scope::Whole, &room);
        assert!(matches!(opened, Err(Lost::Gone)), "{name}");
    }
}
