//! A real Podman, asked over its Docker-compatible socket.
//!
//! Needs root and podman with runc; where it starts no container only those that were created are
//! looked at, and that is said.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::daemon::{Daemon, value};
use support::du::used_bytes;

/// Podman with storage of its own, and its service; ended, with its containers, when dropped.
struct Podman {
    dir: PathBuf,
    service: Option<Child>,
}

impl Podman {
    fn start() -> Option<Self> {
        let found = Command::new("podman").arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: podman is not installed");
            return None;
        }
        let dir = std::env::temp_dir().join(format!("pl-podman-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("image/bin")).expect("a directory");
        // Raising limits is more than a machine within a machine may do.
        let settings = "[containers]\ndefault_ulimits=[]\n[engine]\ncgroup_manager=\"cgroupfs\"\n\
                        events_logger=\"file\"\nruntime=\"runc\"\n";
        std::fs::write(dir.join("containers.conf"), settings).expect("write");
        let mut podman = Self { dir, service: None };
        if podman.try_run(&["info"]).is_none() {
            eprintln!("SKIPPED: podman does not work here");
            return None;
        }
        let log = std::fs::File::create(podman.dir.join("log")).expect("a log");
        let service = podman
            .command()
            .args(["system", "service", "--time", "0"])
            .arg(format!("unix://{}", podman.socket().display()))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        podman.service = Some(service.expect("podman"));
        let start = Instant::now();
        while std::os::unix::net::UnixStream::connect(podman.socket()).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "its service did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(podman)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.dir.join("containers.conf"));
        for (flag, name) in [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(flag).arg(self.dir.join(name));
        }
        command.args(["--storage-driver", "overlay"]).stdin(Stdio::null());
        command
    }

    fn try_run(&self, args: &[&str]) -> Option<String> {
        let output = self.command().args(args).output().expect("podman");
        if !output.status.success() {
            eprintln!("podman {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    fn run(&self, args: &[&str]) -> String {
        self.try_run(args).unwrap_or_else(|| panic!("podman {args:?} failed"))
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("sock")
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

fn row(daemon: &Daemon, list: &str, field: &str, name: &str) -> Option<Value> {
    daemon.json(list).as_array()?.iter().find(|row| row[field] == name).cloned()
}

#[test]
fn podman_answers_as_docker_does() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: containers need root");
        return;
    }
    let Some(podman) = Podman::start() else { return };
    podman.import();
    podman.run(&["volume", "create", "--label", "team=db", "pgdata"]);
    podman.run(&["volume", "create", "lonely"]);
    let container = |verb: &str, name: &str, more: &[&str], command: &[&str]| {
        let mut args = vec![verb, "--name", name, "--network", "none", "--ulimit", "host"];
        // journald is not everywhere.
        args.extend(["--log-driver", "k8s-file"]);
        args.extend_from_slice(more);
        args.push("box");
        args.extend_from_slice(command);
        podman.try_run(&args)
    };
    container("create", "done", &["-v", "/left"], &["/bin/busybox", "true"]).expect("created");
    let script = "busybox dd if=/dev/zero of=/data/f bs=1024 count=300; \
                  busybox dd if=/dev/zero of=/layer bs=1024 count=100; exec busybox sleep 1000";
    let command = ["/bin/busybox", "sh", "-c", script];
    let volume = ["-v", "pgdata:/data"];
    let runs = container("run", "writer", &[&["-d"], &volume[..]].concat(), &command).is_some();
    if !runs {
        eprintln!("SKIPPED: podman starts no container here");
        podman.try_run(&["rm", "-f", "writer"]);
        container("create", "writer", &volume, &command).expect("created");
    }

    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {{socket: 'unix://{}', timeout: 10s, labels: [team]}}\n\
         discovery: {{interval: 1s}}\norphans: {{grace: 2s}}\nstorage: {{enabled: false}}\n\
         usage: {{cpu_budget: 0.5, max_age: 1s}}\n",
        podman.socket().display()
    );
    std::fs::write(&config, text).expect("write");
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();
    let wait = |what: &str, list: &str, field: &str, name: &str, check: &dyn Fn(&Value) -> bool| {
        daemon.wait_for(&format!("{name}: {what}"), Duration::from_secs(60), |daemon| {
            row(daemon, list, field, name).filter(check)
        })
    };
    let volume = |name: &str, what: &str, check: &dyn Fn(&Value) -> bool| {
        wait(what, "/api/v1/volumes", "volume", name, check)
    };
    let page = daemon.get("/metrics").body;
    assert_eq!(value(&page, "plimsoll_collector_success{collector=\"docker\"}"), Some(1.0));
    let mounted = podman.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", "pgdata"]);
    let exact = |row: &Value| row["used_bytes"].as_u64() == Some(used_bytes(Path::new(&mounted)));
    let pgdata = volume("pgdata", "its bytes", &exact);
    assert_eq!(
        (&pgdata["path"], &pgdata["labels"]["team"]),
        (&mounted.as_str().into(), &"db".into())
    );
    volume("lonely", "nobody's", &|row| row["state"] == "idle");
    let list = ["volume", "ls", "-q"];
    let all = podman.run(&list);
    let left = all.lines().find(|name| name.len() == 64).expect("an anonymous volume").to_owned();
    volume(&left, "a container has it", &|row| row["state"] == "idle");
    if runs {
        let writer =
            |row: &Value| row["state"] == "in_use" && row["holders"][0]["executor"] == "writer";
        volume("pgdata", "held", &|row| {
            writer(row) && row["used_bytes"].as_u64() > Some(300 << 10)
        });
        let format = "{{.GraphDriver.Data.UpperDir}}";
        let upper = podman.run(&["inspect", "-f", format, "writer"]);
        let sandbox = wait("its layer", "/api/v1/sandboxes", "executor", "writer", &|row| {
            row["used_bytes"].as_u64() > Some(100 << 10)
        });
        assert_eq!((&sandbox["path"], &sandbox["state"]), (&upper.as_str().into(), &"live".into()));
        podman.run(&["stop", "-t", "0", "writer"]);
        volume("pgdata", "nobody's", &|row| row["state"] == "idle");
    }

    // Its anonymous volume stays when a container is removed.
    podman.run(&["rm", "done"]);
    if podman.run(&list).contains(&left) {
        let orphan = volume(&left, "an orphan", &|row| row["state"] == "orphaned");
        assert_eq!(orphan["orphan_reason"], "dangling_anonymous");
        let next =
            row(&daemon, "/api/v1/orphans", "volume", &left).expect("listed")["next"].clone();
        assert!(
            next.as_str().expect("text").contains(&format!("podman volume rm {left}")),
            "{next}"
        );
    }
    assert_eq!(daemon.stop(), Some(0));
}
