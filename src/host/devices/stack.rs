//! All that lies below one filesystem.

use std::path::{Path, PathBuf};

use crate::host::{MountEntry, MountTable};
use crate::model::{Device, DeviceKind, FilesystemDevice};

use super::Sysfs;

/// Most devices below one filesystem. A loop on a filesystem on itself, or a sysfs that lies,
/// ends here; a RAID of a hundred disks does not.
const MAX_LAYERS: usize = 512;

/// The devices below the filesystem of a mount. `mounts` is the host's table.
pub fn below(sysfs: &Sysfs, mounts: &MountTable, mount: &MountEntry) -> FilesystemDevice {
    let mut search =
        Search { sysfs, mounts, layers: Vec::new(), bottom: Vec::new(), only_member: None };
    search.filesystem(mount);
    // A filesystem without a device has no counters; btrfs on one device has those of it.
    let counted = match mount.device.0 {
        0 => search.only_member,
        _ => Some(mount.device),
    };
    let Search { layers, bottom: mut disks, .. } = search;
    disks.sort_by(|&a, &b| layers[a].name.cmp(&layers[b].name));
    let io = counted.and_then(|number| sysfs.io(number));
    FilesystemDevice { mount_point: mount.mount_point.clone(), layers, disks, io, subjects: 0 }
}

struct Search<'a> {
    sysfs: &'a Sysfs,
    mounts: &'a MountTable,
    layers: Vec<Device>,
    /// Layers with nothing below.
    bottom: Vec<usize>,
    /// The device of a btrfs that has but one.
    only_member: Option<(u32, u32)>,
}

impl Search<'_> {
    fn filesystem(&mut self, mount: &MountEntry) {
        if self.is_known(mount.device) {
            return;
        }
        if mount.device.0 != 0 {
            return self.device(mount.device);
        }
        let kind = match mount.fstype.as_str() {
            "btrfs" => DeviceKind::Btrfs,
            "overlay" => DeviceKind::Overlay,
            "tmpfs" | "ramfs" | "devtmpfs" => DeviceKind::Memory,
            _ if mount.remote() => DeviceKind::Network,
            _ => DeviceKind::Unknown,
        };
        if self.push(anonymous(mount.device, kind)).is_none() {
            return;
        }
        match kind {
            DeviceKind::Btrfs => {
                let name = Path::new(&mount.source).file_name().and_then(|name| name.to_str());
                let member = name.and_then(|name| self.sysfs.by_name(name));
                let members = member.map(|number| self.sysfs.btrfs_members(number));
                let members = members.unwrap_or_default();
                if let ([only], 1) = (members.as_slice(), self.layers.len()) {
                    self.only_member = Some(*only);
                }
                for number in members {
                    self.device(number);
                }
            }
            DeviceKind::Overlay => {
                if let Some(upper) = upper_directory(&mount.super_options)
                    && let Some(holds) = self.mounts.containing(&upper)
                {
                    self.filesystem(holds);
                }
            }
            _ => {}
        }
    }

    fn device(&mut self, number: (u32, u32)) {
        if self.is_known(number) {
            return;
        }
        let Some(device) = self.sysfs.device(number) else {
            self.push(anonymous(number, DeviceKind::Unknown));
            return;
        };
        let parts = self.sysfs.made_of(&device);
        let file = device.backing_file.clone();
        let Some(index) = self.push(device) else { return };
        if let Some(file) = file {
            if let Some(holds) = self.mounts.containing(&without_mark(&file)) {
                self.filesystem(holds);
            }
        } else if parts.is_empty() {
            self.bottom.push(index);
        }
        for part in parts {
            self.device(part);
        }
    }

    fn is_known(&self, number: (u32, u32)) -> bool {
        self.layers.iter().any(|layer| layer.number == number)
    }

    fn push(&mut self, device: Device) -> Option<usize> {
        if self.layers.len() == MAX_LAYERS {
            return None;
        }
        self.layers.push(device);
        Some(self.layers.len() - 1)
    }
}

fn anonymous(number: (u32, u32), kind: DeviceKind) -> Device {
    Device {
        number,
        name: String::new(),
        kind,
        mapper: None,
        logical_volume: None,
        raid_level: None,
        backing_file: None,
        rotational: None,
    }
}

/// The kernel marks a file that has no name any more.
fn without_mark(file: &Path) -> PathBuf {
    match file.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(name) => PathBuf::from(name),
        None => file.to_owned(),
    }
}

/// The directory that takes an overlay's writes; absent where it is relative to whoever mounted it.
fn upper_directory(super_options: &str) -> Option<PathBuf> {
    let option = super_options.split(',').find_map(|option| option.strip_prefix("upperdir="))?;
    Some(PathBuf::from(option)).filter(|path| path.is_absolute())
}
