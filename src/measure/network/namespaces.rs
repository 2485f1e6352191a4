//! Mount namespaces of containers: which of them have a network filesystem mounted.
//!
//! A container without an image starts with a copy of every mount of the host, so that having a
//! mount says nothing. What counts is a mount at a place where the host has none: somebody put it
//! there for this container.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::host::{Guard, MountEntry, MountTable};
use crate::model::{Containerizer, Inventory, MountUser, Presence};

/// The tables of a thousand containers cost a tenth of a second: they are read again so often.
const READ_EVERY: Duration = Duration::from_secs(60);

/// Users and private mounts of network filesystems, as last read.
#[derive(Default)]
pub(super) struct Namespaces {
    read_at: Option<Instant>,
    of: Vec<String>,
    pub(super) found: Found,
}

/// What the containers' tables tell.
#[derive(Default)]
pub(super) struct Found {
    /// Containers by superblock, sorted.
    pub(super) users: HashMap<(u32, u32), Vec<MountUser>>,
    /// Filesystems that the host's table lacks, by superblock: container, its process, the mount.
    pub(super) private: BTreeMap<(u32, u32), (String, u32, MountEntry)>,
}

impl Namespaces {
    /// Reads the tables anew where that is due. `table` is the host's.
    pub(super) fn refresh(&mut self, guard: &Guard, inventory: &Inventory, table: &MountTable) {
        let containers = containers(inventory);
        let ids: Vec<String> = containers.iter().map(|user| user.container.clone()).collect();
        let fresh = self.read_at.is_some_and(|at| at.elapsed() < READ_EVERY);
        if fresh && ids == self.of {
            return;
        }
        self.read_at = Some(Instant::now());
        self.of = ids;
        self.found = Found::default();
        let runtime = inventory.agent.as_ref().and_then(|agent| agent.runtime_dir.clone());
        let Some(runtime) = runtime.filter(|_| !containers.is_empty()) else { return };
        let runtime = guard.roots().inside(&runtime);
        let files: Vec<PathBuf> =
            containers.iter().map(|user| runtime.join(pid_file(&user.container))).collect();
        let read = move || files.iter().map(|file| pid(file)).collect::<Vec<_>>();
        let Ok(pids) = guard.run(&runtime, "read the containers' pids", read) else { return };
        let host = Host::new(table);
        for (user, pid) in containers.into_iter().zip(pids) {
            let Some(pid) = pid else { continue };
            let file = guard.roots().procfs.join(pid.to_string()).join("mountinfo");
            // Reading a mount table never touches what is mounted.
            let Ok(text) = std::fs::read(file) else { continue };
            host.compare(&MountTable::parse(&network_lines(&text)), &user, pid, &mut self.found);
        }
        for users in self.found.users.values_mut() {
            users.sort();
            users.dedup();
        }
    }
}

/// What the host itself has mounted.
struct Host<'a> {
    ids: HashSet<u64>,
    places: HashSet<((u32, u32), &'a Path)>,
    devices: HashSet<(u32, u32)>,
}

impl<'a> Host<'a> {
    fn new(table: &'a MountTable) -> Self {
        let mut host =
            Self { ids: HashSet::new(), places: HashSet::new(), devices: HashSet::new() };
        for entry in table.entries.iter().filter(|entry| entry.remote()) {
            host.ids.insert(entry.id);
            host.places.insert((entry.device, entry.mount_point.as_path()));
            host.devices.insert(entry.device);
        }
        host
    }

    fn compare(&self, table: &MountTable, user: &MountUser, pid: u32, found: &mut Found) {
        for entry in &table.entries {
            // The same mount: the container shares the host's namespace. The same place: a copy.
            let inherited = self.ids.contains(&entry.id)
                || self.places.contains(&(entry.device, entry.mount_point.as_path()));
            if inherited {
                continue;
            }
            found.users.entry(entry.device).or_default().push(user.clone());
            if !self.devices.contains(&entry.device) {
                let mount = (user.container.clone(), pid, entry.clone());
                found.private.entry(entry.device).or_insert(mount);
            }
        }
    }
}

/// Containers of the Mesos containerizer that may run, sorted by container.
fn containers(inventory: &Inventory) -> Vec<MountUser> {
    let mut users: Vec<MountUser> = inventory
        .sandboxes
        .iter()
        .filter(|sandbox| {
            !sandbox.completed
                && sandbox.running != Some(false)
                && sandbox.presence != Presence::Missing
                && sandbox.containerizer != Some(Containerizer::Docker)
        })
        .map(|sandbox| MountUser {
            source: sandbox.key.source.as_str().to_owned(),
            framework: sandbox.key.framework.clone(),
            executor: sandbox.key.executor.clone(),
            container: sandbox.key.container.clone(),
        })
        .collect();
    users.sort_by(|a, b| a.container.cmp(&b.container));
    users
}

/// `containers/ID/pid` below the runtime directory; nested ones (`PARENT.CHILD`) lie below their
/// parents. An id is a name: what would lead elsewhere leads nowhere.
fn pid_file(container: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for id in container.split('.') {
        path.push("containers");
        path.push(if id.is_empty() || id.contains('/') { "none" } else { id });
    }
    path.join("pid")
}

fn pid(file: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0)
}

/// Only the lines of network filesystems: of a container's hundred mounts nearly none is one.
fn network_lines(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let dash = line.windows(3).position(|window| window == b" - ");
        let fstype = dash.and_then(|dash| line[dash + 3..].split(|&byte| byte == b' ').next());
        if fstype.is_some_and(|fstype| MountEntry::is_remote(&String::from_utf8_lossy(fstype))) {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(container: &str) -> MountUser {
        let empty = String::new();
        let (source, framework, executor) = ("mesos".into(), empty.clone(), empty);
        MountUser { source, framework, executor, container: container.into() }
    }

    #[test]
    fn copies_of_the_hosts_mounts_are_nobodys() {
        let host_table = MountTable::parse(
            b"1 0 8:0 / / rw - ext4 d rw\n2 1 0:50 / /srv/nfs rw - nfs4 filer:/x rw\n",
        );
        let host = Host::new(&host_table);
        let mut found = Found::default();
        // In the host's own namespace; a copy of it; a copy and a mount for the container, and one
        // that only this container has.
        for (container, table) in [
            ("same", "2 1 0:50 / /srv/nfs rw - nfs4 filer:/x rw\n"),
            ("copy", "92 91 0:50 / /srv/nfs rw - nfs4 filer:/x rw\n"),
            (
                "given",
                "82 81 0:50 / /srv/nfs rw - nfs4 filer:/x rw\n\
                 83 81 0:50 /db /work/box/data rw - nfs4 filer:/x rw\n\
                 84 81 0:51 / /work/box/own rw - fuse.sshfs h:/y rw\n",
            ),
        ] {
            let table = MountTable::parse(&network_lines(table.as_bytes()));
            host.compare(&table, &user(container), 7, &mut found);
        }
        assert_eq!(found.users[&(0, 50)], [user("given")]);
        assert_eq!(found.users[&(0, 51)], [user("given")]);
        assert_eq!(found.users.len(), 2);
        let (container, pid, entry) = &found.private[&(0, 51)];
        assert_eq!((container.as_str(), *pid, entry.fstype.as_str()), ("given", 7, "fuse.sshfs"));
        assert_eq!(found.private.len(), 1);
    }

    #[test]
    fn only_network_lines_are_kept() {
        let text =
            b"1 0 8:0 / / rw - ext4 d rw\n2 1 0:5 / /a\\040-\\040nfs rw shared:1 - proc p rw\n\
                     3 1 0:6 / /n rw - nfs4 f:/ rw\nodd\n";
        assert_eq!(network_lines(text), b"3 1 0:6 / /n rw - nfs4 f:/ rw\n");
    }

    #[test]
    fn ids_lead_to_pid_files_and_nowhere_else() {
        let path = |id: &str| pid_file(id).display().to_string();
        assert_eq!(path("a"), "containers/a/pid");
        assert_eq!(path("a.b"), "containers/a/containers/b/pid");
        assert_eq!(path("../x"), "containers/none/containers/none/containers/none/pid");
    }
}
