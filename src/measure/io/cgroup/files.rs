//! The files of one group, read into numbers.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::kept::{DescriptorRoom, KeptFile};
use super::text::Malformed;
use super::{
    IoMax, parse_io_latency, parse_io_max, parse_io_stat, parse_number, parse_per_device,
    parse_rwstat,
};
use crate::host::errno::{Outcome, outcome_of};
use crate::model::{CgroupVersion, DeviceNumber};

/// One direction of one device, as counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RawDirection {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Operations.
    pub operations: Option<u64>,
    /// Nanoseconds in the scheduler's queue.
    pub wait_ns: Option<u64>,
    /// Nanoseconds of service.
    pub service_ns: Option<u64>,
    /// Requests merged.
    pub merged: Option<u64>,
    /// Requests queued now.
    pub queued: Option<u64>,
}

/// One device, as counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawDevice {
    /// Reads.
    pub read: RawDirection,
    /// Writes.
    pub write: RawDirection,
    /// Bytes discarded.
    pub discard_bytes: Option<u64>,
    /// Discards.
    pub discard_operations: Option<u64>,
    /// Other keys of `io.stat`.
    pub other: Vec<(String, f64)>,
}

/// Numbers by device. A device that was not counted is not in it.
pub type Reading = BTreeMap<DeviceNumber, RawDevice>;

/// Limits by device.
pub type Limits = BTreeMap<DeviceNumber, IoMax>;

/// What is set for a group beside its limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupSettings {
    /// Weight on devices without one of their own.
    pub weight: Option<u64>,
    /// Weights by device.
    pub weights: BTreeMap<DeviceNumber, u64>,
    /// Protected latency by device, in microseconds.
    pub latency: BTreeMap<DeviceNumber, u64>,
}

/// Why a group could not be read.
#[derive(Debug)]
pub enum Lost {
    /// It was removed, or is another one by now: normal while containers come and go.
    Gone,
    /// What, where and why.
    Failed(String),
}

impl Lost {
    fn reading(path: &Path, error: &io::Error) -> Self {
        match outcome_of(error) {
            Outcome::Gone => Self::Gone,
            Outcome::Denied => Self::Failed(format!(
                "read {}: {error}; run Plimsoll as root or with CAP_DAC_READ_SEARCH",
                path.display()
            )),
            Outcome::Failed => Self::Failed(format!("read {}: {error}", path.display())),
        }
    }

    fn malformed(path: &Path, error: &Malformed) -> Self {
        Self::Failed(format!("read {}: {error}; please report it", path.display()))
    }
}

/// Whose numbers are meant where the kernel keeps both (v1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The group with all groups below it.
    Whole,
    /// The group's own, which is what a v1 limit applies to.
    Own,
}

/// A file of a CFQ or BFQ kernel, and where its numbers belong.
type Place = fn(&mut RawDevice, super::Rwstat);

/// Names below `blkio.` and `blkio.bfq.`.
const SCHEDULER: [(&str, Place); 6] = [
    ("io_service_bytes", |device, stat| {
        device.read.bytes.get_or_insert(stat.read);
        device.write.bytes.get_or_insert(stat.write);
    }),
    ("io_serviced", |device, stat| {
        device.read.operations.get_or_insert(stat.read);
        device.write.operations.get_or_insert(stat.write);
    }),
    ("io_wait_time", |device, stat| {
        (device.read.wait_ns, device.write.wait_ns) = (Some(stat.read), Some(stat.write));
    }),
    ("io_service_time", |device, stat| {
        (device.read.service_ns, device.write.service_ns) = (Some(stat.read), Some(stat.write));
    }),
    ("io_merged", |device, stat| {
        (device.read.merged, device.write.merged) = (Some(stat.read), Some(stat.write));
    }),
    ("io_queued", |device, stat| {
        (device.read.queued, device.write.queued) = (Some(stat.read), Some(stat.write));
    }),
];

/// A group that is read again and again.
#[derive(Debug)]
pub struct GroupFiles {
    version: CgroupVersion,
    directory: PathBuf,
    inode: u64,
    bytes: KeptFile,
    /// v1 only: on v2 `bytes` has both.
    operations: Option<KeptFile>,
    /// Files of the scheduler that have numbers (v1), with their index in [`SCHEDULER`].
    scheduler: Vec<(KeptFile, usize)>,
    room: DescriptorRoom,
}

impl GroupFiles {
    /// A group's files; none is read yet.
    ///
    /// # Errors
    /// [`Lost::Gone`] also where the group has no counters: the controller is not enabled for it.
    pub fn open(
        version: CgroupVersion,
        directory: &Path,
        scope: Scope,
        room: &DescriptorRoom,
    ) -> Result<Self, Lost> {
        let inode = inode(directory)?;
        let file = |name: &str| KeptFile::new(directory.join(name));
        let (bytes, operations) = match version {
            CgroupVersion::V2 => (file("io.stat"), None),
            CgroupVersion::V1 => {
                // Kernels before 4.17 or so have the plain ones only.
                let recursive = scope == Scope::Whole
                    && directory.join("blkio.throttle.io_service_bytes_recursive").exists();
                let suffix = if recursive { "_recursive" } else { "" };
                (
                    file(&format!("blkio.throttle.io_service_bytes{suffix}")),
                    Some(file(&format!("blkio.throttle.io_serviced{suffix}"))),
                )
            }
        };
        if !bytes.path().exists() {
            return Err(Lost::Gone);
        }
        let mut group = Self {
            version,
            directory: directory.to_path_buf(),
            inode,
            bytes,
            operations,
            scheduler: Vec::new(),
            room: room.clone(),
        };
        group.look_for_scheduler();
        Ok(group)
    }

    /// Where it is, as this process reaches it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Finds which files of CFQ or BFQ count something: the disk's scheduler may change.
    pub fn look_for_scheduler(&mut self) {
        if self.version != CgroupVersion::V1 {
            return;
        }
        let mut buffer = Vec::new();
        for policy in ["blkio.", "blkio.bfq."] {
            for (index, (name, _)) in SCHEDULER.iter().enumerate() {
                let recursive = self.directory.join(format!("{policy}{name}_recursive"));
                let plain = self.directory.join(format!("{policy}{name}"));
                if self
                    .scheduler
                    .iter()
                    .any(|(file, _)| file.path() == recursive || file.path() == plain)
                {
                    continue;
                }
                let path = if recursive.exists() { recursive } else { plain };
                let mut file = KeptFile::new(path);
                let room = DescriptorRoom::new(0);
                let counts = file
                    .read(&mut buffer, &room)
                    .is_ok_and(|text| parse_rwstat(text).is_ok_and(|devices| !devices.is_empty()));
                if counts {
                    self.scheduler.push((file, index));
                }
            }
        }
    }

    /// Reads what it counted.
    ///
    /// # Errors
    /// Why not.
    pub fn counters(&mut self, buffer: &mut Vec<u8>) -> Result<Reading, Lost> {
        if !self.bytes.is_kept() && inode(&self.directory)? != self.inode {
            return Err(Lost::Gone);
        }
        match self.version {
            CgroupVersion::V1 => self.counters_v1(buffer),
            CgroupVersion::V2 => self.counters_v2(buffer),
        }
    }

    fn counters_v2(&mut self, buffer: &mut Vec<u8>) -> Result<Reading, Lost> {
        let stat = read(&mut self.bytes, buffer, &self.room, parse_io_stat)?;
        let counted = stat.into_iter().filter(|(_, stat)| stat.read_bytes.is_some());
        Ok(counted
            .map(|(number, stat)| {
                let device = RawDevice {
                    read: RawDirection {
                        bytes: stat.read_bytes,
                        operations: stat.read_operations,
                        ..RawDirection::default()
                    },
                    write: RawDirection {
                        bytes: stat.write_bytes,
                        operations: stat.write_operations,
                        ..RawDirection::default()
                    },
                    discard_bytes: stat.discard_bytes,
                    discard_operations: stat.discard_operations,
                    other: stat.other,
                };
                (number, device)
            })
            .collect())
    }

    fn counters_v1(&mut self, buffer: &mut Vec<u8>) -> Result<Reading, Lost> {
        let mut reading = Reading::new();
        for (number, stat) in read(&mut self.bytes, buffer, &self.room, parse_rwstat)? {
            let device = reading.entry(number).or_default();
            (device.read.bytes, device.write.bytes) = (Some(stat.read), Some(stat.write));
            device.discard_bytes = stat.discard;
        }
        if let Some(operations) = &mut self.operations {
            for (number, stat) in read(operations, buffer, &self.room, parse_rwstat)? {
                let device = reading.entry(number).or_default();
                (device.read.operations, device.write.operations) =
                    (Some(stat.read), Some(stat.write));
                device.discard_operations = stat.discard;
            }
        }
        for (file, index) in &mut self.scheduler {
            let place = SCHEDULER[*index].1;
            for (number, stat) in read(file, buffer, &self.room, parse_rwstat)? {
                place(reading.entry(number).or_default(), stat);
            }
        }
        Ok(reading)
    }
}

fn inode(directory: &Path) -> Result<u64, Lost> {
    match std::fs::symlink_metadata(directory) {
        Ok(metadata) if metadata.is_dir() => Ok(metadata.ino()),
        Ok(_) => Err(Lost::Gone),
        Err(error) => Err(Lost::reading(directory, &error)),
    }
}

fn read<T>(
    file: &mut KeptFile,
    buffer: &mut Vec<u8>,
    room: &DescriptorRoom,
    parse: impl Fn(&[u8]) -> Result<T, Malformed>,
) -> Result<T, Lost> {
    match file.read(buffer, room) {
        Ok(text) => parse(text).map_err(|error| Lost::malformed(file.path(), &error)),
        Err(error) => Err(Lost::reading(file.path(), &error)),
    }
}

/// Reads a file once; a missing one is an absent value.
fn once<T>(path: &Path, parse: impl Fn(&[u8]) -> Result<T, Malformed>) -> Result<Option<T>, Lost> {
    match std::fs::read(path) {
        Ok(text) => parse(&text).map(Some).map_err(|error| Lost::malformed(path, &error)),
        Err(error) => match Lost::reading(path, &error) {
            Lost::Gone => Ok(None),
            lost => Err(lost),
        },
    }
}

type LimitField = fn(&mut IoMax) -> &mut Option<u64>;

/// The v1 files, and what each limits.
const LIMITS_V1: [(&str, LimitField); 4] = [
    ("blkio.throttle.read_bps_device", |max| &mut max.read_bytes),
    ("blkio.throttle.write_bps_device", |max| &mut max.write_bytes),
    ("blkio.throttle.read_iops_device", |max| &mut max.read_operations),
    ("blkio.throttle.write_iops_device", |max| &mut max.write_operations),
];

/// The limits of a group, read again and again.
#[derive(Debug)]
pub struct LimitFiles {
    version: CgroupVersion,
    files: Vec<KeptFile>,
    room: DescriptorRoom,
}

impl LimitFiles {
    /// A group's limits; nothing is read yet.
    pub fn new(version: CgroupVersion, directory: &Path, room: &DescriptorRoom) -> Self {
        let names = match version {
            CgroupVersion::V1 => LIMITS_V1.map(|(name, _)| name).to_vec(),
            CgroupVersion::V2 => vec!["io.max"],
        };
        let files = names.into_iter().map(|name| KeptFile::new(directory.join(name))).collect();
        Self { version, files, room: room.clone() }
    }

    /// Reads them. A device whose four limits are all absent is not in it; a group without such
    /// files has none.
    ///
    /// # Errors
    /// Why not. A group that is gone is no error here: its counters tell.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Result<Limits, Lost> {
        let mut limits = Limits::new();
        for (index, file) in self.files.iter_mut().enumerate() {
            // Once more, should the group have been made again under the same path.
            for _ in 0..2 {
                match Self::read_one(self.version, index, file, buffer, &self.room, &mut limits) {
                    Err(Lost::Gone) if file.is_kept() => file.close(),
                    Ok(()) | Err(Lost::Gone) => break,
                    Err(lost) => return Err(lost),
                }
            }
        }
        limits.retain(|_, max| *max != IoMax::default());
        Ok(limits)
    }

    fn read_one(
        version: CgroupVersion,
        index: usize,
        file: &mut KeptFile,
        buffer: &mut Vec<u8>,
        room: &DescriptorRoom,
        limits: &mut Limits,
    ) -> Result<(), Lost> {
        match version {
            CgroupVersion::V2 => *limits = read(file, buffer, room, parse_io_max)?,
            CgroupVersion::V1 => {
                for (number, value) in read(file, buffer, room, parse_per_device)?.0 {
                    *LIMITS_V1[index].1(limits.entry(number).or_default()) = Some(value);
                }
            }
        }
        Ok(())
    }
}

/// Reads weights and latency targets of a group.
///
/// # Errors
/// Why not.
pub fn settings(version: CgroupVersion, directory: &Path) -> Result<GroupSettings, Lost> {
    let mut settings = GroupSettings::default();
    match version {
        CgroupVersion::V2 => {
            let own = once(&directory.join("io.weight"), parse_per_device)?;
            let weights = match own {
                Some(weights) => Some(weights),
                None => once(&directory.join("io.bfq.weight"), parse_per_device)?,
            };
            (settings.weights, settings.weight) = weights.unwrap_or_default();
            settings.latency =
                once(&directory.join("io.latency"), parse_io_latency)?.unwrap_or_default();
        }
        CgroupVersion::V1 => {
            for policy in ["blkio.", "blkio.bfq."] {
                let Some(weight) = once(&directory.join(format!("{policy}weight")), parse_number)?
                else {
                    continue;
                };
                settings.weight = Some(weight);
                let devices =
                    once(&directory.join(format!("{policy}weight_device")), parse_per_device)?;
                settings.weights = devices.unwrap_or_default().0;
                break;
            }
        }
    }
    Ok(settings)
}
