//! A real Docker engine, started by hand on its own socket and data root.
//!
//! Needs root and dockerd; where the engine does not start these tests say so and are skipped.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::daemon::{Daemon, value};
use support::du::used_bytes;
use support::engine::Engine;

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
        "--log-opt",
        "max-size=2m",
        "--log-opt",
        "max-file=2",
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
    // Another user's process may be out of sight in a container around this test.
    let first = Path::new("/proc").join(inspect("{{.State.Pid}}", "writer")).join("root");
    if std::fs::read_dir(first).is_ok() {
        let used = daemon.wait_for("the memory's use", Duration::from_secs(30), |daemon| {
            volume(daemon, "writer:/t")?["used_bytes"].as_u64()
        });
        assert_eq!(used, 64 << 10);
        let told = "busybox dd if=/dev/zero of=/t/g bs=1024 count=128";
        engine.docker(&["exec", "writer", "/bin/sh", "-c", told]);
        daemon.wait_for("its growth", Duration::from_secs(30), |daemon| {
            (volume(daemon, "writer:/t")?["used_bytes"] == 192 << 10).then_some(())
        });
    } else {
        eprintln!("SKIPPED: containers cannot be looked into here");
        assert!(tmpfs["used_bytes"].is_null(), "{tmpfs}");
    }

    // What a container prints is kept by the engine, in a directory beside its layer.
    let log = |name: &str| row(&daemon, "/api/v1/volumes", "volume", name).expect("its log");
    let output = "busybox dd if=/dev/zero bs=1024 count=200 | busybox tr '\\0' 'x' >/proc/1/fd/1";
    engine.docker(&["exec", "writer", "/bin/sh", "-c", output]);
    let directory = engine.root().join("containers").join(id("writer"));
    daemon.wait_for("the log grows", Duration::from_secs(30), |daemon| {
        let row = volume(daemon, "writer")?;
        let used = row["used_bytes"].as_u64()?;
        (used > 200 << 10 && used == used_bytes(&directory)).then_some(())
    });
    let told = log("writer");
    assert_eq!((&told["disk"], &told["kind"]), (&"LOG".into(), &"container_log".into()));
    assert_eq!((&told["state"], &told["log_limit_bytes"]), (&"in_use".into(), &Value::Null));
    assert_eq!((path(&told), &told["driver"]), (directory, &"json-file".into()));
    let told = log("done");
    assert_eq!((&told["state"], &told["log_limit_bytes"]), (&"idle".into(), &(4 << 20).into()));
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
