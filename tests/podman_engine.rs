//! A real Podman, asked over its Docker-compatible socket.
//!
//! Needs root and podman with runc; where it starts no container only those that were created are
//! looked at, and that is said.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use support::daemon::{Daemon, value};
use support::du::used_bytes;
use support::podman::Podman;

/// Longest wait for anything; on a busy machine Podman takes seconds for each command.
const LIMIT: Duration = Duration::from_secs(60);

/// Lists are read again only because of an event: the next round of its own comes too late.
fn configured(dir: &Path, podman: &Podman) -> PathBuf {
    let config = dir.join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false, poll_interval: 10m}}\ndocker: {{socket: 'unix://{}', data_root: {}, timeout: 30s, labels: [team]}}\n\
         discovery: {{interval: 10m}}\norphans: {{grace: 2s}}\nstorage: {{enabled: false}}\n\
         usage: {{cpu_budget: 0.5, max_age: 1s}}\n",
        podman.socket().display(),
        podman.root().display(),
    );
    std::fs::write(&config, text).expect("write");
    config
}

fn row(daemon: &Daemon, list: &str, field: &str, name: &str) -> Option<Value> {
    daemon.json(list).as_array()?.iter().find(|row| row[field] == name).cloned()
}

/// Waits for a row of a list of which `check` is true.
fn wait_row(
    daemon: &Daemon,
    list: &str,
    (field, name): (&str, &str),
    what: &str,
    check: impl Fn(&Value) -> bool,
) -> Value {
    daemon.wait_for(&format!("{name}: {what}"), LIMIT, |daemon| {
        row(daemon, list, field, name).filter(&check)
    })
}

fn volume(daemon: &Daemon, name: &str, what: &str, check: impl Fn(&Value) -> bool) -> Value {
    wait_row(daemon, "/api/v1/volumes", ("volume", name), what, check)
}

fn in_state(daemon: &Daemon, name: &str, state: &str) -> Value {
    volume(daemon, name, state, |row| row["state"] == state)
}

fn sandbox(daemon: &Daemon, name: &str, what: &str, check: impl Fn(&Value) -> bool) -> Value {
    wait_row(daemon, "/api/v1/sandboxes", ("executor", name), what, check)
}

/// Its bytes are those of `du`.
fn exact(path: &Path) -> impl Fn(&Value) -> bool {
    move |row| row["used_bytes"].as_u64() == Some(used_bytes(path))
}

fn collector(daemon: &Daemon) -> Option<f64> {
    value(&daemon.get("/metrics").body, "plimsoll_collector_success{collector=\"docker\"}")
}

/// Who mounts a volume, where, and whether they may only read.
fn holders(row: &Value) -> Vec<(String, String, bool)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |holder: &Value| {
        let read_only = holder["read_only"] == true;
        (text(&holder["executor"]), text(&holder["container_path"]), read_only)
    };
    row["holders"].as_array().map(|all| all.iter().map(of).collect()).unwrap_or_default()
}

#[test]
fn podman_answers_as_docker_does() {
    let Some(podman) = Podman::start("podman") else { return };
    podman.run(&["volume", "create", "--label", "team=db", "pgdata"]);
    podman.run(&["volume", "create", "lonely"]);
    podman.container("create", "done", &["-v", "/left"], "true").expect("created");

    let dir = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::serve(&configured(dir.path(), &podman), &[]);
    daemon.wait_ready();
    assert_eq!(collector(&daemon), Some(1.0));
    let mounted = podman.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", "pgdata"]);
    let pgdata = volume(&daemon, "pgdata", "its bytes", exact(Path::new(&mounted)));
    assert_eq!(
        (&pgdata["path"], &pgdata["labels"]["team"]),
        (&mounted.as_str().into(), &"db".into())
    );
    in_state(&daemon, "lonely", "idle");
    let list = ["volume", "ls", "-q"];
    let all = podman.run(&list);
    let left = all.lines().find(|name| name.len() == 64).expect("an anonymous volume").to_owned();
    in_state(&daemon, &left, "idle");
    assert_eq!(sandbox(&daemon, "done", "created", |_| true)["state"], "exited");

    // Its anonymous volume stays when a container is removed.
    podman.run(&["rm", "done"]);
    if podman.run(&list).contains(&left) {
        let orphan = in_state(&daemon, &left, "orphaned");
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

#[test]
fn running_containers_of_podman_are_measured_and_outlive_its_service() {
    let Some(mut podman) = Podman::start("podman-run") else { return };
    podman.run(&["volume", "create", "pgdata"]);
    podman.run(&["volume", "create", "lonely"]);
    let bound = podman.dir.join("bound");
    std::fs::create_dir_all(&bound).expect("make");
    let write =
        |to: &str, kib: u32| format!("busybox dd if=/dev/zero of={to} bs=1024 count={kib}; ");
    let script =
        [("/data/f", 300), ("/layer", 100), ("/scratch/f", 50), ("/t/f", 64), ("/bind/f", 20)]
            .map(|(to, kib)| write(to, kib))
            .concat()
            .replace("busybox", "/bin/busybox")
            + "exec /bin/busybox sleep 1000";
    let bind = format!("{}:/bind", bound.display());
    let more =
        ["-d", "-v", "pgdata:/data", "-v", "/scratch", "-v", &bind, "--log-opt", "max-size=1m"];
    let tmpfs = ["--mount", "type=tmpfs,destination=/t,tmpfs-size=1048576"];
    if podman.container("run", "writer", &[&more[..], &tmpfs].concat(), &script).is_none() {
        eprintln!("SKIPPED: podman starts no container here");
        return;
    }
    let sleep = "exec /bin/busybox sleep 1000";
    podman.container("run", "reader", &["-d", "-v", "pgdata:/again:ro"], sleep).expect("runs");

    let dir = tempfile::tempdir().expect("a directory");
    let config = configured(dir.path(), &podman);
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();

    // What each has, and how much it is.
    let data = podman.root().join("volumes/pgdata/_data");
    let pgdata = volume(&daemon, "pgdata", "its bytes", |row| {
        exact(&data)(row) && row["used_bytes"].as_u64() > Some(300 << 10)
    });
    let both = [("reader".into(), "/again".into(), true), ("writer".into(), "/data".into(), false)];
    assert_eq!((&pgdata["state"], holders(&pgdata)), (&"in_use".into(), both.to_vec()));
    assert_eq!((&pgdata["driver"], &pgdata["anonymous"]), (&"local".into(), &false.into()));
    let all = podman.run(&["volume", "ls", "-q"]);
    let scratch = all.lines().find(|name| name.len() == 64).expect("an anonymous volume");
    let path = podman.root().join("volumes").join(scratch).join("_data");
    let found = volume(&daemon, scratch, "its bytes", |row| {
        exact(&path)(row) && row["used_bytes"].as_u64() > Some(50 << 10)
    });
    assert_eq!((&found["state"], &found["anonymous"]), (&"in_use".into(), &true.into()));
    let found = volume(&daemon, bound.to_str().expect("UTF-8"), "its bytes", |row| {
        exact(&bound)(row) && row["used_bytes"].as_u64() > Some(20 << 10)
    });
    assert_eq!(
        (&found["kind"], found["holders"][0]["executor"].as_str()),
        (&"host_path".into(), Some("writer"))
    );
    let tmpfs = volume(&daemon, "writer:/t", "its limit", |row| row["quota_bytes"] == 1 << 20);
    let pid = podman.inspect("writer", ".State.Pid");
    if std::fs::read_dir(Path::new("/proc").join(&pid).join("root")).is_ok() {
        volume(&daemon, "writer:/t", "its bytes", |row| row["used_bytes"] == 64 << 10);
    } else {
        eprintln!("SKIPPED: containers cannot be looked into here");
        assert!(tmpfs["used_bytes"].is_null(), "{tmpfs}");
    }
    let upper = PathBuf::from(podman.inspect("writer", ".GraphDriver.Data.UpperDir"));
    let writer = sandbox(&daemon, "writer", "its layer", |row| {
        exact(&upper)(row) && row["used_bytes"].as_u64() > Some(100 << 10)
    });
    assert_eq!((&writer["path"], &writer["state"]), (&upper.to_str().into(), &"live".into()));
    assert_eq!(writer["container"], podman.inspect("writer", ".Id").as_str());
    assert_eq!(writer["pid"].to_string(), pid);

    // The log, what it is bounded by, and one that nothing bounds.
    let file = PathBuf::from(podman.inspect("writer", ".HostConfig.LogConfig.Path"));
    let log = |name: &str| {
        let rows = daemon.json("/api/v1/volumes");
        let rows = rows.as_array().expect("rows");
        let found = rows.iter().find(|row| row["disk"] == "LOG" && row["volume"] == name);
        found.expect("its log").clone()
    };
    let told = log("writer");
    assert_eq!(
        (told["path"].as_str(), &told["driver"]),
        (file.parent().and_then(Path::to_str), &"k8s-file".into())
    );
    assert_eq!((&told["log_limit_bytes"], &told["state"]), (&1_000_000.into(), &"in_use".into()));
    assert!(log("reader")["log_limit_bytes"].is_null());

    // A container is removed, another stops: its events tell.
    podman.run(&["rm", "-f", "-t", "0", "reader"]);
    volume(&daemon, "pgdata", "one holder", |row| holders(row) == both[1..]);
    podman.run(&["volume", "create", "fresh"]);
    in_state(&daemon, "fresh", "idle");
    podman.run(&["volume", "rm", "fresh"]);
    daemon.wait_for("it goes", LIMIT, |daemon| {
        row(daemon, "/api/v1/volumes", "volume", "fresh").is_none().then_some(())
    });

    // Without its service nothing is lost and nothing becomes an orphan: its containers go on.
    podman.kill();
    podman.container("run", "silent", &["-d"], sleep).expect("runs without the service");
    in_state(&daemon, "lonely", "unknown");
    assert_eq!(collector(&daemon), Some(0.0));
    in_state(&daemon, "pgdata", "in_use");
    assert_eq!(sandbox(&daemon, "writer", "goes on", |_| true)["state"], "live");
    assert_eq!(daemon.json("/api/v1/orphans").as_array().map(Vec::len), Some(0));

    // Whoever never heard it reads its files: volumes, and containers with their names.
    let second = Daemon::serve(&config, &[]);
    second.wait_ready();
    in_state(&second, "pgdata", "unknown");
    let writer = sandbox(&second, "writer", "found in its files", |_| true);
    assert_eq!((&writer["path"], &writer["state"]), (&upper.to_str().into(), &"live".into()));
    drop(second);

    podman.serve();
    in_state(&daemon, "lonely", "idle");
    sandbox(&daemon, "silent", "heard of", |row| row["state"] == "live");
    podman.run(&["stop", "-t", "0", "writer"]);
    in_state(&daemon, "pgdata", "idle");
    in_state(&daemon, scratch, "idle");
    let writer = sandbox(&daemon, "writer", "stopped", |row| row["state"] == "exited");
    assert_eq!(writer["path"].as_str(), upper.to_str());
    podman.run(&["rm", "writer"]);
    let orphan = in_state(&daemon, scratch, "orphaned");
    assert_eq!(orphan["orphan_reason"], "dangling_anonymous");
    assert!(orphan["used_bytes"].as_u64() > Some(50 << 10), "{orphan}");
    assert_eq!(daemon.stop(), Some(0));
}
