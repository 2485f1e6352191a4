//! Executors, their runs and the runs' tasks, below one framework of one agent id.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use super::{corrupt, many, message, or_note, resources, text_file};
use crate::discover::dirs::{DirError, Folder, Names, present};
use crate::discover::mesos::external;
use crate::discover::mesos::facts::{ExecutorFacts, TaskFacts};
use crate::discover::mesos::proto::{self, TaskState, executor_info, status_update_record};
use crate::host::names::escape_name;
use crate::model::SourceError;

/// Containers deeper than this are taken for a fault of the file.
const MAX_NESTING: usize = 32;

/// What was found so far, and what went wrong.
#[derive(Default)]
pub(super) struct Found {
    pub(super) executors: Vec<ExecutorFacts>,
    pub(super) tasks: Vec<TaskFacts>,
    pub(super) errors: Vec<SourceError>,
    /// A whole directory could not be read.
    pub(super) hidden: bool,
    pub(super) executors_partial: bool,
    pub(super) tasks_partial: bool,
}

/// Where we are.
pub(super) struct Place {
    pub(super) agent: String,
    pub(super) framework: String,
    /// The agent id is not the present one.
    pub(super) former: bool,
}

/// Reads every executor of a framework.
pub(super) fn read(framework: &Folder, place: &Place, found: &mut Found) {
    let Some((folder, names)) = found.listing(framework, "executors") else {
        return;
    };
    for name in names {
        if let Some(executor) = found.take(present(folder.child(&name))).flatten() {
            read_executor(&executor, &name, place, found);
        }
    }
}

impl Found {
    /// The value; an error is noted, and that something is hidden behind it.
    pub(super) fn take<T>(&mut self, result: Result<T, DirError>) -> Option<T> {
        let value = or_note(result, &mut self.errors);
        self.hidden |= value.is_none();
        value
    }

    /// A folder in another one, and the directories in it; absent when it is not there.
    pub(super) fn listing(
        &mut self,
        folder: &Folder,
        name: &str,
    ) -> Option<(Folder, Vec<OsString>)> {
        let child = self.take(present(folder.child(OsStr::new(name)))).flatten()?;
        let names = self.take(present(child.names())).flatten()?;
        let directories = self.directories(&child, names);
        Some((child, directories))
    }

    /// The directories of a listing. A link among them, but for `latest`, hides what it leads to.
    pub(super) fn directories(&mut self, folder: &Folder, names: Names) -> Vec<OsString> {
        for link in names.links.iter().filter(|name| *name != "latest") {
            let refused = folder.child(link).map(|_| ());
            self.take(refused);
        }
        names.directories
    }
}

fn read_executor(folder: &Folder, name: &OsStr, place: &Place, found: &mut Found) {
    let template = describe(folder, name, place, found);
    let Some((runs, names)) = found.listing(folder, "runs") else { return };
    for container in names {
        let Some(run) = found.take(present(runs.child(&container))).flatten() else { continue };
        let Some(completed) = found.take(run.has("executor.sentinel")) else { continue };
        let facts = ExecutorFacts {
            container: Some(escape_name(&container)),
            completed,
            ..template.clone()
        };
        read_tasks(&run, &facts, place, found);
        found.executors.push(facts);
    }
}

/// What is the same for all runs of an executor.
fn describe(folder: &Folder, name: &OsStr, place: &Place, found: &mut Found) -> ExecutorFacts {
    let mut facts = ExecutorFacts {
        framework: place.framework.clone(),
        executor: escape_name(name),
        agent_id: Some(place.agent.clone()),
        ..ExecutorFacts::default()
    };
    let file = "executor_generated_for_command_task";
    facts.command_executor = match text_file(folder, file, &mut found.errors).as_deref() {
        Some("1") => Some(true),
        Some("0") => Some(false),
        _ => None,
    };
    let info = message::<proto::ExecutorInfo>(folder, "executor.info", &mut found.errors);
    found.executors_partial |= info.is_none();
    let Some(info) = info.flatten() else { return facts };
    facts.default_executor = info.r#type == Some(executor_info::Type::Default as i32);
    // Without a container description the Mesos containerizer takes it.
    facts.docker = Some(info.container.as_ref().is_some_and(external::is_docker));
    facts.external = info.container.as_ref().map(external::volumes).unwrap_or_default();
    match resources(folder, "executor.info", info.resources, &mut found.errors) {
        Some(resources) => {
            facts.role = resources.iter().find_map(|resource| resource.allocated_to.clone());
            facts.resources = resources;
        }
        None => found.executors_partial = true,
    }
    facts
}

fn read_tasks(run: &Folder, executor: &ExecutorFacts, place: &Place, found: &mut Found) {
    let Some((tasks, names)) = found.listing(run, "tasks") else { return };
    for name in names {
        let Some(folder) = found.take(present(tasks.child(&name))).flatten() else { continue };
        let Some(info) = message::<proto::Task>(&folder, "task.info", &mut found.errors) else {
            found.tasks_partial = true;
            continue;
        };
        // The directory is made before the file.
        let Some(info) = info else { continue };
        let list = resources(&folder, "task.info", info.resources, &mut found.errors);
        let Some(resources) = list else {
            found.tasks_partial = true;
            continue;
        };
        let newest = newest(&folder, &mut found.errors);
        let docker = info.container.as_ref().is_some_and(external::is_docker);
        found.tasks.push(TaskFacts {
            framework: executor.framework.clone(),
            executor: executor.executor.clone(),
            run: executor.container.clone(),
            id: escape_name(&name),
            name: info.name.unwrap_or_default(),
            terminal: executor.completed || place.former || newest.terminal,
            resources,
            container: newest.container,
            // A task without a container of its own runs in that of its executor.
            docker: if docker { Some(true) } else { executor.docker },
            external: info.container.as_ref().map(external::volumes).unwrap_or_default(),
        });
    }
}

/// What the status updates of a task say in the end.
#[derive(Default)]
struct Newest {
    terminal: bool,
    container: Option<String>,
}

fn newest(folder: &Folder, errors: &mut Vec<SourceError>) -> Newest {
    let name = "task.updates";
    let mut patience = 1;
    loop {
        let Some(bytes) = or_note(present(folder.read(name, super::MAX_FILE)), errors).flatten()
        else {
            return Newest::default();
        };
        let mut newest = Newest::default();
        let result = many(&bytes, |record| note(record, &mut newest));
        match result {
            Ok(()) => return newest,
            // The agent appends length and message in two writes: look once more before
            // calling it torn.
            Err(error) if error.torn() && patience > 0 => {
                patience -= 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => {
                errors.push(corrupt(folder, name, &error.to_string()));
                return newest;
            }
        }
    }
}

fn note(record: proto::StatusUpdateRecord, newest: &mut Newest) {
    let update = status_update_record::Type::Update as i32;
    let Some(status) =
        record.update.filter(|_| record.r#type == Some(update)).and_then(|update| update.status)
    else {
        return;
    };
    newest.terminal =
        status.state.and_then(|state| TaskState::try_from(state).ok()).is_some_and(is_terminal);
    let container = status.container_status.and_then(|status| status.container_id);
    if let Some(id) = container.and_then(|id| dotted(&id)) {
        newest.container = Some(id);
    }
}

/// The states after which a task runs no more (`isTerminalState` of `protobuf_utils.cpp`).
fn is_terminal(state: TaskState) -> bool {
    use TaskState::*;
    match state {
        TaskFinished | TaskFailed | TaskKilled | TaskLost | TaskError | TaskDropped | TaskGone
        | TaskGoneByOperator => true,
        TaskStaging | TaskStarting | TaskRunning | TaskKilling | TaskUnreachable | TaskUnknown => {
            false
        }
    }
}

/// A container id with its parents before it, joined with dots.
fn dotted(id: &proto::ContainerId) -> Option<String> {
    let mut parts = Vec::new();
    let mut next = Some(id);
    while let Some(id) = next {
        if parts.len() == MAX_NESTING {
            return None;
        }
        parts.push(id.value.as_deref()?);
        next = id.parent.as_deref();
    }
    parts.reverse();
    Some(parts.join("."))
}
