//! Directories that the configuration names, beside no agent at all.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::daemon::{Daemon, value};
use crate::support::du::used_bytes;

fn configured(dir: &Path, text: &str) -> std::path::PathBuf {
    let config = dir.join("plimsoll.yml");
    std::fs::write(
        &config,
        format!("mesos: {{enabled: false}}\ndocker: {{enabled: false}}\nusage: {{cpu_budget: 0.5}}\n{text}"),
    )
    .expect("write");
    config
}

#[test]
fn each_match_is_a_subject_with_its_quota_and_a_new_one_is_noticed() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    for (name, bytes) in [("pg-0", 300_000), ("pg-1", 900_000), (".lost", 1)] {
        std::fs::create_dir_all(data.join(name)).expect("make");
        std::fs::write(data.join(name).join("base"), vec![7; bytes]).expect("write");
    }
    std::os::unix::fs::symlink("/", data.join("pg-link")).expect("link");
    let ledger = data.join("pg-1");
    let config = configured(
        dir.path(),
        &format!(
            "directories:\n- {{path: {0}/pg-*, role: db, owner: team-db, quota: 800KiB}}\n\
             - {{path: {0}/pg-1, name: second-name}}\n- {0}/absent\n",
            data.display()
        ),
    );
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();
    daemon.wait_measured();
    let of = |family: &str, role: &str, name: &str| {
        let labels = format!(
            "{family}{{source=\"directories\",role=\"{role}\",volume=\"{name}\",disk=\"DIRECTORY\"}}"
        );
        value(&daemon.get("/metrics").body, &labels)
    };
    let path = |name: &str| data.join(name).display().to_string();
    for name in ["pg-0", "pg-1"] {
        let used = of("plimsoll_volume_used_bytes", "db", &path(name));
        assert_eq!(used, Some(used_bytes(&data.join(name)) as f64), "{name}");
        assert_eq!(of("plimsoll_volume_quota_bytes", "db", &path(name)), Some(819_200.0));
    }
    let over = of("plimsoll_volume_over_quota_bytes", "db", &path("pg-1"));
    assert_eq!(over, Some(used_bytes(&ledger) as f64 - 819_200.0));
    let page = daemon.get("/metrics").body;
    assert!(page.contains("principal=\"team-db\""), "{page}");
    // One directory is one subject, though two entries name it; links and hidden ones are none.
    assert!(!page.contains("second-name") && !page.contains("pg-link") && !page.contains(".lost"));
    let missing = format!(
        "plimsoll_volume_state{{source=\"directories\",role=\"\",volume=\"{}\",disk=\"DIRECTORY\",\
         state=\"missing\"}}",
        path("absent")
    );
    assert_eq!(value(&page, &missing), Some(1.0));

    std::fs::create_dir(data.join("pg-2")).expect("make");
    daemon.wait_for("a new match", Duration::from_secs(10), |_| {
        of("plimsoll_volume_used_bytes", "db", &path("pg-2"))
    });
    std::fs::remove_dir(data.join("pg-2")).expect("remove");
    daemon.wait_for("it goes", Duration::from_secs(10), |daemon| {
        (!daemon.get("/metrics").body.contains("pg-2")).then_some(())
    });
}

#[test]
fn a_directory_is_in_use_while_a_process_has_something_open_in_it() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: looking into other processes needs root");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["used", "left"] {
        std::fs::create_dir(dir.path().join(name)).expect("make");
    }
    let journal = std::fs::File::create(dir.path().join("used/journal")).expect("make");
    let mut store = Command::new("sleep").arg("60").stdin(journal).spawn().expect("sleep");
    let text = format!(
        "orphans: {{open_files_interval: 5s}}\n\
         directories: ['{0}/used', '{0}/left']\n",
        dir.path().display()
    );
    let daemon = Daemon::serve(&configured(dir.path(), &text), &[]);
    let state = |daemon: &Daemon, name: &str, wanted: &str| {
        let rows = daemon.json("/api/v1/volumes");
        let path = dir.path().join(name).display().to_string();
        let row = rows.as_array()?.iter().find(|row| row["path"] == path.as_str())?.clone();
        (row["state"] == wanted).then(|| row["reason"].as_str().unwrap_or_default().to_owned())
    };
    let reason = daemon.wait_for("its use is seen", Duration::from_secs(20), |daemon| {
        state(daemon, "used", "in_use")
    });
    assert_eq!(reason, format!("used by sleep (pid {}, 1 file)", store.id()));
    // Where some process may not be looked into (by a root without all capabilities), nobody found
    // is not nobody there.
    let nobody = |daemon: &Daemon, name: &str| {
        state(daemon, name, "idle").or_else(|| {
            state(daemon, name, "unknown").filter(|why| why.contains("could not be looked into"))
        })
    };
    let reason =
        daemon.wait_for("nobody is seen", Duration::from_secs(20), |daemon| nobody(daemon, "left"));
    let words = "the configuration names it, and no process uses it";
    assert!(reason == words || reason.starts_with("who uses it is not known: "), "{reason}");
    store.kill().and_then(|()| store.wait()).expect("end it");
    daemon.wait_for("its end is seen", Duration::from_secs(30), |daemon| nobody(daemon, "used"));
}

#[test]
fn a_bad_entry_is_refused_with_what_is_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    let cases = [
        ("- data/*", "directories \"data/*\": must be an absolute path of the host"),
        ("- /data/../etc", "must not go back with \"..\""),
        ("- /data/**", "name each level with \"*\""),
        ("- '/data/[a'", "/data/[a"),
        ("- {path: /data/*, name: one}", "a pattern may match several and cannot have one name"),
        ("- {path: /data, qouta: 1GiB}", "unknown key \"qouta\""),
        ("- {path: /data, quota: 0B}", "the quota must be above 0"),
        ("- {path: /data, unused_after: 1ms}", "unused_after"),
        ("- {name: x}", "path"),
        ("- 7", "a path such as /data/*"),
    ];
    for (entry, expected) in cases {
        let config = configured(dir.path(), &format!("directories:\n{entry}\n"));
        let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["check", "--config.file"])
            .arg(&config)
            .output()
            .expect("plimsoll");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{entry}");
        assert!(stderr.contains(expected) && stderr.contains("plimsoll.yml"), "{entry}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{entry}: {stderr}");
    }
}
