//! The v1 calls, and `/containers` where they are refused.
//!
//! Source: `include/mesos/v1/agent/agent.proto`. A list that would be empty may be left out, so
//! the answer's `type` is what shows that the call was understood.

use serde::Deserialize;

use super::super::facts::{AgentFacts, ContainerFacts, ExecutorFacts, TaskFacts};
use super::container::ContainerJson;
use super::json::{
    ContainerId, ContainerStatus, Id, ParseError, Status, is_terminal, newest_container, parse,
    whole_number,
};
use super::resource::{ResourceJson, resources};
use crate::model::Resource;

/// Call and body of GET_TASKS.
pub const GET_TASKS: (&str, &str) = ("GET_TASKS", r#"{"type":"GET_TASKS"}"#);
/// Call and body of GET_EXECUTORS.
pub const GET_EXECUTORS: (&str, &str) = ("GET_EXECUTORS", r#"{"type":"GET_EXECUTORS"}"#);
/// Call and body of GET_AGENT.
pub const GET_AGENT: (&str, &str) = ("GET_AGENT", r#"{"type":"GET_AGENT"}"#);
/// Call and body of GET_CONTAINERS, nested and standalone ones too.
pub const GET_CONTAINERS: (&str, &str) = (
    "GET_CONTAINERS",
    r#"{"type":"GET_CONTAINERS","get_containers":{"show_nested":true,"show_standalone":true}}"#,
);

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: String,
    get_tasks: Option<TasksJson>,
    get_executors: Option<ExecutorsJson>,
    get_containers: Option<ContainersJson>,
    get_agent: Option<AgentJson>,
}

fn answer(body: &[u8], call: &str) -> Result<Answer, ParseError> {
    let answer: Answer = parse(body)?;
    if answer.kind != call {
        let kind = &answer.kind;
        return Err(ParseError::new(format!("{call} was answered with {kind:?}")));
    }
    Ok(answer)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TasksJson {
    pending_tasks: Vec<TaskJson>,
    queued_tasks: Vec<TaskJson>,
    launched_tasks: Vec<TaskJson>,
    terminated_tasks: Vec<TaskJson>,
    completed_tasks: Vec<TaskJson>,
}

#[derive(Deserialize)]
struct TaskJson {
    task_id: Id,
    framework_id: Id,
    executor_id: Option<Id>,
    #[serde(default)]
    name: String,
    state: String,
    #[serde(default)]
    resources: Vec<ResourceJson>,
    #[serde(default)]
    statuses: Vec<Status>,
    container: Option<ContainerJson>,
}

/// Parses GET_TASKS: tasks with their whole resources. `run` is known once a task has a status.
pub fn parse_tasks(body: &[u8]) -> Result<Vec<TaskFacts>, ParseError> {
    let lists = answer(body, "GET_TASKS")?.get_tasks.unwrap_or_default();
    let live = lists.launched_tasks.into_iter().chain(lists.queued_tasks);
    let live = live.chain(lists.pending_tasks).map(|task| (task, false));
    let over = lists.terminated_tasks.into_iter().chain(lists.completed_tasks);
    live.chain(over.map(|task| (task, true))).map(|(task, over)| convert_task(task, over)).collect()
}

fn convert_task(json: TaskJson, over: bool) -> Result<TaskFacts, ParseError> {
    let id = json.task_id.into_string();
    let executor = json.executor_id.map(Id::into_string).filter(|executor| !executor.is_empty());
    let container = newest_container(&json.statuses);
    Ok(TaskFacts {
        framework: json.framework_id.into_string(),
        // The executor of a command task bears the task's id and is not named.
        executor: executor.unwrap_or_else(|| id.clone()),
        run: container.map(|container| container.root().to_owned()),
        name: json.name,
        terminal: over || is_terminal(&json.state),
        resources: resources(json.resources)
            .map_err(|error| ParseError::new(format!("task {id}: {error}")))?,
        container: container.map(ContainerId::dotted),
        docker: Some(json.container.as_ref().is_some_and(ContainerJson::is_docker)),
        external: json.container.map(|container| container.external()).unwrap_or_default(),
        id,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExecutorsJson {
    executors: Vec<ExecutorJson>,
    completed_executors: Vec<ExecutorJson>,
}

#[derive(Deserialize)]
struct ExecutorJson {
    executor_info: ExecutorInfoJson,
}

#[derive(Deserialize)]
struct ExecutorInfoJson {
    #[serde(rename = "type")]
    kind: Option<String>,
    executor_id: Id,
    framework_id: Id,
    #[serde(default)]
    resources: Vec<ResourceJson>,
    container: Option<ContainerJson>,
}

/// Parses GET_EXECUTORS: executors with their own resources, without container and directory.
pub fn parse_executors(body: &[u8]) -> Result<Vec<ExecutorFacts>, ParseError> {
    let lists = answer(body, "GET_EXECUTORS")?.get_executors.unwrap_or_default();
    let live = lists.executors.into_iter().map(|executor| (executor, false));
    let over = lists.completed_executors.into_iter().map(|executor| (executor, true));
    live.chain(over).map(|(json, over)| convert_executor(json.executor_info, over)).collect()
}

fn convert_executor(json: ExecutorInfoJson, completed: bool) -> Result<ExecutorFacts, ParseError> {
    let executor = json.executor_id.into_string();
    let resources = resources(json.resources)
        .map_err(|error| ParseError::new(format!("executor {executor}: {error}")))?;
    let default_executor = json.kind.as_deref() == Some("DEFAULT");
    Ok(ExecutorFacts {
        framework: json.framework_id.into_string(),
        executor,
        default_executor,
        command_executor: default_executor.then_some(false),
        docker: Some(json.container.as_ref().is_some_and(ContainerJson::is_docker)),
        completed,
        role: resources.iter().find_map(|resource| resource.allocated_to.clone()),
        resources,
        external: json.container.map(|container| container.external()).unwrap_or_default(),
        ..ExecutorFacts::default()
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainersJson {
    containers: Vec<ContainerEntry>,
}

/// An entry of GET_CONTAINERS, or of `/containers`, where ids are text and two names differ.
#[derive(Deserialize)]
struct ContainerEntry {
    container_id: EntryId,
    framework_id: Option<Id>,
    executor_id: Option<Id>,
    #[serde(alias = "status")]
    container_status: Option<ContainerStatus>,
    #[serde(alias = "statistics")]
    resource_statistics: Option<StatisticsJson>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EntryId {
    Text(String),
    Object(ContainerId),
}

#[derive(Deserialize)]
struct StatisticsJson {
    #[serde(default, deserialize_with = "whole_number")]
    disk_limit_bytes: Option<u64>,
}

/// Parses GET_CONTAINERS.
pub fn parse_containers(body: &[u8]) -> Result<Vec<ContainerFacts>, ParseError> {
    let list = answer(body, "GET_CONTAINERS")?.get_containers.unwrap_or_default();
    Ok(list.containers.into_iter().map(convert_container).collect())
}

/// Parses `/containers`: executors' own containers only.
pub fn parse_containers_v0(body: &[u8]) -> Result<Vec<ContainerFacts>, ParseError> {
    let list: Vec<ContainerEntry> = parse(body)?;
    Ok(list.into_iter().map(convert_container).collect())
}

fn convert_container(entry: ContainerEntry) -> ContainerFacts {
    let listed = match entry.container_id {
        EntryId::Text(value) => ContainerId { value, parent: None },
        EntryId::Object(id) => id,
    };
    // Mesos 1.12 leaves the parent out of a nested container's own id; its status has it.
    let status = entry.container_status;
    let full = status.as_ref().and_then(|status| status.container_id.as_ref());
    let container = match full {
        Some(full) if full.value == listed.value => full.dotted(),
        _ => listed.dotted(),
    };
    ContainerFacts {
        container,
        framework: entry.framework_id.map(Id::into_string),
        executor: entry.executor_id.map(Id::into_string),
        pid: status.and_then(|status| status.executor_pid),
        disk_limit_bytes: entry.resource_statistics.and_then(|entry| entry.disk_limit_bytes),
    }
}

#[derive(Deserialize)]
struct AgentJson {
    agent_info: AgentInfoJson,
}

#[derive(Deserialize)]
struct AgentInfoJson {
    hostname: Option<String>,
    id: Option<Id>,
    #[serde(default)]
    resources: Vec<ResourceJson>,
}

/// Parses GET_AGENT: who the agent is, and its static resources (the disks).
pub fn parse_agent(body: &[u8]) -> Result<(AgentFacts, Vec<Resource>), ParseError> {
    let info = answer(body, "GET_AGENT")?
        .get_agent
        .ok_or_else(|| ParseError::new("GET_AGENT: there is no get_agent in it"))?
        .agent_info;
    let agent = AgentFacts {
        id: info.id.map(Id::into_string).filter(|id| !id.is_empty()),
        hostname: info.hostname,
        ..AgentFacts::default()
    };
    Ok((agent, resources(info.resources)?))
}
