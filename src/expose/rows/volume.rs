//! Volumes as rows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::expose::paths::display;
use crate::expose::render::available_bytes;
use crate::model::{FilesystemSample, Holder, MountUse, VolumeView};

/// A volume.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VolumeRow<'a> {
    /// Source that reports it.
    pub source: &'static str,
    /// Role, empty where it does not apply.
    pub role: &'a str,
    /// Persistence id, host path, or name.
    pub volume: &'a str,
    /// `ROOT`, root of the disk, or kind of data outside the agent's resources.
    pub disk: &'a str,
    /// `ROOT`, `PATH`, `MOUNT`, `BLOCK`, `RAW`, `EXTERNAL`.
    pub disk_type: &'static str,
    /// `persistent`, `disk`, `host_path`, `docker_volume`, `csi`, `directory`, `tmpfs`,
    /// `container_log`.
    pub kind: &'static str,
    /// Where its data lies on the host; bytes that are not UTF-8 as `\xNN`.
    pub path: Option<Cow<'a, str>>,
    /// State.
    pub state: &'static str,
    /// One sentence: why this state.
    pub reason: &'a str,
    /// Of an orphan: `never_claimed`, `destroyed`, `disk_without_volume`, `dangling_anonymous`.
    pub orphan_reason: Option<&'static str>,
    /// Allocated bytes.
    pub used_bytes: Option<u64>,
    /// Sum of file sizes.
    pub apparent_bytes: Option<u64>,
    /// Bytes it may hold.
    pub quota_bytes: Option<u64>,
    /// Bytes that can still be written.
    pub available_bytes: Option<u64>,
    /// Inodes.
    pub files: Option<u64>,
    /// Bytes a second it grows; negative when it shrinks.
    pub growth_bytes_per_second: Option<f64>,
    /// When it is full at this pace.
    pub full_timestamp_seconds: Option<f64>,
    /// What is full then: `quota` or `filesystem`.
    pub full_by: Option<&'static str>,
    /// Who uses it.
    pub holders: Vec<HolderRow<'a>>,
    /// Where it is mounted.
    pub mounts: Vec<MountRow<'a>>,
    /// Several tasks may use it at once.
    pub shared: bool,
    /// Principal that created it.
    pub principal: Option<&'a str>,
    /// How the disk space under it is reserved.
    pub reservation: Option<&'static str>,
    /// Path in the container that its creation named.
    pub container_path: Option<&'a str>,
    /// Volume driver or CSI plugin.
    pub driver: Option<&'a str>,
    /// Server and export of a volume on the network, without credentials.
    pub remote: Option<&'a str>,
    /// Of an engine's volume: it has no name of its own.
    pub anonymous: Option<bool>,
    /// Labels that the configuration asks for.
    pub labels: BTreeMap<&'a str, &'a str>,
    /// Of a container's log: bytes after which the oldest is thrown away.
    pub log_limit_bytes: Option<u64>,
    /// What happens past the quota.
    pub enforcement: &'static str,
    /// How used bytes were obtained.
    pub method: Option<&'static str>,
    /// Mount point of its filesystem.
    pub filesystem: Option<Cow<'a, str>>,
    /// When the directory was made.
    pub created_timestamp_seconds: Option<f64>,
    /// When anything in it was last changed, as far as that can be true.
    pub newest_change_timestamp_seconds: Option<f64>,
    /// When the last whole measurement ended.
    pub measured_timestamp_seconds: Option<f64>,
    /// The newest attempt to measure it failed.
    pub measure_failed: bool,
    /// Why it did.
    pub measure_error: Option<&'a str>,
    /// When it was first seen.
    pub first_seen_timestamp_seconds: Option<f64>,
    /// When it last had a holder.
    pub last_used_timestamp_seconds: Option<f64>,
    /// Since when it is in its state.
    pub state_since_timestamp_seconds: Option<f64>,
    /// Most bytes it was seen to hold.
    pub peak_bytes: Option<u64>,
    /// When it held those.
    pub peak_timestamp_seconds: Option<f64>,
    /// Bytes beyond its quota.
    pub over_quota_bytes: Option<u64>,
    /// Since when it holds more than its quota.
    pub over_quota_since_timestamp_seconds: Option<f64>,
    /// When its quota was last seen to change.
    pub quota_changed_timestamp_seconds: Option<f64>,
    /// Its quota before that.
    pub quota_before_bytes: Option<u64>,
}

/// A live task or container that uses a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HolderRow<'a> {
    /// Framework id.
    pub framework: &'a str,
    /// Framework name.
    pub framework_name: &'a str,
    /// Executor id.
    pub executor: &'a str,
    /// Task id.
    pub task: &'a str,
    /// Container id.
    pub container: &'a str,
    /// Path in the container.
    pub container_path: &'a str,
    /// Mounted read-only there.
    pub read_only: bool,
    /// `whole`: the volume itself is mounted there; `part`: a directory below it; `within`: one
    /// above it.
    pub sees: &'static str,
}

impl<'a> From<&'a Holder> for HolderRow<'a> {
    fn from(holder: &'a Holder) -> Self {
        Self {
            framework: &holder.framework,
            framework_name: &holder.framework_name,
            executor: &holder.executor,
            task: &holder.task,
            container: &holder.container,
            container_path: &holder.container_path,
            read_only: holder.read_only,
            sees: holder.sees.as_str(),
        }
    }
}

/// A place where a volume is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MountRow<'a> {
    /// Mount point.
    pub mount_point: Cow<'a, str>,
    /// Container in whose sandbox it lies, else empty.
    pub container: &'a str,
}

impl<'a> From<&'a MountUse> for MountRow<'a> {
    fn from(mount: &'a MountUse) -> Self {
        Self { mount_point: display(&mount.mount_point), container: &mount.container }
    }
}

impl<'a> VolumeRow<'a> {
    /// Every field, in the order of the struct: the columns of a CSV.
    pub const FIELDS: &'static [&'static str] = &[
        "source",
        "role",
        "volume",
        "disk",
        "disk_type",
        "kind",
        "path",
        "state",
        "reason",
        "orphan_reason",
        "used_bytes",
        "apparent_bytes",
        "quota_bytes",
        "available_bytes",
        "files",
        "growth_bytes_per_second",
        "full_timestamp_seconds",
        "full_by",
        "holders",
        "mounts",
        "shared",
        "principal",
        "reservation",
        "container_path",
        "driver",
        "remote",
        "anonymous",
        "labels",
        "log_limit_bytes",
        "enforcement",
        "method",
        "filesystem",
        "created_timestamp_seconds",
        "newest_change_timestamp_seconds",
        "measured_timestamp_seconds",
        "measure_failed",
        "measure_error",
        "first_seen_timestamp_seconds",
        "last_used_timestamp_seconds",
        "state_since_timestamp_seconds",
        "peak_bytes",
        "peak_timestamp_seconds",
        "over_quota_bytes",
        "over_quota_since_timestamp_seconds",
        "quota_changed_timestamp_seconds",
        "quota_before_bytes",
    ];

    /// A row of a volume and the filesystem that holds it, where that is known.
    pub fn new(view: &'a VolumeView, filesystem: Option<&FilesystemSample>) -> Self {
        let volume = &view.volume;
        let sample = view.measured.sample.as_ref();
        let failure = view.measured.failure.as_ref();
        let history = &view.history;
        Self {
            source: volume.key.source.as_str(),
            role: &volume.key.role,
            volume: &volume.key.volume,
            disk: &volume.key.disk,
            disk_type: volume.disk_type.as_str(),
            kind: volume.kind.as_str(),
            path: volume.path.as_deref().map(display),
            state: view.state.as_str(),
            reason: &view.reason,
            orphan_reason: view.orphan_reason.map(|reason| reason.as_str()),
            used_bytes: sample.map(|sample| sample.used_bytes),
            apparent_bytes: sample.and_then(|sample| sample.apparent_bytes),
            quota_bytes: volume.quota_bytes,
            available_bytes: available_bytes(view, filesystem),
            files: sample.and_then(|sample| sample.files),
            growth_bytes_per_second: view.growth.and_then(|growth| growth.confident_rate()),
            full_timestamp_seconds: view.growth.and_then(|growth| growth.full_at),
            full_by: view.growth.and_then(|growth| growth.full_by).map(|full_by| full_by.as_str()),
            holders: volume.holders.iter().map(HolderRow::from).collect(),
            mounts: volume.mounts.iter().map(MountRow::from).collect(),
            shared: volume.shared,
            principal: volume.principal.as_deref(),
            reservation: volume.reservation.map(|kind| kind.as_str()),
            container_path: volume.container_path.as_deref(),
            driver: volume.driver.as_deref(),
            remote: volume.remote.as_deref(),
            anonymous: volume.engine.as_ref().map(|engine| engine.anonymous),
            labels: labels(volume.engine.as_ref().map(|engine| &engine.labels[..])),
            log_limit_bytes: volume.engine.as_ref().and_then(|engine| engine.log_limit_bytes),
            enforcement: view.enforcement.as_str(),
            method: sample.map(|sample| sample.method.as_str()),
            filesystem: view.filesystem.as_deref().map(display),
            created_timestamp_seconds: volume.created,
            newest_change_timestamp_seconds: view.measured.newest_change.map(|newest| newest.at),
            measured_timestamp_seconds: sample.map(|sample| sample.measured_at),
            measure_failed: failure.is_some(),
            measure_error: failure.map(|failure| failure.message.as_str()),
            first_seen_timestamp_seconds: history.first_seen,
            last_used_timestamp_seconds: history.last_used,
            state_since_timestamp_seconds: history.state_since,
            peak_bytes: history.peak.map(|peak| peak.bytes),
            peak_timestamp_seconds: history.peak.map(|peak| peak.at),
            over_quota_bytes: sample
                .zip(volume.quota_bytes)
                .map(|(sample, quota)| sample.used_bytes.saturating_sub(quota)),
            over_quota_since_timestamp_seconds: history.over_quota_since,
            quota_changed_timestamp_seconds: history.quota_change.map(|change| change.at),
            quota_before_bytes: history.quota_change.and_then(|change| change.from_bytes),
        }
    }

    /// Used bytes as a part of the quota; absent when either is, or the quota is zero.
    pub fn fill_ratio(&self) -> Option<f64> {
        ratio(self.used_bytes, self.quota_bytes)
    }
}

/// Labels of an engine's subject by name.
pub(super) fn labels(labels: Option<&[(String, String)]>) -> BTreeMap<&str, &str> {
    let labels = labels.unwrap_or_default();
    labels.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect()
}

/// Used bytes as a part of a quota.
pub(super) fn ratio(used_bytes: Option<u64>, quota_bytes: Option<u64>) -> Option<f64> {
    let (used, quota) = used_bytes.zip(quota_bytes)?;
    (quota > 0).then(|| used as f64 / quota as f64)
}
