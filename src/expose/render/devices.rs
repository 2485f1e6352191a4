//! Families of block devices.

use std::collections::HashMap;
use std::path::Path;

use super::bound::Plan;
use crate::expose::catalogue::device::{
    FILESYSTEM_DEVICE_INFO, FILESYSTEM_DISK_INFO, IO_BUSY_SECONDS, IO_NOW, IO_READ_BYTES,
    IO_READ_SECONDS, IO_READS, IO_WEIGHTED_SECONDS, IO_WRITE_SECONDS, IO_WRITES, IO_WRITTEN_BYTES,
    VOLUME_DEVICE_INFO, VOLUME_DEVICE_SUBJECTS,
};
use crate::expose::exposition::{Arena, Encoder};
use crate::expose::paths::display;
use crate::judge::storage::{Sharing, sharing};
use crate::model::{Device, DeviceCounters, DeviceKind, FilesystemDevice, Snapshot, VolumeView};

/// Disks that are named of one filesystem.
const MAX_DISKS: usize = 32;
/// Longest list of layers or disks in a label, in bytes.
const MAX_LIST: usize = 400;

/// Most series about devices of one volume.
pub(super) fn series_of(view: &VolumeView) -> usize {
    if view.volume.own_filesystem { 11 } else { 2 }
}

/// Series about the devices of all filesystems.
pub(super) fn series(snapshot: &Snapshot) -> usize {
    snapshot.devices.iter().map(|device| 1 + device.disks.len().min(MAX_DISKS)).sum()
}

pub(super) fn write(encoder: &mut Encoder, snapshot: &Snapshot, plan: &Plan<'_>) {
    filesystems(encoder, snapshot);
    volumes(encoder, snapshot, plan);
}

fn filesystems(encoder: &mut Encoder, snapshot: &Snapshot) {
    let mut labels = Arena::default();
    let devices: Vec<_> = snapshot
        .devices
        .iter()
        .filter(|device| labels.push(&[("mount_point", &display(&device.mount_point))]))
        .collect();
    encoder.family(&FILESYSTEM_DEVICE_INFO);
    for (index, device) in devices.iter().enumerate() {
        let Some(top) = device.top() else { continue };
        let (group, logical) = top.logical_volume.as_ref().map_or(("", ""), |(a, b)| (a, b));
        encoder.info(
            labels.get(index),
            &[
                ("device", &top.name),
                ("device_number", &number(top)),
                ("kind", top.kind.as_str()),
                ("mapper", top.mapper.as_deref().unwrap_or("")),
                ("volume_group", group),
                ("logical_volume", logical),
                ("layers", &bounded(layers(device))),
                ("disks", &bounded(device.disk_names())),
            ],
        );
    }
    encoder.family(&FILESYSTEM_DISK_INFO);
    for (index, device) in devices.iter().enumerate() {
        let mut last = None;
        for disk in device.disks().take(MAX_DISKS) {
            if last == Some(disk.number) {
                continue;
            }
            last = Some(disk.number);
            let rotational = match disk.rotational {
                Some(true) => "true",
                Some(false) => "false",
                None => "",
            };
            encoder.info(
                labels.get(index),
                &[
                    ("device", &disk.name),
                    ("device_number", &number(disk)),
                    ("rotational", rotational),
                ],
            );
        }
    }
}

fn volumes(encoder: &mut Encoder, snapshot: &Snapshot, plan: &Plan<'_>) {
    let devices: HashMap<&Path, &FilesystemDevice> =
        snapshot.devices.iter().map(|device| (device.mount_point.as_path(), device)).collect();
    let mut labels = Arena::default();
    let mut found: Vec<(&VolumeView, &FilesystemDevice)> = Vec::new();
    for view in &plan.volumes {
        let device = view.filesystem.as_deref().and_then(|point| devices.get(point)).copied();
        // Without a sysfs to tell there is nothing to say of each volume, and of those on a network
        // the families of network filesystems tell.
        let told = |device: &&FilesystemDevice| {
            let kind = device.top().map(|top| top.kind);
            !matches!(kind, None | Some(DeviceKind::Unknown | DeviceKind::Network))
        };
        let Some(device) = device.filter(told) else { continue };
        let key = &view.volume.key;
        if labels.push(&[
            ("source", key.source.as_str()),
            ("role", &key.role),
            ("volume", &key.volume),
            ("disk", &key.disk),
        ]) {
            found.push((view, device));
        }
    }
    let each = || found.iter().enumerate().map(|(index, pair)| (labels.get(index), *pair));
    encoder.family(&VOLUME_DEVICE_INFO);
    for (labels, (view, device)) in each() {
        encoder.info(
            labels,
            &[
                ("device", device.top().map_or("", |top| &top.name)),
                ("disks", &bounded(device.disk_names())),
                ("sharing", sharing(view, device).as_str()),
            ],
        );
    }
    encoder.family(&VOLUME_DEVICE_SUBJECTS);
    for (labels, (_, device)) in each() {
        encoder.u64(labels, device.subjects as u64);
    }
    let own = || {
        each().filter_map(|(labels, (view, device))| {
            let own = sharing(view, device) == Sharing::Own;
            device.io.as_ref().filter(|_| own).map(|io| (labels, io))
        })
    };
    type Count = fn(&DeviceCounters) -> u64;
    let counts: [(_, Count); 4] = [
        (&IO_READ_BYTES, |io| io.read_bytes),
        (&IO_WRITTEN_BYTES, |io| io.written_bytes),
        (&IO_READS, |io| io.reads),
        (&IO_WRITES, |io| io.writes),
    ];
    for (family, value) in counts {
        encoder.family(family);
        for (labels, io) in own() {
            encoder.u64(labels, value(io));
        }
    }
    type Seconds = fn(&DeviceCounters) -> f64;
    let times: [(_, Seconds); 4] = [
        (&IO_READ_SECONDS, |io| io.read_seconds),
        (&IO_WRITE_SECONDS, |io| io.write_seconds),
        (&IO_BUSY_SECONDS, |io| io.busy_seconds),
        (&IO_WEIGHTED_SECONDS, |io| io.weighted_seconds),
    ];
    for (family, value) in times {
        encoder.family(family);
        for (labels, io) in own() {
            encoder.f64(labels, value(io));
        }
    }
    encoder.family(&IO_NOW);
    for (labels, io) in own() {
        encoder.u64(labels, io.in_flight);
    }
}

/// `crypt:dm-1,lvm:dm-0,disk:sda`
fn layers(device: &FilesystemDevice) -> String {
    let mut text = String::new();
    for layer in &device.layers {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(layer.kind.as_str());
        if !layer.name.is_empty() {
            text.push(':');
            text.push_str(&layer.name);
        }
        if text.len() > MAX_LIST {
            break;
        }
    }
    text
}

fn number(device: &Device) -> String {
    let (major, minor) = device.number;
    format!("{major}:{minor}")
}

/// A list cut at the end of an entry.
fn bounded(list: String) -> String {
    if list.len() <= MAX_LIST {
        return list;
    }
    let end = list.as_bytes()[..MAX_LIST].iter().rposition(|&byte| byte == b',');
    format!("{},…", &list[..end.unwrap_or(0)])
}
