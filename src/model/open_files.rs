//! Who has something below a directory open.

use std::path::PathBuf;

use serde::Serialize;

use super::Timestamp;

/// What is known of open files below a subject's directory.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenFiles {
    /// Nobody could look.
    NotLookedUp {
        /// Why not.
        reason: String,
    },
    /// The processes of the host were looked through.
    LookedUp(HeldOpen),
}

/// What a look through the processes found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeldOpen {
    /// Who holds it, those with most files first, at most 50.
    pub by: Vec<FileUser>,
    /// Processes that hold it, those that are not in the list too.
    pub processes: u64,
    /// Files they have open or mapped.
    pub files: u64,
    /// Where something below the directory is mounted.
    pub mounted_below: Vec<PathBuf>,
    /// Why there may be more, if so: then nobody found means not known.
    pub not_whole: Option<String>,
    /// When.
    pub looked_at: Timestamp,
}

/// A process that holds something below a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileUser {
    /// Process id on the host.
    pub pid: u32,
    /// Its name (`comm`).
    pub command: String,
    /// Container it runs in, nested ids joined with a dot; a Docker container by its whole id;
    /// empty outside any.
    pub container: String,
    /// Task of that container; empty where that is not known.
    pub task: String,
    /// Files it has open or mapped.
    pub files: u64,
    /// How many of those are removed already.
    pub deleted: u64,
    /// Its working directory is there.
    pub working_directory: bool,
    /// Its root directory is there.
    pub root_directory: bool,
    /// Where it is mounted for this process and not for the host.
    pub mounted_at: Option<PathBuf>,
}

impl OpenFiles {
    /// Files that are held open; `None` when that is not known, or not of all processes.
    pub fn files(&self) -> Option<u64> {
        match self {
            Self::LookedUp(held) if held.not_whole.is_none() => Some(held.files),
            _ => None,
        }
    }

    /// Processes that were found to hold it.
    pub fn users(&self) -> &[FileUser] {
        match self {
            Self::LookedUp(held) => &held.by,
            Self::NotLookedUp { .. } => &[],
        }
    }

    /// Why it is not known who else may hold it, if so.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::LookedUp(held) => held.not_whole.as_deref(),
            Self::NotLookedUp { reason } => Some(reason),
        }
    }

    /// Something was found to hold it.
    pub fn is_held(&self) -> bool {
        match self {
            Self::LookedUp(held) => !held.by.is_empty() || !held.mounted_below.is_empty(),
            Self::NotLookedUp { .. } => false,
        }
    }
}
