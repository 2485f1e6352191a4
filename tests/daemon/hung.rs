//! A disk that hangs, and a hung mount inside a sandbox: told within the time-out, one thread at
//! most, and everything else goes on.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use plimsoll::demo::Scene;

use crate::support::daemon::{Daemon, value};
use crate::support::hungfs::{HungFs, Mood};
use crate::support::mounts::fuse_mounts;

fn configure(scene: &Scene, dir: &Path) -> std::path::PathBuf {
    let config = dir.join("plimsoll.yml");
    let text = format!(
        "mesos:\n  work_dir: {}\n  runtime_dir: {}\n  agent_url: {}\n  poll_interval: 1s\n\
         filesystems:\n  timeout: 1s\n  interval: 1s\nusage:\n  cpu_budget: 0.2\n  max_age: 2s\n\
         orphans:\n  grace: 0s\n",
        scene.work_dir().display(),
        scene.runtime_dir().display(),
        scene.agent_url(),
    );
    std::fs::write(&config, text).expect("write");
    config
}

fn threads(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("threads").count()
}

fn measured_at(daemon: &Daemon, volume: &str) -> Option<f64> {
    let volumes = daemon.json("/api/v1/volumes");
    let row = volumes.as_array()?.iter().find(|row| row["volume"] == volume)?.clone();
    row["measured_timestamp_seconds"].as_f64()
}

#[test]
fn a_hung_disk_delays_nothing_else_and_its_recovery_is_noticed() {
    let dir = tempfile::tempdir().expect("a directory");
    let scene = Scene::create(dir.path()).expect("the demo scene");
    // Declared first, so ended last: a process with a thread in a hung request cannot end.
    let running: Option<Daemon>;
    // The PATH disk, and a directory in the sandbox of the standalone container.
    let disk = scene.home().join("disks/b");
    let hung_disk = HungFs::mount(&disk);
    let sandbox = std::fs::read_dir(scene.work_dir().join("containers"))
        .expect("standalone containers")
        .next()
        .expect("one")
        .expect("entry")
        .path();
    let inside = sandbox.join("remote");
    std::fs::create_dir(&inside).expect("make");
    let hung_inside = HungFs::mount(&inside);
    hung_disk.set(Mood::Hang);
    hung_inside.set(Mood::Hang);

    let config = configure(&scene, dir.path());
    running = Some(Daemon::serve(&config, &[]));
    let daemon = running.as_ref().expect("just started");
    daemon.wait_ready();
    let disk_name = disk.display().to_string();
    let responsive = format!("plimsoll_filesystem_responsive{{mount_point=\"{disk_name}\"}}");
    daemon.wait_for("the disk is told unresponsive", Duration::from_secs(20), |daemon| {
        (value(&daemon.get("/metrics").body, &responsive)? == 0.0).then_some(())
    });
    let before = threads(daemon);

    // Everything else is measured again and again, and no scrape waits.
    let first = daemon.wait_for("a measurement", Duration::from_secs(20), |daemon| {
        measured_at(daemon, "mysql-0")
    });
    daemon.wait_for("the next one", Duration::from_secs(20), |daemon| {
        (measured_at(daemon, "mysql-0")? > first).then_some(())
    });
    let middle = daemon.middle_scrape();
    assert!(middle < Duration::from_secs(1), "scrapes wait for what hangs: {middle:?}");
    let sandboxes = daemon.json("/api/v1/sandboxes");
    let standalone = sandboxes
        .as_array()
        .expect("an array")
        .iter()
        .find(|row| row["kind"] == "standalone")
        .expect("the standalone container");
    assert!(standalone["used_bytes"].as_u64().expect("measured") > 3_000_000, "{standalone}");
    // Every network filesystem of the machine is asked: one thread each, those of other tests too.
    // One whose filesystem is gone ends a little later; what is started each round never gets fewer.
    daemon.wait_for(&format!("{before} threads and one"), Duration::from_secs(60), |daemon| {
        (threads(daemon) <= before + 1 + fuse_mounts()).then_some(())
    });

    // A second process that looks at the same host ends, too.
    let start = Instant::now();
    let check = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["check", "--config.file"])
        .arg(&config)
        .output()
        .expect("plimsoll check");
    let report = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(report.contains("unresponsive"), "{report}");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());

    hung_disk.set(Mood::Answer);
    daemon.wait_for("the disk answers again", Duration::from_secs(20), |daemon| {
        let sources = daemon.json("/api/v1/sources");
        let layout = sources.as_array()?.iter().find(|row| row["collector"] == "mesos_layout")?;
        (layout["health"] == "ok").then_some(())
    });
}
