//! A real Podman with storage of its own, and its Docker-compatible service.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Raising limits is more than a machine within a machine may do, and neither systemd nor journald
/// is everywhere.
const SETTINGS: &str = "[containers]\ndefault_ulimits=[]\n[engine]\ncgroup_manager=\"cgroupfs\"\n\
                        events_logger=\"file\"\nruntime=\"runc\"\n";

/// Podman and its service; ended, with its containers and mounts, when dropped.
pub struct Podman {
    /// Everything of it lies below.
    pub dir: PathBuf,
    service: Option<Child>,
}

impl Podman {
    /// With an image `box` of nothing but busybox. `None`: there is none here, and why was said.
    pub fn start(name: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: containers need root");
            return None;
        }
        let found = Command::new("podman").arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: podman is not installed");
            return None;
        }
        // Short: the path of a Unix socket has room for 108 bytes.
        // Never one that was left by a run that was killed.
        let dir = tempfile::Builder::new().prefix(&format!("pl-{name}-")).tempdir();
        let dir = dir.expect("a directory").keep();
        std::fs::create_dir_all(dir.join("image/bin")).expect("a directory");
        std::fs::write(dir.join("containers.conf"), SETTINGS).expect("write");
        let mut podman = Self { dir, service: None };
        if podman.try_run(&["info"]).is_none() {
            eprintln!("SKIPPED: podman does not work here");
            return None;
        }
        podman.serve();
        podman.import();
        Some(podman)
    }

    /// Starts the service, which needs no other of Podman's processes.
    pub fn serve(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join("log"));
        let service = self
            .command()
            .args(["system", "service", "--time", "0"])
            .arg(format!("unix://{}", self.socket().display()))
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn();
        self.service = Some(service.expect("podman"));
        let start = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "its service did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills the service; the containers go on.
    pub fn kill(&mut self) {
        let mut service = self.service.take().expect("runs");
        service.kill().expect("kill");
        service.wait().expect("wait");
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.dir.join("containers.conf"));
        command.arg("--root").arg(self.root());
        for (flag, name) in [("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(flag).arg(self.dir.join(name));
        }
        command.args(["--storage-driver", "overlay"]).stdin(Stdio::null());
        command
    }

    pub fn try_run(&self, args: &[&str]) -> Option<String> {
        let output = self.command().args(args).output().expect("podman");
        if !output.status.success() {
            eprintln!("podman {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    pub fn run(&self, args: &[&str]) -> String {
        self.try_run(args).unwrap_or_else(|| panic!("podman {args:?} failed"))
    }

    /// Makes (`create`) or starts (`run`) a container of the image; `None` when it does not start.
    pub fn container(&self, verb: &str, name: &str, more: &[&str], script: &str) -> Option<String> {
        let mut args = vec![verb, "--name", name, "--network", "none", "--ulimit", "host"];
        args.extend(["--log-driver", "k8s-file"]);
        args.extend_from_slice(more);
        args.extend(["box", "/bin/busybox", "sh", "-c", script]);
        self.try_run(&args)
    }

    pub fn inspect(&self, name: &str, format: &str) -> String {
        self.run(&["inspect", "-f", &format!("{{{{{format}}}}}"), name])
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("sock")
    }

    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    fn import(&self) {
        let (tar, image) = (self.dir.join("image.tar"), self.dir.join("image"));
        let found = Command::new("sh").args(["-c", "command -v busybox"]).output().expect("sh");
        let busybox = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        std::fs::copy(busybox, image.join("bin/busybox")).expect("busybox-static is installed");
        let file = std::fs::File::create(&tar).expect("create");
        let mut builder = tar::Builder::new(file);
        builder.append_dir_all(".", &image).expect("pack");
        builder.finish().expect("pack");
        self.run(&["import", tar.to_str().expect("UTF-8"), "box"]);
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        self.try_run(&["rm", "-a", "-f", "-v", "-t", "0"]);
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
        let table = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points = table.lines().filter_map(|line| line.split(' ').nth(1));
        let points: Vec<&str> =
            points.filter(|point| Path::new(point).starts_with(&self.dir)).collect();
        for point in points.iter().rev() {
            let _ = Command::new("umount").args(["-l", point]).status();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
