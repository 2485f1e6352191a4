//! Three witnesses and the mount table, joined into one inventory.
//!
//! Pure: it reads nothing, so every trap of `facts` can be tested with values.

mod agent;
mod external;
mod holders;
mod mounts;
pub mod place;
mod sandboxes;
#[cfg(test)]
mod tests;
mod volumes;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::host::mounts::MountTable;
use crate::model::{Agent, Disagreement, Sandbox, Volume, Witness};

use super::facts::{
    ApiFacts, Authority, CheckpointFacts, ExecutorFacts, LayoutFacts, RuntimeFacts, TaskFacts,
};

/// Everything that was read in one round.
pub struct Witnesses<'a> {
    /// Work directory, as a path of the host.
    pub work_dir: &'a Path,
    /// Runtime directory, as a path of the host.
    pub runtime_dir: &'a Path,
    /// The agent's API.
    pub api: &'a ApiFacts,
    /// The checkpoint.
    pub checkpoint: &'a CheckpointFacts,
    /// The directories.
    pub layout: &'a LayoutFacts,
    /// The runtime directory.
    pub runtime: &'a RuntimeFacts,
    /// The host's mount table.
    pub mounts: &'a MountTable,
    /// The host was booted since the agent last started: no run of its checkpoint is alive.
    pub rebooted: bool,
    /// What was found of each host path, driver volume and CSI volume, by
    /// [`ExternalSource`](super::facts::ExternalSource) (see [`external_sources`]).
    pub external: &'a ExternalPlaces,
}

pub use external::{ExternalPlace, ExternalPlaces, external_sources, identity};

/// The joined part of the inventory.
#[derive(Debug, Default)]
pub struct Joined {
    /// The agent.
    pub agent: Agent,
    /// Volumes, sorted by key.
    pub volumes: Vec<Volume>,
    /// Sandboxes, sorted by key.
    pub sandboxes: Vec<Sandbox>,
    /// Where the witnesses disagree.
    pub disagreements: Vec<Disagreement>,
}

/// Joins one round.
pub fn join(witnesses: &Witnesses<'_>) -> Joined {
    let index = Index::new(witnesses);
    let mounted = mounts::MountUses::new(witnesses);
    let sandboxes = sandboxes::sandboxes(witnesses, &index);
    let live = Live::new(&sandboxes);
    let mut holders = holders::by_volume(witnesses, &index, &live);
    let mut volumes = volumes::known_and_found(witnesses, &mounted, &mut holders);
    volumes.extend(external::volumes(witnesses, &index, &live));
    holders::add_mount_witnesses(witnesses, &index, &live, &mut volumes);
    volumes.sort_by(|a, b| a.key.cmp(&b.key));
    Joined {
        agent: agent::agent(witnesses, &index),
        disagreements: disagreements(witnesses, &volumes),
        volumes,
        sandboxes,
    }
}

/// Executors and tasks of both witnesses, each once.
struct Index<'a> {
    /// Runs by container id. The API's facts come first where both know a run.
    runs: HashMap<&'a str, Run<'a>>,
    /// Tasks that are not known to be over.
    tasks: Vec<&'a TaskFacts>,
    /// Framework names by id.
    framework_names: HashMap<&'a str, &'a str>,
    /// Containers that run, as the API or the runtime directory says; `false`: known to be dead.
    running: HashMap<&'a str, bool>,
}

#[derive(Default)]
struct Run<'a> {
    api: Option<&'a ExecutorFacts>,
    checkpoint: Option<&'a ExecutorFacts>,
}

impl Run<'_> {
    fn completed(&self) -> bool {
        self.api.is_some_and(|run| run.completed)
            || self.checkpoint.is_some_and(|run| run.completed)
    }

    /// The API's facts, then the checkpoint's.
    fn both(&self) -> impl Iterator<Item = &ExecutorFacts> {
        self.api.into_iter().chain(self.checkpoint)
    }
}

impl<'a> Index<'a> {
    fn new(witnesses: &Witnesses<'a>) -> Self {
        let mut runs: HashMap<&str, Run<'_>> = HashMap::new();
        for run in witnesses.checkpoint.executors.iter().flatten() {
            if let Some(container) = &run.container {
                runs.entry(container).or_default().checkpoint = Some(run);
            }
        }
        for run in witnesses.api.executors.iter().flatten() {
            if let Some(container) = &run.container {
                runs.entry(container).or_default().api = Some(run);
            }
        }

        let mut running = HashMap::new();
        for container in witnesses.runtime.containers.iter().flatten() {
            if container.terminated {
                running.insert(container.container.as_str(), false);
            } else if let Some(alive) = container.alive {
                running.insert(container.container.as_str(), alive);
            }
        }
        for container in witnesses.api.containers.iter().flatten() {
            running.insert(container.container.as_str(), true);
        }

        let framework_names = witnesses
            .checkpoint
            .frameworks
            .iter()
            .flatten()
            .chain(witnesses.api.frameworks.iter().flatten())
            .map(|framework| (framework.id.as_str(), framework.name.as_str()))
            .collect();

        let tasks = live_tasks(witnesses, &runs);
        Self { runs, tasks, framework_names, running }
    }

    fn framework_name(&self, id: &str) -> String {
        self.framework_names.get(id).map(|name| name.to_string()).unwrap_or_default()
    }
}

/// Tasks that hold something now, each once.
///
/// The API's word on which tasks run is final while it is up and whole; the checkpoint adds the
/// resources a `/state` without GET_TASKS lacks, and speaks alone while the API cannot.
fn live_tasks<'a>(
    witnesses: &Witnesses<'a>,
    runs: &HashMap<&'a str, Run<'a>>,
) -> Vec<&'a TaskFacts> {
    let mut seen: HashSet<(&str, &str, &str)> = HashSet::new();
    let mut tasks = Vec::new();
    let api = witnesses.api;
    let name =
        |task: &'a TaskFacts| (task.framework.as_str(), task.executor.as_str(), task.id.as_str());
    let from_checkpoint: HashMap<_, &TaskFacts> = witnesses
        .checkpoint
        .tasks
        .iter()
        .flatten()
        .filter(|task| !task.terminal)
        .map(|task| (name(task), task))
        .collect();
    for task in api.tasks.iter().flatten() {
        seen.insert(name(task));
        if task.terminal {
            continue;
        }
        let richer = from_checkpoint.get(&name(task)).filter(|_| task.resources.is_empty());
        tasks.push(*richer.unwrap_or(&task));
    }
    let api_is_final = api.up && api.authority == Authority::Whole && api.tasks.is_some();
    if !api_is_final && !witnesses.rebooted {
        for task in witnesses.checkpoint.tasks.iter().flatten() {
            let over = task.terminal
                || task.run.as_deref().and_then(|run| runs.get(run)).is_some_and(Run::completed);
            // The runs of a former agent id are over, whatever their checkpoint last said.
            let former = task
                .run
                .as_deref()
                .and_then(|run| runs.get(run)?.checkpoint?.agent_id.as_deref())
                .is_some_and(|id| {
                    witnesses.present_agent_id().is_some_and(|present| present != id)
                });
            if !over && !former && seen.insert(name(task)) {
                tasks.push(task);
            }
        }
    }
    tasks
}

impl Witnesses<'_> {
    /// Agent id the host's agent has now: the API's while it is up, else `meta/slaves/latest`.
    fn present_agent_id(&self) -> Option<&str> {
        let api = self.api.agent.as_ref().and_then(|agent| agent.id.as_deref());
        if self.api.up && api.is_some() { api } else { self.checkpoint.agent_id.as_deref().or(api) }
    }

    /// What the API proves of something it would list, were it there.
    fn api_word(&self, listed: bool, list_was_read: bool) -> Witness {
        match (listed, self.api.up && list_was_read, self.api.authority) {
            (true, ..) => Witness::Claims,
            (false, true, Authority::Whole) => Witness::Denies,
            _ => Witness::Silent,
        }
    }
}

/// Which containers run, as far as anything shows.
struct Live {
    containers: HashMap<String, bool>,
}

impl Live {
    fn new(sandboxes: &[Sandbox]) -> Self {
        let containers = sandboxes
            .iter()
            .filter_map(|sandbox| {
                let listed =
                    sandbox.api == Witness::Claims || sandbox.checkpoint == Witness::Claims;
                let running = if sandbox.completed || sandbox.current_agent == Some(false) {
                    Some(false)
                } else {
                    sandbox.running.or(listed.then_some(true))
                };
                Some((sandbox.key.container.clone(), running?))
            })
            .collect();
        Self { containers }
    }

    fn is_running(&self, container: &str) -> Option<bool> {
        self.containers.get(container).copied()
    }
}

fn disagreements(witnesses: &Witnesses<'_>, volumes: &[Volume]) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let api_id = witnesses.api.agent.as_ref().and_then(|agent| agent.id.as_deref());
    if let (true, Some(api), Some(meta)) =
        (witnesses.api.up, api_id, witnesses.checkpoint.agent_id.as_deref())
        && api != meta
    {
        found.push(Disagreement {
            subject: "agent id".into(),
            message: format!(
                "the API says {api}, meta/slaves/latest says {meta}: is {} the work directory of \
                 the agent at {}?",
                witnesses.work_dir.display(),
                witnesses.api.url
            ),
        });
    }
    for volume in volumes {
        let (has, lacks) = match (volume.claims.api, volume.claims.checkpoint) {
            (Witness::Claims, Witness::Denies) => ("the agent's API", "its checkpoint"),
            (Witness::Denies, Witness::Claims) => ("the agent's checkpoint", "its API"),
            _ => continue,
        };
        found.push(Disagreement {
            subject: format!("volume {} of role {}", volume.key.volume, volume.key.role),
            message: format!("{has} lists it, {lacks} does not"),
        });
    }
    found
}
