//! The other surfaces of the real binary: API, life cycle, and the one-shot commands.

use std::process::Command;
use std::time::Duration;

use crate::scene::{self, Prepared};
use crate::support::daemon::{Daemon, value};
use crate::support::replay::api::Mode;

fn run(scene: &Prepared, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(arguments)
        .arg("--config.file")
        .arg(&scene.config)
        .args(scene.path_flags())
        .output()
        .expect("plimsoll");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn volumes_command_and_api_say_the_same() {
    let scene = scene::quiet();
    let (code, stdout, stderr) = run(&scene, &["volumes", "--output", "json"]);
    assert_eq!(code, 0, "{stderr}");
    let from_command: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let daemon = scene.serve();
    daemon.wait_ready();
    daemon.wait_measured();
    let from_api = daemon.json("/api/v1/volumes");
    let pick = |rows: &serde_json::Value| -> Vec<String> {
        let mut picked: Vec<String> = rows
            .as_array()
            .expect("an array")
            .iter()
            .map(|row| {
                let names = [
                    "source",
                    "role",
                    "volume",
                    "disk",
                    "path",
                    "state",
                    "used_bytes",
                    "quota_bytes",
                    "files",
                    "holders",
                ];
                names.map(|name| row.get(name).expect(name).to_string()).join(" ")
            })
            .collect();
        picked.sort();
        picked
    };
    assert_eq!(pick(&from_command), pick(&from_api));
    assert!(pick(&from_api).iter().any(|row| row.contains("orphan-0099")));
}

#[test]
fn tables_fit_and_csv_has_a_header() {
    let scene = scene::quiet();
    let (code, table, stderr) = run(&scene, &["volumes"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(table.contains("wh-0001") && table.contains("orphaned"), "{table}");
    let (code, csv, _) = run(&scene, &["sandboxes", "--output", "csv"]);
    assert_eq!(code, 0);
    let header = csv.lines().next().expect("a header");
    for column in ["framework", "executor", "container", "state", "used_bytes", "quota_bytes"] {
        assert!(header.split(',').any(|name| name == column), "{column} in {header}");
    }
}

#[test]
fn scan_counts_like_du() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("a"), vec![1; 123_456]).expect("write");
    std::fs::hard_link(dir.path().join("a"), dir.path().join("b")).expect("link");
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["scan", "--output", "json"])
        .arg(dir.path())
        .output()
        .expect("plimsoll");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let du = |options: &[&str]| -> u64 {
        let output = Command::new("du").arg("-s").args(options).arg(dir.path()).output();
        let text = String::from_utf8(output.expect("du").stdout).expect("UTF-8");
        text.split_whitespace().next().expect("a number").parse().expect("a number")
    };
    assert_eq!(rows[0]["path"], dir.path().to_str().expect("UTF-8"));
    assert_eq!(rows[0]["used_bytes"], du(&["-B1"]));
    assert_eq!(rows[0]["apparent_bytes"], du(&["--apparent-size", "-B1"]));
    assert_eq!(rows[0]["files"], du(&["--inodes"]));

    let missing = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["scan", "--output", "json"])
        .arg(dir.path().join("not-there"))
        .output()
        .expect("plimsoll");
    assert!(!missing.status.success());
    let told = format!(
        "plimsoll: {}: cannot be opened: No such file or directory\n",
        dir.path().join("not-there").display()
    );
    assert_eq!(String::from_utf8_lossy(&missing.stderr), told);
}

/// `scan *` as root, in a directory where somebody else chooses names.
#[test]
fn scan_shows_a_failed_path_once_and_nothing_that_a_terminal_acts_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("no\x1b[31m\nplimsoll: all is well");
    std::fs::write(&place, "a file").expect("write");
    let scan = Command::new(env!("CARGO_BIN_EXE_plimsoll")).arg("scan").arg(&place).output();
    let told = String::from_utf8(scan.expect("plimsoll").stderr).expect("UTF-8");
    assert_eq!(told.lines().count(), 1, "{told:?}");
    assert!(!told.contains('\x1b'), "{told:?}");
    assert_eq!(told.matches("all is well").count(), 1, "{told:?}");
    let why = ": cannot be opened: Not a directory; a directory is expected, and no symlink is followed\n";
    assert!(told.ends_with(why), "{told:?}");
}

#[test]
fn check_says_what_works_and_what_to_do() {
    let whole = scene::quiet();
    let (code, report, _) = run(&whole, &["check"]);
    assert_eq!(code, 0, "{report}");
    for expected in ["mesos_api", "mesos_checkpoint", "mesos_layout", "mesos_runtime"] {
        assert!(report.contains(expected), "{expected} in\n{report}");
    }
    let refused = scene::load("03-orphan-volumes", Mode::Unauthorized);
    let (code, report, _) = run(&refused, &["check"]);
    assert_ne!(code, 0, "{report}");
    assert!(report.contains("401") && report.contains("mesos.basic_auth"), "{report}");
}

#[test]
fn check_reads_the_web_configuration_too() {
    let scene = scene::quiet();
    let dir = tempfile::tempdir().expect("a directory");
    let web = dir.path().join("web.yml");
    let flag = format!("--web.config.file={}", web.display());
    std::fs::write(&web, "rate_limit: {interval: 100ms, burst: 5}\n").expect("write");
    let (code, report, told) = run(&scene, &["check", &flag]);
    assert_eq!(code, 0, "{report}{told}");
    let line = report.lines().find(|line| line.contains("own port")).expect("a line of its own");
    assert!(line.contains("web.yml") && line.contains("without TLS"), "{line}");
    std::fs::write(&web, "rate_limits: {interval: 100ms}\n").expect("write");
    let (code, report, told) = run(&scene, &["check", &flag]);
    assert_eq!((code, report.as_str()), (1, ""));
    let wrong = "web.yml:1:1: unknown key \"rate_limits\"; did you mean \"rate_limit\"?\n";
    assert!(told.starts_with("plimsoll: --web.config.file: ") && told.ends_with(wrong), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn a_bad_configuration_is_refused_with_file_line_and_reason() {
    let scene = scene::quiet();
    std::fs::write(&scene.config, "mesos:\n  work_dir: /x\n  work_dri: /y\n").expect("write");
    let (code, _, stderr) = run(&scene, &["serve", "--web.listen-address", "127.0.0.1:0"]);
    assert_ne!(code, 0);
    let place = format!("{}:3:", scene.config.display());
    assert!(stderr.contains(&place) && stderr.contains("work_dri"), "{stderr}");
}

#[test]
fn reload_by_signal_keeps_the_old_configuration_when_the_new_one_is_bad() {
    let scene = scene::quiet();
    scene.configure("");
    let daemon = scene.serve();
    daemon.wait_ready();
    let orphan = |daemon: &Daemon| {
        let volumes = daemon.json("/api/v1/volumes");
        let rows = volumes.as_array().expect("an array").clone();
        rows.into_iter().find(|row| row["volume"] == "orphan-0099").expect("the orphan")["state"]
            .as_str()
            .expect("a state")
            .to_string()
    };
    assert_eq!(orphan(&daemon), "orphaned");

    let good = std::fs::read_to_string(&scene.config).expect("read");
    std::fs::write(&scene.config, "orphans:\n  grace: soon\n").expect("write");
    daemon.signal("HUP");
    daemon.wait_for("the refusal", Duration::from_secs(10), |daemon| {
        daemon.log().contains("plimsoll.yml:2:").then_some(())
    });
    assert_eq!(orphan(&daemon), "orphaned");

    std::fs::write(&scene.config, good.replace("grace: 0s", "grace: 24h")).expect("write");
    daemon.signal("HUP");
    daemon.wait_for("the new grace", Duration::from_secs(10), |daemon| {
        (orphan(daemon) == "unknown").then_some(())
    });
}

#[test]
fn a_shorter_interval_is_in_force_at_once() {
    let scene = scene::quiet();
    scene.configure("filesystems:\n  interval: 12h\n");
    let daemon = scene.serve();
    daemon.wait_measured();
    let newest = |daemon: &Daemon| {
        let rows = daemon.json("/api/v1/filesystems");
        let times =
            rows.as_array()?.iter().filter_map(|row| row["measured_timestamp_seconds"].as_f64());
        times.reduce(f64::max)
    };
    let wait = Duration::from_secs(60);
    let first = daemon.wait_for("a look at the filesystems", wait, newest);
    scene.configure("filesystems:\n  interval: 1s\n");
    daemon.signal("HUP");
    let second = daemon.wait_for("a second look", wait, |d| newest(d).filter(|at| *at > first));
    daemon.wait_for("a third", wait, |d| newest(d).filter(|at| *at > second));
}

#[test]
fn life_cycle_endpoints() {
    let scene = scene::quiet();
    let daemon = scene.serve();
    assert_eq!(daemon.get("/-/healthy").status, 200);
    daemon.wait_ready();
    let refused = daemon.request("POST", "/-/reload", "");
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("--web.enable-lifecycle"), "{}", refused.body);
    assert_eq!(daemon.get("/nothing").status, 404);
    for path in ["/api/v1/volumes", "/api/v1/sandboxes", "/api/v1/filesystems", "/api/v1/agent"] {
        daemon.json(path);
    }
    assert_eq!(daemon.stop(), Some(0));

    let flags = scene.path_flags();
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.push("--web.enable-lifecycle");
    let daemon = Daemon::serve(&scene.config, &flags);
    daemon.wait_ready();
    let outcome = || {
        let page = daemon.get("/metrics").body;
        let read = "plimsoll_config_last_reload_success_timestamp_seconds";
        (
            value(&page, "plimsoll_config_last_reload_successful"),
            value(&page, read).expect("a time"),
        )
    };
    let (at_the_start, read_first) = outcome();
    assert_eq!(at_the_start, Some(1.0));
    assert_eq!(daemon.request("POST", "/-/reload", "").status, 200);
    let (good, read_again) = outcome();
    assert_eq!(good, Some(1.0));
    assert!(read_again > read_first, "{read_again} and {read_first}");
    let whole = std::fs::read_to_string(&scene.config).expect("read");
    std::fs::write(&scene.config, "mesos: [\n").expect("write");
    let bad = daemon.request("POST", "/-/reload", "");
    assert_eq!(bad.status, 500);
    assert!(bad.body.contains("plimsoll.yml:"), "{}", bad.body);
    assert_eq!(outcome(), (Some(0.0), read_again));
    std::fs::write(&scene.config, whole).expect("write");
    assert_eq!(daemon.request("POST", "/-/reload", "").status, 200);
    assert_eq!(outcome().0, Some(1.0));
}

#[test]
fn a_reload_says_what_takes_a_restart() {
    let scene = scene::quiet();
    let flags = scene.path_flags();
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.push("--web.enable-lifecycle");
    let daemon = Daemon::serve(&scene.config, &flags);
    daemon.wait_ready();
    let told = |daemon: &Daemon| daemon.log().contains("storage.path and storage.enabled");
    assert_eq!(daemon.request("POST", "/-/reload", "").status, 200);
    assert!(!told(&daemon), "{}", daemon.log());
    let settings = std::fs::read_to_string(&scene.config).expect("read");
    let less = settings + "storage: {enabled: false}\n";
    std::fs::write(&scene.config, less).expect("write");
    assert_eq!(daemon.request("POST", "/-/reload", "").status, 200);
    daemon.wait_for("the warning", Duration::from_secs(30), |daemon| told(daemon).then_some(()));
}

#[test]
fn every_metric_is_in_the_reference() {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll")).arg("metrics").output();
    let reference = String::from_utf8(output.expect("plimsoll").stdout).expect("UTF-8");
    let scene = scene::quiet();
    let daemon = scene.serve();
    daemon.wait_ready();
    for line in daemon.get("/metrics").body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().expect("a name");
            assert!(reference.contains(name), "{name} is not in `plimsoll metrics`");
        }
    }
}
