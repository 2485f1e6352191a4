//! The hang guard on a filesystem that really does not answer.
#![allow(missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use plimsoll::host::{Guard, GuardError, Roots};
use support::hungfs::{HungFs, Mood};
use support::mounts::Mounted;

/// Long enough for a busy machine to answer where nothing hangs.
const LIMIT: Duration = Duration::from_millis(1500);

fn guard() -> Arc<Guard> {
    Arc::new(Guard::new(Roots::default(), LIMIT))
}

fn size(guard: &Guard, path: &Path) -> Result<u64, GuardError> {
    let place = path.to_path_buf();
    guard.run_io(path, "stat", move || std::fs::metadata(place).map(|meta| meta.len()))
}

fn threads_named_mount() -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("mount "))
        .count()
}

/// One test, so that the threads counted are its own.
#[test]
fn a_hung_mount_costs_one_thread_and_delays_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (hung_at, bound_at) = (dir.path().join("hung"), dir.path().join("bound"));
    for path in [&hung_at, &bound_at] {
        std::fs::create_dir(path).unwrap();
    }
    std::fs::write(dir.path().join("plain"), "abc").unwrap();
    let fs = HungFs::mount(&hung_at);
    let bound = Mounted::bind(&hung_at, &bound_at);
    let guard = guard();
    let file = hung_at.join("file");

    // It answers.
    assert_eq!(size(&guard, &file).unwrap(), 5);
    assert_eq!(size(&guard, &dir.path().join("plain")).unwrap(), 3);
    assert_eq!(guard.unresponsive(), []);
    assert_eq!(guard.threads(), 2);

    // It hangs: ten callers at once all come back after the limit, not ten times later.
    fs.set(Mood::Hang);
    let ran = Arc::new(AtomicU32::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let (ran, place) = (Arc::clone(&ran), file.clone());
                let result = guard.run(&file, "stat", move || {
                    ran.fetch_add(1, Ordering::SeqCst);
                    std::fs::metadata(place).is_ok()
                });
                let Err(GuardError::Unresponsive { mount_point, op, .. }) = result else {
                    panic!("{result:?}");
                };
                assert_eq!((mount_point, op), (hung_at.clone(), "stat"));
            });
        }
    });
    let took = began.elapsed();
    assert!(took >= LIMIT && took < LIMIT * 8, "{took:?}");
    fs.wait_stuck();

    // Now whatever is thrown at it fails at once, by whichever mount, and elsewhere all is well.
    let began = Instant::now();
    for _ in 0..500 {
        assert_eq!(size(&guard, &file).unwrap_err().reason(), "unresponsive");
        assert_eq!(size(&guard, &bound_at.join("dir")).unwrap_err().reason(), "unresponsive");
        assert_eq!(guard.resolve(&hung_at.join("dir/inner")).unwrap_err().reason(), "unresponsive");
        assert_eq!(size(&guard, &dir.path().join("plain")).unwrap(), 3);
    }
    // Each would have waited for the limit.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let stuck = guard.unresponsive();
    assert_eq!(stuck.len(), 1);
    assert_eq!((stuck[0].mount_point.as_path(), stuck[0].op), (hung_at.as_path(), "stat"));
    assert_eq!(guard.threads(), 2);
    assert_eq!(threads_named_mount(), 2);
    assert!(ran.load(Ordering::SeqCst) == 1, "queued work is not begun on a stuck filesystem");

    // A symbolic link into it is guarded by what it leads to.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("hung/dir", &link).unwrap();
    let error = guard.resolve(&link.join("inner")).unwrap_err();
    assert_eq!(error.reason(), "unresponsive");
    assert_eq!(size(&guard, &dir.path().join("plain")).unwrap(), 3);

    // It answers again: noticed without being told, and the dropped work is not run after all.
    fs.set(Mood::Answer);
    let until = Instant::now() + Duration::from_secs(60);
    while !guard.unresponsive().is_empty() {
        assert!(Instant::now() < until, "it never recovers");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(size(&guard, &file).unwrap(), 5);
    assert_eq!(size(&guard, &bound_at.join("dir/inner")).unwrap(), 7);
    assert_eq!(guard.resolve(&link.join("inner")).unwrap(), hung_at.join("dir/inner"));
    assert_eq!(ran.load(Ordering::SeqCst), 1);

    // Errors are errors, not hangs.
    fs.set(Mood::Fail(rustix::io::Errno::IO.raw_os_error()));
    let error = size(&guard, &file).unwrap_err();
    assert_eq!(error.reason(), "io");
    assert!(error.to_string().contains("stat") && error.to_string().contains("file"), "{error}");
    fs.set(Mood::Answer);

    // The guard holds nothing that would keep an operator from unmounting.
    assert!(bound.umount());
    drop(fs);
    assert_eq!(size(&guard, &file).unwrap_err().reason(), "missing");
    drop(guard);
    let until = Instant::now() + Duration::from_secs(60);
    while threads_named_mount() > 0 {
        assert!(Instant::now() < until, "workers outlive their guard");
        std::thread::sleep(Duration::from_millis(5));
    }

    a_new_filesystem_in_its_place_answers(&hung_at);
    a_panic_is_an_error();
    idle_workers_end();
    links_within_a_root();
}

fn a_new_filesystem_in_its_place_answers(place: &Path) {
    let fs = HungFs::mount(place);
    let guard = guard();
    fs.set(Mood::Hang);
    assert_eq!(size(&guard, &place.join("file")).unwrap_err().reason(), "unresponsive");
    support::mounts::lazy_umount(place);
    let tmpfs = Mounted::tmpfs(place, "1m");
    std::fs::write(place.join("file"), "ab").unwrap();
    assert_eq!(size(&guard, &place.join("file")).unwrap(), 2);
    assert_eq!((guard.threads(), guard.unresponsive().len()), (2, 1));
    drop(tmpfs);
    drop(fs);
}

fn a_panic_is_an_error() {
    let guard = guard();
    let error = guard.run(Path::new("/tmp"), "work", || panic!("on purpose")).unwrap_err();
    assert_eq!(error.to_string(), "work /tmp: internal error: on purpose");
    assert_eq!(guard.run(Path::new("/tmp"), "work", || 7).unwrap(), 7);
    assert_eq!(guard.threads(), 1);
}

fn idle_workers_end() {
    let guard = Guard::with_idle_time(Roots::default(), LIMIT, Duration::from_millis(50));
    assert_eq!(guard.run(Path::new("/tmp"), "work", || 1).unwrap(), 1);
    assert_eq!(guard.threads(), 1);
    let until = Instant::now() + Duration::from_secs(60);
    while guard.threads() > 0 {
        assert!(Instant::now() < until, "an idle worker stays");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(guard.run(Path::new("/tmp"), "work", || 2).unwrap(), 2);
}

fn links_within_a_root() {
    let host = tempfile::tempdir().unwrap();
    let root = host.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("var/lib")).unwrap();
    std::fs::create_dir_all(root.join("data/box")).unwrap();
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, root.join(at)).unwrap();
    link("/data", "var/lib/absolute");
    link("../../data/./box", "var/lib/relative");
    link("../../../../../../data", "var/lib/above");
    link("loop", "loop");
    let roots = Roots { rootfs: root.clone(), ..Roots::default() };
    let guard = Guard::new(roots, LIMIT);
    let resolved = |path: &str| guard.resolve(&root.join(path));
    let inside = |path: &str| -> PathBuf { root.join(path) };
    assert_eq!(resolved("var/lib/absolute/box").unwrap(), inside("data/box"));
    assert_eq!(resolved("var/lib/relative").unwrap(), inside("data/box"));
    assert_eq!(resolved("var/lib/above/box").unwrap(), inside("data/box"));
    assert_eq!(resolved("var/../data").unwrap(), inside("data"));
    assert_eq!(resolved("").unwrap(), root);
    assert_eq!(resolved("loop/x").unwrap_err().reason(), "replaced");
    assert_eq!(resolved("none/x").unwrap_err().reason(), "missing");
}
