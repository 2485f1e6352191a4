//! `/state` of the agent.
//!
//! Source: `src/slave/http.cpp`, `Http::state`; `src/common/http.cpp` for tasks. Numbers of tasks
//! and executors are sums; only the agent's own resources are whole objects here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::super::facts::{AgentFacts, ExecutorFacts, FrameworkFacts, TaskFacts};
use super::container::ContainerJson;
use super::flags::shown;
use super::json::{Id, ParseError, Status, is_terminal, newest_container, parse, text_of};
use super::resource::{ResourceJson, resources};
use crate::model::Resource;

/// What `/state` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateAnswer {
    /// Who the agent is. Its id is absent while it recovers or was never registered.
    pub agent: AgentFacts,
    /// Flags, when the asker may see them. Secrets are hidden.
    pub flags: Option<BTreeMap<String, String>>,
    /// Reserved and unreserved resources, volumes among them; absent from agents before 1.0.
    pub resources: Option<Vec<Resource>>,
    /// Frameworks, live and completed.
    pub frameworks: Vec<FrameworkFacts>,
    /// Executors, live and completed. Their resources are not told here.
    pub executors: Vec<ExecutorFacts>,
    /// Tasks, live and terminal. Their resources are not told here.
    pub tasks: Vec<TaskFacts>,
    /// The sums do not add up: something is there that the asker may not see.
    pub filtered: bool,
}

#[derive(Deserialize)]
struct StateJson {
    id: String,
    version: Option<String>,
    hostname: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    flags: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    resources: Sums,
    #[serde(default)]
    reserved_resources: BTreeMap<String, Sums>,
    #[serde(default)]
    unreserved_resources: Sums,
    #[serde(default)]
    reserved_resources_allocated: BTreeMap<String, Sums>,
    #[serde(default)]
    unreserved_resources_allocated: Sums,
    reserved_resources_full: Option<BTreeMap<String, Vec<ResourceJson>>>,
    unreserved_resources_full: Option<Vec<ResourceJson>>,
    frameworks: Vec<FrameworkJson>,
    #[serde(default)]
    completed_frameworks: Vec<FrameworkJson>,
}

/// Amounts by name; ports are text.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Sums(BTreeMap<String, Value>);

impl Sums {
    fn get(&self, name: &str) -> f64 {
        self.0.get(name).and_then(Value::as_f64).unwrap_or(0.0)
    }
}

#[derive(Deserialize)]
struct FrameworkJson {
    id: String,
    #[serde(default)]
    name: String,
    role: Option<String>,
    roles: Option<Vec<String>>,
    principal: Option<String>,
    checkpoint: Option<bool>,
    #[serde(default)]
    executors: Vec<ExecutorJson>,
    #[serde(default)]
    completed_executors: Vec<ExecutorJson>,
}

#[derive(Deserialize)]
struct ExecutorJson {
    id: String,
    container: Option<String>,
    directory: Option<PathBuf>,
    #[serde(default)]
    resources: Sums,
    role: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    tasks: Vec<TaskJson>,
    #[serde(default)]
    queued_tasks: Vec<TaskJson>,
    #[serde(default)]
    completed_tasks: Vec<TaskJson>,
}

#[derive(Deserialize)]
struct TaskJson {
    // A queued task is written as a TaskInfo.
    #[serde(alias = "task_id")]
    id: Id,
    #[serde(default)]
    name: String,
    executor_id: Option<Id>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    statuses: Vec<Status>,
    container: Option<ContainerJson>,
}

/// Parses the answer of `/state`.
pub fn parse_state(body: &[u8]) -> Result<StateAnswer, ParseError> {
    let json: StateJson = parse(body)?;
    let filtered = json.hides_something();
    let mut answer = StateAnswer {
        agent: AgentFacts {
            id: Some(json.id).filter(|id| !id.is_empty()),
            hostname: json.hostname,
            version: json.version,
            attributes: json.attributes.into_iter().map(|(k, v)| (k, text_of(v))).collect(),
        },
        flags: json.flags.map(shown),
        resources: None,
        filtered,
        ..StateAnswer::default()
    };
    if let (Some(reserved), Some(unreserved)) =
        (json.reserved_resources_full, json.unreserved_resources_full)
    {
        let all = reserved.into_values().flatten().chain(unreserved).collect();
        answer.resources = Some(resources(all)?);
    }
    let live = json.frameworks.into_iter().map(|framework| (framework, false));
    let over = json.completed_frameworks.into_iter().map(|framework| (framework, true));
    for (framework, completed) in live.chain(over) {
        answer.add_framework(framework, completed);
    }
    Ok(answer)
}

impl StateJson {
    /// The agent's totals are not filtered, the lists are: a role or executor that the asker may
    /// not see leaves a gap between them. Shared volumes are counted once in what is allocated
    /// and once for each user in what executors hold, so only a surplus of the former tells. (A
    /// task that waits for its executor makes one too, for a moment: that round is then taken
    /// for filtered, which costs nothing but certainty.)
    fn hides_something(&self) -> bool {
        let executors = || self.frameworks.iter().flat_map(|framework| &framework.executors);
        ["cpus", "mem", "disk"].iter().any(|name| {
            let shown = self.unreserved_resources.get(name)
                + self.reserved_resources.values().map(|sums| sums.get(name)).sum::<f64>();
            let allocated = self.unreserved_resources_allocated.get(name)
                + self.reserved_resources_allocated.values().map(|s| s.get(name)).sum::<f64>();
            let held = executors().map(|executor| executor.resources.get(name)).sum::<f64>();
            // Mesos computes with thousandths.
            let gap = |whole: f64, part: f64| whole - part > 0.0005 * (1.0 + part.abs());
            gap(self.resources.get(name), shown) || gap(allocated, held)
        })
    }
}

impl StateAnswer {
    fn add_framework(&mut self, json: FrameworkJson, completed: bool) {
        let roles = json.roles.unwrap_or_else(|| json.role.into_iter().collect());
        for executor in json.executors {
            self.add_executor(&json.id, executor, completed);
        }
        for executor in json.completed_executors {
            self.add_executor(&json.id, executor, true);
        }
        self.frameworks.push(FrameworkFacts {
            id: json.id,
            name: json.name,
            roles,
            principal: json.principal,
            checkpoint: json.checkpoint,
        });
    }

    fn add_executor(&mut self, framework: &str, json: ExecutorJson, completed: bool) {
        let default_executor = json.kind.as_deref() == Some("DEFAULT");
        let mut command = default_executor.then_some(false);
        let mut docker = None;
        let run = json.container.filter(|container| !container.is_empty());
        let live = json.tasks.into_iter().chain(json.queued_tasks).map(|task| (task, false));
        let over = json.completed_tasks.into_iter().map(|task| (task, true));
        for (task, over) in live.chain(over) {
            // Tasks of an executor the agent made for them name none.
            let own = task.executor_id.is_none_or(|id| id.into_string().is_empty());
            command = command.or(Some(own));
            let in_docker = task.container.as_ref().is_some_and(ContainerJson::is_docker);
            if own {
                docker = Some(in_docker);
            }
            self.tasks.push(TaskFacts {
                framework: framework.to_owned(),
                executor: json.id.clone(),
                run: run.clone(),
                id: task.id.into_string(),
                name: task.name,
                terminal: over || completed || is_terminal(&task.state),
                resources: Vec::new(),
                container: newest_container(&task.statuses).map(|id| id.dotted()),
                docker: Some(in_docker),
                external: task.container.map(|info| info.external()).unwrap_or_default(),
            });
        }
        self.executors.push(ExecutorFacts {
            framework: framework.to_owned(),
            executor: json.id,
            container: run,
            agent_id: self.agent.id.clone(),
            directory: json.directory,
            default_executor,
            command_executor: command,
            docker,
            completed,
            resources: Vec::new(),
            role: json.role,
            disk_with_volumes: Some(json.resources.get("disk")),
            external: Vec::new(),
        });
    }
}
