//! A filesystem of the host that hangs: an overlay whose lower layer does, as that of an image on
//! storage that is gone.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::host::wait_for;
use crate::support::daemon::{Daemon, value};
use crate::support::hungfs::{HungFs, Mood};
use crate::support::mounts::lazy_umount;

use super::{Telling, make, make_older, serve, with_state};

pub const HUNG: [&str; 1] = ["filesystem_unresponsive"];

/// Where every daemon of this machine would ask what hangs here, and wait for it at its end, only
/// this test's may see it.
fn runs_with_its_own_mounts(test: &str) -> bool {
    const MARK: &str = "PLIMSOLL_TEST_OWN_MOUNTS";
    if std::env::var_os(MARK).is_some() {
        return false;
    }
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(std::env::current_exe().expect("itself"))
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .status()
        .expect("unshare(1) is installed");
    assert!(status.success(), "with its own mounts");
    true
}

struct Overlay<'a>(&'a Path);

impl Drop for Overlay<'_> {
    fn drop(&mut self) {
        lazy_umount(self.0);
    }
}

#[test]
fn a_filesystem_that_hangs_is_told_until_it_answers() {
    if runs_with_its_own_mounts(
        "conditions::hung::a_filesystem_that_hangs_is_told_until_it_answers",
    ) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    // Declared first, so ended last: a process with a thread in a hung request cannot end.
    let mut looking: Option<Daemon> = None;
    let telling: Telling;
    let at = |name: &str| {
        let path = dir.path().join(name);
        make(&path);
        path
    };
    let lower = HungFs::mount(&at("lower"));
    let data = at("data");
    let layers = format!("lowerdir={}:{}", at("lower").display(), at("below").display());
    let mount = ["-t", "overlay", "-o", &layers, "plimsoll-test"];
    let output = Command::new("mount").args(mount).arg(&data).output().expect("mount(8)");
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        eprintln!("SKIPPED a filesystem that hangs: no overlay on FUSE here: {error}");
        return;
    }
    let _mounted = Overlay(&data);

    let config = dir.path().join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {{enabled: false}}\nfilesystems: {{timeout: 1s, interval: \
         1s}}\nnetwork: {{interval: 1s}}\ndirectories: [{{path: {}}}]\n",
        data.display()
    );
    fs::write(&config, text).expect("write");
    let state = at("state");
    let remembering = with_state(&config, &state);
    let responsive =
        format!("plimsoll_filesystem_responsive{{mount_point=\"{}\"}}", data.display());
    wait_for("it is noticed", || {
        lower.set(Mood::Hang);
        let daemon = looking.insert(serve(&remembering, &[]));
        daemon.wait_for("it hangs", Duration::from_secs(30), |daemon| {
            (value(&daemon.get("/metrics").body, &responsive)? == 0.0).then_some(())
        });
        daemon.signal("TERM");
        // It ends only with its thread that hangs.
        lower.set(Mood::Answer);
        assert_eq!(looking.take().expect("it runs").stop(), Some(0));
        make_older(&state).contains(HUNG[0]).then_some(())
    });

    lower.set(Mood::Hang);
    telling = Telling::begin(&config, &[], &state);
    telling.tells(&HUNG);
    lower.set(Mood::Answer);
    telling.tells_the_end_of(HUNG[0]);
}
