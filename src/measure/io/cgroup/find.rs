//! Which group a container is in: from its process, from its path, or, for Docker's, from the
//! layout and the mount table of its processes.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Hierarchies, Hierarchy, own_group, parse_membership};
use crate::host::{MountTable, Roots};
use crate::model::{ContainerRef, SandboxKey, SourceKind};

/// Where Docker's groups are looked for: so deep, so many directories.
const MAX_DEPTH: usize = 5;
const MAX_DIRECTORIES: usize = 20_000;

/// The groups of one container, below the roots of the hierarchies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// With the v1 controller `blkio`.
    pub blkio: Option<PathBuf>,
    /// In the unified hierarchy.
    pub unified: Option<PathBuf>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.blkio.is_none() && self.unified.is_none()
    }
}

/// Finds groups.
#[derive(Debug, Default)]
pub struct Finder {
    /// Docker ids to the Mesos container whose sandbox is mounted into it; `None`: none is.
    sandbox_of: HashMap<String, Option<String>>,
    /// A group was there whose owner could not be told yet.
    pub unresolved: bool,
}

impl Finder {
    /// Finds the groups of all containers, and adds the Docker containers that no source names.
    /// `known` tells of a container whose groups are known and still there.
    pub fn find(
        &mut self,
        containers: &[ContainerRef],
        known: impl Fn(&SandboxKey) -> Option<Found>,
        hierarchies: &Hierarchies,
        roots: &Roots,
    ) -> Vec<(ContainerRef, Found)> {
        let docker = self.docker(hierarchies, roots);
        let by_container: HashMap<&str, &DockerGroup> =
            docker.iter().filter_map(|group| Some((group.sandbox.as_deref()?, group))).collect();
        let mut claimed: HashSet<&str> = HashSet::new();
        let mut found = Vec::new();
        for container in containers {
            let id = container.key.container.as_str();
            let mut groups = known(&container.key).unwrap_or_default();
            if groups.is_empty() {
                groups = by_process(container, roots);
            }
            if groups.is_empty() {
                groups = by_path(container, hierarchies);
            }
            if groups.is_empty()
                && let Some(group) = by_container.get(id)
            {
                groups = group.found.clone();
                claimed.insert(&group.id);
            }
            claimed.insert(id);
            if !groups.is_empty() {
                found.push((container.clone(), groups));
            }
        }
        for group in docker.iter().filter(|group| !claimed.contains(group.id.as_str())) {
            // A task of an agent that is not known yet is not a container of its own.
            if group.sandbox.is_some() {
                continue;
            }
            let container = ContainerRef {
                key: SandboxKey {
                    source: SourceKind::Docker,
                    framework: String::new(),
                    executor: String::new(),
                    container: group.id.clone(),
                },
                nested: false,
                pid: None,
                group: None,
                directory: Vec::new(),
            };
            found.push((container, group.found.clone()));
        }
        found
    }

    /// Docker's groups, in the hierarchy that counts.
    fn docker(&mut self, hierarchies: &Hierarchies, roots: &Roots) -> Vec<DockerGroup> {
        let mut groups: HashMap<String, DockerGroup> = HashMap::new();
        for (hierarchy, unified) in [(&hierarchies.blkio, false), (&hierarchies.unified, true)] {
            let Some(hierarchy) = hierarchy else { continue };
            for (id, path) in docker_groups(hierarchy) {
                let group = groups.entry(id.clone()).or_insert_with(|| DockerGroup {
                    id,
                    found: Found::default(),
                    sandbox: None,
                });
                if unified {
                    group.found.unified = Some(path);
                } else {
                    group.found.blkio = Some(path);
                }
            }
        }
        self.unresolved = false;
        self.sandbox_of.retain(|id, _| groups.contains_key(id));
        let mut groups: Vec<DockerGroup> = groups.into_values().collect();
        groups.retain_mut(|group| {
            let known = match self.sandbox_of.get(&group.id) {
                Some(known) => Some(known.clone()),
                None => sandbox_mounted(group, hierarchies, roots),
            };
            let Some(sandbox) = known else {
                // No process yet, or its mounts are not to be read: it is looked at again.
                self.unresolved = true;
                return false;
            };
            self.sandbox_of.insert(group.id.clone(), sandbox.clone());
            group.sandbox = sandbox;
            true
        });
        groups
    }
}

struct DockerGroup {
    id: String,
    found: Found,
    /// Mesos container whose sandbox is mounted into it.
    sandbox: Option<String>,
}

fn by_process(container: &ContainerRef, roots: &Roots) -> Found {
    let Some(pid) = container.pid else { return Found::default() };
    let Ok(text) = fs::read(roots.procfs.join(pid.to_string()).join("cgroup")) else {
        return Found::default();
    };
    let membership = parse_membership(&text);
    let own = |path: Option<PathBuf>| {
        let path = path?;
        container.directory.iter().find_map(|name| own_group(&path, name))
    };
    Found { blkio: own(membership.blkio), unified: own(membership.unified) }
}

fn by_path(container: &ContainerRef, hierarchies: &Hierarchies) -> Found {
    let Some(group) = container.group.as_deref().map(Path::new) else { return Found::default() };
    let there = |hierarchy: &Option<Hierarchy>| {
        let directory = hierarchy.as_ref()?.directory(group)?;
        directory.is_dir().then(|| group.to_path_buf())
    };
    Found { blkio: there(&hierarchies.blkio), unified: there(&hierarchies.unified) }
}

/// Docker's id in the name of a group: `<id>` (cgroupfs driver) or `docker-<id>.scope` (systemd).
pub fn docker_id(name: &str) -> Option<&str> {
    let id = match name.strip_prefix("docker-") {
        Some(rest) => rest.strip_suffix(".scope")?,
        None => name,
    };
    (id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
        .then_some(id)
}

/// All groups with such a name, whatever parent they were given; not below services and other
/// containers.
fn docker_groups(hierarchy: &Hierarchy) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut waiting = vec![(hierarchy.mount_point.clone(), hierarchy.root.clone(), 0)];
    let mut looked_at = 0;
    while let Some((directory, group, depth)) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            looked_at += 1;
            if looked_at > MAX_DIRECTORIES {
                return found;
            }
            let name = entry.file_name();
            let group = group.join(&name);
            match name.to_str().and_then(docker_id) {
                Some(id) => found.push((id.to_owned(), group)),
                None if depth < MAX_DEPTH && name.to_str().is_none_or(may_hold_containers) => {
                    waiting.push((entry.path(), group, depth + 1));
                }
                None => {}
            }
        }
    }
    found
}

fn may_hold_containers(name: &str) -> bool {
    !(name.ends_with(".service") || name.ends_with(".scope") || name.ends_with(".mount"))
}

/// The Mesos container whose sandbox a Docker container has mounted; `Some(None)`: it has none.
fn sandbox_mounted(
    group: &DockerGroup,
    hierarchies: &Hierarchies,
    roots: &Roots,
) -> Option<Option<String>> {
    let directory = match (&group.found.blkio, &group.found.unified) {
        (Some(path), _) => hierarchies.blkio.as_ref()?.directory(path)?,
        (None, Some(path)) => hierarchies.unified.as_ref()?.directory(path)?,
        (None, None) => return None,
    };
    let processes = fs::read_to_string(directory.join("cgroup.procs")).ok()?;
    let pid = processes.lines().next()?;
    let mounts = fs::read(roots.procfs.join(pid).join("mountinfo")).ok()?;
    let table = MountTable::parse(&mounts);
    Some(table.entries.iter().find_map(|entry| sandbox_of_root(&entry.root)))
}

/// `…/executors/<executor>/runs/<container>`.
fn sandbox_of_root(root: &Path) -> Option<String> {
    let runs = root.parent()?;
    let executors = runs.parent()?.parent()?;
    let named = |path: &Path, name: &str| path.file_name() == Some(OsStr::new(name));
    (named(runs, "runs") && named(executors, "executors"))
        .then(|| root.file_name().map(crate::host::names::escape_name))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "93302a37196b499c69eec1d0194a375ccb4b00aa9d1af7ec6a652085549c3b2d";

    #[test]
    fn ids_of_docker() {
        assert_eq!(docker_id(ID), Some(ID));
        assert_eq!(docker_id(&format!("docker-{ID}.scope")), Some(ID));
        assert_eq!(docker_id(&format!("docker-{ID}")), None);
        assert_eq!(docker_id(&ID[1..]), None);
        assert_eq!(docker_id(&ID.to_uppercase()), None);
        assert_eq!(docker_id("mesos"), None);
    }

    #[test]
    fn sandboxes_are_told_by_what_is_mounted() {
        let of = |root: &str| sandbox_of_root(Path::new(root));
        let run = "/var/lib/mesos/slaves/a-S0/frameworks/f/executors/e/runs/c1";
        assert_eq!(of(run), Some("c1".into()));
        assert_eq!(of("/slaves/a-S0/frameworks/f/executors/e/runs/c1"), Some("c1".into()));
        assert_eq!(of(&format!("{run}/volume")), None);
        assert_eq!(of("/var/lib/docker/volumes/x/_data"), None);
        assert_eq!(of("/"), None);
    }
}
