//! The joined picture that every surface reads: one immutable value.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{
    ContainerIo, Enforcement, FilesystemDevice, FilesystemSample, Finding, Growth, History,
    Inventory, Measured, NetworkFilesystem, NetworkTransport, OpenFiles, OrphanReason, Sandbox,
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
    /// Who holds files in it open; only looked up where nobody claims it.
    pub open_files: Option<OpenFiles>,
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
    /// When the agent is expected to remove it; only of one that awaits that.
    pub expected_removal: Option<Timestamp>,
}

/// The agent's garbage collection of finished sandboxes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GcView {
    /// Seconds after which a finished sandbox goes, at the present use of the disk.
    pub delay_seconds: f64,
    /// Sandboxes that wait to be removed.
    pub pending: u64,
    /// Their bytes, as far as they are measured.
    pub pending_bytes: u64,
    /// When the first of them is expected to go; absent when none waits or no end is known.
    pub next_removal: Option<Timestamp>,
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
    /// What lies below those filesystems, sorted by mount point.
    pub devices: Vec<FilesystemDevice>,
    /// Network filesystems, those that hold no subject too, sorted by key.
    pub network: Vec<NetworkFilesystem>,
    /// Connections to their servers, sorted by address and protocol.
    pub transports: Vec<NetworkTransport>,
    /// Collectors, sorted by name.
    pub collectors: Vec<CollectorRun>,
    /// The first inventory is in.
    pub ready: bool,
    /// The agent's garbage collection; absent without an agent.
    pub gc: Option<GcView>,
    /// Block I/O of running containers, sorted by key.
    pub io: Arc<Vec<ContainerIo>>,
    /// Findings, the gravest first.
    pub findings: Vec<Finding>,
}
