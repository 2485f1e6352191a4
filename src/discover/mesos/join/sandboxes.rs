//! Sandboxes: the directories of runs, with what the agent and its checkpoint say of each.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use crate::model::{
    Containerizer, ExecutorKind, Presence, Sandbox, SandboxKey, SandboxKind, SourceKind, TaskRef,
    Witness,
};

use super::super::facts::{ExecutorFacts, RunDir, TaskFacts};
use super::holders::{task_container, top};
use super::{Index, Run, Witnesses};

/// Completed executors the agent keeps for `/state` when it does not say how many.
const DEFAULT_COMPLETED_EXECUTORS: usize = 150;

/// All sandboxes, sorted by key.
pub(super) fn sandboxes(witnesses: &Witnesses<'_>, index: &Index<'_>) -> Vec<Sandbox> {
    let context = Context::new(witnesses, index);
    let mut sandboxes: BTreeMap<SandboxKey, Sandbox> = BTreeMap::new();
    for dir in witnesses.layout.runs.iter().flatten() {
        let sandbox = context.run(dir);
        sandboxes.insert(sandbox.key.clone(), sandbox);
    }
    for dir in witnesses.layout.standalone.iter().flatten() {
        let sandbox = context.standalone(dir);
        sandboxes.insert(sandbox.key.clone(), sandbox);
    }
    // Listed as running, but not on disk. A completed run whose directory is gone was collected:
    // it is no sandbox any more.
    if witnesses.layout.runs.is_some() && !witnesses.layout.runs_partial {
        for run in index.runs.values() {
            if let Some(sandbox) = context.missing(run, &sandboxes) {
                sandboxes.insert(sandbox.key.clone(), sandbox);
            }
        }
    }
    sandboxes.into_values().collect()
}

struct Context<'a> {
    witnesses: &'a Witnesses<'a>,
    index: &'a Index<'a>,
    /// Tasks of both witnesses, by framework and executor.
    tasks: HashMap<(&'a str, &'a str), Vec<&'a TaskFacts>>,
    live_tasks: HashSet<(&'a str, &'a str, &'a str)>,
    docker_tasks: HashMap<(&'a str, &'a str), bool>,
    /// Frameworks whose list of completed executors is full: what is not in it may have been.
    forgetful: HashSet<&'a str>,
    limits: HashMap<&'a str, u64>,
}

impl<'a> Context<'a> {
    fn new(witnesses: &'a Witnesses<'a>, index: &'a Index<'a>) -> Self {
        let mut tasks: HashMap<_, Vec<&TaskFacts>> = HashMap::new();
        let mut docker_tasks = HashMap::new();
        let mut seen = HashSet::new();
        let all = witnesses.api.tasks.iter().chain(&witnesses.checkpoint.tasks).flatten();
        for task in all {
            let executor = (task.framework.as_str(), task.executor.as_str());
            if let Some(docker) = task.docker {
                *docker_tasks.entry(executor).or_insert(false) |= docker;
            }
            if seen.insert((executor, task.id.as_str())) {
                tasks.entry(executor).or_default().push(task);
            }
        }

        let mut completed: HashMap<&str, usize> = HashMap::new();
        for run in witnesses.api.executors.iter().flatten().filter(|run| run.completed) {
            *completed.entry(&run.framework).or_default() += 1;
        }
        let cap = witnesses
            .api
            .flags
            .as_ref()
            .and_then(|flags| flags.get("max_completed_executors_per_framework")?.parse().ok())
            .unwrap_or(DEFAULT_COMPLETED_EXECUTORS);
        let forgetful =
            completed.into_iter().filter(|(_, count)| *count >= cap).map(|(id, _)| id).collect();

        let limits = witnesses
            .api
            .containers
            .iter()
            .flatten()
            .filter_map(|container| {
                // disk/xfs reports 0 for "no limit".
                let limit = container.disk_limit_bytes.filter(|limit| *limit > 0)?;
                Some((container.container.as_str(), limit))
            })
            .collect();
        let live_tasks = index
            .tasks
            .iter()
            .map(|task| (task.framework.as_str(), task.executor.as_str(), task.id.as_str()))
            .collect();
        Self { witnesses, index, tasks, live_tasks, docker_tasks, forgetful, limits }
    }

    fn run(&self, dir: &RunDir) -> Sandbox {
        let run = self.index.runs.get(top(&dir.container));
        let nested = dir.container.contains('.');
        let current_agent = self.witnesses.present_agent_id().map(|id| id == dir.agent_id);
        let key = SandboxKey {
            source: SourceKind::Mesos,
            framework: dir.framework.clone(),
            executor: dir.executor.clone(),
            container: dir.container.clone(),
        };
        let running = self.index.running.get(dir.container.as_str()).copied();
        let top_running = self.index.running.get(top(&dir.container)).copied();
        let over = run.is_some_and(Run::completed);
        let mut sandbox = Sandbox {
            kind: if nested { SandboxKind::Nested } else { SandboxKind::Executor(kind(run)) },
            containerizer: self.containerizer(dir, run, running),
            path: dir.dir.path.clone(),
            presence: Presence::Present,
            agent_id: dir.agent_id.clone(),
            current_agent,
            framework_name: self.index.framework_name(&dir.framework),
            role: role(run),
            tasks: self.tasks_of(dir),
            quota_bytes: None,
            running: if over { Some(false) } else { running.or(self.ended_by_reboot(run)) },
            api: self.api_word(run, &dir.framework),
            checkpoint: self.checkpoint_word(run),
            // A nested container that is not running any more, below one that is, has ended.
            completed: over || (nested && running != Some(true) && top_running == Some(true)),
            extra_paths: self.extra_paths(&dir.container),
            modified: Some(dir.dir.modified),
            engine: None,
            key,
        };
        if !nested && !sandbox.completed && current_agent != Some(false) {
            sandbox.quota_bytes = self.quota(&sandbox.key, run);
        }
        sandbox
    }

    fn standalone(&self, dir: &RunDir) -> Sandbox {
        let nested = dir.container.contains('.');
        let running = self.index.running.get(dir.container.as_str()).copied();
        // Both lists of running containers were read: what is in neither has ended.
        let both_read = self.runtime_is_whole() || self.containers_are_whole();
        Sandbox {
            key: SandboxKey {
                source: SourceKind::Mesos,
                framework: String::new(),
                executor: String::new(),
                container: dir.container.clone(),
            },
            kind: if nested { SandboxKind::Nested } else { SandboxKind::Standalone },
            containerizer: Some(Containerizer::Mesos),
            path: dir.dir.path.clone(),
            presence: Presence::Present,
            agent_id: String::new(),
            current_agent: None,
            framework_name: String::new(),
            role: String::new(),
            tasks: Vec::new(),
            quota_bytes: None,
            running: running.or(both_read.then_some(false)),
            api: Witness::Silent,
            checkpoint: Witness::Silent,
            completed: nested && running.is_none() && both_read,
            extra_paths: self.extra_paths(&dir.container),
            modified: Some(dir.dir.modified),
            engine: None,
        }
    }

    /// A run that should be on disk and is not.
    fn missing(&self, run: &Run<'_>, present: &BTreeMap<SandboxKey, Sandbox>) -> Option<Sandbox> {
        let facts = run.both().next()?;
        let container = facts.container.clone()?;
        let key = SandboxKey {
            source: SourceKind::Mesos,
            framework: facts.framework.clone(),
            executor: facts.executor.clone(),
            container,
        };
        let agent_id = facts
            .agent_id
            .clone()
            .or_else(|| self.witnesses.present_agent_id().map(str::to_string))?;
        let current = self.witnesses.present_agent_id() == Some(&agent_id);
        let claimed_now = run.api.is_some() || !self.witnesses.api.up;
        if run.completed() || present.contains_key(&key) || !current || !claimed_now {
            return None;
        }
        let path = facts.directory.clone().unwrap_or_else(|| {
            let names = ["slaves", &agent_id, "frameworks", &key.framework, "executors"];
            let work_dir = self.witnesses.work_dir.to_path_buf();
            let run_dir = [key.executor.as_str(), "runs", &key.container];
            names.iter().chain(&run_dir).fold(work_dir, |path, name| path.join(name))
        });
        Some(Sandbox {
            kind: SandboxKind::Executor(kind(Some(run))),
            containerizer: None,
            path,
            presence: Presence::Missing,
            agent_id,
            current_agent: Some(true),
            framework_name: self.index.framework_name(&key.framework),
            role: role(Some(run)),
            tasks: Vec::new(),
            quota_bytes: self.quota(&key, Some(run)),
            running: self.index.running.get(key.container.as_str()).copied(),
            api: self.api_word(Some(run), &key.framework),
            checkpoint: self.checkpoint_word(Some(run)),
            completed: false,
            extra_paths: Vec::new(),
            modified: None,
            engine: None,
            key,
        })
    }

    fn api_word(&self, run: Option<&Run<'_>>, framework: &str) -> Witness {
        let listed = run.is_some_and(|run| run.api.is_some());
        let word = self.witnesses.api_word(listed, self.witnesses.api.executors.is_some());
        if word == Witness::Denies && self.forgetful.contains(framework) {
            return Witness::Silent;
        }
        word
    }

    fn checkpoint_word(&self, run: Option<&Run<'_>>) -> Witness {
        match (&self.witnesses.checkpoint.executors, run.and_then(|run| run.checkpoint)) {
            (_, Some(_)) => Witness::Claims,
            (Some(_), None) if !self.witnesses.checkpoint.executors_partial => Witness::Denies,
            _ => Witness::Silent,
        }
    }

    fn containers_are_whole(&self) -> bool {
        let api = self.witnesses.api;
        api.containers_are_whole
            && self.witnesses.api_word(false, api.containers.is_some()) == Witness::Denies
    }

    /// The checkpoint says it runs, but that was before the host was booted.
    fn ended_by_reboot(&self, run: Option<&Run<'_>>) -> Option<bool> {
        let only_checkpoint = run.is_some_and(|run| run.api.is_none() && run.checkpoint.is_some());
        (self.witnesses.rebooted && only_checkpoint).then_some(false)
    }

    fn containerizer(
        &self,
        dir: &RunDir,
        run: Option<&Run<'_>>,
        running: Option<bool>,
    ) -> Option<Containerizer> {
        let said = run.and_then(|run| run.both().find_map(|facts| facts.docker));
        let by_task =
            self.docker_tasks.get(&(dir.framework.as_str(), dir.executor.as_str())).copied();
        match (said, by_task) {
            (Some(true), _) | (_, Some(true)) => Some(Containerizer::Docker),
            (Some(false), _) | (_, Some(false)) => Some(Containerizer::Mesos),
            // The runtime directory has entries of the Mesos containerizer only.
            _ if running.is_some() && self.in_runtime_dir(&dir.container) => {
                Some(Containerizer::Mesos)
            }
            _ if run.is_some() => Some(Containerizer::Mesos),
            _ => None,
        }
    }

    fn runtime_is_whole(&self) -> bool {
        let runtime = self.witnesses.runtime;
        runtime.containers.is_some() && !runtime.containers_partial
    }

    fn in_runtime_dir(&self, container: &str) -> bool {
        self.witnesses.runtime.containers.iter().flatten().any(|c| c.container == container)
    }

    /// Tasks in this very container: of a pod, each nested container has its own.
    fn tasks_of(&self, dir: &RunDir) -> Vec<TaskRef> {
        let pods: HashMap<&str, &str> =
            dir.tasks.iter().map(|(task, nested)| (task.as_str(), nested.as_str())).collect();
        let of_executor = (dir.framework.as_str(), dir.executor.as_str());
        let mut tasks: Vec<TaskRef> = self
            .tasks
            .get(&of_executor)
            .into_iter()
            .flatten()
            .filter_map(|task| {
                let mut container = task_container(self.index, task);
                if let Some(nested) = pods.get(task.id.as_str())
                    && !container.contains('.')
                {
                    container = format!("{}.{nested}", dir.container);
                }
                let here = match task.run.as_deref() {
                    Some(run) => run == top(&dir.container),
                    None => container.is_empty() || top(&container) == top(&dir.container),
                };
                let whole_run = !dir.container.contains('.');
                let listed = here && (whole_run || container == dir.container);
                listed.then(|| TaskRef {
                    id: task.id.clone(),
                    name: task.name.clone(),
                    container: if container.contains('.') { container } else { String::new() },
                })
            })
            .collect();
        tasks.sort();
        tasks.dedup_by(|a, b| a.id == b.id);
        tasks
    }

    /// `disk` of the executor and its live tasks, volumes not counted: what the isolators allow.
    fn quota(&self, key: &SandboxKey, run: Option<&Run<'_>>) -> Option<u64> {
        let executor = run.and_then(|run| run.both().find(|facts| !facts.resources.is_empty()));
        let tasks: Vec<&&TaskFacts> = self
            .tasks
            .get(&(key.framework.as_str(), key.executor.as_str()))
            .into_iter()
            .flatten()
            .filter(|task| {
                let name = (task.framework.as_str(), task.executor.as_str(), task.id.as_str());
                self.live_tasks.contains(&name)
                    && task.run.as_deref().is_none_or(|run| run == key.container)
            })
            .collect();
        let known = executor.is_some()
            && !tasks.is_empty()
            && tasks.iter().all(|task| !task.resources.is_empty());
        if !known {
            return self.limits.get(key.container.as_str()).copied();
        }
        let resources = executor
            .into_iter()
            .flat_map(|facts: &ExecutorFacts| &facts.resources)
            .chain(tasks.iter().flat_map(|task| &task.resources));
        resources
            .filter(|resource| resource.name == "disk" && resource.persistence().is_none())
            .filter_map(|resource| resource.bytes())
            .reduce(u64::saturating_add)
    }

    /// Upper directories of its overlays, and of the containers nested in it.
    fn extra_paths(&self, container: &str) -> Vec<PathBuf> {
        let nested = format!("{container}.");
        self.witnesses
            .layout
            .upper_dirs
            .iter()
            .filter(|(owner, _)| *owner == container || owner.starts_with(&nested))
            .flat_map(|(_, dirs)| dirs.iter().cloned())
            .collect()
    }
}

fn kind(run: Option<&Run<'_>>) -> Option<ExecutorKind> {
    let run = run?;
    if run.both().any(|facts| facts.default_executor) {
        return Some(ExecutorKind::Default);
    }
    let command = run.both().find_map(|facts| facts.command_executor)?;
    Some(if command { ExecutorKind::Command } else { ExecutorKind::Custom })
}

fn role(run: Option<&Run<'_>>) -> String {
    run.and_then(|run| run.both().find_map(|facts| facts.role.clone())).unwrap_or_default()
}
