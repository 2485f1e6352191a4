//! Data of tasks outside the agent's resources: host paths, volumes of Docker volume drivers and
//! CSI volumes that their containers mount. Nobody limits it, so its enforcement is `none`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use crate::discover::Inode;
use crate::model::{
    Claims, DiskType, Holder, Presence, SourceKind, Timestamp, Volume, VolumeKey, VolumeKind,
    Witness,
};

use super::super::facts::{
    ApiFacts, CheckpointFacts, ExternalSource, ExternalVolume, RuntimeFacts,
};
use super::holders::task_container;
use super::{Index, Live, Witnesses};

/// What was found of an external source on this host.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalPlace {
    /// Directory on the host; absent when it could not be found out.
    pub path: Option<PathBuf>,
    /// Whether it is there.
    pub presence: Presence,
    /// A filesystem is mounted exactly there.
    pub own_filesystem: bool,
    /// `stx_btime`, else `stx_mtime`.
    pub created: Option<Timestamp>,
    /// Which directory it is.
    pub inode: Option<Inode>,
}

/// Places by identity of the source. A source that is not a directory (a socket, a device, a
/// pseudo filesystem) has no entry and is no volume.
pub type ExternalPlaces = HashMap<String, ExternalPlace>;

/// Identity of a source, the key into [`ExternalPlaces`].
pub fn identity(source: &ExternalSource) -> String {
    let (volume, disk, driver) = names(source);
    format!("{disk}:{}:{volume}", driver.unwrap_or_default())
}

fn names(source: &ExternalSource) -> (String, &'static str, Option<String>) {
    match source {
        ExternalSource::HostPath(path) => (path.display().to_string(), "HOST_PATH", None),
        ExternalSource::Docker { driver, name } => (name.clone(), "DOCKER", Some(driver.clone())),
        ExternalSource::Csi { plugin, id } => (id.clone(), "CSI", Some(plugin.clone())),
    }
}

/// Every external source the witnesses name, with the containers that use it, so that its place
/// can be looked up before the join.
pub fn external_sources(
    api: &ApiFacts,
    checkpoint: &CheckpointFacts,
    runtime: &RuntimeFacts,
) -> Vec<(ExternalSource, Vec<(String, String)>)> {
    let mut found: BTreeMap<String, (ExternalSource, Vec<(String, String)>)> = BTreeMap::new();
    let mut note = |source: &ExternalSource, container: Option<&str>, path: &str| {
        let entry = found.entry(identity(source)).or_insert_with(|| (source.clone(), Vec::new()));
        if let Some(container) = container {
            entry.1.push((container.to_string(), path.to_string()));
        }
    };
    for task in api.tasks.iter().chain(&checkpoint.tasks).flatten().filter(|task| !task.terminal) {
        for volume in &task.external {
            let container = task.container.as_deref().or(task.run.as_deref());
            note(&volume.source, container, &volume.mount.container_path);
        }
    }
    let runs = api.executors.iter().chain(&checkpoint.executors).flatten();
    for run in runs.filter(|run| !run.completed) {
        for volume in &run.external {
            note(&volume.source, run.container.as_deref(), &volume.mount.container_path);
        }
    }
    for container in runtime.containers.iter().flatten().filter(|c| c.alive != Some(false)) {
        for volume in &container.external {
            note(&volume.source, Some(&container.container), &volume.mount.container_path);
        }
    }
    for volume in &runtime.isolator_volumes {
        note(&volume.source, Some(&volume.container), "");
    }
    found.into_values().collect()
}

/// The external volumes, with their holders.
pub(super) fn volumes(witnesses: &Witnesses<'_>, index: &Index<'_>, live: &Live) -> Vec<Volume> {
    let mut found: BTreeMap<String, (ExternalSource, Vec<Holder>)> = BTreeMap::new();
    let mut add = |source: &ExternalSource, holder: Holder| {
        let entry = found.entry(identity(source)).or_insert_with(|| (source.clone(), Vec::new()));
        if live.is_running(super::holders::top(&holder.container)) == Some(false) {
            return;
        }
        // The same container may be known from its task, its executor and the runtime directory.
        let known = entry.1.iter_mut().find(|known| {
            known.container == holder.container
                && (holder.container_path.is_empty()
                    || known.container_path.is_empty()
                    || known.container_path == holder.container_path)
        });
        match known {
            Some(known) if known.task.is_empty() && !holder.task.is_empty() => *known = holder,
            Some(_) => {}
            None => entry.1.push(holder),
        }
    };

    for task in &index.tasks {
        let container = task_container(index, task);
        for volume in &task.external {
            let mut holder = holder(index, &task.framework, &task.executor, &container, volume);
            holder.task = task.id.clone();
            add(&volume.source, holder);
        }
    }
    for (container, run) in &index.runs {
        if run.completed() {
            continue;
        }
        for facts in run.both() {
            for volume in &facts.external {
                let holder = holder(index, &facts.framework, &facts.executor, container, volume);
                add(&volume.source, holder);
            }
        }
    }
    for container in witnesses.runtime.containers.iter().flatten() {
        if container.alive == Some(false) || container.terminated {
            continue;
        }
        let (framework, executor) = owner(index, &container.container);
        for volume in &container.external {
            add(&volume.source, holder(index, framework, executor, &container.container, volume));
        }
    }
    for volume in &witnesses.runtime.isolator_volumes {
        let (framework, executor) = owner(index, &volume.container);
        let spec = crate::model::VolumeSpec { container_path: String::new(), read_only: false };
        let mounted = ExternalVolume { source: volume.source.clone(), mount: spec };
        add(&volume.source, holder(index, framework, executor, &volume.container, &mounted));
    }

    let mut keys = HashSet::new();
    found
        .into_iter()
        .filter_map(|(identity, (source, holders))| {
            let place = witnesses.external.get(&identity)?;
            Some(volume(&source, place, holders))
        })
        .filter(|volume| keys.insert(volume.key.clone()))
        .collect()
}

fn owner<'a>(index: &Index<'a>, container: &str) -> (&'a str, &'a str) {
    index
        .runs
        .get(super::holders::top(container))
        .and_then(|run| run.api.or(run.checkpoint))
        .map_or(("", ""), |facts| (facts.framework.as_str(), facts.executor.as_str()))
}

fn holder(
    index: &Index<'_>,
    framework: &str,
    executor: &str,
    container: &str,
    volume: &ExternalVolume,
) -> Holder {
    Holder {
        framework: framework.to_string(),
        framework_name: index.framework_name(framework),
        executor: executor.to_string(),
        task: String::new(),
        container: container.to_string(),
        container_path: volume.mount.container_path.clone(),
        read_only: volume.mount.read_only,
        sees: Default::default(),
    }
}

fn volume(source: &ExternalSource, place: &ExternalPlace, mut holders: Vec<Holder>) -> Volume {
    holders.sort();
    let (name, disk, driver) = names(source);
    Volume {
        key: VolumeKey {
            source: SourceKind::Mesos,
            role: String::new(),
            volume: name,
            disk: disk.to_string(),
        },
        kind: match source {
            ExternalSource::HostPath(_) => VolumeKind::HostPath,
            ExternalSource::Docker { .. } => VolumeKind::DockerVolume,
            ExternalSource::Csi { .. } => VolumeKind::Csi,
        },
        disk_type: DiskType::External,
        path: place.path.clone(),
        presence: place.presence,
        own_filesystem: place.own_filesystem,
        principal: None,
        reservation: None,
        shared: false,
        container_path: None,
        driver,
        quota_bytes: None,
        claims: Claims { api: Witness::Silent, checkpoint: Witness::Silent },
        holders,
        mounts: Vec::new(),
        created: place.created,
        unused_after: None,
        remote: None,
        engine: None,
    }
}
