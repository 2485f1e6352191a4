//! Sandboxes: the directories of one run of an executor or container.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{EngineContainer, Presence, SourceKind, Timestamp, Witness};

/// What names a sandbox: the four identity labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SandboxKey {
    /// Source that reports it.
    pub source: SourceKind,
    /// Framework id, empty for standalone containers.
    pub framework: String,
    /// Executor id, empty for standalone containers; of a Docker container its name.
    pub executor: String,
    /// Container id; nested ids are joined with a dot (`parent.child`).
    pub container: String,
}

/// Who runs the tasks of an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutorKind {
    /// The agent made an executor for one command task: executor id equals task id.
    Command,
    /// Mesos' default executor: task groups in nested containers.
    Default,
    /// An executor the framework brought.
    Custom,
}

/// What a sandbox belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxKind {
    /// A run of an executor; absent kind: known only from its directory.
    Executor(Option<ExecutorKind>),
    /// A nested container: its bytes are part of its parent's.
    Nested,
    /// A container launched by an operator, outside any framework.
    Standalone,
    /// A container of a Docker engine: its writable layer.
    Docker,
}

impl SandboxKind {
    /// The value of the label `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Executor(Some(ExecutorKind::Command)) => "command_executor",
            Self::Executor(Some(ExecutorKind::Default)) => "default_executor",
            Self::Executor(Some(ExecutorKind::Custom)) => "custom_executor",
            Self::Executor(None) => "executor",
            Self::Nested => "nested",
            Self::Standalone => "standalone",
            Self::Docker => "docker",
        }
    }
}

/// Who made the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Containerizer {
    /// The Mesos containerizer.
    Mesos,
    /// The Docker containerizer: an engine's container named `mesos-<container id>`.
    Docker,
}

impl Containerizer {
    /// The value of the label `containerizer`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mesos => "mesos",
            Self::Docker => "docker",
        }
    }
}

/// State of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxState {
    /// Its container runs.
    Live,
    /// Its run ended; the agent will remove it.
    AwaitingGc,
    /// Below a former agent id.
    Abandoned,
    /// Below the current agent id, but neither the API nor the checkpoint knows it: the agent
    /// will never remove it.
    Leaked,
    /// Of a standalone container.
    Standalone,
    /// Of a Docker container that does not run; it stays until somebody removes the container.
    Exited,
    /// Listed, but its directory is gone.
    Missing,
    /// Nothing authoritative could be read.
    Unknown,
}

impl SandboxState {
    /// Every state, in the order they are exposed.
    pub const ALL: [Self; 8] = [
        Self::Live,
        Self::AwaitingGc,
        Self::Abandoned,
        Self::Leaked,
        Self::Standalone,
        Self::Exited,
        Self::Missing,
        Self::Unknown,
    ];

    /// The value of the label `state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::AwaitingGc => "awaiting_gc",
            Self::Abandoned => "abandoned",
            Self::Leaked => "leaked",
            Self::Standalone => "standalone",
            Self::Exited => "exited",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// A task that runs, or ran, in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TaskRef {
    /// Task id.
    pub id: String,
    /// Task name.
    pub name: String,
    /// Nested container it runs in (`parent.child`); empty when in the executor's own.
    pub container: String,
}

/// A sandbox, as discovery found it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sandbox {
    /// Identity.
    pub key: SandboxKey,
    /// What it belongs to.
    pub kind: SandboxKind,
    /// Who made its container; absent when not known.
    pub containerizer: Option<Containerizer>,
    /// Directory on the host (before `--path.rootfs`).
    pub path: PathBuf,
    /// Whether `path` is there. The agent's API lists runs whose directory is long removed.
    pub presence: Presence,
    /// Agent id its path lies below; empty for standalone containers.
    pub agent_id: String,
    /// That agent id is the present one. `None`: the present one is not known.
    pub current_agent: Option<bool>,
    /// Framework name, empty when not known.
    pub framework_name: String,
    /// Role the executor's resources are allocated to.
    pub role: String,
    /// Tasks in it, sorted.
    pub tasks: Vec<TaskRef>,
    /// Bytes of `disk` the executor and its tasks asked for, volumes not counted; absent when
    /// they asked for none or it is not known.
    pub quota_bytes: Option<u64>,
    /// Something showed that the container runs now: the API's container list, an executor in
    /// `/state` that has not completed, a live pid of the runtime directory.
    pub running: Option<bool>,
    /// What the API says of the run (running or completed).
    pub api: Witness,
    /// What the checkpoint says of the run.
    pub checkpoint: Witness,
    /// The run is known to be over (`completed_executors`, `executor.sentinel`).
    pub completed: bool,
    /// Directories outside `path` whose bytes belong to it: upper directories of its overlays.
    pub extra_paths: Vec<PathBuf>,
    /// Last time an entry was added to or removed from the directory.
    pub modified: Option<Timestamp>,
    /// What a container engine says of it; only of its own containers.
    pub engine: Option<EngineContainer>,
}
