//! One device, as sysfs describes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::host::names::escape_name;
use crate::model::{Device, DeviceCounters, DeviceKind};

use super::names::{logical_volume, mapper_kind};
use super::parse_stat;

/// Longest attribute that is read, in bytes.
const MAX_ATTRIBUTE: u64 = 4096;

/// A sys filesystem (`/sys`, or wherever `--path.sysfs` says).
#[derive(Clone, Debug)]
pub struct Sysfs {
    root: PathBuf,
}

impl Sysfs {
    /// The one mounted here.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn directory(&self, (major, minor): (u32, u32)) -> PathBuf {
        self.root.join(format!("dev/block/{major}:{minor}"))
    }

    /// The kernel's name of a device (`sda`, `dm-3`), `None` when it has none here.
    pub fn name(&self, number: (u32, u32)) -> Option<String> {
        // The last part of the link's target.
        let link = fs::read_link(self.directory(number)).ok()?;
        Some(escape_name(link.file_name()?))
    }

    /// The device of this number. `None`: sysfs knows none, or is not there.
    pub fn device(&self, number: (u32, u32)) -> Option<Device> {
        let directory = self.directory(number);
        let name = self.name(number)?;
        let mapper = attribute(&directory, "dm/name");
        let uuid = attribute(&directory, "dm/uuid").unwrap_or_default();
        let raid_level = attribute(&directory, "md/level").filter(|level| !level.is_empty());
        let backing_file = attribute(&directory, "loop/backing_file").map(PathBuf::from);
        let kind = if mapper.is_some() {
            mapper_kind(&uuid)
        } else if raid_level.is_some() {
            DeviceKind::Raid
        } else if backing_file.is_some() {
            DeviceKind::Loop
        } else if directory.join("partition").exists() {
            DeviceKind::Partition
        } else if directory.join("bcache").exists() && name.starts_with("bcache") {
            DeviceKind::Bcache
        } else {
            DeviceKind::Disk
        };
        let logical_volume = match kind {
            DeviceKind::Lvm => mapper.as_deref().and_then(logical_volume),
            _ => None,
        };
        let rotational = match attribute(&directory, "queue/rotational").as_deref() {
            Some("0") => Some(false),
            Some("1") => Some(true),
            _ => None,
        };
        Some(Device {
            number,
            name,
            kind,
            mapper,
            logical_volume,
            raid_level,
            backing_file,
            rotational,
        })
    }

    /// Numbers of the devices that a device is directly made of: its slaves, or a partition's
    /// disk. Sorted. Empty for a disk.
    pub fn made_of(&self, device: &Device) -> Vec<(u32, u32)> {
        let directory = self.directory(device.number);
        let mut numbers: Vec<(u32, u32)> = list(&directory.join("slaves"))
            .filter_map(|slave| number(&slave.join("dev")))
            .collect();
        if numbers.is_empty() && device.kind == DeviceKind::Partition {
            // A partition's directory lies in that of its disk. The system follows the link first.
            numbers.extend(number(&directory.join("../dev")));
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Counters of the device of this number.
    pub fn io(&self, number: (u32, u32)) -> Option<DeviceCounters> {
        parse_stat(&fs::read(self.directory(number).join("stat")).ok()?)
    }

    /// Number of the device of this kernel name (`sda1`, `dm-3`) or device-mapper name (`vg0-data`).
    pub fn by_name(&self, name: &str) -> Option<(u32, u32)> {
        if name.is_empty() || name.contains('/') || name == ".." {
            return None;
        }
        // Partitions have no entry below block/, but one below class/block/.
        number(&self.root.join("class/block").join(name).join("dev")).or_else(|| {
            let found = list(&self.root.join("class/block"))
                .find(|device| attribute(device, "dm/name").is_some_and(|mapper| mapper == name))?;
            number(&found.join("dev"))
        })
    }

    /// Members of the btrfs that has this one among them, sorted. Source: `/sys/fs/btrfs/UUID/devices/`.
    pub fn btrfs_members(&self, member: (u32, u32)) -> Vec<(u32, u32)> {
        list(&self.root.join("fs/btrfs"))
            .map(|filesystem| {
                let devices = list(&filesystem.join("devices"));
                let mut members: Vec<_> =
                    devices.filter_map(|device| number(&device.join("dev"))).collect();
                members.sort_unstable();
                members
            })
            .find(|members| members.contains(&member))
            .unwrap_or_else(|| vec![member])
    }
}

/// Entries of a directory; none where it cannot be read.
fn list(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// An attribute without the line feed at its end.
fn attribute(directory: &Path, name: &str) -> Option<String> {
    let bytes = bounded(&directory.join(name)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_ATTRIBUTE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `8:16\n`
fn number(path: &Path) -> Option<(u32, u32)> {
    let text = String::from_utf8(bounded(path).ok()?).ok()?;
    let (major, minor) = text.trim_end().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
