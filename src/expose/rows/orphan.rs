//! Orphaned volumes as rows.

use std::borrow::Cow;

use serde::Serialize;

use super::volume::MountRow;
use crate::expose::paths::{display, display_or_empty};
use crate::judge::findings::orphan_advice;
use crate::model::{Agent, FileUser, OpenFiles, Timestamp, VolumeView};

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
    /// The time that ages are told against.
    #[serde(skip)]
    pub now: Timestamp,
    /// How old its directory is.
    pub age_seconds: Option<f64>,
    /// When anything in it was last changed, as far as that can be true.
    pub newest_change_timestamp_seconds: Option<f64>,
    /// A modification time in it that lies in the future: set by hand, no sign of use.
    pub future_mtime_timestamp_seconds: Option<f64>,
    /// When it was first seen.
    pub first_seen_timestamp_seconds: Option<f64>,
    /// Since when nothing claims it.
    pub unclaimed_since_timestamp_seconds: Option<f64>,
    /// When it last had a holder.
    pub last_used_timestamp_seconds: Option<f64>,
    /// Where it is still mounted.
    pub mounts: Vec<MountRow<'a>>,
    /// Where a part of it is mounted.
    pub mounted_below: Vec<Cow<'a, str>>,
    /// Files in it that processes hold open; absent where that is not known of all of them.
    pub open_files: Option<u64>,
    /// Why it is not, if so.
    pub open_files_error: Option<&'a str>,
    /// Processes that were found to hold it, at most 50.
    pub held_by: Vec<FileUserRow<'a>>,
    /// What a person would do next.
    pub next: String,
    /// Body of the master's call that takes the data back, where its name is known.
    pub call: Option<String>,
}

/// A process that holds something of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileUserRow<'a> {
    /// Process id on the host.
    pub pid: u32,
    /// Its name.
    pub command: &'a str,
    /// Container it runs in, else empty.
    pub container: &'a str,
    /// Task of that container, empty where that is not known.
    pub task: &'a str,
    /// Files it has open or mapped.
    pub files: u64,
    /// How many of those are removed already.
    pub deleted_files: u64,
    /// Its working directory is there.
    pub working_directory: bool,
    /// Its root directory is there.
    pub root_directory: bool,
    /// Where it is mounted for this process and not for the host, else empty.
    pub mounted_at: Cow<'a, str>,
}

impl<'a> From<&'a FileUser> for FileUserRow<'a> {
    fn from(user: &'a FileUser) -> Self {
        Self {
            pid: user.pid,
            command: &user.command,
            container: &user.container,
            task: &user.task,
            files: user.files,
            deleted_files: user.deleted,
            working_directory: user.working_directory,
            root_directory: user.root_directory,
            mounted_at: display_or_empty(user.mounted_at.as_deref()),
        }
    }
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
        "newest_change_timestamp_seconds",
        "future_mtime_timestamp_seconds",
        "first_seen_timestamp_seconds",
        "unclaimed_since_timestamp_seconds",
        "last_used_timestamp_seconds",
        "mounts",
        "mounted_below",
        "open_files",
        "open_files_error",
        "held_by",
        "next",
        "call",
    ];

    /// The row of an orphaned volume.
    pub fn new(view: &'a VolumeView, agent: Option<&Agent>, now: Timestamp) -> Self {
        let volume = &view.volume;
        let sample = view.measured.sample.as_ref();
        let newest = view.measured.newest_change.as_ref();
        let open = view.open_files.as_ref();
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
            now,
            age_seconds: volume.created.map(|created| (now - created).max(0.0)),
            newest_change_timestamp_seconds: newest.map(|newest| newest.at),
            future_mtime_timestamp_seconds: newest.and_then(|newest| newest.in_the_future()),
            first_seen_timestamp_seconds: view.history.first_seen,
            unclaimed_since_timestamp_seconds: view.history.unclaimed_since,
            last_used_timestamp_seconds: view.history.last_used,
            mounts: volume.mounts.iter().map(MountRow::from).collect(),
            mounted_below: match open {
                Some(OpenFiles::LookedUp(held)) => {
                    held.mounted_below.iter().map(|path| display(path)).collect()
                }
                _ => Vec::new(),
            },
            open_files: open.and_then(OpenFiles::files),
            open_files_error: open.and_then(OpenFiles::unknown),
            held_by: open.map_or(&[][..], OpenFiles::users).iter().map(Into::into).collect(),
            next: advice.text,
            call: advice.call,
        }
    }
}
