//! Containers that a Mesos agent started belong to its tasks: they are not shown twice.
//!
//! Source: Mesos `src/slave/containerizer/docker.cpp` (`DOCKER_NAME_PREFIX`): the container of a
//! task is `mesos-<container id>`, before 1.0 `mesos-<agent id>.<container id>`; an executor in a
//! container of its own has `.executor` at the end.

use std::collections::HashMap;

use crate::discover::Round;
use crate::model::{ContainerRef, Containerizer, Holder, Presence, Sandbox, VolumeKind};

/// Moves what Docker knows of the agent's containers to the agent's sandboxes: the writable layer,
/// and who holds which volume.
pub fn join_tasks(mesos: &mut Round, docker: &mut Round) {
    let runs: HashMap<String, usize> = mesos
        .sandboxes
        .iter()
        .enumerate()
        .map(|(index, sandbox)| (sandbox.key.container.clone(), index))
        .collect();
    let mut owner: HashMap<String, usize> = HashMap::new();
    for sandbox in &docker.sandboxes {
        let run = mesos_container(&sandbox.key.executor).and_then(|id| runs.get(id));
        if let Some(run) = run {
            owner.insert(sandbox.key.container.clone(), *run);
        }
    }
    docker.sandboxes.retain(|container| {
        let Some(run) = owner.get(&container.key.container) else { return true };
        let sandbox = &mut mesos.sandboxes[*run];
        sandbox.containerizer = Some(Containerizer::Docker);
        let known = sandbox.extra_paths.contains(&container.path);
        if container.presence == Presence::Present && !known {
            sandbox.extra_paths.push(container.path.clone());
        }
        false
    });
    for volume in &mut docker.volumes {
        for holder in &mut volume.holders {
            if let Some(run) = owner.get(&holder.container) {
                *holder = held_by(&mesos.sandboxes[*run], holder);
            }
        }
        volume.holders.sort();
        volume.holders.dedup();
    }
    docker.containers = docker.sandboxes.iter().filter_map(group).collect();
    // The sandbox itself is mounted into its container.
    docker.volumes.retain(|volume| {
        volume.kind != VolumeKind::HostPath
            || !volume.holders.iter().any(|holder| {
                let run = runs.get(&holder.container);
                run.is_some_and(|run| {
                    volume.path.as_deref() == Some(mesos.sandboxes[*run].path.as_path())
                })
            })
    });
}

/// Where the control group of a running container is found.
fn group(sandbox: &Sandbox) -> Option<ContainerRef> {
    let engine = sandbox.engine.as_ref().filter(|_| sandbox.running == Some(true))?;
    let id = &sandbox.key.container;
    Some(ContainerRef {
        key: sandbox.key.clone(),
        nested: false,
        pid: engine.pid,
        group: None,
        directory: vec![id.clone(), format!("docker-{id}.scope"), format!("libpod-{id}.scope")],
    })
}

/// The Mesos container behind a name.
fn mesos_container(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("mesos-")?;
    let rest = rest.strip_suffix(".executor").unwrap_or(rest);
    rest.rsplit('.').next().filter(|id| !id.is_empty())
}

fn held_by(sandbox: &Sandbox, holder: &Holder) -> Holder {
    let task = match &sandbox.tasks[..] {
        [task] => task.id.clone(),
        _ => String::new(),
    };
    Holder {
        framework: sandbox.key.framework.clone(),
        framework_name: sandbox.framework_name.clone(),
        executor: sandbox.key.executor.clone(),
        task,
        container: sandbox.key.container.clone(),
        container_path: holder.container_path.clone(),
        read_only: holder.read_only,
        sees: holder.sees,
    }
}

#[cfg(test)]
mod names {
    use super::mesos_container;

    #[test]
    fn of_every_version() {
        let id = "54be4e5e-36e6-4d5e-a3a5-f0c9a44a0cd4";
        for name in [
            format!("mesos-{id}"),
            format!("mesos-{id}.executor"),
            format!("mesos-0a1b-S3.{id}"),
            format!("mesos-0a1b-S3.{id}.executor"),
        ] {
            assert_eq!(mesos_container(&name), Some(id), "{name}");
        }
        for name in ["mesos-", "postgres", "my-mesos-x", ""] {
            assert_eq!(mesos_container(name), None, "{name}");
        }
    }
}
