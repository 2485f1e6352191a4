//! The joined picture that every surface reads: one immutable value.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{
    Enforcement, FilesystemSample, Growth, History, Inventory, Measured, OrphanReason, Sandbox,
    SandboxState, Timestamp, Volume, VolumeState,
};

/// A volume with what was measured and judged of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VolumeView {
    /// As discovered.
    pub volume: Volume,
    /// Judged state.
    pub state: VolumeState,
    /// One sentence: why this state.
    pub reason: String,
    /// Only with [`VolumeState::Orphaned`].
    pub orphan_reason: Option<OrphanReason>,
    /// What happens past the quota.
    pub enforcement: Enforcement,
    /// Measured use.
    pub measured: Measured,
    /// How fast it grows; absent until there is enough to tell.
    pub growth: Option<Growth>,
    /// What is remembered of it.
    pub history: History,
    /// Mount point of the filesystem that holds it, a key into [`Snapshot::filesystems`].
    pub filesystem: Option<PathBuf>,
}

/// A sandbox with what was measured and judged of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SandboxView {
    /// As discovered.
    pub sandbox: Sandbox,
    /// Judged state.
    pub state: SandboxState,
    /// One sentence: why this state.
    pub reason: String,
    /// What happens past the quota.
    pub enforcement: Enforcement,
    /// Measured use.
    pub measured: Measured,
    /// How fast it grows; absent until there is enough to tell.
    pub growth: Option<Growth>,
    /// What is remembered of it.
    pub history: History,
    /// Mount point of the filesystem that holds it.
    pub filesystem: Option<PathBuf>,
}

/// Last run of one collector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CollectorRun {
    /// Value of the label `collector`.
    pub name: &'static str,
    /// It read what it should.
    pub success: bool,
    /// Seconds it took.
    pub duration_seconds: f64,
}

/// Everything at one moment. Built aside, then swapped in whole; never changed afterwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// When it was made.
    pub taken_at: Timestamp,
    /// Counts up with each snapshot: what is rendered from it can be cached by this number.
    pub sequence: u64,
    /// What discovery found.
    pub inventory: Arc<Inventory>,
    /// Volumes, sorted by key.
    pub volumes: Vec<VolumeView>,
    /// Sandboxes, sorted by key.
    pub sandboxes: Vec<SandboxView>,
    /// Filesystems that hold a subject, sorted by mount point.
    pub filesystems: Vec<FilesystemSample>,
    /// Collectors, sorted by name.
    pub collectors: Vec<CollectorRun>,
    /// The first inventory is in.
    pub ready: bool,
}
