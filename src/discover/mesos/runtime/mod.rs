//! The runtime directory of the Mesos containerizer (`--runtime_dir`), and what its volume
//! isolators checkpointed. It says which containers exist, which process is at their top and
//! where their sandbox is. Containers of the Docker containerizer are not in it.
//!
//! Sources: `src/slave/containerizer/mesos/paths.hpp`, `isolators/docker/volume/isolator.cpp`
//! and `isolators/volume/csi/{isolator.cpp,paths.hpp}` of Mesos.

mod isolators;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::io::Errno;

use super::checkpoint::{MAX_FILE, one};
use super::external;
use super::facts::{RuntimeContainer, RuntimeFacts};
use super::layout::MAX_DEPTH;
use super::proto;
use super::resource::all_from_proto;
use crate::discover::dirs::{Cause, DirError, Folder, present};
use crate::host::names::escape_name;
use crate::model::SourceError;

/// Where to look; every path as it is reached from this process ([`crate::discover::dirs::reach`]).
#[derive(Clone, Copy, Debug)]
pub struct RuntimeOptions<'a> {
    /// The proc filesystem of the host.
    pub procfs: &'a Path,
    /// `--runtime_dir`.
    pub runtime_dir: &'a Path,
    /// `--docker_volume_checkpoint_dir`; a missing directory is no error.
    pub docker_volume_dir: Option<&'a Path>,
    /// `--work_dir`, below which the CSI isolator keeps its checkpoints.
    pub work_dir: Option<&'a Path>,
}

/// Reads it all.
pub fn read(options: &RuntimeOptions<'_>) -> RuntimeFacts {
    let start = Instant::now();
    let mut facts = RuntimeFacts::default();
    match containers(options, &mut facts) {
        Ok(containers) => facts.containers = Some(containers),
        Err(error) => facts.errors.push(error.to_source_error()),
    }
    if let Some(dir) = options.docker_volume_dir {
        isolators::docker(dir, &mut facts);
    }
    if let Some(dir) = options.work_dir {
        isolators::csi(dir, &mut facts);
    }
    facts.duration_seconds = start.elapsed().as_secs_f64();
    facts
}

fn containers(
    options: &RuntimeOptions<'_>,
    facts: &mut RuntimeFacts,
) -> Result<Vec<RuntimeContainer>, DirError> {
    let runtime = Folder::open_root(options.runtime_dir)?;
    let mut found = Vec::new();
    // Made when the first container starts.
    if let Some(folder) = present(runtime.child(OsStr::new("containers")))? {
        let names = folder.names()?.directories;
        let alive = Alive::new(options.procfs);
        let mut walk = Walk { alive, facts, found: &mut found };
        for name in names {
            walk.container(&folder, &name, "", 1);
        }
    }
    Ok(found)
}

struct Walk<'a> {
    alive: Alive<'a>,
    facts: &'a mut RuntimeFacts,
    found: &'a mut Vec<RuntimeContainer>,
}

impl Walk<'_> {
    fn take<T>(&mut self, result: Result<T, DirError>) -> Option<T> {
        match present(result) {
            Ok(value) => value,
            Err(error) => {
                self.facts.containers_partial = true;
                self.facts.errors.push(error.to_source_error());
                None
            }
        }
    }

    fn container(&mut self, above: &Folder, name: &OsStr, parent: &str, depth: usize) {
        let Some(folder) = self.take(above.child(name)) else { return };
        let id = match parent {
            "" => escape_name(name),
            parent => format!("{parent}.{}", escape_name(name)),
        };
        let mut container =
            RuntimeContainer { container: id.clone(), ..RuntimeContainer::default() };
        container.pid = self.pid(&folder);
        container.alive = container.pid.and_then(|pid| self.alive.check(pid));
        container.standalone = self.take(folder.has("standalone.marker")).unwrap_or(false);
        container.terminated = self.take(folder.has("termination")).unwrap_or(false);
        self.config(&folder, &mut container);
        self.found.push(container);

        let nested = present(folder.child(OsStr::new("containers")));
        let Some(Some(nested)) = self.take(nested) else { return };
        let Some(names) = self.take(nested.names()) else { return };
        if depth >= MAX_DEPTH && !names.directories.is_empty() {
            self.facts.containers_partial = true;
            self.facts.errors.push(super::layout::too_deep(&nested));
            return;
        }
        for name in names.directories {
            self.container(&nested, &name, &id, depth + 1);
        }
    }

    fn pid(&mut self, folder: &Folder) -> Option<u32> {
        let bytes = self.take(folder.read("pid", 64))?;
        let text = String::from_utf8_lossy(&bytes);
        // The file is made before it is written.
        if text.trim().is_empty() {
            return None;
        }
        let pid = text.trim().parse().ok().filter(|pid| *pid > 0);
        if pid.is_none() {
            self.corrupt(folder, "pid", "not the id of a process");
        }
        pid
    }

    fn config(&mut self, folder: &Folder, container: &mut RuntimeContainer) {
        let Some(bytes) = self.take(folder.read("config", MAX_FILE)) else { return };
        let config: proto::ContainerConfig = match one(&bytes) {
            Ok(config) => config,
            Err(error) => return self.corrupt(folder, "config", &error.to_string()),
        };
        container.directory = config.directory.map(PathBuf::from);
        container.external =
            config.container_info.as_ref().map(external::volumes).unwrap_or_default();
        match all_from_proto(config.resources) {
            Ok(resources) => container.resources = resources,
            Err(error) => self.corrupt(folder, "config", &error.to_string()),
        }
    }

    fn corrupt(&mut self, folder: &Folder, name: &str, problem: &str) {
        self.facts.errors.push(corrupt(folder, name, problem));
    }
}

/// The error of a file that does not hold what it should.
fn corrupt(folder: &Folder, name: &str, problem: &str) -> SourceError {
    SourceError {
        reason: "malformed",
        message: format!("read {:?}: {problem}", folder.path().join(name)),
        hint: "look at the agent's log; the file goes away with its container".to_owned(),
    }
}

/// Whether processes of the host are alive.
struct Alive<'a> {
    procfs: &'a Path,
    /// Process 1 can be seen. Where it cannot (`hidepid`, another pid namespace), a process that
    /// is not seen may still be alive.
    trusted: bool,
}

impl<'a> Alive<'a> {
    fn new(procfs: &'a Path) -> Self {
        Self { procfs, trusted: std::fs::symlink_metadata(procfs.join("1")).is_ok() }
    }

    /// A zombie is dead: it holds nothing any more. `None` when it cannot be told.
    fn check(&self, pid: u32) -> Option<bool> {
        let result = Folder::open_root(&self.procfs.join(pid.to_string()))
            .and_then(|folder| folder.read("stat", 4096));
        match result {
            Ok(stat) => state(&stat).map(|state| !matches!(state, b'Z' | b'X' | b'x')),
            Err(DirError { cause: Cause::Errno(Errno::NOENT | Errno::SRCH), .. }) => {
                self.trusted.then_some(false)
            }
            Err(_) => None,
        }
    }
}

/// Field 3 of `/proc/PID/stat`, after the name in parentheses, which may itself contain any.
fn state(stat: &[u8]) -> Option<u8> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    stat[end + 1..].iter().copied().find(|byte| *byte != b' ')
}
