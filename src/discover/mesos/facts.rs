//! What each witness said, before anything is concluded from it.
//!
//! The API and the checkpoint speak of the same things, so they share the types of frameworks,
//! executors and tasks; the directory layout and the runtime directory have their own.
//! A list is `None` when it could not be read whole: absence then proves nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use crate::discover::dirs::SeenDir;
use crate::model::{Resource, SourceError, VolumeSpec};

/// Whether an answer can be trusted to be complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    /// An endpoint that refuses openly (403) was allowed, so lists are not filtered.
    Whole,
    /// Something refused: 200 answers may be filtered, even to nothing.
    Filtered,
    /// Nothing tells.
    #[default]
    Unknown,
}

/// Who the agent is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentFacts {
    /// Agent id.
    pub id: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Attributes as text.
    pub attributes: BTreeMap<String, String>,
}

/// A framework.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameworkFacts {
    /// Framework id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Roles it is registered with.
    pub roles: Vec<String>,
    /// Principal.
    pub principal: Option<String>,
    /// Whether its tasks survive a restart of the agent.
    pub checkpoint: Option<bool>,
}

/// One run of an executor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecutorFacts {
    /// Framework id.
    pub framework: String,
    /// Executor id.
    pub executor: String,
    /// Container id of the run; absent where the source does not say (v1 GET_EXECUTORS).
    pub container: Option<String>,
    /// Agent id the run belongs to, where the source says (checkpoint).
    pub agent_id: Option<String>,
    /// Sandbox, where the source says (`/state`).
    pub directory: Option<PathBuf>,
    /// `ExecutorInfo.type` is DEFAULT.
    pub default_executor: bool,
    /// Made by the agent for one command task. `None`: cannot be told from this source.
    pub command_executor: Option<bool>,
    /// Its container is a Docker containerizer's.
    pub docker: Option<bool>,
    /// The run is over.
    pub completed: bool,
    /// The executor's own resources (v1 and checkpoint only).
    pub resources: Vec<Resource>,
    /// Role they are allocated to.
    pub role: Option<String>,
    /// Sum of `disk` of executor and tasks *including* volumes, in MiB (`/state` only).
    pub disk_with_volumes: Option<f64>,
    /// Volumes of its `ContainerInfo` that lie outside the agent's resources.
    pub external: Vec<ExternalVolume>,
}

/// One task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFacts {
    /// Framework id.
    pub framework: String,
    /// Executor id (the task id for command tasks).
    pub executor: String,
    /// Container id of the executor's run, where known.
    pub run: Option<String>,
    /// Task id.
    pub id: String,
    /// Task name.
    pub name: String,
    /// The task is in a terminal state, or its run is over.
    pub terminal: bool,
    /// Full resources (v1 GET_TASKS and checkpoint); volumes among them.
    pub resources: Vec<Resource>,
    /// Container it runs in, nested ids joined with a dot, from its newest status.
    pub container: Option<String>,
    /// The task's container is a Docker containerizer's.
    pub docker: Option<bool>,
    /// Volumes of its `ContainerInfo` that lie outside the agent's resources.
    pub external: Vec<ExternalVolume>,
}

/// A mount of a container that lies outside the agent's resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalVolume {
    /// What it is.
    pub source: ExternalSource,
    /// Path in the container, and the mode.
    pub mount: VolumeSpec,
}

/// What an external volume is backed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalSource {
    /// A path of the host (`Volume.host_path` or source HOST_PATH).
    HostPath(PathBuf),
    /// A volume of a Docker volume driver (`docker/volume` isolator, or `--volume-driver`).
    Docker {
        /// Driver, `local` when none is named.
        driver: String,
        /// Volume name.
        name: String,
    },
    /// A CSI volume.
    Csi {
        /// Plugin name.
        plugin: String,
        /// Volume id.
        id: String,
    },
}

/// A container the agent's API lists (v1 GET_CONTAINERS, or `/containers`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerFacts {
    /// Id, nested ids joined with a dot.
    pub container: String,
    /// Framework id; absent for nested and standalone ones.
    pub framework: Option<String>,
    /// Executor id.
    pub executor: Option<String>,
    /// `executor_pid` of its status: the process at its top, in the host's pid namespace.
    pub pid: Option<u32>,
    /// `disk_limit_bytes` of its statistics.
    pub disk_limit_bytes: Option<u64>,
}

/// What the agent's API said in one round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiFacts {
    /// Base URL.
    pub url: String,
    /// It answered (and is not recovering).
    pub up: bool,
    /// It answered 503: still recovering.
    pub recovering: bool,
    /// Whether its lists are complete.
    pub authority: Authority,
    /// Who it is.
    pub agent: Option<AgentFacts>,
    /// `/flags`.
    pub flags: Option<BTreeMap<String, String>>,
    /// Static resources of v1 GET_AGENT: the disks.
    pub agent_resources: Option<Vec<Resource>>,
    /// `reserved_resources_full` and `unreserved_resources_full` of `/state`: every known volume.
    pub resources: Option<Vec<Resource>>,
    /// Frameworks, live and completed.
    pub frameworks: Option<Vec<FrameworkFacts>>,
    /// Executors, live and completed, from `/state` (container, directory) joined with v1
    /// GET_EXECUTORS (resources).
    pub executors: Option<Vec<ExecutorFacts>>,
    /// Every live executor's own resources are known (v1 GET_EXECUTORS was answered).
    pub executors_have_resources: bool,
    /// Tasks, live and terminal, from `/state` joined with v1 GET_TASKS. `None` when neither
    /// could be read.
    pub tasks: Option<Vec<TaskFacts>>,
    /// Every live task's resources are known. `false`: v1 GET_TASKS was refused or failed, and
    /// tasks from `/state` have an empty `resources`, which says nothing of what they use.
    pub tasks_have_resources: bool,
    /// Containers. `None` when no list could be read.
    pub containers: Option<Vec<ContainerFacts>>,
    /// `containers` has nested and standalone ones too (v1 GET_CONTAINERS was answered);
    /// `false`: executors' own containers only.
    pub containers_are_whole: bool,
    /// `gc/path_removals_pending` of `/metrics/snapshot`.
    pub gc_path_removals_pending: Option<u64>,
    /// What failed.
    pub errors: Vec<SourceError>,
    /// Seconds the round took.
    pub duration_seconds: f64,
}

/// What the checkpoint under `meta/` said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckpointFacts {
    /// Target of `meta/slaves/latest`.
    pub agent_id: Option<String>,
    /// `meta/boot_id`: the boot during which the agent last started. When it is not the present
    /// one, no run of the checkpoint is alive, sentinel or not.
    pub boot_id: Option<String>,
    /// `slave.info` of that agent id.
    pub agent: Option<AgentFacts>,
    /// Static resources of `slave.info`: the disks.
    pub agent_resources: Option<Vec<Resource>>,
    /// Reservations and volumes of `meta/resources/`. `Some(vec![])` only when a file was read
    /// whole and is empty; a missing or torn file is `None`.
    pub resources: Option<Vec<Resource>>,
    /// Frameworks with a checkpoint.
    pub frameworks: Option<Vec<FrameworkFacts>>,
    /// Runs with a checkpoint, below every agent id that has one. `completed` is
    /// `executor.sentinel`.
    pub executors: Option<Vec<ExecutorFacts>>,
    /// Their tasks; `terminal` from the last record of `task.updates`, the run's sentinel, or an
    /// agent id that is not the present one.
    pub tasks: Option<Vec<TaskFacts>>,
    /// Something in `executors` is missing: a run, or the resources or container of one that is
    /// listed (see `errors`).
    pub executors_partial: bool,
    /// A task is missing in `tasks` (see `errors`): who holds a volume may be hidden.
    pub tasks_partial: bool,
    /// What failed.
    pub errors: Vec<SourceError>,
    /// Seconds it took.
    pub duration_seconds: f64,
}

/// `<work>/slaves/<agent>/frameworks/<fw>/executors/<exec>/runs/<container>`.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDir {
    /// Agent id.
    pub agent_id: String,
    /// Framework id.
    pub framework: String,
    /// Executor id.
    pub executor: String,
    /// Container id; nested ids joined with a dot.
    pub container: String,
    /// The sandbox.
    pub dir: SeenDir,
    /// Absolute symlinks directly in the sandbox, or one directory deeper (volumes of the posix
    /// isolators): name relative to the sandbox, and target. Only when they were asked for, and
    /// only those that lead into the work directory or onto one of the agent's disks.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// `tasks/<task id>` links of pods: task id and the last component of the target.
    pub tasks: Vec<(String, String)>,
}

/// `<work>/volumes/roles/<role>/<id>` or the same below a PATH disk.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeDir {
    /// Root of the disk as the agent names it; `None` for the work directory.
    pub disk_root: Option<PathBuf>,
    /// Role, unescaped (`eng storage` on disk is `eng/storage`).
    pub role: String,
    /// Persistence id.
    pub id: String,
    /// The directory.
    pub dir: SeenDir,
}

/// Root of a MOUNT disk.
#[derive(Clone, Debug, PartialEq)]
pub struct MountRoot {
    /// Root as the agent names it.
    pub root: PathBuf,
    /// The directory, when it could be looked at.
    pub dir: Option<SeenDir>,
    /// It has an entry other than `lost+found`; absent when it could not be listed.
    pub has_content: Option<bool>,
    /// A filesystem is mounted exactly there.
    pub mounted: bool,
}

/// What lies on disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayoutFacts {
    /// The work directory with the operator's symlinks followed: the prefix of every path here
    /// that lies below it, and what mount tables name.
    pub work_dir: Option<PathBuf>,
    /// Agent ids with a directory under `slaves/`.
    pub agent_ids: Option<Vec<String>>,
    /// Runs and their nested containers, below every agent id. `None` when the listing failed.
    pub runs: Option<Vec<RunDir>>,
    /// Standalone containers under `containers/`.
    pub standalone: Option<Vec<RunDir>>,
    /// Something in `runs` or `standalone` is missing, because one directory among many could not
    /// be read or went past a bound (see `errors`).
    pub runs_partial: bool,
    /// Volume directories, by disk root: a disk that could not be listed has no entry.
    pub volumes: Vec<VolumeDir>,
    /// Disk roots (`None`: work directory) whose `volumes/roles` were listed whole.
    pub listed_disks: Vec<Option<PathBuf>>,
    /// Roots of MOUNT disks.
    pub mount_roots: Vec<MountRoot>,
    /// Container id (nested ids joined with a dot) to the upper directories of its overlays under
    /// `provisioner/`.
    pub upper_dirs: BTreeMap<String, Vec<PathBuf>>,
    /// What failed.
    pub errors: Vec<SourceError>,
    /// Seconds it took.
    pub duration_seconds: f64,
}

/// A container of the runtime directory (Mesos containerizer only).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeContainer {
    /// Id, nested ids joined with a dot.
    pub container: String,
    /// From its `pid` file.
    pub pid: Option<u32>,
    /// That pid is alive now.
    pub alive: Option<bool>,
    /// `standalone.marker` is there.
    pub standalone: bool,
    /// `directory` of its `config`: the sandbox.
    pub directory: Option<PathBuf>,
    /// A `termination` file is there.
    pub terminated: bool,
    /// Volumes of its `container_info` outside the agent's resources.
    pub external: Vec<ExternalVolume>,
    /// Resources of its `config`.
    pub resources: Vec<Resource>,
}

/// A volume driver's or CSI plugin's mount, as the isolator checkpointed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolatorVolume {
    /// Container id: of a nested container its own id alone (Docker), or joined with a dot (CSI).
    pub container: String,
    /// Driver and name, or plugin and id.
    pub source: ExternalSource,
}

/// What the runtime directory said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeFacts {
    /// Containers; `None` when the directory could not be read.
    pub containers: Option<Vec<RuntimeContainer>>,
    /// A container is missing in `containers` (see `errors`).
    pub containers_partial: bool,
    /// `<docker_volume_checkpoint_dir>/<container>/volumes` and
    /// `<csi…>/<container>/volumes`.
    pub isolator_volumes: Vec<IsolatorVolume>,
    /// What failed.
    pub errors: Vec<SourceError>,
    /// Seconds it took.
    pub duration_seconds: f64,
}
