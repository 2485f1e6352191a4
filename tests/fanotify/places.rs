//! Which filesystems are believed, what is left of one that was unmounted, and the scheduler.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::fanotify::Watcher;
use plimsoll::measure::usage::hot::Refreshed;
use plimsoll::measure::usage::{How, Target, UsageConfig, UsageMeter};
use plimsoll::model::{Method, SandboxKey, SourceKind, Subject};

use crate::support::denied;
use crate::support::du::du;
use crate::support::mounts::Mounted;
use crate::{append, make, open, quiet, refresh, settle, told, watcher};

#[test]
fn a_watched_filesystem_can_be_unmounted_and_comes_back() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    let mount_point = dir.path().join("mnt");
    fs::create_dir(&mount_point).unwrap();
    File::create(&image).unwrap().set_len(32 << 20).unwrap();
    let run = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).status().unwrap();
        assert!(status.success(), "{program} {args:?}");
    };
    let (image, point) = (image.to_str().unwrap(), mount_point.to_str().unwrap());
    run("mkfs.ext4", &["-q", image]);
    run("mount", &["-o", "loop", image, point]);
    let root = mount_point.join("box");
    make(&root, 4, 4);
    settle();
    let watch = watcher.watch();
    let mut tree = told(&root, Duration::ZERO, &watch);
    append(&mut open(&root.join("dir-1/file-1")), 100_000);
    assert_eq!(quiet(&root, &mut tree, 1000).0, du(&root));
    assert!(tree.is_told());
    run("umount", &[point]);
    run("mount", &["-o", "loop", image, point]);
    // Written while nobody listened: the mark went with the mount.
    append(&mut open(&root.join("dir-2/file-2")), 100_000);
    match tree.refresh(1_000_000) {
        Refreshed::Stale(_) => {}
        Refreshed::Done { .. } => assert!(!tree.is_told(), "not known, and not claimed to be"),
        other => panic!("{other:?}"),
    }
    let mut tree = told(&root, Duration::ZERO, &watch);
    settle();
    append(&mut open(&root.join("dir-3/file-3")), 100_000);
    assert_eq!(quiet(&root, &mut tree, 1000).0, du(&root));
    assert!(tree.is_told());
    drop(tree);
    run("umount", &[point]);
}

#[test]
fn network_and_stacked_filesystems_are_not_believed() {
    let Some(watcher) = watcher() else { return };
    let watch = watcher.watch();
    let device = |major: u64| major << 32;
    // procfs is none of the local filesystems, whatever it can do.
    assert!(watch.attach(device(1), c"/proc/self", false).is_none());
    assert!(watch.attach(device(1), c"/proc/self", false).is_none());
    assert_eq!((watch.stats().trusted, watch.stats().untrusted), (0, 1));
    // A tmpfs is.
    let dir = tempfile::tempdir().unwrap();
    let mounted = Mounted::tmpfs(dir.path(), "1m");
    make(dir.path(), 2, 2);
    settle();
    let mut tree = told(dir.path(), Duration::ZERO, &watch);
    append(&mut open(&dir.path().join("dir-1/file-1")), 50_000);
    assert_eq!(refresh(&mut tree, 1000).used_bytes, du(dir.path()).used);
    assert!(tree.is_told());
    assert!(mounted.umount(), "nothing is held open");
}

#[test]
fn without_the_call_it_says_what_is_missing() {
    let dirs = [std::env::temp_dir()];
    for (errno, reason) in [
        (libc::EPERM, "fanotify_init: CAP_SYS_ADMIN is missing"),
        (libc::EINVAL, "fanotify_init: the kernel is older than 5.9"),
        (libc::ENOSYS, "fanotify_init: Function not implemented (os error 38)"),
    ] {
        let error = denied::without(&[libc::SYS_fanotify_init], errno, || {
            Watcher::start(&dirs, 0.5).expect_err("denied")
        });
        assert_eq!(error, format!("{}: {reason}", dirs[0].display()));
    }
    let error = Watcher::start(&["/nonexistent".into()], 0.5).expect_err("no directory");
    assert_eq!(error, "/nonexistent: mkdir: No such file or directory (os error 2)");
    if watcher().is_some() {
        let error = denied::without(&[libc::SYS_name_to_handle_at], libc::EPERM, || {
            Watcher::start(&dirs, 0.5).expect_err("no handles")
        });
        assert!(error.ends_with("its filesystem has no file handles"), "{error}");
    }
}

/// The scheduler under pressure: values come from what is told, and quiet subjects cost nothing.
#[test]
fn the_meter_looks_at_what_was_told_of() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    let roots: Vec<PathBuf> = (0..5).map(|n| dir.path().join(format!("box-{n}"))).collect();
    for root in &roots {
        make(root, 40, 50);
    }
    settle();
    let subject = |n: usize| {
        Subject::Sandbox(SandboxKey {
            source: SourceKind::Mesos,
            framework: "f".into(),
            executor: "e".into(),
            container: n.to_string(),
        })
    };
    let targets = roots.iter().enumerate().map(|(n, root)| Target {
        subject: subject(n),
        path: root.clone(),
        extra: Vec::new(),
        skip: Vec::new(),
        how: How::Walk,
        remote: false,
    });
    let config = UsageConfig {
        cpu_budget: 0.02,
        bootstrap_cpu_budget: 1.0,
        max_age: Duration::from_millis(400),
        io_pressure: 0.0,
        ..UsageConfig::default()
    };
    let guard = Arc::new(Guard::new(Roots::default(), Duration::from_secs(5)));
    let meter = UsageMeter::start_told(guard, config, Some(watcher), || {}).unwrap();
    meter.set_targets(targets.collect());
    let until = std::time::Instant::now() + Duration::from_secs(60);
    let sample = |n: usize| meter.results().get(&subject(n)).and_then(|measured| measured.sample);
    let incremental = |n| sample(n).is_some_and(|sample| sample.method == Method::Incremental);
    while !(0..5).all(incremental) {
        assert!(std::time::Instant::now() < until, "never incremental: {:?}", meter.stats());
        std::thread::sleep(Duration::from_millis(20));
    }
    // Figures are told a moment later than values.
    while meter.stats().watch.is_none_or(|watch| watch.trusted != 1) {
        assert!(std::time::Instant::now() < until, "{:?}", meter.stats());
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut size = 0;
    while incremental(2) && size < 3 {
        append(&mut open(&roots[2].join(format!("dir-{size}/file-1"))), 100_000);
        size += 1;
        let wanted = du(&roots[2]).used;
        while sample(2).unwrap().used_bytes != wanted {
            assert!(std::time::Instant::now() < until, "{:?}, wanted {wanted}", sample(2));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(meter.stats().bound_exceeded_total, 0);
    meter.shutdown();
}
