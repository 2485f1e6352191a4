//! A network filesystem that nobody's volume lies on, served by FUSE: its waiting requests are
//! counted, a hang is told within the time-out while scrapes stay fast, and recovery is seen.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::daemon::{Daemon, value};
use crate::support::hungfs::{HungFs, Mood};
use crate::support::mounts::{fuse_mounts, lazy_umount};

/// FUSE's control filesystem, mounted in a directory of this test.
struct Control(PathBuf);

impl Control {
    fn mount(sysfs: &Path) -> Self {
        let place = sysfs.join("fs/fuse/connections");
        std::fs::create_dir_all(&place).expect("make");
        let status = Command::new("mount").args(["-t", "fusectl", "none"]).arg(&place).status();
        assert!(status.expect("mount(8)").success(), "this test mounts, and needs root");
        Self(place)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        lazy_umount(&self.0);
    }
}

fn threads(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("threads").count()
}

#[test]
fn a_hung_network_filesystem_is_told_within_the_time_out_and_its_recovery_is_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("plimsoll.yml");
    let text = "mesos:\n  enabled: false\nfilesystems:\n  timeout: 1s\nnetwork:\n  interval: 1s\n";
    std::fs::write(&config, text).expect("write");
    // Declared first, so ended last: a process with a thread in a hung request cannot end.
    let running: Option<Daemon>;
    let sysfs = dir.path().join("sys");
    let _control = Control::mount(&sysfs);
    let place = dir.path().join("remote");
    std::fs::create_dir(&place).expect("make");
    let remote = HungFs::mount(&place);

    let flag = format!("--path.sysfs={}", sysfs.display());
    running = Some(Daemon::serve(&config, &[&flag]));
    let daemon = running.as_ref().expect("just started");
    daemon.wait_ready();
    let labels = format!("{{server=\"\",export=\"hungfs\",mount_point=\"{}\"}}", place.display());
    let number = |daemon: &Daemon, family: &str| {
        value(
            &daemon.get("/metrics").body,
            &format!("plimsoll_network_filesystem_{family}{labels}"),
        )
    };
    let wait = |what: &str, responsive: f64| {
        daemon.wait_for(what, Duration::from_secs(20), |daemon| {
            (number(daemon, "responsive")? == responsive).then_some(())
        });
    };
    wait("it answers", 1.0);
    daemon.wait_for("nothing waits", Duration::from_secs(30), |daemon| {
        (number(daemon, "waiting_operations")? == 0.0).then_some(())
    });
    assert_eq!(number(daemon, "mounts"), Some(1.0));
    let before = threads(daemon);

    remote.set(Mood::Hang);
    wait("the hang is told", 0.0);
    remote.wait_stuck();
    daemon.wait_for("the stuck request is counted", Duration::from_secs(10), |daemon| {
        (number(daemon, "waiting_operations")? >= 1.0).then_some(())
    });
    let middle = daemon.middle_scrape();
    assert!(middle < Duration::from_secs(1), "scrapes wait for what hangs: {middle:?}");
    // However many rounds have passed.
    std::thread::sleep(Duration::from_secs(3));
    // Every network filesystem of the machine is asked: one thread each, those of other tests too.
    // One whose filesystem is gone ends a little later; what is started each round never gets fewer.
    daemon.wait_for(&format!("{before} threads and one"), Duration::from_secs(60), |daemon| {
        (threads(daemon) <= before + 1 + fuse_mounts()).then_some(())
    });

    // A look by another process ends, and says it with what to do.
    let check = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["check", "--config.file"])
        .arg(&config)
        .arg(&flag)
        .output()
        .expect("plimsoll check");
    let report = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(report.contains("network_storage_unresponsive"), "{report}");
    assert!(report.contains("network_fuse"), "{report}");
    let rows = daemon.json("/api/v1/network_filesystems");
    let row = rows.as_array().and_then(|rows| rows.iter().find(|row| row["export"] == "hungfs"));
    assert_eq!(row.expect("its row")["responsive"], false);

    remote.set(Mood::Answer);
    wait("it answers again", 1.0);
    daemon.wait_for("nothing waits", Duration::from_secs(10), |daemon| {
        (number(daemon, "waiting_operations")? == 0.0).then_some(())
    });
}
