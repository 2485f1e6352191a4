//! The commands and the daemon on orphans that something still holds, with real processes and
//! mounts, and on what a daemon remembered of them.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use plimsoll::pipeline::state_file::{Sections, encode};
use serde_json::{Value, json};
use support::daemon::{Daemon, value};
use support::master;
use support::mounts::Mounted;
use support::process::{Process, runs_among_its_own};
use support::replay::{Scene, WORK_DIR};

/// A captured checkpoint without its agent, on this machine's own proc filesystem, with one more
/// directory where a volume would lie.
struct Host {
    scene: Scene,
    dir: tempfile::TempDir,
}

/// An orphan of the role `analytics`.
const LOST: &str = "lost-0001";

impl Host {
    fn new() -> Self {
        let host = Self {
            scene: Scene::load("02-live-quota-off"),
            dir: tempfile::tempdir().expect("a directory"),
        };
        fs::create_dir(host.lost()).expect("make");
        fs::write(host.lost().join("data"), vec![7; 100_000]).expect("write");
        host.configure("0s", "");
        host
    }

    fn work(&self) -> PathBuf {
        self.scene.host(WORK_DIR)
    }

    fn lost(&self) -> PathBuf {
        self.work().join("volumes/roles/analytics").join(LOST)
    }

    fn storage(&self) -> PathBuf {
        self.dir.path().join("storage")
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("plimsoll.yml")
    }

    /// `mesos`: more lines of that section.
    fn configure(&self, grace: &str, mesos: &str) {
        let text = format!(
            "mesos:\n  enabled: true\n  work_dir: {}\n  runtime_dir: {}\n  agent_url: \
             http://127.0.0.1:9\n{mesos}orphans: {{grace: {grace}}}\nusage: {{cpu_budget: 0.5}}\n\
             storage: {{path: {}}}\n",
            self.work().display(),
            self.dir.path().join("run").display(),
            self.storage().display(),
        );
        fs::write(self.config(), text).expect("write");
    }

    /// A run of the checkpoint: its sandbox, and its container.
    fn sandbox_of(&self, executor: &str) -> (PathBuf, String) {
        let runs = walkdir::WalkDir::new(self.work().join("slaves"))
            .into_iter()
            .filter_map(Result::ok)
            .find(|entry| entry.path().ends_with(format!("executors/{executor}/runs")));
        let runs = runs.expect(executor).into_path();
        let run = fs::read_dir(&runs)
            .expect("read")
            .filter_map(Result::ok)
            .find(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .expect("a run");
        (run.path(), run.file_name().into_string().expect("an id"))
    }

    fn run(&self, command: &str) -> (Vec<Value>, String, Option<i32>) {
        let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args([command, "--output", "json", "--config.file"])
            .arg(self.config())
            .output()
            .expect("plimsoll");
        let rows = serde_json::from_slice(&output.stdout).expect("JSON");
        (rows, String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    }

    fn orphan(&self) -> Value {
        let (rows, _, code) = self.run("orphans");
        // The agent is down: that is told, and everything else goes on.
        assert_eq!(code, Some(2));
        rows.into_iter().find(|row| row["volume"] == LOST).expect("the orphan")
    }

    /// State as a daemon would have left it.
    fn remember(&self, section: &str, content: &Value) {
        let bytes = serde_json::to_vec(content).expect("plain data");
        let file = encode(&Sections::from([(section.to_owned(), bytes)]));
        fs::create_dir_all(self.storage()).expect("make");
        fs::write(self.storage().join("state"), file).expect("write");
    }
}

fn shell(script: &str) -> Process {
    Process::shell(script, Path::new("/"))
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn an_orphan_shows_who_holds_it_open_and_nothing_is_to_be_removed_meanwhile() {
    let name = "an_orphan_shows_who_holds_it_open_and_nothing_is_to_be_removed_meanwhile";
    if !is_root() {
        eprintln!("SKIPPED: looking into every process needs root");
        return;
    }
    if runs_among_its_own(name) {
        return;
    }
    let host = Host::new();
    let free = host.orphan();
    assert_eq!((free["open_files"].as_u64(), &free["held_by"]), (Some(0), &json!([])), "{free:#}");
    assert_eq!(free["open_files_error"], Value::Null);
    assert!(free["call"].is_string());

    let lost = host.lost();
    fs::write(lost.join("gone"), "x").expect("write");
    fs::copy("/bin/sleep", lost.join("engine")).expect("copy");
    let open = shell(&format!(
        "exec 3<'{0}/data' 4<'{0}/gone'; rm '{0}/gone'; echo ready; exec sleep 600",
        lost.display()
    ));
    let mapped = shell(&format!("echo ready; exec '{}/engine' 600", lost.display()));
    let row = host.orphan();
    assert_eq!(row["open_files"], 3, "{row:#}");
    let by = |process: &Process| {
        let list = row["held_by"].as_array().expect("a list");
        let found = list.iter().find(|by| by["pid"] == process.0.id());
        found.unwrap_or_else(|| panic!("{row:#}")).clone()
    };
    assert_eq!((&by(&open)["files"], &by(&open)["deleted_files"]), (&json!(2), &json!(1)));
    assert_eq!((&by(&mapped)["command"], &by(&mapped)["files"]), (&json!("engine"), &json!(1)));
    let next = row["next"].as_str().expect("advice");
    let who =
        format!("sleep (pid {}, 2 files, 1 of them removed) and 1 other process", open.0.id());
    assert!(next.contains(&who) && next.contains("remove nothing while it is held"), "{next}");
    assert_eq!(row["call"], Value::Null);

    let daemon = Daemon::serve(&host.config(), &[]);
    daemon.wait_ready();
    let finding = daemon.wait_for("a look", Duration::from_secs(30), |daemon| {
        let findings = daemon.json("/api/v1/findings");
        let found = findings.as_array()?.iter().find(|finding| {
            finding["kind"] == "volume_orphaned"
                && finding["reason"].as_str().is_some_and(|reason| reason.contains("held open by"))
        });
        found.cloned()
    });
    assert!(finding["reason"].as_str().expect("words").contains(&who), "{finding:#}");
    let series = format!(
        "plimsoll_volume_open_files{{source=\"mesos\",role=\"analytics\",volume=\"{LOST}\",disk=\"ROOT\"}}"
    );
    assert_eq!(value(&daemon.get("/metrics").body, &series), Some(3.0));
    assert!(daemon.get("/").body.contains(&who), "the status page says it");
    // It is only looked up where nobody claims the volume.
    let body = daemon.get("/metrics").body;
    assert_eq!(body.lines().filter(|l| l.starts_with("plimsoll_volume_open_files{")).count(), 1);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_holder_in_a_container_is_told_with_its_task() {
    let group = Path::new("/sys/fs/cgroup/freezer/plimsoll-test-orphans");
    if !is_root() || !Path::new("/sys/fs/cgroup/freezer/cgroup.procs").exists() {
        eprintln!("SKIPPED: needs root and a cgroup v1 freezer");
        return;
    }
    let host = Host::new();
    let (_, container) = host.sandbox_of("ingest-1");
    let below = group.join("mesos").join(&container);
    fs::create_dir_all(&below).expect("a cgroup");
    let process = shell(&format!(
        "echo $$ > '{}/cgroup.procs'; exec 3<'{}/data'; echo ready; exec sleep 600",
        below.display(),
        host.lost().display()
    ));
    let row = host.orphan();
    drop(process);
    for dir in [below.as_path(), &group.join("mesos"), group] {
        // Until the process is gone the group is busy.
        while fs::remove_dir(dir).is_err_and(|e| e.raw_os_error() == Some(libc::EBUSY)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let by = &row["held_by"][0];
    assert_eq!((&by["container"], &by["task"]), (&json!(container), &json!("ingest-1")), "{row:#}");
    assert!(row["next"].as_str().expect("advice").contains("task ingest-1"), "{row:#}");
}

#[test]
fn an_orphan_that_is_still_mounted_says_in_which_container() {
    if !is_root() {
        eprintln!("SKIPPED: mounting needs root");
        return;
    }
    let host = Host::new();
    // A run that has ended, so that nobody uses the volume, and the mount that was left.
    let (sandbox, container) = host.sandbox_of("crash-1");
    let at = sandbox.join("store");
    fs::create_dir(&at).expect("make");
    let mount = Mounted::bind(&host.lost(), &at);
    let row = host.orphan();
    assert_eq!(row["mounts"][0]["container"], json!(container), "{row:#}");
    assert_eq!(row["mounts"][0]["mount_point"], json!(at.display().to_string()));
    let next = row["next"].as_str().expect("advice");
    assert!(next.contains(&format!("by container {container}")), "{next}");
    assert!(next.contains("remove nothing while it is mounted") && row["call"].is_null(), "{next}");
    drop(mount);
    // A part of it.
    let part = host.lost().join("part");
    fs::create_dir(&part).expect("make");
    let _mount = Mounted::bind(&part, &at);
    let row = host.orphan();
    assert_eq!(row["mounted_below"], json!([at.display().to_string()]), "{row:#}");
    let next = row["next"].as_str().expect("advice");
    assert!(next.contains("a mount of a part of it") && row["call"].is_null(), "{next}");
    let table = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["orphans", "--config.file"])
        .arg(host.config())
        .output()
        .expect("plimsoll");
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("MOUNTED") && !table.contains("rm "), "{table}");
}

#[test]
fn the_newest_change_is_told_and_a_time_in_the_future_is_not_believed() {
    let host = Host::new();
    let touch = |path: &Path, seconds: f64| {
        let time = UNIX_EPOCH + Duration::from_secs_f64(seconds);
        fs::File::open(path).expect("open").set_modified(time).expect("set");
    };
    let (year, day) = (365.0 * 86_400.0, 86_400.0);
    let began = now().floor();
    for path in [host.lost().join("data"), host.lost()] {
        touch(&path, began - year);
    }
    let changed = |row: &Value| row["newest_change_timestamp_seconds"].as_f64().expect("a time");
    let old = host.orphan();
    assert_eq!(changed(&old), began - year);
    assert_eq!(old["future_mtime_timestamp_seconds"], Value::Null);
    touch(&host.lost().join("data"), began + 300.0 * day);
    let set = now();
    let row = host.orphan();
    assert_eq!(row["future_mtime_timestamp_seconds"], began + 300.0 * day);
    assert!((began..=set).contains(&changed(&row)), "when it was set: {row:#}");
    let daemon = Daemon::serve(&host.config(), &[]);
    daemon.wait_ready();
    let series = format!(
        "plimsoll_volume_newest_change_timestamp_seconds{{source=\"mesos\",role=\"analytics\",volume=\"{LOST}\",disk=\"ROOT\"}}"
    );
    let told = daemon.wait_for("a walk", Duration::from_secs(60), |daemon| {
        value(&daemon.get("/metrics").body, &series)
    });
    assert!((began..=set).contains(&told), "{told}");
    let reason = daemon.wait_for("its finding", Duration::from_secs(20), |daemon| {
        let findings = daemon.json("/api/v1/findings");
        let reasons = findings.as_array()?.iter().filter_map(|found| found["reason"].as_str());
        reasons.map(str::to_owned).find(|reason| reason.contains("last changed"))
    });
    assert!(reason.contains("a file in it claims a time in the future"), "{reason}");
}

#[test]
fn commands_know_what_the_daemon_remembered() {
    let host = Host::new();
    host.configure("1h", "");
    let state = |host: &Host| {
        let (rows, _, _) = host.run("volumes");
        let row = rows.into_iter().find(|row| row["volume"] == LOST).expect("the volume");
        row["state"].as_str().expect("a state").to_owned()
    };
    // It is younger than the grace, as far as anybody can see now.
    assert_eq!(state(&host), "unknown");
    let key = json!({"source": "mesos", "role": "analytics", "volume": LOST, "disk": "ROOT"});
    let then = now().floor() - 7200.0;
    let history = json!({
        "first_seen": then - 900.0, "last_claimed": then - 10.0, "last_used": then - 60.0,
        "unclaimed_since": then, "peak": {"bytes": 1 << 30, "at": then - 60.0},
        "state": "orphaned", "state_since": then + 3600.0,
    });
    host.remember("memory", &json!({"volumes": [[key, history]], "sandboxes": []}));
    let before = fs::read(host.storage().join("state")).expect("read");
    let row = host.orphan();
    assert_eq!(row["orphan_reason"], "destroyed");
    assert_eq!(row["first_seen_timestamp_seconds"], then - 900.0);
    assert_eq!(row["unclaimed_since_timestamp_seconds"], then);
    assert_eq!(row["last_used_timestamp_seconds"], then - 60.0);
    let (rows, _, _) = host.run("volumes");
    let row = rows.iter().find(|row| row["volume"] == LOST).expect("the volume");
    assert_eq!((&row["peak_bytes"], &row["state"]), (&json!(1 << 30), &json!("orphaned")));
    assert_eq!(row["state_since_timestamp_seconds"], then + 3600.0);
    // Nothing was written, no lock was left.
    assert_eq!(fs::read(host.storage().join("state")).expect("read"), before);
    assert_eq!(fs::read_dir(host.storage()).expect("read").count(), 1);
}

#[test]
fn a_state_file_that_cannot_be_used_is_one_line_and_the_command_goes_on() {
    let host = Host::new();
    let told = |expected: &str| {
        let (rows, log, code) = host.run("orphans");
        assert!(rows.iter().any(|row| row["volume"] == LOST), "{log}");
        assert_eq!(code, Some(2), "as without it: the agent is down");
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("state_file")).collect();
        assert_eq!(lines.len(), usize::from(!expected.is_empty()), "{log}");
        assert!(log.contains(expected), "{log}");
    };
    told("");
    host.remember("memory", &json!({"volumes": 7}));
    told("section memory: invalid type");
    host.remember("memory", &json!({}));
    told("");
    let path = host.storage().join("state");
    let whole = fs::read(&path).expect("read");
    fs::write(&path, &whole[..whole.len() - 3]).expect("write");
    told("it is damaged: its length is not what its header says");
    fs::write(&path, later_release()).expect("write");
    told("a later release wrote it (version 7");
    // It is the daemon's to put aside.
    assert_eq!(fs::read(&path).expect("read"), later_release());
}

/// A whole file of version 7 without sections.
fn later_release() -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(&7u32.to_be_bytes());
    format!("plimsoll-state 7 {:08x} 0\n", crc.sum()).into_bytes()
}

#[test]
fn commands_ask_the_master_where_one_is_configured() {
    let host = Host::new();
    let url = master::with_roles(&[("analytics", &[]), ("eng/storage", &["f"])]);
    host.configure("0s", &format!("  master_url: {url}\n"));
    let (rows, _, _) = host.run("volumes");
    let state = |id: &str| {
        let row = rows.iter().find(|row| row["volume"] == id).expect(id);
        row["state"].as_str().expect("a state").to_owned()
    };
    // Without a history the grace, here none, begins now.
    assert_eq!(state("idle-0004"), "unowned");
    assert_ne!(state("shared-0005"), "unowned");
}
