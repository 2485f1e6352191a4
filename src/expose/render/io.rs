//! Families of containers' block I/O.

use crate::expose::catalogue::Family;
use crate::expose::catalogue::io::{
    COST_USAGE, COST_WAIT, DELAY, DISCARDED_BYTES, DISCARDS, INFO, PRESSURE_FULL, PRESSURE_SOME,
    READ_BYTES, READ_LIMIT_BYTES, READ_LIMIT_OPERATIONS, READ_LIMIT_USED, READ_SERVICE,
    READ_THROTTLED, READ_WAIT, READS, READS_MERGED, READS_QUEUED, WRITE_LIMIT_BYTES,
    WRITE_LIMIT_OPERATIONS, WRITE_LIMIT_USED, WRITE_SERVICE, WRITE_THROTTLED, WRITE_WAIT, WRITES,
    WRITES_MERGED, WRITES_QUEUED, WRITTEN_BYTES,
};
use crate::expose::exposition::{Arena, Encoder};
use crate::model::{ContainerIo, DeviceIo, DirectionIo, IoPressure};

/// Series of one container, beside those of its devices.
const CONTAINER_SERIES: usize = 4;

type Number = fn(&DeviceIo) -> Option<u64>;
type Stalled = fn(&IoPressure) -> f64;
type Fraction = fn(&DeviceIo) -> Option<f64>;

const COUNTS: [(&Family, Number); 10] = [
    (&READ_BYTES, |device| device.read.bytes),
    (&WRITTEN_BYTES, |device| device.write.bytes),
    (&DISCARDED_BYTES, |device| device.discard_bytes),
    (&DISCARDS, |device| device.discard_operations),
    (&READS, |device| device.read.operations),
    (&WRITES, |device| device.write.operations),
    (&READS_MERGED, |device| device.read.merged),
    (&WRITES_MERGED, |device| device.write.merged),
    (&READS_QUEUED, |device| device.read.queued),
    (&WRITES_QUEUED, |device| device.write.queued),
];

const LIMITS: [(&Family, Number); 4] = [
    (&READ_LIMIT_BYTES, |device| device.read.limit_bytes.as_ref().map(|limit| limit.per_second)),
    (&WRITE_LIMIT_BYTES, |device| device.write.limit_bytes.as_ref().map(|limit| limit.per_second)),
    (&READ_LIMIT_OPERATIONS, |device| {
        device.read.limit_operations.as_ref().map(|limit| limit.per_second)
    }),
    (&WRITE_LIMIT_OPERATIONS, |device| {
        device.write.limit_operations.as_ref().map(|limit| limit.per_second)
    }),
];

const RATIOS_AND_SECONDS: [(&Family, Fraction); 10] = [
    (&READ_LIMIT_USED, |device| used(&device.read)),
    (&WRITE_LIMIT_USED, |device| used(&device.write)),
    (&READ_THROTTLED, |device| device.read.throttled_seconds),
    (&WRITE_THROTTLED, |device| device.write.throttled_seconds),
    (&READ_WAIT, |device| device.read.wait_seconds),
    (&WRITE_WAIT, |device| device.write.wait_seconds),
    (&READ_SERVICE, |device| device.read.service_seconds),
    (&WRITE_SERVICE, |device| device.write.service_seconds),
    (&COST_USAGE, |device| cost(device, "cost.usage")),
    (&COST_WAIT, |device| cost(device, "cost.wait")),
];

/// Use of the limit that is used most.
fn used(direction: &DirectionIo) -> Option<f64> {
    let limits = [&direction.limit_bytes, &direction.limit_operations];
    limits.into_iter().flatten().filter_map(|limit| limit.used_ratio).reduce(f64::max)
}

/// A key of `io.stat` that counts microseconds, in seconds.
fn cost(device: &DeviceIo, key: &str) -> Option<f64> {
    let (_, micros) = device.stat.iter().find(|(name, _)| name == key)?;
    Some(micros / 1e6)
}

/// Series that a container takes.
pub(super) fn series(io: &ContainerIo) -> usize {
    let of_device = |device: &DeviceIo| {
        let numbers = COUNTS.iter().chain(&LIMITS).filter(|(_, value)| value(device).is_some());
        let others = RATIOS_AND_SECONDS.iter().filter(|(_, value)| value(device).is_some());
        numbers.count() + others.count()
    };
    CONTAINER_SERIES + io.devices.iter().map(of_device).sum::<usize>()
}

pub(super) fn write(encoder: &mut Encoder, containers: &[&ContainerIo]) {
    let mut of_container = Arena::default();
    let mut of_device = Arena::default();
    let mut shown: Vec<&ContainerIo> = Vec::with_capacity(containers.len());
    let mut devices: Vec<&DeviceIo> = Vec::with_capacity(containers.len());
    for io in containers {
        let key = &io.key;
        let labels = [
            ("source", key.source.as_str()),
            ("framework", &key.framework),
            ("executor", &key.executor),
            ("container", &key.container),
        ];
        if !of_container.push(&labels) {
            continue;
        }
        shown.push(io);
        for device in &io.devices {
            let [source, framework, executor, container] = labels;
            let labels = [source, framework, executor, container, ("device", &device.name)];
            if of_device.push(&labels) {
                devices.push(device);
            }
        }
    }
    for (family, value) in COUNTS.iter().chain(&LIMITS) {
        encoder.family(family);
        for (index, device) in devices.iter().enumerate() {
            if let Some(number) = value(device) {
                encoder.u64(of_device.get(index), number);
            }
        }
    }
    for (family, value) in RATIOS_AND_SECONDS {
        encoder.family(family);
        for (index, device) in devices.iter().enumerate() {
            if let Some(number) = value(device) {
                encoder.f64(of_device.get(index), number);
            }
        }
    }
    let pressures: [(&Family, Stalled); 2] = [
        (&PRESSURE_SOME, |pressure| pressure.some_seconds),
        (&PRESSURE_FULL, |pressure| pressure.full_seconds),
    ];
    for (family, value) in pressures {
        encoder.family(family);
        for (index, io) in shown.iter().enumerate() {
            if let Some(pressure) = &io.pressure {
                encoder.f64(of_container.get(index), value(pressure));
            }
        }
    }
    encoder.family(&DELAY);
    for (index, io) in shown.iter().enumerate() {
        if let Some(seconds) = io.delay_seconds {
            encoder.f64(of_container.get(index), seconds);
        }
    }
    encoder.family(&INFO);
    for (index, io) in shown.iter().enumerate() {
        let facts = [("cgroup_version", io.version.as_str()), ("group", io.group.as_str())];
        encoder.info(of_container.get(index), &facts);
    }
}
