//! A real Docker engine, started by hand on its own socket and data root.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running engine; ended, with all its containers and mounts, when dropped.
pub struct Engine {
    /// Everything of it lies below.
    pub dir: PathBuf,
    dockerd: Option<Child>,
}

impl Engine {
    /// `None`: there is no engine here, and why was said.
    pub fn start(name: &str) -> Option<Self> {
        let skip = |why: &str| {
            eprintln!("SKIPPED: no Docker engine can be started here: {why}");
            None
        };
        let runs = |program: &str| {
            let output = Command::new(program).arg("--version").stdout(Stdio::null()).status();
            output.is_ok_and(|status| status.success())
        };
        if !runs("dockerd") || !runs("docker") {
            return skip("dockerd and docker are not installed");
        }
        // Short: the path of a Unix socket has room for 108 bytes.
        // Never one that was left by a run that was killed.
        let dir = tempfile::Builder::new().prefix(&format!("pl-{name}-")).tempdir();
        let dir = dir.expect("a directory").keep();
        let mut engine = Self { dir, dockerd: None };
        if let Err(why) = engine.run() {
            return skip(&why);
        }
        Some(engine)
    }

    pub fn run(&mut self) -> Result<(), String> {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join("log"));
        let log = log.expect("a log");
        let host = format!("unix://{}", self.socket().display());
        let child = Command::new("dockerd")
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--storage-driver=overlay2", "--exec-opt", "native.cgroupdriver=cgroupfs"])
            .args(["--live-restore", "--host", &host, "--group", "0"])
            .arg("--data-root")
            .arg(self.root())
            .arg("--exec-root")
            .arg(self.dir.join("exec"))
            .arg("--pidfile")
            .arg(self.dir.join("pid"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        self.dockerd = Some(child.map_err(|error| error.to_string())?);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            let child = self.dockerd.as_mut().expect("started");
            if child.try_wait().expect("wait").is_some() {
                break;
            }
            if self.try_docker(&["version"]).is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        Err(log.lines().rev().take(5).collect::<Vec<_>>().join("\n"))
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("sock")
    }

    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    pub fn try_docker(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("docker")
            .env("DOCKER_HOST", format!("unix://{}", self.socket().display()))
            .env("DOCKER_CONFIG", &self.dir)
            .env_remove("DOCKER_CONTEXT")
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("docker");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    pub fn docker(&self, args: &[&str]) -> String {
        self.try_docker(args).unwrap_or_else(|| panic!("docker {args:?} failed"))
    }

    /// An image with nothing but busybox.
    pub fn import(&self) {
        let (tar, image) = (self.dir.join("image.tar"), self.dir.join("image"));
        std::fs::create_dir_all(image.join("bin")).expect("make");
        let found = Command::new("sh").args(["-c", "command -v busybox"]).output().expect("sh");
        let busybox = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        std::fs::copy(busybox, image.join("bin/busybox")).expect("busybox-static is installed");
        std::os::unix::fs::symlink("busybox", image.join("bin/sh")).expect("link");
        let file = std::fs::File::create(&tar).expect("create");
        let mut builder = tar::Builder::new(file);
        builder.follow_symlinks(false);
        builder.append_dir_all(".", &image).expect("pack");
        builder.finish().expect("pack");
        self.docker(&["import", tar.to_str().expect("UTF-8"), "box"]);
    }

    /// Runs a container that writes what `script` says, then sleeps.
    pub fn container(&self, name: &str, more: &[&str], script: &str) {
        let script = format!("{script}; echo ready; exec busybox sleep 1000");
        let mut args = vec!["run", "-d", "--network", "none", "--name", name];
        args.extend_from_slice(more);
        args.extend_from_slice(&["box", "/bin/sh", "-c", &script]);
        self.docker(&args);
        let start = Instant::now();
        while !self.docker(&["logs", name]).contains("ready") {
            assert!(start.elapsed() < Duration::from_secs(20), "{name} did not get ready");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.dockerd.as_ref().expect("runs").id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
    }

    /// Kills it without a chance to clean up; its containers go on.
    pub fn kill(&mut self) {
        let mut child = self.dockerd.take().expect("runs");
        child.kill().expect("kill");
        child.wait().expect("wait");
        // Its containerd goes with it; a new one would find the old one's socket.
        self.end("exec/containerd/containerd.pid");
        let _ = std::fs::remove_file(self.dir.join("pid"));
    }

    fn end(&self, pid_file: &str) {
        let Ok(pid) = std::fs::read_to_string(self.dir.join(pid_file)) else { return };
        let alive = Path::new("/proc").join(pid.trim());
        let _ = Command::new("kill").args(["-TERM", pid.trim()]).status();
        let start = Instant::now();
        while alive.exists() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.dockerd.is_none() {
            let _ = self.run();
        }
        if let Some(all) = self.try_docker(&["ps", "-aq"]) {
            let mut args = vec!["rm", "-f", "-v"];
            args.extend(all.lines());
            if args.len() > 3 {
                self.try_docker(&args);
            }
        }
        if let Some(mut child) = self.dockerd.take() {
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            let start = Instant::now();
            while child.try_wait().is_ok_and(|status| status.is_none()) {
                if start.elapsed() > Duration::from_secs(15) {
                    let _ = child.kill();
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        self.end("exec/containerd/containerd.pid");
        let table = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let below = self.dir.display().to_string();
        let points = table.lines().filter_map(|line| line.split(' ').nth(1));
        for point in
            points.filter(|point| point.starts_with(&below)).collect::<Vec<_>>().iter().rev()
        {
            let _ = Command::new("umount").args(["-l", point]).status();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
