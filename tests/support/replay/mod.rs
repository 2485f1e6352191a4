//! Replays a scene captured from a real agent (`tests/fixtures/mesos/`).
//!
//! ```ignore
//! #[path = "support/replay/mod.rs"]
//! mod replay;
//! let scene = replay::Scene::load("02-live-quota-off");
//! let api = scene.api(replay::api::Mode::Whole);
//! // discover with scene.roots(), scene.work_dir(), scene.runtime_dir(), api.url()
//! replay::expected::compare(&actual, &scene.expected()).unwrap();
//! ```
//!
//! What is replayed: the shape of the tree, sizes, links, hard links, checkpoints, the runtime
//! directory, mount tables, cgroups of processes. What is not: owners, modes, allocated blocks,
//! device and inode numbers, mounts themselves (only the tables that list them).
#![allow(dead_code)] // each test binary uses its own part of this

pub mod api;
pub mod changed;
pub mod expected;
mod listing;

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll::host::Roots;

/// A captured scene, rebuilt in a temporary directory that goes away with it.
pub struct Scene {
    dir: tempfile::TempDir,
    fixture: PathBuf,
    /// Process at the top of each live container: container id (nested ids joined with a dot), pid.
    pub pids: Vec<(String, u32)>,
}

/// Work directory of every scene, on its host.
pub const WORK_DIR: &str = "/var/lib/mesos";
/// Runtime directory of every scene, on its host.
pub const RUNTIME_DIR: &str = "/var/run/mesos";

impl Scene {
    /// Rebuilds the scene of that name, `02-live-quota-off`.
    pub fn load(name: &str) -> Self {
        let fixture = fixtures().join(name);
        assert!(fixture.is_dir(), "no scene {name} in {}", fixtures().display());
        let dir = tempfile::Builder::new().prefix("plimsoll-replay-").tempdir().expect("tempdir");
        let root = dir.path();
        let meta = Path::new(WORK_DIR).join("meta");
        if let Some(text) = listing::read_maybe_gzip(&fixture, "workdir.find.txt") {
            listing::rebuild(root, &text, |path| path.starts_with(&meta));
        }
        if let Some(text) = listing::read_maybe_gzip(&fixture, "disks.find.txt") {
            listing::rebuild(root, &text, |_| false);
        }
        let work = listing::inside(root, Path::new(WORK_DIR));
        listing::unpack(&fixture.join("workdir-meta.tar.gz"), &work);
        let runtime = listing::inside(root, Path::new(RUNTIME_DIR));
        listing::unpack(&fixture.join("runtimedir.tar.gz"), &runtime);
        fs::create_dir_all(root.join("sys")).expect("sys");
        let mut scene = Self { dir, fixture, pids: Vec::new() };
        scene.make_procfs(name);
        scene
    }

    /// The roots to hand to discovery.
    pub fn roots(&self) -> Roots {
        Roots {
            procfs: self.rootfs().join("proc"),
            sysfs: self.rootfs().join("sys"),
            rootfs: self.rootfs().to_path_buf(),
        }
    }

    /// Where the host's `/` is rebuilt.
    pub fn rootfs(&self) -> &Path {
        self.dir.path()
    }

    /// Where a path of the host is rebuilt.
    pub fn host(&self, path: impl AsRef<Path>) -> PathBuf {
        listing::inside(self.rootfs(), path.as_ref())
    }

    /// Work directory, as the host names it.
    pub fn work_dir(&self) -> &'static Path {
        Path::new(WORK_DIR)
    }

    /// Runtime directory, as the host names it.
    pub fn runtime_dir(&self) -> &'static Path {
        Path::new(RUNTIME_DIR)
    }

    /// A captured file of the scene.
    pub fn fixture(&self, file: &str) -> PathBuf {
        self.fixture.join(file)
    }

    /// An agent that answers what was captured, in the given mode.
    pub fn api(&self, mode: api::Mode) -> api::Api {
        api::Api::start(&self.fixture, mode)
    }

    /// The inventory that must be found.
    pub fn expected(&self) -> expected::Expected {
        expected::Expected::read(&self.fixture.join("expected.yml"))
    }

    /// Removes a process from the replayed proc filesystem, as if it had ended.
    pub fn end_process(&self, pid: u32) {
        fs::remove_dir_all(self.rootfs().join("proc").join(pid.to_string())).expect("process");
    }

    /// `proc/1`, `proc/self` and a directory for each live process that was captured.
    fn make_procfs(&mut self, name: &str) {
        let captured = self.rootfs().join(".captured");
        listing::unpack(&self.fixture.join("proc-and-cgroup.tar.gz"), &captured);
        let mut sources = vec![self.fixture.join("proc"), captured.join("proc")];
        if name == "03-orphan-volumes" {
            // Taken minutes after 02 with the same processes, whose files were not captured again.
            sources.push(fixtures().join("02-live-quota-off/proc"));
        }
        let procfs = self.rootfs().join("proc");
        for process in ["1", "self"] {
            copy_process(&sources, "agent", &procfs.join(process));
        }
        for (container, pid, dead) in self.runtime_pids() {
            if dead {
                continue;
            }
            let here = procfs.join(pid.to_string());
            write_stat(&here, pid, 1, "mesos-container");
            copy_process(&sources, &container, &here);
            self.pids.push((container, pid));
        }
        self.make_descendants(&sources, &procfs);
        if captured.exists() {
            fs::remove_dir_all(captured).expect("unpacked process files");
        }
        self.pids.sort();
    }

    /// Container id, pid and whether it has ended, of every `pid` file of the runtime directory.
    fn runtime_pids(&self) -> Vec<(String, u32, bool)> {
        let mut found = Vec::new();
        let mut todo = vec![(String::new(), self.host(RUNTIME_DIR).join("containers"))];
        while let Some((parent, dir)) = todo.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let entry = entry.expect("entry of the runtime directory");
                let id = entry.file_name().into_string().expect("container id");
                let id = if parent.is_empty() { id } else { format!("{parent}.{id}") };
                if let Ok(pid) = fs::read_to_string(entry.path().join("pid")) {
                    let ended = entry.path().join("termination").exists();
                    found.push((id.clone(), pid.trim().parse().expect("pid"), ended));
                }
                todo.push((id, entry.path().join("containers")));
            }
        }
        found
    }

    fn make_descendants(&self, sources: &[PathBuf], procfs: &Path) {
        let Ok(text) = fs::read_to_string(self.fixture.join("containers-pids.json")) else {
            return;
        };
        let containers: serde_json::Value = serde_json::from_str(&text).expect("pids");
        for container in containers.as_array().expect("list of containers") {
            let id = container["container_id"].as_str().expect("container id");
            for process in container["descendants"].as_array().into_iter().flatten() {
                let pid = process["pid"].as_u64().expect("pid") as u32;
                let here = procfs.join(pid.to_string());
                let args = process["args"].as_str().unwrap_or_default();
                let comm = args.split(' ').next().unwrap_or_default();
                write_stat(&here, pid, process["ppid"].as_u64().unwrap_or(1) as u32, comm);
                fs::write(here.join("cmdline"), args.replace(' ', "\0")).expect("cmdline");
                copy_process(sources, &format!("{id}.child-{pid}"), &here);
            }
        }
    }
}

/// Where the captures lie.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mesos")
}

/// A `stat` line with every field that Linux 6.x prints; only pid, command, state and parent tell.
fn write_stat(here: &Path, pid: u32, parent: u32, comm: &str) {
    fs::create_dir_all(here).expect("process directory");
    let comm: String = comm.rsplit('/').next().unwrap_or(comm).chars().take(15).collect();
    let zeros = vec!["0"; 52 - 22].join(" ");
    let line = format!(
        "{pid} ({comm}) S {parent} {pid} {pid} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 {zeros}\n"
    );
    fs::write(here.join("stat"), line).expect("stat");
    fs::write(here.join("comm"), format!("{comm}\n")).expect("comm");
}

fn copy_process(sources: &[PathBuf], name: &str, here: &Path) {
    fs::create_dir_all(here).expect("process directory");
    for file in ["mountinfo", "cgroup"] {
        let found =
            sources.iter().map(|dir| dir.join(format!("{name}.{file}"))).find(|p| p.exists());
        if let Some(found) = found {
            fs::copy(&found, here.join(file))
                .unwrap_or_else(|e| panic!("{}: {e}", found.display()));
        }
    }
}
