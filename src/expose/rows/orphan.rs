//! Orphaned volumes as rows.

use std::borrow::Cow;

use serde::Serialize;

use super::volume::MountRow;
use crate::expose::paths::display;
use crate::judge::findings::orphan_advice;
use crate::model::{Agent, Timestamp, VolumeView};

/// An orphan: data that no source of truth claims.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrphanRow<'a> {
    /// Source that found it.
    pub source: &'static str,
    /// Role its path lies below.
    pub role: &'a str,
    /// Persistence id; empty for a disk that holds data but no volume.
    pub volume: &'a str,
    /// `ROOT`, or root of the disk.
    pub disk: &'a str,
    /// `ROOT`, `PATH`, `MOUNT`.
    pub disk_type: &'static str,
    /// Where it lies on the host.
    pub path: Option<Cow<'a, str>>,
    /// `never_claimed`, `destroyed`, `disk_without_volume`, `dangling_anonymous`.
    pub orphan_reason: Option<&'static str>,
    /// The same as a sentence.
    pub reason: &'a str,
    /// Allocated bytes.
    pub used_bytes: Option<u64>,
    /// Inodes.
    pub files: Option<u64>,
    /// How old its directory is.
    pub age_seconds: Option<f64>,
    /// Where it is still mounted.
    pub mounts: Vec<MountRow<'a>>,
    /// What a person would do next.
    pub next: String,
    /// Body of the master's call that takes the data back, where its name is known.
    pub call: Option<String>,
}

impl<'a> OrphanRow<'a> {
    /// Every field, in the order of the struct: the columns of a CSV.
    pub const FIELDS: &'static [&'static str] = &[
        "source",
        "role",
        "volume",
        "disk",
        "disk_type",
        "path",
        "orphan_reason",
        "reason",
        "used_bytes",
        "files",
        "age_seconds",
        "mounts",
        "next",
        "call",
    ];

    /// The row of an orphaned volume.
    pub fn new(view: &'a VolumeView, agent: Option<&Agent>, now: Timestamp) -> Self {
        let volume = &view.volume;
        let sample = view.measured.sample.as_ref();
        let advice = orphan_advice(view, agent);
        Self {
            source: volume.key.source.as_str(),
            role: &volume.key.role,
            volume: &volume.key.volume,
            disk: &volume.key.disk,
            disk_type: volume.disk_type.as_str(),
            path: volume.path.as_deref().map(display),
            orphan_reason: view.orphan_reason.map(|reason| reason.as_str()),
            reason: &view.reason,
            used_bytes: sample.map(|sample| sample.used_bytes),
            files: sample.and_then(|sample| sample.files),
            age_seconds: volume.created.map(|created| (now - created).max(0.0)),
            mounts: volume.mounts.iter().map(MountRow::from).collect(),
            next: advice.text,
            call: advice.call,
        }
    }
}
