//! What lies below a filesystem as rows.

use std::borrow::Cow;

use serde::Serialize;

use crate::expose::paths::display;
use crate::model::{Device, DeviceCounters, FilesystemDevice};

/// What lies below one filesystem.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilesystemDeviceRow<'a> {
    /// Mount point of the filesystem.
    pub mount_point: Cow<'a, str>,
    /// Its own device first, then those below, each once.
    pub layers: Vec<LayerRow<'a>>,
    /// Names of the disks at the bottom, sorted.
    pub disks: Vec<&'a str>,
    /// Volumes and sandboxes on the filesystem.
    pub subjects: usize,
    /// Counters of its own device; `null` where it has none.
    pub io: Option<DeviceCounters>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerRow<'a> {
    /// What it is: the label `kind`.
    pub kind: &'static str,
    /// The kernel's name; empty where there is none.
    pub device: &'a str,
    /// `major:minor`.
    pub device_number: String,
    /// Name in the device mapper.
    pub mapper: Option<&'a str>,
    /// LVM's volume group.
    pub volume_group: Option<&'a str>,
    /// LVM's logical volume.
    pub logical_volume: Option<&'a str>,
    /// Level of a RAID.
    pub raid_level: Option<&'a str>,
    /// File behind a loop device.
    pub backing_file: Option<Cow<'a, str>>,
    /// Spins.
    pub rotational: Option<bool>,
}

impl<'a> From<&'a FilesystemDevice> for FilesystemDeviceRow<'a> {
    fn from(device: &'a FilesystemDevice) -> Self {
        Self {
            mount_point: display(&device.mount_point),
            layers: device.layers.iter().map(LayerRow::from).collect(),
            disks: device.disks().map(|disk| disk.name.as_str()).collect(),
            subjects: device.subjects,
            io: device.io,
        }
    }
}

impl<'a> From<&'a Device> for LayerRow<'a> {
    fn from(device: &'a Device) -> Self {
        let (major, minor) = device.number;
        let logical = device.logical_volume.as_ref();
        Self {
            kind: device.kind.as_str(),
            device: &device.name,
            device_number: format!("{major}:{minor}"),
            mapper: device.mapper.as_deref(),
            volume_group: logical.map(|(group, _)| group.as_str()),
            logical_volume: logical.map(|(_, volume)| volume.as_str()),
            raid_level: device.raid_level.as_deref(),
            backing_file: device.backing_file.as_deref().map(display),
            rotational: device.rotational,
        }
    }
}
