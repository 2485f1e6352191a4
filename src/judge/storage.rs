//! What lies below the subjects: devices and network filesystems, joined to the volumes on them.

use std::collections::HashMap;
use std::path::Path;

use crate::model::{
    FilesystemDevice, NetworkFilesystem, NetworkTransport, Presence, SandboxKind, Snapshot,
    VolumeView,
};

/// What was measured below the filesystems.
#[derive(Clone, Debug, Default)]
pub struct Below {
    /// Devices of the filesystems that hold a subject.
    pub devices: Vec<FilesystemDevice>,
    /// Network filesystems.
    pub network: Vec<NetworkFilesystem>,
    /// Connections to their servers.
    pub transports: Vec<NetworkTransport>,
}

/// Adds to a snapshot what lies below its subjects.
pub fn attach(snapshot: &mut Snapshot, below: Below) {
    let Below { mut devices, mut network, transports } = below;
    let mut subjects: HashMap<&Path, usize> = HashMap::new();
    let volumes = snapshot
        .volumes
        .iter()
        .filter(|view| view.volume.presence == Presence::Present)
        .filter_map(|view| view.filesystem.as_deref());
    let sandboxes = snapshot
        .sandboxes
        .iter()
        .filter(|view| {
            view.sandbox.presence == Presence::Present && view.sandbox.kind != SandboxKind::Nested
        })
        .filter_map(|view| view.filesystem.as_deref());
    for mount_point in volumes.chain(sandboxes) {
        *subjects.entry(mount_point).or_default() += 1;
    }
    for device in &mut devices {
        device.subjects = subjects.get(device.mount_point.as_path()).copied().unwrap_or(0);
    }
    for filesystem in &mut network {
        let sample = snapshot
            .filesystems
            .iter()
            .find(|sample| sample.remote && sample.device_number == filesystem.device_number);
        let Some(sample) = sample else { continue };
        // One truth in one snapshot: both were asked by the same guard, this one on purpose.
        filesystem.responsive = Some(sample.responsive);
        filesystem.volumes = snapshot
            .volumes
            .iter()
            .filter(|view| view.filesystem.as_ref() == Some(&sample.mount_point))
            .map(|view| view.volume.key.clone())
            .collect();
    }
    snapshot.devices = devices;
    snapshot.network = network;
    snapshot.transports = transports;
}

/// Whether a device's I/O is that of one volume alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// The volume is the filesystem, and nothing else that is known lies on it.
    Own,
    /// Others lie on it too, or may: what of its I/O is the volume's cannot be told.
    Shared,
}

impl Sharing {
    /// The value of the label `sharing`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Shared => "shared",
        }
    }
}

/// How a volume stands to the device of its filesystem.
pub fn sharing(view: &VolumeView, device: &FilesystemDevice) -> Sharing {
    if view.volume.own_filesystem && device.subjects <= 1 { Sharing::Own } else { Sharing::Shared }
}
