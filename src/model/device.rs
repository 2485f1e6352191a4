//! Block devices below a filesystem.

use std::path::PathBuf;

use serde::Serialize;

/// What sort of device a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A whole disk, or a namespace of an NVMe disk.
    Disk,
    /// A part of a disk.
    Partition,
    /// A logical volume of LVM.
    Lvm,
    /// An encrypted device (dm-crypt).
    Crypt,
    /// Several paths to one disk (dm-multipath).
    Multipath,
    /// Any other device of the device mapper.
    Mapper,
    /// A software RAID (md).
    Raid,
    /// A file that serves as a device.
    Loop,
    /// A cached device (bcache).
    Bcache,
    /// Several devices that make up one btrfs.
    Btrfs,
    /// Directories of other filesystems, the upper one of which takes the writes.
    Overlay,
    /// The host's memory (tmpfs, ramfs).
    Memory,
    /// A server, or a process of this host.
    Network,
    /// What lies below cannot be told.
    Unknown,
}

impl DeviceKind {
    /// The value of the label `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Partition => "partition",
            Self::Lvm => "lvm",
            Self::Crypt => "crypt",
            Self::Multipath => "multipath",
            Self::Mapper => "mapper",
            Self::Raid => "raid",
            Self::Loop => "loop",
            Self::Bcache => "bcache",
            Self::Btrfs => "btrfs",
            Self::Overlay => "overlay",
            Self::Memory => "memory",
            Self::Network => "network",
            Self::Unknown => "unknown",
        }
    }
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// `major:minor`; 0 is the major number of filesystems without a device.
    pub number: (u32, u32),
    /// The kernel's name (`nvme0n1p2`, `dm-3`, `md0`); empty where it has none.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Name in the device mapper (`vg0-data`).
    pub mapper: Option<String>,
    /// LVM's volume group and logical volume.
    pub logical_volume: Option<(String, String)>,
    /// Level of a RAID (`raid1`).
    pub raid_level: Option<String>,
    /// File behind a loop device, as the kernel names it.
    pub backing_file: Option<PathBuf>,
    /// Spins; absent where the kernel does not say.
    pub rotational: Option<bool>,
}

/// Counters of a block device since it appeared (`/sys/block/*/stat`; kernel:
/// `Documentation/block/stat.rst`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct DeviceCounters {
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Reads that are over.
    pub reads: u64,
    /// Writes that are over.
    pub writes: u64,
    /// Seconds that reads took, added up.
    pub read_seconds: f64,
    /// Seconds that writes took, added up.
    pub write_seconds: f64,
    /// Seconds in which at least one operation was in flight.
    pub busy_seconds: f64,
    /// Seconds in flight, added up over all operations.
    pub weighted_seconds: f64,
    /// Operations in flight now.
    pub in_flight: u64,
}

/// What lies below one filesystem.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilesystemDevice {
    /// Mount point, the key of the filesystem's sample.
    pub mount_point: PathBuf,
    /// The filesystem's own device first, then those below it, each once.
    pub layers: Vec<Device>,
    /// How many of the layers stand for the disks at the bottom, as indexes into `layers`, sorted
    /// by name.
    pub disks: Vec<usize>,
    /// Counters of the filesystem's own device; absent where it has none.
    pub io: Option<DeviceCounters>,
    /// Volumes and sandboxes on it; filled in by judgement.
    pub subjects: usize,
}

impl FilesystemDevice {
    /// The disks at the bottom, sorted by name.
    pub fn disks(&self) -> impl Iterator<Item = &Device> {
        self.disks.iter().filter_map(|&index| self.layers.get(index))
    }

    /// Names of the disks, sorted, with commas between.
    pub fn disk_names(&self) -> String {
        self.disks().map(|disk| disk.name.as_str()).collect::<Vec<_>>().join(",")
    }

    /// The filesystem's own device.
    pub fn top(&self) -> Option<&Device> {
        self.layers.first()
    }
}
