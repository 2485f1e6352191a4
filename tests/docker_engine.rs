//! A real Docker engine, started by hand on its own socket and data root.
//!
//! Needs root and dockerd; where the engine does not start these tests say so and are skipped.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::daemon::{Daemon, value};
use support::du::used_bytes;

/// A running engine; ended, with all its containers and mounts, when dropped.
struct Engine {
    dir: PathBuf,
    dockerd: Option<Child>,
}

impl Engine {
    /// `None`: there is no engine here, and why was said.
    fn start(name: &str) -> Option<Self> {
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
        let dir = std::env::temp_dir().join(format!("pl-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let mut engine = Self { dir, dockerd: None };
        if let Err(why) = engine.run() {
            return skip(&why);
        }
        Some(engine)
    }

    fn run(&mut self) -> Result<(), String> {
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

    fn socket(&self) -> PathBuf {
        self.dir.join("sock")
    }

    fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    fn try_docker(&self, args: &[&str]) -> Option<String> {
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

    fn docker(&self, args: &[&str]) -> String {
        self.try_docker(args).unwrap_or_else(|| panic!("docker {args:?} failed"))
    }

    /// An image with nothing but busybox.
    fn import(&self) {
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
    fn container(&self, name: &str, more: &[&str], script: &str) {
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

    fn signal(&self, name: &str) {
        let pid = self.dockerd.as_ref().expect("runs").id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
    }

    /// Kills it without a chance to clean up; its containers go on.
    fn kill(&mut self) {
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

fn configured(dir: &Path, socket: &Path, root: &Path) -> PathBuf {
    let config = dir.join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {{socket: 'unix://{}', data_root: {}, timeout: 1s, labels: [team]}}\n\
         discovery: {{interval: 1s}}\norphans: {{grace: 2s}}\nusage: {{cpu_budget: 0.5, max_age: 1s}}\n\
         storage: {{enabled: false}}\n",
        socket.display(),
        root.display()
    );
    std::fs::write(&config, text).expect("write");
    config
}

fn row(daemon: &Daemon, list: &str, field: &str, name: &str) -> Option<Value> {
    let rows = daemon.json(list);
    rows.as_array()?.iter().find(|row| row[field] == name).cloned()
}

fn volume(daemon: &Daemon, name: &str) -> Option<Value> {
    row(daemon, "/api/v1/volumes", "volume", name)
}

fn wait_state(daemon: &Daemon, name: &str, state: &str) -> Value {
    daemon.wait_for(&format!("{name} {state}"), Duration::from_secs(20), |daemon| {
        volume(daemon, name).filter(|row| row["state"] == state)
    })
}

fn collector(daemon: &Daemon) -> Option<f64> {
    let body = daemon.get("/metrics").body;
    value(&body, "plimsoll_collector_success{collector=\"docker\"}")
}

#[test]
fn a_real_engines_data_is_found_measured_and_judged_whatever_becomes_of_the_engine() {
    let Some(mut engine) = Engine::start("engine") else { return };
    engine.import();
    engine.docker(&["volume", "create", "--label", "team=db\u{1b}[2J", "pgdata"]);
    engine.docker(&["volume", "create", "lonely"]);
    engine.docker(&[
        "volume",
        "create",
        "--opt",
        "type=nfs",
        "--opt",
        "o=addr=192.0.2.7,rw,password=hunter2",
        "--opt",
        "device=:/export/pg",
        "nfsvol",
    ]);
    let bound = engine.dir.join("bound");
    std::fs::create_dir_all(&bound).expect("make");
    let bind = format!("{}:/bind", bound.display());
    let write = |to: &str, kib: u32| {
        format!("busybox dd if=/dev/zero of={to} bs=1024 count={kib} 2>/dev/null")
    };
    let script = [
        write("/data/f", 300),
        write("/layer", 100),
        write("/scratch/f", 50),
        write("/t/f", 64),
        write("/bind/f", 20),
    ]
    .join("; ");
    engine.container(
        "writer",
        &[
            "-v",
            "pgdata:/data",
            "-v",
            "/scratch",
            "-v",
            &bind,
            "--label",
            "team=app",
            "--mount",
            "type=tmpfs,destination=/t,tmpfs-size=1048576",
        ],
        &script,
    );
    engine.container("reader", &["-v", "pgdata:/again:ro"], "true");
    engine.docker(&[
        "run",
        "--network",
        "none",
        "--name",
        "done",
        "-v",
        "/left",
        "box",
        "/bin/busybox",
        "true",
    ]);

    let dir = tempfile::tempdir().expect("a directory");
    let config = configured(dir.path(), &engine.socket(), &engine.root());
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();
    daemon.wait_for("first measurements", Duration::from_secs(30), |daemon| {
        let measured = |list: &str| {
            let local = |row: &&Value| row["remote"].is_null() && row["disk"] != "TMPFS";
            let rows = daemon.json(list);
            rows.as_array().is_some_and(|rows| {
                rows.len() > 2 && rows.iter().filter(local).all(|row| row["used_bytes"].is_u64())
            })
        };
        (measured("/api/v1/volumes") && measured("/api/v1/sandboxes")).then_some(())
    });
    assert_eq!(collector(&daemon), Some(1.0));

    // Who holds what, and how much it is.
    let inspect = |format: &str, name: &str| engine.docker(&["inspect", "-f", format, name]);
    let id = |name: &str| inspect("{{.Id}}", name);
    let pgdata = volume(&daemon, "pgdata").expect("pgdata");
    let path = |row: &Value| PathBuf::from(row["path"].as_str().expect("a path"));
    assert_eq!(path(&pgdata), engine.root().join("volumes/pgdata/_data"));
    assert_eq!(pgdata["used_bytes"].as_u64(), Some(used_bytes(&path(&pgdata))));
    assert!(pgdata["used_bytes"].as_u64() > Some(300 << 10));
    assert_eq!((&pgdata["state"], &pgdata["anonymous"]), (&"in_use".into(), &false.into()));
    let holders: Vec<(&str, &str, bool)> = pgdata["holders"]
        .as_array()
        .expect("holders")
        .iter()
        .map(|holder| {
            let text = |field: &str| holder[field].as_str().expect("text");
            (text("executor"), text("container_path"), holder["read_only"] == true)
        })
        .collect();
    assert_eq!(holders, [("reader", "/again", true), ("writer", "/data", false)]);
    assert_eq!(volume(&daemon, "lonely").expect("lonely")["state"], "idle");
    let nfs = volume(&daemon, "nfsvol").expect("nfsvol");
    assert_eq!((&nfs["remote"], &nfs["state"]), (&"192.0.2.7:/export/pg".into(), &"idle".into()));
    assert!(nfs["used_bytes"].is_null() && nfs["measure_failed"] == false);
    let bind = volume(&daemon, bound.to_str().expect("UTF-8")).expect("the bind mount");
    assert_eq!(
        (&bind["kind"], bind["used_bytes"].as_u64()),
        (&"host_path".into(), Some(used_bytes(&bound)))
    );
    let tmpfs = volume(&daemon, "writer:/t").expect("the tmpfs");
    assert_eq!(tmpfs["quota_bytes"].as_u64(), Some(1 << 20));
    assert_eq!(tmpfs["enforcement"], "filesystem");
    let mounts = |name: &str| {
        inspect("{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}} {{end}}{{end}}", name)
    };
    let left = mounts("done").trim().to_owned();
    let scratch = mounts("writer").replace("pgdata", "").trim().to_owned();
    assert_eq!(
        volume(&daemon, &left).expect("left")["state"],
        "idle",
        "a stopped container has it"
    );
    assert_eq!(volume(&daemon, &scratch).expect("scratch")["state"], "in_use");

    let sandbox = |name: &str| row(&daemon, "/api/v1/sandboxes", "executor", name).expect("there");
    let writer = sandbox("writer");
    let upper = PathBuf::from(inspect("{{.GraphDriver.Data.UpperDir}}", "writer"));
    assert_eq!(
        (path(&writer), writer["used_bytes"].as_u64()),
        (upper.clone(), Some(used_bytes(&upper)))
    );
    assert_eq!((&writer["state"], &writer["kind"]), (&"live".into(), &"docker".into()));
    assert_eq!(writer["container"], id("writer").as_str());
    assert_eq!(writer["pid"].to_string(), inspect("{{.State.Pid}}", "writer"));
    assert_eq!(sandbox("done")["state"], "exited");
    let page = daemon.get("/metrics").body;
    assert!(
        page.contains("label=\"team\",value=\"app\"")
            && page.contains("plimsoll_volume_label_info")
    );
    assert!(!page.contains("hunter2") && !daemon.log().contains("hunter2"));
    assert!(!daemon.get("/").body.contains('\u{1b}'));

    // An event is enough: a new volume is there long before the next listing.
    engine.docker(&["volume", "create", "fresh"]);
    wait_state(&daemon, "fresh", "idle");
    engine.docker(&["volume", "rm", "fresh"]);
    daemon.wait_for("it goes", Duration::from_secs(10), |daemon| {
        volume(daemon, "fresh").is_none().then_some(())
    });

    // A container removed without its volume: an orphan after the grace, and what to do.
    engine.docker(&["rm", "done"]);
    let orphan = wait_state(&daemon, &left, "orphaned");
    assert_eq!(orphan["orphan_reason"], "dangling_anonymous");
    let next = row(&daemon, "/api/v1/orphans", "volume", &left).expect("listed")["next"].clone();
    assert!(next.as_str().expect("text").contains(&format!("docker volume rm {left}")), "{next}");
    engine.docker(&["volume", "rm", &left]);
    daemon.wait_for("the orphan goes", Duration::from_secs(10), |daemon| {
        volume(daemon, &left).is_none().then_some(())
    });

    // A paused engine: nothing is lost, nobody's data becomes an orphan, its containers still run.
    engine.signal("-STOP");
    daemon.wait_for("the hang is seen", Duration::from_secs(20), |daemon| {
        (collector(daemon) == Some(0.0)).then_some(())
    });
    wait_state(&daemon, "lonely", "unknown");
    assert_eq!(volume(&daemon, "pgdata").expect("pgdata")["state"], "in_use");
    assert_eq!(
        row(&daemon, "/api/v1/sandboxes", "executor", "writer").expect("there")["state"],
        "live"
    );
    assert_eq!(daemon.json("/api/v1/orphans").as_array().map(Vec::len), Some(0));
    engine.signal("-CONT");
    wait_state(&daemon, "lonely", "idle");

    // A killed one: the same, with its containers going on; a container that ends meanwhile holds
    // nothing any more, which is not the engine's word that nobody does.
    engine.kill();
    wait_state(&daemon, "lonely", "unknown");
    assert_eq!(volume(&daemon, "pgdata").expect("pgdata")["state"], "in_use");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(daemon.json("/api/v1/orphans").as_array().map(Vec::len), Some(0));

    // A daemon that never saw the engine finds what lies there, with ids and without names.
    let second = Daemon::serve(&config, &[]);
    second.wait_ready();
    let found = volume(&second, "pgdata").expect("found in the data root");
    assert_eq!(found["state"], "unknown");
    assert_eq!(volume(&second, "nfsvol").expect("nfsvol")["remote"], "192.0.2.7:/export/pg");
    let by_path = row(&second, "/api/v1/sandboxes", "path", upper.to_str().expect("UTF-8"));
    let by_path = by_path.expect("the layer is found in the mount table");
    assert_eq!((&by_path["executor"], &by_path["state"]), (&"".into(), &"live".into()));
    drop(second);

    engine.run().expect("the engine starts again");
    wait_state(&daemon, "lonely", "idle");
    assert_eq!(collector(&daemon), Some(1.0));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn without_permission_the_source_says_what_to_do() {
    let Some(engine) = Engine::start("denied") else { return };
    if !rustix_is_root() {
        eprintln!("SKIPPED: needs root to become somebody else");
        return;
    }
    engine.docker(&["volume", "create", "pgdata"]);
    let open = |path: &Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    };
    // The way to the socket may be searched, the socket itself is root's.
    open(&engine.dir, 0o755);
    let dir = tempfile::tempdir().expect("a directory");
    open(dir.path(), 0o755);
    let config = configured(dir.path(), &engine.socket(), &engine.root());
    open(&config, 0o644);
    let binary = dir.path().join("plimsoll");
    std::fs::copy(env!("CARGO_BIN_EXE_plimsoll"), &binary).expect("copy");
    open(&binary, 0o755);
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&binary)
        .args(["check", "--config.file"])
        .arg(&config)
        .output()
        .expect("setpriv");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("sock: permission denied"), "{text}");
    assert!(text.contains("put this service's user into the group"), "{text}");
    // With the capability the data root still tells which volumes there are.
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"])
        .arg(&binary)
        .args(["volumes", "-o", "json", "--config.file"])
        .arg(&config)
        .output()
        .expect("setpriv");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("\"pgdata\"") && text.contains("\"unknown\""), "{text}\n{why}");
}

fn rustix_is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout == b"0\n"
}
