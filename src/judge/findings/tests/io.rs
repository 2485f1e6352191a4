//! Hosts with one trouble of block I/O each, and some that only look like it.

use crate::model::*;

const MIB: f64 = 1_048_576.0;

/// A container that moves so many bytes a second on `sda`, its writes being throttled and its
/// tasks waiting for such shares of the time.
pub(super) fn container(name: &str, rate: f64, throttled: Option<f64>, waits: f64) -> ContainerIo {
    let limit = throttled.map(|ratio| IoLimit {
        per_second: 4 << 20,
        group: "/mesos".into(),
        used_ratio: Some(ratio),
        used_group: "/mesos".into(),
    });
    ContainerIo {
        key: SandboxKey {
            source: SourceKind::Mesos,
            framework: "F".into(),
            executor: name.into(),
            container: format!("{name}-c"),
        },
        nested: false,
        version: CgroupVersion::V2,
        group: format!("/mesos/{name}-c"),
        devices: vec![DeviceIo {
            number: DeviceNumber { major: 8, minor: 0 },
            name: "sda".into(),
            read: DirectionIo::default(),
            write: DirectionIo {
                limit_bytes: limit,
                throttled_seconds: throttled.map(|ratio| ratio * 300.0),
                throttled_ratio: throttled,
                ..DirectionIo::default()
            },
            discard_bytes: None,
            discard_operations: None,
            weight: None,
            latency_target_seconds: None,
            stat: Vec::new(),
            bytes_per_second: Some(rate * MIB),
        }],
        weight: None,
        pressure: Some(IoPressure {
            some_seconds: waits * 300.0,
            full_seconds: 0.0,
            some_ratio: Some(waits),
            full_ratio: Some(0.0),
        }),
        delay_seconds: None,
        delay_ratio: None,
        measured_at: 0.0,
    }
}

/// The same on a host without pressure, by what its threads waited.
fn delayed(io: ContainerIo, delay_ratio: f64) -> ContainerIo {
    let version = CgroupVersion::V1;
    ContainerIo { version, pressure: None, delay_ratio: Some(delay_ratio), ..io }
}

fn stalled(full_ratio: f64) -> ContainerIo {
    let mut io = container("a", 0.0, None, 0.9);
    io.pressure =
        io.pressure.map(|pressure| IoPressure { full_ratio: Some(full_ratio), ..pressure });
    io
}

/// Kind of the one finding, words of its reason, and who does I/O.
pub(super) fn troubles() -> Vec<(&'static str, &'static str, Vec<ContainerIo>)> {
    vec![
        (
            "io_throttled",
            "Its writes on sda stood at the limit of 4.0 MiB/s of /mesos for 75 % of",
            vec![container("a", 4.0, Some(0.75), 0.9)],
        ),
        ("io_pressure", "waited for I/O in 62 % of", vec![stalled(0.62)]),
        (
            "io_neighbour",
            "It moves 90.0 MiB/s on sda, 90 % of what all containers move there, while b waits \
             for I/O in 40 % of the time.",
            vec![container("a", 90.0, None, 0.2), container("b", 10.0, None, 0.4)],
        ),
        (
            "io_neighbour",
            "while b waits for I/O in 100 % of the time.",
            vec![
                delayed(container("a", 90.0, None, 0.0), 0.2),
                delayed(container("b", 10.0, None, 0.0), 2.5),
            ],
        ),
    ]
}

/// Nothing is wrong.
pub(super) fn silent() -> Vec<(&'static str, Vec<ContainerIo>)> {
    vec![
        ("half throttled is what limits are for", vec![container("a", 4.0, Some(0.49), 0.3)]),
        ("some wait, others work", vec![stalled(0.1)]),
        ("alone on the device", vec![container("a", 90.0, None, 0.4)]),
        (
            "the one that waits stands at its own limit",
            vec![container("a", 90.0, None, 0.0), container("b", 4.0, Some(0.45), 0.4)],
        ),
        (
            "the one whose threads wait stands at its own limit",
            vec![
                delayed(container("a", 90.0, None, 0.0), 0.0),
                delayed(container("b", 4.0, Some(0.45), 0.0), 0.5),
            ],
        ),
        (
            "nobody knows who waits",
            vec![
                ContainerIo { pressure: None, ..container("a", 90.0, None, 0.0) },
                ContainerIo { pressure: None, ..container("b", 10.0, None, 0.0) },
            ],
        ),
        (
            "a device that is all but idle",
            vec![container("a", 0.9, None, 0.0), container("b", 0.01, None, 0.4)],
        ),
        ("an even share", vec![container("a", 60.0, None, 0.4), container("b", 40.0, None, 0.4)]),
    ]
}
