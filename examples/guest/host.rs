//! A host with an agent for the real daemon to look at: the demo's scene, its API and its tasks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plimsoll::demo::Scene;
use serde_json::Value;

use crate::daemon::Daemon;

/// The scene and the configuration that leads to it.
pub struct Host {
    /// The scene; it is removed when dropped.
    pub scene: Scene,
    config: PathBuf,
}

impl Host {
    /// Makes the scene below `dir`, with `more` top-level YAML in the daemon's configuration.
    pub fn create(dir: &Path, more: &str) -> Self {
        fs::create_dir_all(dir).expect("a directory");
        let scene = Scene::create(dir).expect("the demo's scene");
        let host = Self { scene, config: dir.join("plimsoll.yml") };
        host.configure(more);
        host
    }

    /// Writes the configuration anew.
    pub fn configure(&self, more: &str) {
        let text = format!(
            "mesos:\n  work_dir: {}\n  runtime_dir: {}\n  agent_url: {}\n  poll_interval: 1s\n{more}",
            self.scene.work_dir().display(),
            self.scene.runtime_dir().display(),
            self.scene.agent_url(),
        );
        fs::write(&self.config, text).expect("written");
    }

    /// The daemon, ready and with a first value for everything.
    pub fn serve(&self) -> Daemon {
        let daemon = Daemon::serve(&self.config, &[]);
        daemon.wait_ready();
        daemon.wait_measured();
        daemon
    }
}

/// A volume as the API shows it.
pub fn volume(daemon: &Daemon, name: &str) -> Value {
    let rows = daemon.json("/api/v1/volumes");
    let row = rows.as_array().and_then(|rows| rows.iter().find(|row| row["volume"] == name));
    row.cloned().unwrap_or_else(|| panic!("no volume {name} in {rows}"))
}

/// Value of the sample of a family that has all these labels.
pub fn series(daemon: &Daemon, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let wanted: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let body = daemon.get("/metrics").body;
    let of_family = body.lines().filter_map(|line| line.strip_prefix(family)?.strip_prefix('{'));
    let mut found = of_family.filter(|line| wanted.iter().all(|label| line.contains(label)));
    found.next()?.rsplit_once(' ')?.1.parse().ok()
}

/// Looks again and again until it is so; whether it was within the time.
pub fn eventually(seconds: u64, mut so: impl FnMut() -> bool) -> bool {
    let patience = Instant::now() + Duration::from_secs(seconds);
    loop {
        if so() {
            return true;
        }
        if Instant::now() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
