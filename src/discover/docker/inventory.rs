//! Facts and places, put together as volumes and sandboxes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::discover::Round;
use crate::host::{Guard, MountTable, Roots};
use crate::model::{
    Claims, DiskType, EngineContainer, EngineVolume, Holder, Presence, Sandbox, SandboxKey,
    SandboxKind, SourceKind, Volume, VolumeKey, VolumeKind, Witness,
};
use crate::text;

use super::facts::{ContainerFacts, Log, MountFacts, MountSource, VolumeFacts};
use super::options::without_credentials;
use super::places::{self, Place, Places};

/// Values of the label `disk`.
const DOCKER: &str = "DOCKER";
const HOST_PATH: &str = "HOST_PATH";
const TMPFS: &str = "TMPFS";
const LOG: &str = "LOG";

/// All that is known of an engine's data in one round.
pub struct Known<'a> {
    /// `docker` or `podman`.
    pub program: &'static str,
    /// Data root, a path of the host.
    pub root: &'a Path,
    /// Every volume.
    pub volumes: &'a [VolumeFacts],
    /// Every container.
    pub containers: &'a [ContainerFacts],
    /// The engine itself said so just now: else nothing proves that anything is gone or unused, and
    /// only a container whose process was seen counts as running.
    pub whole: bool,
    /// The mount table.
    pub mounts: &'a MountTable,
}

/// Looks at the places and builds the subjects.
pub fn build(known: &Known<'_>, guard: &Guard, roots: &Roots) -> Round {
    let binds = binds(known, guard, roots);
    let mut paths: BTreeSet<PathBuf> = known.volumes.iter().filter_map(path_of).collect();
    paths.extend(binds.keys().cloned());
    let layers = super::data_root::overlays(known.root, known.mounts);
    let uppers: Vec<Option<PathBuf>> = known
        .containers
        .iter()
        .map(|container| {
            let told = container.details.as_ref().and_then(|details| details.upper.clone());
            told.or_else(|| layers.get(&container.id).cloned())
        })
        .collect();
    paths.extend(uppers.iter().flatten().cloned());
    paths.extend(known.containers.iter().filter_map(|one| Some(log_of(one)?.directory.clone())));
    let places = places::look(paths, known.mounts, guard, roots);

    let mut builder = Builder { known, places: &places, round: Round::default() };
    builder.volumes();
    for (path, users) in &binds {
        builder.bind(path, users);
    }
    for (container, upper) in known.containers.iter().zip(uppers) {
        builder.tmpfs(container);
        builder.log(container);
        let sandbox = builder.sandbox(container, upper);
        builder.round.sandboxes.push(sandbox);
    }
    builder.round
}

/// Containers and how they mount something.
type Users<'a> = Vec<(&'a ContainerFacts, &'a MountFacts)>;

/// Where a volume's data lies: of a bind, what is bound.
fn path_of(volume: &VolumeFacts) -> Option<PathBuf> {
    volume.meaning.bind.clone().or_else(|| volume.path.clone())
}

/// Host paths that containers mount, their links followed, with who mounts them. Those that hold
/// the engine's own data (`/`, `/var/lib`) are the host as a whole, which monitoring mounts, and
/// those of the kernel's own filesystems hold no data.
fn binds<'a>(known: &'a Known<'_>, guard: &Guard, roots: &Roots) -> BTreeMap<PathBuf, Users<'a>> {
    let mut resolved: HashMap<&Path, Option<PathBuf>> = HashMap::new();
    let mut binds: BTreeMap<PathBuf, Users<'_>> = BTreeMap::new();
    for container in known.containers {
        for mount in &container.mounts {
            let MountSource::Path(path) = &mount.source else { continue };
            if known.root.starts_with(path) {
                continue;
            }
            let real = resolved.entry(path).or_insert_with(|| {
                let inside = guard.resolve(&roots.inside(path)).ok();
                // What cannot be followed is still named: it is missing, or hangs.
                let real = inside.map_or_else(|| path.clone(), |inside| guard.on_host(&inside));
                let entry = known.mounts.containing(&real);
                let data = !known.root.starts_with(&real) && !entry.is_some_and(|e| e.pseudo());
                data.then_some(real)
            });
            if let Some(real) = real {
                binds.entry(real.clone()).or_default().push((container, mount));
            }
        }
    }
    binds
}

struct Builder<'a> {
    known: &'a Known<'a>,
    places: &'a Places,
    round: Round,
}

impl Builder<'_> {
    fn volumes(&mut self) {
        let mut users: HashMap<&str, Users<'_>> = HashMap::new();
        for container in self.known.containers {
            for mount in &container.mounts {
                if let MountSource::Volume(name) = &mount.source {
                    users.entry(name.as_str()).or_default().push((container, mount));
                }
            }
        }
        let mut names = HashSet::new();
        for facts in self.known.volumes {
            if names.insert(facts.name.as_str()) {
                let users = users.remove(facts.name.as_str()).unwrap_or_default();
                self.volume(facts, &users);
            }
        }
    }

    fn volume(&mut self, facts: &VolumeFacts, users: &Users<'_>) {
        let path = path_of(facts);
        let place = self.place(path.as_deref());
        let mount = path.as_deref().and_then(|path| self.known.mounts.at(path));
        let mounted = mount.filter(|entry| entry.remote());
        let remote = facts
            .meaning
            .remote
            .clone()
            .or_else(|| mounted.map(|entry| without_credentials(&entry.fstype, &entry.source)));
        let own_filesystem =
            remote.is_none() && mount.is_some_and(|entry| entry.root == Path::new("/"));
        // An anonymous volume belongs to the container it was made for: once that is gone nobody
        // will ask for it again. One with a name is somebody's until it is removed.
        let api = match (self.known.whole, facts.anonymous && users.is_empty()) {
            (false, _) => Witness::Silent,
            (true, true) => Witness::Denies,
            (true, false) => Witness::Claims,
        };
        let mut references: Vec<String> = users
            .iter()
            .filter(|(container, _)| !self.holds(container))
            .map(|(container, _)| display_name(container).to_owned())
            .collect();
        references.sort();
        references.dedup();
        let volume = Volume {
            key: key(facts.name.clone(), DOCKER),
            kind: VolumeKind::DockerVolume,
            own_filesystem,
            shared: true,
            driver: Some(facts.driver.clone()),
            // Memory that is not mounted is not there.
            quota_bytes: facts.meaning.size.filter(|_| own_filesystem || !facts.meaning.tmpfs),
            claims: Claims { api, checkpoint: Witness::Silent },
            holders: self.holders(users),
            remote,
            engine: Some(EngineVolume {
                program: self.known.program,
                anonymous: facts.anonymous,
                references,
                labels: facts.labels.clone(),
                log_limit_bytes: None,
            }),
            // The place where a remote volume or memory would be mounted tells nothing of it.
            created: place.created.filter(|_| !facts.meaning.tmpfs && mounted.is_none()),
            ..blank(path, place.presence)
        };
        self.push(volume, place);
    }

    fn bind(&mut self, path: &Path, users: &Users<'_>) {
        let place = self.place(Some(path));
        if !place.directory {
            // A file, a socket, a device.
            return;
        }
        let mount = self.known.mounts.containing(path);
        let remote = mount.filter(|entry| entry.remote()).map(|entry| {
            let below = path.strip_prefix(&entry.mount_point).unwrap_or(Path::new(""));
            let export = without_credentials(&entry.fstype, &entry.source);
            if below.as_os_str().is_empty() {
                export
            } else {
                format!("{}/{}", export.trim_end_matches('/'), text::path_value(below))
            }
        });
        let own_filesystem = remote.is_none()
            && mount.is_some_and(|e| e.mount_point == path && e.root == Path::new("/"));
        let volume = Volume {
            key: key(text::path_value(path).into_owned(), HOST_PATH),
            kind: VolumeKind::HostPath,
            own_filesystem,
            // Nobody lists host paths: only whoever mounts them tells that they exist.
            claims: Claims { api: Witness::Silent, checkpoint: Witness::Silent },
            holders: self.holders(users),
            remote,
            created: place.created,
            ..blank(Some(path.to_owned()), place.presence)
        };
        self.push(volume, place);
    }

    /// Memory mounted into a running container. It lies in the container's own mount namespace: the
    /// way there (`/proc/PID/root`) follows links the container may have made, so it is not taken
    /// and what is used of it is not known.
    fn tmpfs(&mut self, container: &ContainerFacts) {
        let Some(details) = &container.details else { return };
        if !self.holds(container) {
            return;
        }
        for (destination, size) in &details.tmpfs {
            let mount = MountFacts {
                source: MountSource::Path(PathBuf::new()),
                destination: destination.clone(),
                read_only: false,
            };
            let name = format!("{}:{destination}", display_name(container));
            let volume = Volume {
                key: key(name, TMPFS),
                kind: VolumeKind::Tmpfs,
                own_filesystem: true,
                quota_bytes: *size,
                claims: Claims { api: self.claims(), checkpoint: Witness::Silent },
                holders: vec![holder(container, &mount)],
                ..blank(None, Presence::Unknown)
            };
            self.round.volumes.push(volume);
        }
    }

    /// What a container wrote to its standard output, and the few files the engine keeps beside it.
    /// It goes when the container is removed.
    fn log(&mut self, container: &ContainerFacts) {
        let Some(log) = log_of(container) else { return };
        let place = self.place(Some(&log.directory));
        let mount = MountFacts {
            source: MountSource::Path(PathBuf::new()),
            destination: String::new(),
            read_only: false,
        };
        let stopped = container.running == Some(false);
        let volume = Volume {
            key: key(display_name(container).to_owned(), LOG),
            kind: VolumeKind::ContainerLog,
            driver: Some(log.driver.clone()),
            claims: Claims { api: self.claims(), checkpoint: Witness::Silent },
            holders: self.holders(&vec![(container, &mount)]),
            created: place.created,
            engine: Some(EngineVolume {
                program: self.known.program,
                references: stopped
                    .then(|| display_name(container).to_owned())
                    .into_iter()
                    .collect(),
                labels: container.labels.clone(),
                log_limit_bytes: log.limit,
                ..EngineVolume::default()
            }),
            ..blank(Some(log.directory.clone()), place.presence)
        };
        self.push(volume, place);
    }

    fn sandbox(&self, container: &ContainerFacts, upper: Option<PathBuf>) -> Sandbox {
        let place = self.place(upper.as_deref());
        let details = container.details.as_deref();
        Sandbox {
            key: SandboxKey {
                source: SourceKind::Docker,
                framework: String::new(),
                executor: container.name.clone(),
                container: container.id.clone(),
            },
            kind: SandboxKind::Docker,
            containerizer: Some(crate::model::Containerizer::Docker),
            presence: if upper.is_some() { place.presence } else { Presence::Unknown },
            path: upper.unwrap_or_default(),
            agent_id: String::new(),
            current_agent: None,
            framework_name: String::new(),
            role: String::new(),
            tasks: Vec::new(),
            quota_bytes: details.and_then(|details| details.size),
            running: container.running,
            api: self.claims(),
            checkpoint: Witness::Silent,
            completed: container.running == Some(false),
            extra_paths: Vec::new(),
            modified: place.modified,
            engine: Some(EngineContainer {
                program: self.known.program,
                image: container.image.clone(),
                state: container.state.clone(),
                pid: details
                    .and_then(|details| details.process)
                    .filter(|_| self.holds(container))
                    .map(|(pid, _)| pid),
                labels: container.labels.clone(),
            }),
        }
    }

    fn claims(&self) -> Witness {
        if self.known.whole { Witness::Claims } else { Witness::Silent }
    }

    fn holds(&self, container: &ContainerFacts) -> bool {
        container.running == Some(true)
    }

    fn holders(&self, users: &Users<'_>) -> Vec<Holder> {
        let mut holders: Vec<Holder> = users
            .iter()
            .filter(|(container, _)| self.holds(container))
            .map(|(container, mount)| holder(container, mount))
            .collect();
        holders.sort();
        holders.dedup();
        holders
    }

    fn place(&self, path: Option<&Path>) -> Place {
        path.and_then(|path| self.places.get(path)).copied().unwrap_or(places::UNKNOWN)
    }

    fn push(&mut self, volume: Volume, place: Place) {
        if let Some(inode) = place.inode
            && volume.remote.is_none()
        {
            self.round.inodes.insert(volume.key.clone(), inode);
        }
        self.round.volumes.push(volume);
    }
}

fn log_of(container: &ContainerFacts) -> Option<&Log> {
    container.details.as_ref()?.log.as_ref()
}

fn display_name(container: &ContainerFacts) -> &str {
    if container.name.is_empty() { &container.id } else { &container.name }
}

fn holder(container: &ContainerFacts, mount: &MountFacts) -> Holder {
    Holder {
        framework: String::new(),
        framework_name: String::new(),
        executor: container.name.clone(),
        task: String::new(),
        container: container.id.clone(),
        container_path: mount.destination.clone(),
        read_only: mount.read_only,
        sees: Default::default(),
    }
}

fn key(volume: String, disk: &str) -> VolumeKey {
    VolumeKey { source: SourceKind::Docker, role: String::new(), volume, disk: disk.to_owned() }
}

fn blank(path: Option<PathBuf>, presence: Presence) -> Volume {
    Volume {
        key: key(String::new(), DOCKER),
        kind: VolumeKind::DockerVolume,
        disk_type: DiskType::External,
        path,
        presence,
        own_filesystem: false,
        principal: None,
        reservation: None,
        shared: false,
        container_path: None,
        driver: None,
        quota_bytes: None,
        claims: Claims { api: Witness::Silent, checkpoint: Witness::Silent },
        holders: Vec::new(),
        mounts: Vec::new(),
        created: None,
        unused_after: None,
        remote: None,
        engine: None,
    }
}
