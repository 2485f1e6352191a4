//! Block I/O of containers as rows.

use serde::Serialize;

use crate::model::{ContainerIo, DeviceIo, DirectionIo, IoPressure, Snapshot};

/// A container's block I/O.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IoRow<'a> {
    /// Source that reports the container.
    pub source: &'static str,
    /// Framework id.
    pub framework: &'a str,
    /// Executor id.
    pub executor: &'a str,
    /// Container id; nested ids are joined with a dot.
    pub container: &'a str,
    /// Nested in another container, whose numbers include these.
    pub nested: bool,
    /// `v1` or `v2`.
    pub cgroup_version: &'static str,
    /// Control group the numbers come from.
    pub group: &'a str,
    /// Weight against its siblings.
    pub weight: Option<u64>,
    /// Pressure (PSI), where the kernel has it for this group.
    pub pressure: Option<&'a IoPressure>,
    /// Seconds its threads waited for block I/O.
    pub delay_seconds: Option<f64>,
    /// Seconds they waited in each second of the last five minutes, added over all threads.
    pub delay_ratio: Option<f64>,
    /// By device.
    pub devices: Vec<DeviceRow<'a>>,
    /// When it was read.
    pub measured_timestamp_seconds: f64,
}

/// What one device did for a container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceRow<'a> {
    /// Name, such as `sda`.
    pub device: &'a str,
    /// `major:minor`.
    pub device_number: String,
    /// Reads.
    pub read: &'a DirectionIo,
    /// Writes.
    pub write: &'a DirectionIo,
    /// Bytes discarded.
    pub discard_bytes: Option<u64>,
    /// Discards.
    pub discard_operations: Option<u64>,
    /// Weight for this device.
    pub weight: Option<u64>,
    /// Latency that is protected.
    pub latency_target_seconds: Option<f64>,
    /// Other keys of `io.stat`.
    pub stat: Vec<(&'a str, f64)>,
    /// Bytes a second over the last five minutes.
    pub bytes_per_second: Option<f64>,
}

impl<'a> From<&'a DeviceIo> for DeviceRow<'a> {
    fn from(device: &'a DeviceIo) -> Self {
        Self {
            device: &device.name,
            device_number: device.number.to_string(),
            read: &device.read,
            write: &device.write,
            discard_bytes: device.discard_bytes,
            discard_operations: device.discard_operations,
            weight: device.weight,
            latency_target_seconds: device.latency_target_seconds,
            stat: device.stat.iter().map(|(key, value)| (key.as_str(), *value)).collect(),
            bytes_per_second: device.bytes_per_second,
        }
    }
}

impl<'a> From<&'a ContainerIo> for IoRow<'a> {
    fn from(io: &'a ContainerIo) -> Self {
        Self {
            source: io.key.source.as_str(),
            framework: &io.key.framework,
            executor: &io.key.executor,
            container: &io.key.container,
            nested: io.nested,
            cgroup_version: io.version.as_str(),
            group: &io.group,
            weight: io.weight,
            pressure: io.pressure.as_ref(),
            delay_seconds: io.delay_seconds,
            delay_ratio: io.delay_ratio,
            devices: io.devices.iter().map(DeviceRow::from).collect(),
            measured_timestamp_seconds: io.measured_at,
        }
    }
}

/// Every container with a control group, sorted by key.
pub fn io(snapshot: &Snapshot) -> Vec<IoRow<'_>> {
    snapshot.io.iter().map(IoRow::from).collect()
}
