//! A captured scene, ready for the binary.

use std::path::{Path, PathBuf};

use crate::support::daemon::Daemon;
use crate::support::replay::{self, api};

/// A scene with its API and a configuration file that leads to both.
pub struct Prepared {
    /// The rebuilt scene.
    pub replay: replay::Scene,
    /// Its agent API.
    pub api: api::Api,
    /// Configuration file.
    pub config: PathBuf,
    _dir: tempfile::TempDir,
}

/// Scene 03 (live tasks and three orphans), with some real bytes in its volumes, judged at once.
pub fn quiet() -> Prepared {
    let prepared = load("03-orphan-volumes", api::Mode::Whole);
    for (index, volume) in ["wh-0001", "idle-0004"].iter().enumerate() {
        let path = prepared.volume("analytics", volume).join("data.bin");
        std::fs::write(path, vec![7; (index + 1) * 300_000]).expect("write");
    }
    prepared
}

/// Any scene.
pub fn load(name: &str, mode: api::Mode) -> Prepared {
    let replay = replay::Scene::load(name);
    let api = replay.api(mode);
    of(replay, api)
}

/// A scene that was changed, with what its agent answers.
#[allow(dead_code)] // not every test binary changes one
pub fn of(replay: replay::Scene, api: api::Api) -> Prepared {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("plimsoll.yml");
    let prepared = Prepared { replay, api, config, _dir: dir };
    prepared.configure("");
    prepared
}

impl Prepared {
    /// Writes the configuration: the scene, `orphans.grace: 0s`, and `more` top-level YAML.
    pub fn configure(&self, more: &str) {
        let text = format!(
            "mesos:\n  work_dir: {}\n  runtime_dir: {}\n  agent_url: {}\n  timeout: 1s\n  \
             poll_interval: 1s\norphans:\n  grace: 0s\nusage:\n  cpu_budget: 0.5\n{more}",
            self.replay.work_dir().display(),
            self.replay.runtime_dir().display(),
            self.api.url(),
        );
        std::fs::write(&self.config, text).expect("write");
    }

    /// Starts the daemon on it.
    pub fn serve(&self) -> Daemon {
        let args = self.path_flags();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Daemon::serve(&self.config, &args)
    }

    /// The same with environment variables.
    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Daemon {
        let flags = self.path_flags();
        let mut args = vec!["serve", "--config.file", self.config.to_str().expect("a UTF-8 path")];
        args.extend(flags.iter().map(String::as_str));
        Daemon::start_in(&args, environment)
    }

    /// `--path.*` flags that lead into the scene.
    pub fn path_flags(&self) -> Vec<String> {
        let roots = self.replay.roots();
        vec![
            format!("--path.procfs={}", roots.procfs.display()),
            format!("--path.sysfs={}", roots.sysfs.display()),
            format!("--path.rootfs={}", roots.rootfs.display()),
        ]
    }

    /// Directory of a root-disk volume, as it lies on this machine.
    pub fn volume(&self, role: &str, id: &str) -> PathBuf {
        self.replay.host(
            Path::new(replay::WORK_DIR).join("volumes/roles").join(role.replace('/', " ")).join(id),
        )
    }

    /// Directory below the work directory, as it lies on this machine.
    pub fn work(&self, below: &str) -> PathBuf {
        self.replay.host(Path::new(replay::WORK_DIR).join(below))
    }
}
