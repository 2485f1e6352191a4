//! Scenes that were not captured, made from one that was: the files, the answers and the mount
//! table are changed together as the agent or the operator would change them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll::config::MesosConfig;
use plimsoll::discover::mesos::MesosSource;
use plimsoll::host::Guard;
use plimsoll::judge::{Evidence, Memory, assemble};
use plimsoll::model::{Inventory, RoleOwners, Snapshot};
use serde_json::Value;

use super::api::{Api, Mode};
use super::{Scene, WORK_DIR};

/// A scene that is changed before it is read.
pub struct Changed {
    /// Its files.
    pub scene: Scene,
    /// Its answers.
    answers: tempfile::TempDir,
    /// What is remembered of earlier rounds.
    pub memory: Memory,
    /// What the master says.
    pub owners: Option<RoleOwners>,
}

impl Changed {
    /// A captured scene, nothing changed yet.
    pub fn of(name: &str) -> Self {
        let scene = Scene::load(name);
        let answers = tempfile::tempdir().expect("a directory");
        for entry in fs::read_dir(scene.fixture("")).expect("the scene") {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name");
            if name.to_string_lossy().starts_with("agent-") {
                fs::copy(&path, answers.path().join(name)).expect("copy");
            }
        }
        Self { scene, answers, memory: Memory::default(), owners: None }
    }

    /// Rewrites one answer, `agent-state.json`.
    pub fn answer(&self, file: &str, change: impl FnOnce(&mut Value)) {
        rewrite(&self.answer_file(file), change);
    }

    /// Where it lies, to be changed while the API answers.
    pub fn answer_file(&self, file: &str) -> PathBuf {
        self.answers.path().join(file)
    }

    /// The agent registered anew as `new`: another id below `meta/slaves`, the link leads there, all
    /// containers were killed, the API shows nothing of what was.
    pub fn registered_anew(&mut self, old: &str, new: &str) {
        self.nothing_runs();
        self.answers(old, new);
        let slaves = self.scene.host(WORK_DIR).join("meta/slaves");
        fs::create_dir(slaves.join(new)).expect("make");
        fs::copy(slaves.join(old).join("slave.info"), slaves.join(new).join("slave.info"))
            .expect("copy");
        let changed =
            self.checkpoint(old, new, |path| path.parent().is_some_and(|up| up.ends_with(new)));
        assert_eq!(changed, 1);
        fs::remove_file(slaves.join("latest")).expect("the link");
        symlink(Path::new(WORK_DIR).join("meta/slaves").join(new), slaves.join("latest"))
            .expect("link");
    }

    /// The checkpoint's list of volumes is that of another scene.
    pub fn volumes_of(&self, other: &str) {
        let other = Scene::load(other);
        for file in ["resources.info", "resources_and_operations.state"] {
            let below = format!("{WORK_DIR}/meta/resources/{file}");
            fs::copy(other.host(&below), self.scene.host(&below)).expect("copy");
        }
    }

    /// The agent runs nothing and knows of nothing that ran; its volumes it still lists.
    pub fn nothing_runs(&mut self) {
        self.answer("agent-state.json", |state| {
            for key in ["frameworks", "completed_frameworks"] {
                state[key] = Value::Array(Vec::new());
            }
            for key in ["reserved_resources_allocated", "unreserved_resources_allocated"] {
                state[key] = serde_json::json!({});
            }
        });
        self.answer("agent-containers.json", |list| *list = Value::Array(Vec::new()));
        for call in ["GET_CONTAINERS", "GET_TASKS", "GET_EXECUTORS", "GET_FRAMEWORKS"] {
            self.answer(&format!("agent-v1-{call}.json"), |answer| {
                *answer = serde_json::json!({"type": call, call.to_lowercase(): {}});
            });
        }
        self.no_container_is_left();
    }

    /// Their processes, their mounts and what the runtime directory knew of them are gone.
    pub fn no_container_is_left(&mut self) {
        for (_, pid) in std::mem::take(&mut self.scene.pids) {
            self.scene.end_process(pid);
        }
        let runtime = self.scene.host(super::RUNTIME_DIR).join("containers");
        fs::remove_dir_all(&runtime).expect("the runtime directory");
        fs::create_dir(&runtime).expect("make");
        let sandboxes = format!("{WORK_DIR}/slaves/");
        self.mounts(|line| !line.split(' ').nth(4).is_some_and(|at| at.starts_with(&sandboxes)));
    }

    /// The host was booted again, so that no task of the checkpoint runs.
    pub fn rebooted(&mut self) {
        self.no_container_is_left();
        let kernel = self.scene.rootfs().join("proc/sys/kernel/random");
        fs::create_dir_all(&kernel).expect("make");
        fs::write(kernel.join("boot_id"), "b0070000-0000-4000-8000-000000000007\n").expect("write");
    }

    /// Keeps those lines of the host's mount table.
    pub fn mounts(&self, keep: impl Fn(&str) -> bool) {
        self.mount_table(|table| {
            let kept: Vec<&str> = table.lines().filter(|line| keep(line)).collect();
            kept.join("\n") + "\n"
        });
    }

    /// Rewrites the host's mount table.
    pub fn mount_table(&self, change: impl Fn(&str) -> String) {
        for process in ["1", "self"] {
            let path = self.scene.rootfs().join("proc").join(process).join("mountinfo");
            let table = fs::read_to_string(&path).expect("a mount table");
            fs::write(path, change(&table)).expect("write");
        }
    }

    /// Puts one text for another of the same length in every file of the checkpoint that `wanted`
    /// picks. (The checkpoint is binary: another length would need other frames.)
    pub fn checkpoint(&self, from: &str, to: &str, wanted: impl Fn(&Path) -> bool) -> usize {
        assert_eq!(from.len(), to.len());
        let meta = self.scene.host(WORK_DIR).join("meta");
        let mut changed = 0;
        for path in files(&meta).into_iter().filter(|path| wanted(path)) {
            let bytes = fs::read(&path).expect("read");
            let new = replaced(&bytes, from.as_bytes(), to.as_bytes());
            if new != bytes {
                fs::write(path, new).expect("write");
                changed += 1;
            }
        }
        changed
    }

    /// The same in every answer, however JSON escapes it.
    pub fn answers(&self, from: &str, to: &str) {
        for path in files(self.answers.path()) {
            let text = fs::read_to_string(&path).expect("read");
            let escaped = |text: &str| text.replace('/', "\\/");
            let text = text.replace(from, to).replace(&escaped(from), &escaped(to));
            fs::write(path, text).expect("write");
        }
    }

    /// Its agent's API, which answers as it was changed.
    pub fn api(&self, mode: Mode) -> Api {
        Api::start(self.answers.path(), mode)
    }

    /// Moves a directory of the host; the new place's parents are made.
    pub fn moved(&self, from: &str, to: &str) {
        let (from, to) = (self.scene.host(from), self.scene.host(to));
        fs::create_dir_all(to.parent().expect("a parent")).expect("make");
        fs::rename(&from, &to).unwrap_or_else(|error| panic!("{from:?} to {to:?}: {error}"));
    }

    /// Discovers and judges without a grace period, long after everything was made.
    pub fn judged(&mut self, mode: Mode) -> Snapshot {
        self.judged_at(mode, 4e9, 0.0)
    }

    /// Discovers and judges.
    pub fn judged_at(&mut self, mode: Mode, now: f64, grace: f64) -> Snapshot {
        let api = self.api(mode);
        let config = MesosConfig {
            work_dir: Some(self.scene.work_dir().into()),
            runtime_dir: Some(self.scene.runtime_dir().into()),
            agent_url: Some(api.url()),
            timeout: Duration::from_secs(2),
            ..MesosConfig::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let roots = self.scene.roots();
        let guard = Arc::new(Guard::new(roots.clone(), Duration::from_secs(5)));
        let mut source = MesosSource::new(config, roots, guard, runtime.handle().clone());
        let round = source.refresh();
        let inventory = Inventory {
            taken_at: now,
            agent: round.agent,
            volumes: round.volumes,
            sandboxes: round.sandboxes,
            containers: round.containers,
            sources: round.sources,
            disagreements: round.disagreements,
        };
        self.memory.observe(&inventory, now);
        if let Some(owners) = &self.owners {
            self.memory.observe_owners(owners, now);
        }
        assemble(Evidence {
            inventory: Arc::new(inventory),
            memory: &self.memory,
            owners: self.owners.as_ref(),
            usage: &Default::default(),
            histories: &Default::default(),
            filesystems: Vec::new(),
            filesystem_of: &Default::default(),
            io: Default::default(),
            collectors: Vec::new(),
            now,
            grace,
            sequence: 1,
        })
    }
}

/// State of each volume, by `role/id on disk`.
pub fn volumes(snapshot: &Snapshot) -> BTreeMap<String, &'static str> {
    let name =
        |key: &plimsoll::model::VolumeKey| format!("{}/{} on {}", key.role, key.volume, key.disk);
    snapshot.volumes.iter().map(|view| (name(&view.volume.key), view.state.as_str())).collect()
}

/// How many sandboxes are in each state.
pub fn sandboxes(snapshot: &Snapshot) -> BTreeMap<&'static str, usize> {
    let mut states = BTreeMap::new();
    for view in &snapshot.sandboxes {
        *states.entry(view.state.as_str()).or_default() += 1;
    }
    states
}

/// Rewrites one answer.
pub fn rewrite(path: &Path, change: impl FnOnce(&mut Value)) {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut value = serde_json::from_slice(&bytes).expect("JSON");
    change(&mut value);
    fs::write(path, value.to_string()).expect("write");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(dir).into_iter().filter_map(Result::ok);
    entries.filter(|entry| entry.file_type().is_file()).map(|entry| entry.into_path()).collect()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut new = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = new[at..].windows(from.len()).position(|window| window == from) {
        new[at + found..at + found + from.len()].copy_from_slice(to);
        at += found + from.len();
    }
    new
}
