//! Who uses a volume: tasks and executors that hold its resource, and what is mounted or linked.

use std::collections::HashMap;
use std::path::Path;

use crate::model::{Holder, Resource, Volume, VolumeKey};

use super::super::facts::TaskFacts;
use super::{Index, Live, Witnesses, place, volumes};

/// Holders by volume, from the resources of live tasks and executors, each list sorted.
pub(super) fn by_volume(
    witnesses: &Witnesses<'_>,
    index: &Index<'_>,
    live: &Live,
) -> HashMap<VolumeKey, Vec<Holder>> {
    let mut holders: HashMap<VolumeKey, Vec<Holder>> = HashMap::new();
    for task in &index.tasks {
        let container = task_container(index, task);
        if !container.is_empty() && live.is_running(top(&container)) == Some(false) {
            continue;
        }
        for resource in &task.resources {
            let Some(key) = volumes::key_of(resource) else { continue };
            let mut holder = holder(index, &task.framework, &task.executor, &container, resource);
            holder.task = task.id.clone();
            holders.entry(key).or_default().push(holder);
        }
    }
    for (container, run) in &index.runs {
        let over = run.completed() || live.is_running(container) == Some(false);
        let Some(facts) = run.both().find(|facts| !facts.resources.is_empty()) else { continue };
        if over || !runs_here(witnesses, run) {
            continue;
        }
        for resource in &facts.resources {
            let Some(key) = volumes::key_of(resource) else { continue };
            let holder = holder(index, &facts.framework, &facts.executor, container, resource);
            let list = holders.entry(key).or_default();
            // Where a task of this executor holds it too, the task says more.
            if !list.iter().any(|other| top(&other.container) == *container) {
                list.push(holder);
            }
        }
    }
    for list in holders.values_mut() {
        list.sort();
        list.dedup();
    }
    holders
}

/// Whether the present agent could be running it.
fn runs_here(witnesses: &Witnesses<'_>, run: &super::Run<'_>) -> bool {
    if run.api.is_some() {
        return true;
    }
    let api_is_final = witnesses.api.up
        && witnesses.api.authority == super::Authority::Whole
        && witnesses.api.executors.is_some();
    let here = run
        .checkpoint
        .and_then(|facts| facts.agent_id.as_deref())
        .is_none_or(|id| witnesses.present_agent_id().is_none_or(|present| present == id));
    !api_is_final && here
}

/// Adds a holder for each live container that has the volume mounted or linked, where no task of
/// it is known to hold it (answers filtered, framework without checkpoint).
pub(super) fn add_mount_witnesses(
    witnesses: &Witnesses<'_>,
    index: &Index<'_>,
    live: &Live,
    volumes: &mut [Volume],
) {
    let links = linked(witnesses);
    for volume in volumes {
        let Some(path) = &volume.path else { continue };
        let mounted = volume.mounts.iter().map(|mount| mount.mount_point.as_path());
        let linked = links.get(path.as_path()).into_iter().flatten().map(|link| link.as_path());
        let mut found = Vec::new();
        for place in mounted.chain(linked) {
            let Some(run) = place::run_of_path(witnesses.work_dir, place) else { continue };
            let known = volume
                .holders
                .iter()
                .chain(&found)
                .any(|h: &Holder| top(&h.container) == run.container);
            if known || live.is_running(&run.container) != Some(true) {
                continue;
            }
            found.push(Holder {
                framework_name: index.framework_name(&run.framework),
                framework: run.framework,
                executor: run.executor,
                task: String::new(),
                container: run.container,
                container_path: run.below.display().to_string(),
                read_only: false,
                sees: Default::default(),
            });
        }
        volume.holders.append(&mut found);
        volume.holders.sort();
    }
}

/// Symlinks of the posix isolators: target to the links, as absolute paths.
fn linked<'a>(witnesses: &'a Witnesses<'_>) -> HashMap<&'a Path, Vec<std::path::PathBuf>> {
    let mut links: HashMap<&Path, Vec<_>> = HashMap::new();
    for run in witnesses.layout.runs.iter().flatten() {
        for (link, target) in &run.links {
            links.entry(target).or_default().push(run.dir.path.join(link));
        }
    }
    links
}

fn holder(
    index: &Index<'_>,
    framework: &str,
    executor: &str,
    container: &str,
    resource: &Resource,
) -> Holder {
    let spec = resource.disk.as_ref().and_then(|disk| disk.volume.as_ref());
    Holder {
        framework: framework.to_string(),
        framework_name: index.framework_name(framework),
        executor: executor.to_string(),
        task: String::new(),
        container: container.to_string(),
        container_path: spec.map(|spec| spec.container_path.clone()).unwrap_or_default(),
        read_only: spec.is_some_and(|spec| spec.read_only),
        sees: Default::default(),
    }
}

/// Container of a task: its own, else the run of its executor; empty when neither is known.
pub(super) fn task_container(index: &Index<'_>, task: &TaskFacts) -> String {
    if let Some(container) = task.container.as_ref().or(task.run.as_ref()) {
        return container.clone();
    }
    index
        .runs
        .iter()
        .find(|(_, run)| {
            !run.completed()
                && run.both().any(|facts| {
                    facts.framework == task.framework && facts.executor == task.executor
                })
        })
        .map(|(container, _)| container.to_string())
        .unwrap_or_default()
}

/// Top container of an id (`parent.child` → `parent`).
pub(super) fn top(container: &str) -> &str {
    container.split('.').next().unwrap_or(container)
}
