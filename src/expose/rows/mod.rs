//! The same facts as flat rows: what the JSON API and the command line print. Their words are
//! those of the metrics; what is absent is `null`.

mod agent;
mod device;
mod finding;
mod io;
mod order;
mod orphan;
mod sandbox;
mod volume;

use std::borrow::Cow;

use serde::Serialize;

use super::paths::display;
use crate::model::{
    FilesystemSample, Snapshot, SourceError, SourceHealth, SourceReport, VolumeState,
};

pub use agent::{AgentRow, PersistentDiskRow, ResourceRow};
pub use device::{FilesystemDeviceRow, LayerRow};
pub use finding::FindingRow;
pub use io::{DeviceRow, IoRow, io};
pub use order::{sandboxes_by_what_matters, volumes_by_what_matters};
pub use orphan::{FileUserRow, OrphanRow};
pub use sandbox::{SandboxRow, TaskRow};
pub use volume::{HolderRow, MountRow, VolumeRow};

/// A filesystem that holds a volume or a sandbox.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilesystemRow<'a> {
    /// Mount point.
    pub mount_point: Cow<'a, str>,
    /// Device or export.
    pub device: &'a str,
    /// Type.
    pub fstype: &'a str,
    /// `major:minor`.
    pub device_number: String,
    /// On the network or in user space.
    pub remote: bool,
    /// It answered within the time-out.
    pub responsive: bool,
    /// Mounted, or turned, read-only.
    pub readonly: Option<bool>,
    /// Size.
    pub size_bytes: Option<u64>,
    /// Free bytes, those reserved for root included.
    pub free_bytes: Option<u64>,
    /// Bytes free for ordinary users.
    pub available_bytes: Option<u64>,
    /// Used bytes that no measured subject explains.
    pub unattributed_bytes: Option<i64>,
    /// Bytes a second its use grows; negative when it shrinks.
    pub growth_bytes_per_second: Option<f64>,
    /// When ordinary users can write no more, at this pace.
    pub full_timestamp_seconds: Option<f64>,
    /// Sum of the agent's disk resources carved from it.
    pub promised_bytes: Option<u64>,
    /// Inodes in all.
    pub files: Option<u64>,
    /// Free inodes.
    pub files_free: Option<u64>,
    /// When the numbers were read.
    pub measured_timestamp_seconds: Option<f64>,
}

impl<'a> From<&'a FilesystemSample> for FilesystemRow<'a> {
    fn from(sample: &'a FilesystemSample) -> Self {
        let usage = sample.usage.as_ref();
        let (major, minor) = sample.device_number;
        Self {
            mount_point: display(&sample.mount_point),
            device: &sample.device,
            fstype: &sample.fstype,
            device_number: format!("{major}:{minor}"),
            remote: sample.remote,
            responsive: sample.responsive,
            readonly: usage.map(|usage| usage.readonly),
            size_bytes: usage.map(|usage| usage.size_bytes),
            free_bytes: usage.map(|usage| usage.free_bytes),
            available_bytes: usage.map(|usage| usage.available_bytes),
            unattributed_bytes: sample.unattributed_bytes,
            growth_bytes_per_second: sample.growth.and_then(|growth| growth.confident_rate()),
            full_timestamp_seconds: sample.growth.and_then(|growth| growth.full_at),
            promised_bytes: sample.promised_bytes,
            files: usage.and_then(|usage| usage.files),
            files_free: usage.and_then(|usage| usage.files_free),
            measured_timestamp_seconds: usage.map(|usage| usage.measured_at),
        }
    }
}

impl FilesystemRow<'_> {
    /// Used bytes as a part of what ordinary users can have, as `df` counts it.
    pub fn fill_ratio(&self) -> Option<f64> {
        let used = self.size_bytes?.saturating_sub(self.free_bytes?);
        let whole = used.saturating_add(self.available_bytes?);
        (whole > 0).then(|| used as f64 / whole as f64)
    }

    /// Used inodes as a part of all; absent where the filesystem has no limit of them.
    pub fn files_ratio(&self) -> Option<f64> {
        let files = self.files.filter(|files| *files > 0)?;
        Some(files.saturating_sub(self.files_free?) as f64 / files as f64)
    }
}

/// One source of truth and how reading it went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceRow<'a> {
    /// Its name, the label `collector` of the metrics.
    pub collector: &'a str,
    /// `ok`, `partial`, `failed`, `absent`.
    pub health: SourceHealth,
    /// Address or path.
    pub target: &'a str,
    /// How long reading it took.
    pub duration_seconds: f64,
    /// What could not be read: reason, message, hint.
    pub errors: &'a [SourceError],
}

impl<'a> From<&'a SourceReport> for SourceRow<'a> {
    fn from(report: &'a SourceReport) -> Self {
        Self {
            collector: report.name,
            health: report.health,
            target: &report.target,
            duration_seconds: report.duration_seconds,
            errors: &report.errors,
        }
    }
}

/// Every volume, sorted by key.
pub fn volumes(snapshot: &Snapshot) -> Vec<VolumeRow<'_>> {
    snapshot
        .volumes
        .iter()
        .map(|view| {
            let filesystem = view.filesystem.as_ref().and_then(|mount_point| {
                snapshot.filesystems.iter().find(|sample| sample.mount_point == *mount_point)
            });
            VolumeRow::new(view, filesystem)
        })
        .collect()
}

/// Every sandbox, nested and finished ones too, sorted by key.
pub fn sandboxes(snapshot: &Snapshot) -> Vec<SandboxRow<'_>> {
    snapshot.sandboxes.iter().map(SandboxRow::from).collect()
}

/// Every filesystem, sorted by mount point.
pub fn filesystems(snapshot: &Snapshot) -> Vec<FilesystemRow<'_>> {
    snapshot.filesystems.iter().map(FilesystemRow::from).collect()
}

/// What lies below each filesystem, sorted by mount point.
pub fn devices(snapshot: &Snapshot) -> Vec<FilesystemDeviceRow<'_>> {
    snapshot.devices.iter().map(FilesystemDeviceRow::from).collect()
}

/// The agent, when there is one.
pub fn agent(snapshot: &Snapshot) -> Option<AgentRow<'_>> {
    snapshot.inventory.agent.as_ref().map(AgentRow::from)
}

/// Every finding, the gravest first.
pub fn findings(snapshot: &Snapshot) -> Vec<FindingRow<'_>> {
    snapshot.findings.iter().map(FindingRow::from).collect()
}

/// Every orphaned volume, the largest first.
pub fn orphans(snapshot: &Snapshot) -> Vec<OrphanRow<'_>> {
    let agent = snapshot.inventory.agent.as_ref();
    let orphaned = snapshot.volumes.iter().filter(|view| view.state == VolumeState::Orphaned);
    let mut rows: Vec<_> =
        orphaned.map(|view| OrphanRow::new(view, agent, snapshot.taken_at)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.used_bytes));
    rows
}

/// Every source.
pub fn sources(snapshot: &Snapshot) -> Vec<SourceRow<'_>> {
    snapshot.inventory.sources.iter().map(SourceRow::from).collect()
}
