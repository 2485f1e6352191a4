//! Who plays in the scene: types, and where each one's files lie.

use std::path::{Path, PathBuf};

use crate::discover::mesos::proto::TaskState;
use crate::model::{DiskSource, Resource};

/// Everything the tree, the checkpoint and the API are made from.
pub struct Cast {
    /// `--work_dir`.
    pub work_dir: PathBuf,
    /// `--runtime_dir`.
    pub runtime_dir: PathBuf,
    /// Present agent id.
    pub agent_id: String,
    /// The agent id before this one, whose sandboxes still lie there.
    pub former_agent_id: String,
    /// Start of the agent, seconds since the epoch.
    pub started: f64,
    /// What the agent was started with: `--resources`.
    pub agent_resources: Vec<Resource>,
    /// What is left of them unreserved.
    pub unreserved: Vec<Resource>,
    /// Reservations and volumes, static ones too.
    pub reserved: Vec<Resource>,
    /// Frameworks of the present agent id.
    pub frameworks: Vec<Framework>,
    /// A framework that did not checkpoint: only its sandbox is left.
    pub leaked: Framework,
    /// A framework below the former agent id.
    pub former: Framework,
    /// Container id of the standalone container.
    pub standalone: String,
    /// Directories that lie where volumes do but are no one's: role, id.
    pub orphans: Vec<(String, String)>,
    /// Ids of volumes whose directory is gone.
    pub missing: Vec<String>,
}

/// A framework with its executors.
pub struct Framework {
    pub id: String,
    pub name: String,
    pub principal: String,
    pub role: String,
    pub checkpoint: bool,
    pub executors: Vec<Executor>,
}

/// One run of an executor.
pub struct Executor {
    pub id: String,
    pub container: String,
    /// Mesos' default executor: its tasks run in nested containers.
    pub default: bool,
    pub completed: bool,
    /// Its own, without those of its tasks.
    pub resources: Vec<Resource>,
    pub tasks: Vec<Task>,
}

/// A task.
pub struct Task {
    pub id: String,
    pub name: String,
    /// Volumes among them.
    pub resources: Vec<Resource>,
    /// Nested container it runs in, without its parent.
    pub child: Option<String>,
}

impl Executor {
    /// Name the agent gives to the executor of a command task.
    pub fn name(&self) -> String {
        if self.default {
            return String::new();
        }
        format!("Command Executor (Task: {}) (Command: sh -c './run.sh')", self.id)
    }

    /// The states its tasks went through, the last one the present one.
    pub fn states(&self) -> &'static [TaskState] {
        use TaskState::{TaskFinished, TaskRunning, TaskStarting};
        match self.completed {
            true => &[TaskStarting, TaskRunning, TaskFinished],
            false => &[TaskStarting, TaskRunning],
        }
    }

    /// The executor's own resources and those of its tasks.
    pub fn all_resources(&self) -> impl Iterator<Item = &Resource> + Clone {
        self.resources.iter().chain(self.tasks.iter().flat_map(|task| &task.resources))
    }
}

impl Cast {
    /// The executors that run, with their frameworks.
    pub fn live(&self) -> impl Iterator<Item = (&Framework, &Executor)> {
        self.frameworks.iter().flat_map(|framework| {
            framework.executors.iter().filter(|e| !e.completed).map(move |e| (framework, e))
        })
    }

    /// `executors/<id>` below the work directory or its `meta`.
    pub fn executor_dir(base: &Path, agent: &str, framework: &str, executor: &str) -> PathBuf {
        let frameworks = base.join("slaves").join(agent).join("frameworks");
        frameworks.join(framework).join("executors").join(executor)
    }

    /// Sandbox of a run.
    pub fn sandbox(&self, agent: &str, framework: &Framework, executor: &Executor) -> PathBuf {
        Self::executor_dir(&self.work_dir, agent, &framework.id, &executor.id)
            .join("runs")
            .join(&executor.container)
    }

    /// Sandbox of the standalone container.
    pub fn standalone_dir(&self) -> PathBuf {
        self.work_dir.join("containers").join(&self.standalone)
    }

    /// Directory of a volume.
    pub fn volume_dir(&self, volume: &Resource) -> Option<PathBuf> {
        let id = &volume.persistence()?.id;
        let base = match volume.disk_source() {
            DiskSource::Path { root } => PathBuf::from(root),
            _ => self.work_dir.clone(),
        };
        Some(Self::volume_below(&base, volume.role(), id))
    }

    /// `volumes/roles/<role>/<id>`; a slash in a role becomes a space (`paths.cpp`).
    pub fn volume_below(base: &Path, role: &str, id: &str) -> PathBuf {
        base.join("volumes/roles").join(role.replace('/', " ")).join(id)
    }
}
