//! Who exists and who holds what: the output of discovery.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ContainerRef, DiskSource, Resource, Sandbox, Timestamp, Volume};

/// A source of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// An Apache Mesos or Clusterd agent.
    Mesos,
    /// A Docker engine.
    Docker,
    /// Directories named in the configuration.
    Directories,
}

impl SourceKind {
    /// The value of the label `source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mesos => "mesos",
            Self::Docker => "docker",
            Self::Directories => "directories",
        }
    }
}

/// The sort of disk a volume lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DiskType {
    /// The filesystem of the agent's work directory.
    Root,
    /// A directory on some filesystem.
    Path,
    /// A filesystem of its own.
    Mount,
    /// A block device.
    Block,
    /// Raw storage of a resource provider.
    Raw,
    /// Outside the agent's resources.
    External,
}

impl DiskType {
    /// The value of the label `disk_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "ROOT",
            Self::Path => "PATH",
            Self::Mount => "MOUNT",
            Self::Block => "BLOCK",
            Self::Raw => "RAW",
            Self::External => "EXTERNAL",
        }
    }
}

impl From<&DiskSource> for DiskType {
    fn from(source: &DiskSource) -> Self {
        match source {
            DiskSource::Root => Self::Root,
            DiskSource::Path { .. } => Self::Path,
            DiskSource::Mount { .. } => Self::Mount,
            DiskSource::Block { .. } => Self::Block,
            DiskSource::Raw { .. } => Self::Raw,
        }
    }
}

/// How well a source could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceHealth {
    /// Read whole.
    Ok,
    /// Read in part: what is missing is unknown, not gone.
    Partial,
    /// Not read.
    Failed,
    /// Not there on this host, and nothing asks for it.
    Absent,
}

/// What became of reading one source of truth in the last round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceReport {
    /// `mesos_api`, `mesos_checkpoint`, `mesos_layout`, `mesos_runtime`, `mount_table`: the value
    /// of the label `collector`.
    pub name: &'static str,
    /// How well it was read.
    pub health: SourceHealth,
    /// Address or path that was read.
    pub target: String,
    /// One line each: what failed, where, why. Empty when all is well.
    pub errors: Vec<SourceError>,
    /// How long it took, in seconds.
    pub duration_seconds: f64,
}

/// One thing that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceError {
    /// Short fixed word for metrics: `refused`, `unauthorized`, `forbidden`, `timeout`, `status`,
    /// `malformed`, `permission`, `missing`, `io`, `unresponsive`, `too_large`, `recovering`,
    /// `tls`, `ambiguous`.
    pub reason: &'static str,
    /// What and where, for a person.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Two sources of truth that do not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// What it is about: a path, a volume, a container.
    pub subject: String,
    /// One sentence with both sides.
    pub message: String,
}

/// What is known of the agent itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Agent {
    /// Present agent id.
    pub id: Option<String>,
    /// Host name the agent registered with.
    pub hostname: Option<String>,
    /// Version of Mesos or Clusterd.
    pub version: Option<String>,
    /// Base URL of the API.
    pub url: Option<String>,
    /// The API answered in the last round (a 503 while recovering counts as not up).
    pub up: bool,
    /// It answered that it is still recovering.
    pub recovering: bool,
    /// Work directory.
    pub work_dir: Option<PathBuf>,
    /// Runtime directory.
    pub runtime_dir: Option<PathBuf>,
    /// Agent attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// Flags, as the agent prints them.
    pub flags: BTreeMap<String, String>,
    /// All resources: unreserved ones, reservations and volumes.
    pub resources: Vec<Resource>,
    /// Resources that running tasks and executors hold; absent when that list could not be read
    /// whole.
    pub allocated: Option<Vec<Resource>>,
    /// Paths waiting for the agent's garbage collection (`gc/path_removals_pending`).
    pub gc_path_removals_pending: Option<u64>,
}

/// Everything discovery found in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inventory {
    /// When the round ended.
    pub taken_at: Timestamp,
    /// The agent, when one was found or configured.
    pub agent: Option<Agent>,
    /// Volumes, sorted by key.
    pub volumes: Vec<Volume>,
    /// Sandboxes, sorted by key.
    pub sandboxes: Vec<Sandbox>,
    /// Containers that run, for the measurement of their I/O.
    pub containers: Vec<ContainerRef>,
    /// What became of each source.
    pub sources: Vec<SourceReport>,
    /// Where they disagree.
    pub disagreements: Vec<Disagreement>,
}
