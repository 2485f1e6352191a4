//! Bad input: one clear error (logged once, counted, on `/api/v1/sources`), everything else still
//! served, and no number or verdict that nothing supports.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::scene::{self, Prepared};
use crate::support::daemon::{Daemon, value};
use crate::support::replay::api::Mode;

/// Waits until `/api/v1/sources` shows an error of that collector and reason; returns its object.
fn error_of(daemon: &Daemon, collector: &str, reason: &str) -> serde_json::Value {
    daemon.wait_for(&format!("{collector}: {reason}"), Duration::from_secs(20), |daemon| {
        let sources = daemon.json("/api/v1/sources");
        let errors: Vec<serde_json::Value> = sources
            .as_array()?
            .iter()
            .filter(|source| source["collector"] == collector)
            .flat_map(|source| source["errors"].as_array().cloned().unwrap_or_default())
            .collect();
        errors.into_iter().find(|error| error["reason"] == reason)
    })
}

/// The error is counted, logged once, and says what to do.
fn assert_told_once(daemon: &Daemon, collector: &str, reason: &str) {
    let error = error_of(daemon, collector, reason);
    assert!(!error["message"].as_str().expect("a message").is_empty());
    assert!(!error["hint"].as_str().expect("a hint").is_empty(), "{error}");
    let series =
        format!("plimsoll_source_errors_total{{collector=\"{collector}\",reason=\"{reason}\"}}");
    // Seen in at least three rounds, and still in the log only once.
    daemon.wait_for("three rounds", Duration::from_secs(20), |daemon| {
        (value(&daemon.get("/metrics").body, &series)? >= 3.0).then_some(())
    });
    let message = error["message"].as_str().expect("a message");
    let head: String = message.chars().take(40).take_while(|c| *c != '"').collect();
    let source = format!("source={collector} ");
    let log = daemon.log();
    let told = log.lines().filter(|line| line.contains(&head) && line.contains(&source));
    let told: Vec<&str> = told.collect();
    assert_eq!(told.len(), 1, "{head:?} in\n{log}");
    assert!(told[0].contains(" hint="), "{}", told[0]);
}

fn states(daemon: &Daemon) -> Vec<(String, String)> {
    let volumes = daemon.json("/api/v1/volumes");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    volumes
        .as_array()
        .expect("an array")
        .iter()
        .map(|volume| (text(&volume["volume"]), text(&volume["state"])))
        .collect()
}

fn state_of(daemon: &Daemon, volume: &str) -> Option<String> {
    states(daemon).into_iter().find(|(name, _)| name == volume).map(|(_, state)| state)
}

#[test]
fn an_api_that_refuses_or_fails_leaves_the_checkpoint_to_speak() {
    let cases = [
        (Mode::Unauthorized, "unauthorized"),
        (Mode::Refuse500, "status"),
        (Mode::Garbage, "malformed"),
        (Mode::Hang, "timeout"),
        (Mode::Down, "refused"),
        (Mode::Recovering, "recovering"),
    ];
    for (mode, reason) in cases {
        let scene = scene::load("03-orphan-volumes", mode);
        let daemon = scene.serve();
        daemon.wait_ready();
        error_of(&daemon, "mesos_api", reason);
        // An agent that refuses is up; what cannot be read of it is another matter.
        let up = if reason == "unauthorized" { 1.0 } else { 0.0 };
        assert_eq!(value(&daemon.get("/metrics").body, "plimsoll_agent_up"), Some(up));
        // A dead agent with a readable checkpoint is still judged.
        assert_eq!(state_of(&daemon, "orphan-0099").as_deref(), Some("orphaned"), "{reason}");
        assert_eq!(state_of(&daemon, "wh-0001").as_deref(), Some("in_use"), "{reason}");
        assert_eq!(state_of(&daemon, "idle-0004").as_deref(), Some("idle"), "{reason}");
    }
}

#[test]
fn a_failing_api_is_told_once_and_its_recovery_is_noticed() {
    let scene = scene::load("03-orphan-volumes", Mode::Refuse500);
    let daemon = scene.serve();
    daemon.wait_ready();
    assert_told_once(&daemon, "mesos_api", "status");
    scene.api.set_mode(Mode::Whole);
    daemon.wait_for("the agent is up", Duration::from_secs(10), |daemon| {
        (value(&daemon.get("/metrics").body, "plimsoll_agent_up")? == 1.0).then_some(())
    });
}

#[test]
fn filtered_answers_prove_nothing() {
    let scene = scene::load("03-orphan-volumes", Mode::Filtered);
    // Without the checkpoint only the filtered API is left.
    std::fs::remove_dir_all(scene.work("meta")).expect("remove");
    let daemon = scene.serve();
    daemon.wait_ready();
    error_of(&daemon, "mesos_api", "forbidden");
    let orphans: Vec<_> =
        states(&daemon).into_iter().filter(|(_, state)| state == "orphaned").collect();
    assert_eq!(orphans, []);
    assert_eq!(state_of(&daemon, "orphan-0099").as_deref(), Some("unknown"));
}

#[test]
fn a_torn_or_flipped_checkpoint_makes_no_orphans() {
    type Spoil = fn(&mut Vec<u8>);
    let damage: [(&str, Spoil); 2] = [
        ("torn", |bytes| bytes.truncate(bytes.len() / 2)),
        ("flipped", |bytes| {
            for byte in bytes.iter_mut().step_by(7) {
                *byte ^= 0xff;
            }
        }),
    ];
    for (what, spoil) in damage {
        let scene = scene::load("03-orphan-volumes", Mode::Down);
        for name in ["resources.info", "resources_and_operations.state"] {
            let path = scene.work("meta/resources").join(name);
            let mut bytes = std::fs::read(&path).expect("read");
            spoil(&mut bytes);
            std::fs::write(&path, bytes).expect("write");
        }
        let daemon = scene.serve();
        daemon.wait_ready();
        assert_told_once(&daemon, "mesos_checkpoint", "malformed");
        for (volume, state) in states(&daemon) {
            assert!(state == "unknown" || state == "in_use", "{what}: {volume} is {state}");
        }
        // The sandboxes are still there.
        assert!(daemon.json("/api/v1/sandboxes").as_array().expect("an array").len() > 10);
    }
}

#[test]
fn a_missing_work_directory_is_said_and_its_return_is_noticed() {
    let scene = scene::load("03-orphan-volumes", Mode::Whole);
    let work = scene.work("");
    let aside = scene.replay.rootfs().join("aside");
    std::fs::rename(&work, &aside).expect("move away");
    let daemon = scene.serve();
    daemon.wait_ready();
    assert_told_once(&daemon, "mesos_layout", "missing");
    for (volume, state) in states(&daemon) {
        assert_ne!(state, "missing", "{volume}: nothing was looked at, so nothing is gone");
    }
    std::fs::rename(&aside, &work).expect("move back");
    daemon.wait_for("the volumes are back", Duration::from_secs(10), |daemon| {
        (state_of(daemon, "wh-0001")? == "in_use").then_some(())
    });
}

#[test]
fn a_work_directory_replaced_by_a_symlink_while_running() {
    let scene = scene::load("03-orphan-volumes", Mode::Whole);
    let daemon = scene.serve();
    daemon.wait_ready();
    daemon.wait_measured();
    // A task cannot do this to the work directory, but it can to what lies in its sandbox; an
    // operator moves the work directory and leaves a link.
    let volume = scene.volume("analytics", "wh-0001");
    let outside = scene.replay.rootfs().join("outside");
    std::fs::create_dir(&outside).expect("make");
    std::fs::write(outside.join("secret"), vec![1; 3_000_000]).expect("write");
    std::fs::rename(&volume, volume.with_extension("aside")).expect("move");
    std::os::unix::fs::symlink(&outside, &volume).expect("link");
    let error = error_of(&daemon, "mesos_layout", "malformed");
    assert!(error["message"].as_str().expect("text").contains("wh-0001"), "{error}");
    for volume in daemon.json("/api/v1/volumes").as_array().expect("an array") {
        assert!(volume["used_bytes"].as_u64().unwrap_or(0) < 3_000_000, "{volume}");
    }

    let work = scene.work("");
    let moved = scene.replay.rootfs().join("moved");
    std::fs::rename(&work, &moved).expect("move");
    std::os::unix::fs::symlink(&moved, &work).expect("link");
    daemon.wait_for("still read through the link", Duration::from_secs(10), |daemon| {
        (state_of(daemon, "idle-0004")? == "idle").then_some(())
    });
}

#[test]
fn hostile_names_are_served_escaped() {
    let scene = scene::quiet();
    let role = scene.volume("analytics", "x").parent().expect("a parent").to_path_buf();
    for name in [
        &b"new\nline"[..],
        b"inv\xff\xfealid",
        b"\x1b[31mred",
        b"<img src=x onerror=alert(1)>",
        b"quo\"te\\",
    ] {
        std::fs::create_dir(role.join(OsStr::from_bytes(name))).expect("make");
    }
    let daemon = scene.serve();
    daemon.wait_ready();
    daemon.wait_measured();
    let metrics = daemon.get("/metrics").body;
    assert!(metrics.contains("volume=\"new\\nline\""), "{metrics}");
    assert!(metrics.contains("volume=\"inv\\\\xff\\\\xfealid\""), "{metrics}");
    assert!(metrics.contains("volume=\"quo\\\"te\\\\\""), "{metrics}");
    let page = daemon.get("/").body;
    assert!(!page.contains("<img src=x"), "the page must escape names");
    assert!(!page.contains('\u{1b}'), "no control characters on the page");
    assert!(!daemon.log().contains('\u{1b}'), "no control characters in the log");
}

#[test]
fn deep_and_wide_trees_are_measured() {
    let scene = scene::quiet();
    let volume = scene.volume("analytics", "idle-0004");
    let wide = volume.join("wide");
    std::fs::create_dir(&wide).expect("make");
    for number in 0..100_000 {
        std::fs::File::create(wide.join(format!("f{number}"))).expect("make");
    }
    // 300 levels of 200 bytes: far beyond PATH_MAX, so each step is made from the one before.
    let deep = "sh -c 'cd \"$0\" && name=$(printf d%0199d 0) && i=0; while [ $i -lt 300 ]; do \
                mkdir $name && cd -P $name || exit 1; i=$((i+1)); done' ";
    let made = std::process::Command::new("bash")
        .arg("-c")
        .arg(format!("{deep} {}", volume.display()))
        .status()
        .expect("bash");
    assert!(made.success());
    let daemon = scene.serve();
    daemon.wait_ready();
    daemon.wait_measured();
    let files = daemon.wait_for("the wide volume", Duration::from_secs(60), |daemon| {
        let volumes = daemon.json("/api/v1/volumes");
        let found = volumes.as_array()?.iter().find(|v| v["volume"] == "idle-0004")?.clone();
        found["files"].as_u64()
    });
    // Itself, data.bin, wide, its files, 300 levels.
    assert_eq!(files, 1 + 1 + 1 + 100_000 + 300);
}

/// The binary where user nobody may run it, and a scene that user may not read.
fn as_nobody(scene: &Prepared, arguments: &[&str]) -> (String, String) {
    let dir = tempfile::tempdir().expect("a directory");
    open_up(dir.path());
    let binary: PathBuf = dir.path().join("plimsoll");
    std::fs::copy(env!("CARGO_BIN_EXE_plimsoll"), &binary).expect("copy");
    let config = dir.path().join("plimsoll.yml");
    std::fs::copy(&scene.config, &config).expect("copy");
    open_up(&config);
    open_up(&binary);
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
    let output = command
        .arg(&binary)
        .args(arguments)
        .arg("--config.file")
        .arg(&config)
        .args(scene.path_flags())
        .output()
        .expect("setpriv");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr))
}

fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
}

#[test]
fn an_unreadable_work_directory_is_a_permission_error_not_an_empty_agent() {
    let scene = scene::load("03-orphan-volumes", Mode::Down);
    let (report, _) = as_nobody(&scene, &["check"]);
    assert!(report.contains("ermission denied"), "{report}");
    assert!(report.contains("CAP_DAC_READ_SEARCH"), "what to do about it:\n{report}");
    let (volumes, _) = as_nobody(&scene, &["volumes", "--output", "json"]);
    assert!(!volumes.contains("orphaned") && !volumes.contains("missing"), "{volumes}");
}
