//! The agent's checkpoint (`meta/`) and runtime directory, in Mesos' own format: a little-endian
//! `uint32` length before each protobuf message (stout's `protobuf::write`), plain text for the
//! rest. Source: `src/slave/paths.hpp`, `src/slave/state.cpp`.

use std::path::Path;

use prost::Message;

use super::DemoError;
use super::answers::{ATTRIBUTES, HOSTNAME};
use super::cast::{Cast, Executor, Framework, Task};
use super::resources::to_proto;
use super::tree::{link, make_dir, write};
use crate::discover::mesos::proto;
use crate::model::{ReservationKind, Resource};

/// Writes both.
///
/// The pid of every container is this process: it is alive, it is ours, and it stays both exactly
/// as long as the scene does. The tasks are threads of it, so it is even true.
pub fn write_all(cast: &Cast) -> Result<(), DemoError> {
    let meta = cast.work_dir.join("meta");
    let present: Vec<&Framework> = cast.frameworks.iter().collect();
    for (agent, list) in [(&cast.agent_id, present), (&cast.former_agent_id, vec![&cast.former])] {
        let info = slave_info(cast, agent);
        message(&meta.join("slaves").join(agent).join("slave.info"), &info)?;
        for each in list {
            framework(&meta, agent, each)?;
        }
    }
    link(&meta.join("slaves").join(&cast.agent_id), &meta.join("slaves/latest"))?;
    // That of this boot: another one would mean that no container of the checkpoint survived.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    write(&meta.join("boot_id"), boot.trim().as_bytes())?;

    let kept = || cast.reserved.iter().filter(|resource| is_checkpointed(resource));
    let mut framed = Vec::new();
    kept().for_each(|resource| frame(&to_proto(resource, true), &mut framed));
    write(&meta.join("resources/resources.info"), &framed)?;
    let resources = kept().map(|resource| to_proto(resource, false)).collect();
    let state = proto::ResourceState { resources };
    message(&meta.join("resources/resources_and_operations.state"), &state)?;
    runtime(cast)
}

/// Dynamic reservations and volumes: what differs from the agent's own resources.
fn is_checkpointed(resource: &Resource) -> bool {
    resource.persistence().is_some() || resource.reservation_kind() != ReservationKind::Static
}

fn slave_info(cast: &Cast, agent: &str) -> proto::SlaveInfo {
    let attributes = ATTRIBUTES.iter().map(|(name, text)| {
        let text = Some(proto::value::Text { value: Some((*text).to_owned()) });
        let name = Some((*name).to_owned());
        let mut out = proto::Attribute { name, text, ..Default::default() };
        out.set_type(proto::value::Type::Text);
        out
    });
    proto::SlaveInfo {
        hostname: Some(HOSTNAME.to_owned()),
        resources: cast.agent_resources.iter().map(|r| to_proto(r, true)).collect(),
        attributes: attributes.collect(),
        id: Some(proto::SlaveId { value: Some(agent.to_owned()) }),
    }
}

fn framework(meta: &Path, agent: &str, framework: &Framework) -> Result<(), DemoError> {
    let here = meta.join("slaves").join(agent).join("frameworks").join(&framework.id);
    let info = proto::FrameworkInfo {
        name: Some(framework.name.clone()),
        id: Some(framework_id(framework)),
        checkpoint: Some(framework.checkpoint),
        principal: Some(framework.principal.clone()),
        roles: vec![framework.role.clone()],
        ..Default::default()
    };
    message(&here.join("framework.info"), &info)?;
    write(&here.join("framework.pid"), b"@0.0.0.0:0")?;
    for each in &framework.executors {
        executor(meta, agent, framework, each)?;
    }
    Ok(())
}

fn executor(
    meta: &Path,
    agent: &str,
    framework: &Framework,
    executor: &Executor,
) -> Result<(), DemoError> {
    let here = Cast::executor_dir(meta, agent, &framework.id, &executor.id);
    message(&here.join("executor.info"), &executor_info(framework, executor))?;
    let command: &[u8] = if executor.default { b"0" } else { b"1" };
    write(&here.join("executor_generated_for_command_task"), command)?;
    let run = here.join("runs").join(&executor.container);
    write(&run.join("pids/forked.pid"), pid().as_bytes())?;
    if executor.default {
        write(&run.join("http.marker"), b"")?;
    } else {
        write(&run.join("pids/libprocess.pid"), b"executor(1)@127.0.0.1:0")?;
    }
    if executor.completed {
        write(&run.join("executor.sentinel"), b"")?;
    }
    for task in &executor.tasks {
        let here = run.join("tasks").join(&task.id);
        message(&here.join("task.info"), &task_info(agent, framework, executor, task))?;
        let mut updates = Vec::new();
        task_updates(executor, task).iter().for_each(|record| frame(record, &mut updates));
        write(&here.join("task.updates"), &updates)?;
    }
    link(&run, &here.join("runs/latest"))
}

fn framework_id(framework: &Framework) -> proto::FrameworkId {
    proto::FrameworkId { value: Some(framework.id.clone()) }
}

fn executor_info(framework: &Framework, executor: &Executor) -> proto::ExecutorInfo {
    let mut out = proto::ExecutorInfo {
        executor_id: Some(proto::ExecutorId { value: Some(executor.id.clone()) }),
        resources: executor.resources.iter().map(|r| to_proto(r, true)).collect(),
        framework_id: Some(framework_id(framework)),
        ..Default::default()
    };
    if executor.default {
        out.set_type(proto::executor_info::Type::Default);
        let mut container = proto::ContainerInfo::default();
        container.set_type(proto::container_info::Type::Mesos);
        out.container = Some(container);
    } else {
        out.name = Some(executor.name());
    }
    out
}

/// The agent writes this once and never again: its state stays TASK_STAGING.
fn task_info(agent: &str, framework: &Framework, executor: &Executor, task: &Task) -> proto::Task {
    let executor_id = proto::ExecutorId { value: Some(executor.id.clone()) };
    let mut out = proto::Task {
        name: Some(task.name.clone()),
        task_id: Some(proto::TaskId { value: Some(task.id.clone()) }),
        framework_id: Some(framework_id(framework)),
        executor_id: executor.default.then_some(executor_id),
        slave_id: Some(proto::SlaveId { value: Some(agent.to_owned()) }),
        resources: task.resources.iter().map(|r| to_proto(r, true)).collect(),
        ..Default::default()
    };
    out.set_state(proto::TaskState::TaskStaging);
    out
}

/// An update and its acknowledgement for each state the task went through.
fn task_updates(executor: &Executor, task: &Task) -> Vec<proto::StatusUpdateRecord> {
    use proto::status_update_record::Type;
    let record = |state: &proto::TaskState| {
        let mut status = proto::TaskStatus {
            task_id: Some(proto::TaskId { value: Some(task.id.clone()) }),
            container_status: Some(proto::ContainerStatus {
                executor_pid: Some(std::process::id()),
                container_id: Some(container_id(executor, task)),
            }),
            ..Default::default()
        };
        status.set_state(*state);
        let update = Some(proto::StatusUpdate { status: Some(status) });
        let mut update = proto::StatusUpdateRecord { update, ..Default::default() };
        update.set_type(Type::Update);
        let mut ack = proto::StatusUpdateRecord::default();
        ack.set_type(Type::Ack);
        [update, ack]
    };
    executor.states().iter().flat_map(record).collect()
}

fn container_id(executor: &Executor, task: &Task) -> proto::ContainerId {
    let top = proto::ContainerId { value: Some(executor.container.clone()), parent: None };
    match &task.child {
        Some(child) => {
            proto::ContainerId { value: Some(child.clone()), parent: Some(Box::new(top)) }
        }
        None => top,
    }
}

/// `<runtime_dir>/containers/`: one directory for each container that runs.
fn runtime(cast: &Cast) -> Result<(), DemoError> {
    let containers = cast.runtime_dir.join("containers");
    for (framework, executor) in cast.live() {
        let sandbox = cast.sandbox(&cast.agent_id, framework, executor);
        let here = containers.join(&executor.container);
        let config = proto::ContainerConfig {
            executor_info: Some(executor_info(framework, executor)),
            ..config(&sandbox, executor.all_resources())
        };
        container(&here, &config)?;
        for task in &executor.tasks {
            let Some(child) = &task.child else { continue };
            let config = config_of(&sandbox.join("containers").join(child), &task.resources);
            container(&here.join("containers").join(child), &config)?;
        }
    }
    let here = containers.join(&cast.standalone);
    container(&here, &config_of(&cast.standalone_dir(), &[]))?;
    write(&here.join("standalone.marker"), b"")
}

fn config_of(directory: &Path, resources: &[Resource]) -> proto::ContainerConfig {
    config(directory, resources.iter())
}

fn config<'a>(
    directory: &Path,
    resources: impl Iterator<Item = &'a Resource>,
) -> proto::ContainerConfig {
    proto::ContainerConfig {
        directory: Some(directory.to_string_lossy().into_owned()),
        resources: resources.map(|resource| to_proto(resource, false)).collect(),
        ..Default::default()
    }
}

fn container(here: &Path, config: &proto::ContainerConfig) -> Result<(), DemoError> {
    make_dir(here)?;
    message(&here.join("config"), config)?;
    write(&here.join("pid"), pid().as_bytes())?;
    write(&here.join("status"), b"")
}

fn pid() -> String {
    std::process::id().to_string()
}

/// Writes a file of one message.
fn message(path: &Path, message: &impl Message) -> Result<(), DemoError> {
    let mut framed = Vec::new();
    frame(message, &mut framed);
    write(path, &framed)
}

fn frame(message: &impl Message, out: &mut Vec<u8>) {
    let bytes = message.encode_to_vec();
    // These messages are a few kilobytes at most.
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(&bytes);
}
