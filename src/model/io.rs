//! Block I/O of containers: what their control groups counted, and what holds them back.

use std::fmt;

use serde::Serialize;

use super::{SandboxKey, Timestamp};

/// A container that runs, and where its control group may be found: what every source of
/// containers hands to the I/O measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerRef {
    /// What names it. A plain Docker container has the source `docker`, its full id, no
    /// framework, and as executor its name where the engine told it.
    pub key: SandboxKey,
    /// Nested in another container: its I/O is part of its parent's.
    pub nested: bool,
    /// Its first process, in the host's pid namespace.
    pub pid: Option<u32>,
    /// Path of its group below the root of each hierarchy, where the source knows it
    /// (`/mesos/<id>`); tried when the process does not tell.
    pub group: Option<String>,
    /// Name of the directory that is its own group (`<id>`, `docker-<id>.scope`): a group above
    /// it belongs to others too.
    pub directory: Vec<String>,
}

/// Number of a block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceNumber {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl Serialize for DeviceNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Version of the control group hierarchy that counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CgroupVersion {
    /// The `blkio` controller.
    V1,
    /// The `io` controller of the unified hierarchy.
    V2,
}

impl CgroupVersion {
    /// The value of the label `cgroup_version`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the device.
    Read,
    /// To the device.
    Write,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// The word for a person.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Bytes a second.
    Bytes,
    /// Operations a second.
    Operations,
}

/// The limit in force of one kind, for one device and direction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IoLimit {
    /// Bytes or operations a second: the smallest that the group and its ancestors have.
    pub per_second: u64,
    /// Group it is written to; not the container's own where an ancestor's is tighter (v2).
    pub group: String,
    /// How much of its limit the group with the highest use against its own limit takes, 1 for
    /// all of it; absent until it was sampled twice.
    pub used_ratio: Option<f64>,
    /// That group: the container's own or an ancestor.
    pub used_group: String,
}

/// One direction of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DirectionIo {
    /// Bytes moved since the group was made.
    pub bytes: Option<u64>,
    /// Operations since then.
    pub operations: Option<u64>,
    /// Limit of bytes; absent: none.
    pub limit_bytes: Option<IoLimit>,
    /// Limit of operations; absent: none.
    pub limit_operations: Option<IoLimit>,
    /// Seconds in which use stood at a limit, since the limit was first seen; absent while there
    /// never was one.
    pub throttled_seconds: Option<f64>,
    /// Share of the last five minutes in which it did; absent before the first minute is over.
    pub throttled_ratio: Option<f64>,
    /// Seconds its requests waited in the scheduler's queue (CFQ and BFQ only).
    pub wait_seconds: Option<f64>,
    /// Seconds the device served its requests (CFQ and BFQ only).
    pub service_seconds: Option<f64>,
    /// Requests merged into others (CFQ and BFQ only).
    pub merged: Option<u64>,
    /// Requests in the queue now (CFQ and BFQ only).
    pub queued: Option<u64>,
}

/// What one device did for a container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceIo {
    /// `major:minor`.
    pub number: DeviceNumber,
    /// Name, such as `sda`; `major:minor` when it has none here.
    pub name: String,
    /// Reads.
    pub read: DirectionIo,
    /// Writes.
    pub write: DirectionIo,
    /// Bytes discarded (kernel 4.20 and newer).
    pub discard_bytes: Option<u64>,
    /// Discards.
    pub discard_operations: Option<u64>,
    /// Weight against its siblings, where one is set for this device.
    pub weight: Option<u64>,
    /// Latency that is protected (`io.latency`), in seconds.
    pub latency_target_seconds: Option<f64>,
    /// Other keys of `io.stat` (`cost.usage`, `avg_lat`, …), as the kernel writes them.
    pub stat: Vec<(String, f64)>,
    /// Bytes a second over the last five minutes, both directions.
    pub bytes_per_second: Option<f64>,
}

impl DeviceIo {
    /// One direction.
    pub fn direction(&self, direction: Direction) -> &DirectionIo {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

/// Seconds of I/O pressure (PSI) since the group was made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IoPressure {
    /// At least one task waited for I/O.
    pub some_seconds: f64,
    /// All tasks that were not idle did.
    pub full_seconds: f64,
    /// Share of the last five minutes for `some`; absent before the first minute is over.
    pub some_ratio: Option<f64>,
    /// The same for `full`.
    pub full_ratio: Option<f64>,
}

/// Block I/O of one container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerIo {
    /// Which container.
    pub key: SandboxKey,
    /// Nested in another container: its I/O is part of its parent's.
    pub nested: bool,
    /// Hierarchy that counted.
    pub version: CgroupVersion,
    /// Its group below the root of the hierarchy.
    pub group: String,
    /// Devices it used or is limited on, sorted by number. A device that is not there was not
    /// counted, which is not the same as 0.
    pub devices: Vec<DeviceIo>,
    /// Weight against its siblings on devices without one of their own.
    pub weight: Option<u64>,
    /// I/O pressure; absent where the kernel has none for this group.
    pub pressure: Option<IoPressure>,
    /// Seconds its threads waited for block I/O, as far as they were seen; absent where delay
    /// accounting is off.
    pub delay_seconds: Option<f64>,
    /// Seconds they waited in each second of the last five minutes, added over all threads, so that
    /// it may be more than 1; absent before the first minute is over.
    pub delay_ratio: Option<f64>,
    /// When it was read.
    pub measured_at: Timestamp,
}
