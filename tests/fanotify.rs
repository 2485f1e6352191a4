//! Refreshes that look only where this kernel tells of a change, against GNU du.
//!
//! Needs CAP_SYS_ADMIN and Linux 5.9; without, each test says so and skips.
#![allow(missing_docs)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::fanotify::{Watch, Watcher};
use plimsoll::measure::usage::hot::{Recorder, Refreshed, Tree, WINDOW};
use plimsoll::measure::usage::{How, Progress, Target, Totals, UsageConfig, UsageMeter, Walk};
use plimsoll::model::{Method, SandboxKey, SourceKind, Subject};
use proptest::prelude::*;
use support::changes::{change, ops};
use support::denied;
use support::du::{Du, counts_directory_sizes, du};
use support::mounts::Mounted;

const MEMORY: usize = 64 << 20;

/// `None`, loudly, where this process may not.
fn watcher() -> Option<Watcher> {
    watcher_within(0.5)
}

fn watcher_within(cpu_budget: f64) -> Option<Watcher> {
    match Watcher::start(&[std::env::temp_dir()], cpu_budget) {
        Ok(watcher) => Some(watcher),
        Err(why) => {
            let root = rustix::process::geteuid().is_root();
            assert!(!root, "as root on a kernel of today this works: {why}");
            eprintln!("SKIPPED: fanotify is not allowed here: {why}");
            None
        }
    }
}

fn told(root: &Path, window: Duration, watch: &Arc<Watch>) -> Tree {
    recorded(root, &[], window, watch)
}

fn recorded(root: &Path, extra: &[PathBuf], window: Duration, watch: &Arc<Watch>) -> Tree {
    let recorder = Recorder::new(&[], window, MEMORY).told_by(Arc::clone(watch), !extra.is_empty());
    let mut walk = Walk::new(root, extra, &[]).recorded(recorder);
    loop {
        match walk.advance(1000) {
            Progress::More => {}
            Progress::Done(_) => {
                return *walk.take_recorder().unwrap().finish().expect("remembered");
            }
            Progress::Failed(error) => panic!("{error}"),
        }
    }
}

fn refresh(tree: &mut Tree, slice: usize) -> Totals {
    loop {
        match tree.refresh(slice) {
            Refreshed::More => {}
            Refreshed::Done { totals, .. } => return totals,
            Refreshed::Stale(why) => panic!("stale: {why}"),
        }
    }
}

fn numbers(totals: Totals) -> Du {
    Du { used: totals.used_bytes, apparent: totals.apparent_bytes, inodes: totals.files }
}

/// The refreshed value and du's, while nothing moves.
fn quiet(root: &Path, tree: &mut Tree, slice: usize) -> (Du, Du) {
    for _ in 0..20 {
        let before = du(root);
        let mut ours = numbers(refresh(tree, slice));
        let after = du(root);
        if before == after {
            if !counts_directory_sizes() {
                ours.apparent = after.apparent;
            }
            return (ours, after);
        }
    }
    panic!("du never said the same twice");
}

/// Longer than a change time is young: what follows is told of, not seen by its time.
fn settle() {
    std::thread::sleep(Duration::from_millis(60));
}

fn make(root: &Path, dirs: usize, files: usize) {
    for d in 0..dirs {
        fs::create_dir_all(root.join(format!("dir-{d}"))).unwrap();
        for f in 0..files {
            fs::write(root.join(format!("dir-{d}/file-{f}")), "x").unwrap();
        }
    }
}

fn append(file: &mut File, bytes: usize) {
    file.write_all(&vec![7; bytes]).unwrap();
    file.sync_all().unwrap();
}

fn open(path: &Path) -> File {
    OpenOptions::new().append(true).open(path).unwrap()
}

#[test]
fn only_what_was_told_of_is_looked_at() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 40, 50);
    settle();
    let mut tree = told(dir.path(), Duration::ZERO, &watcher.watch());
    assert!(tree.is_told(), "{:?}", watcher.watch().stats());
    refresh(&mut tree, 1_000_000);
    assert_eq!(tree.looked_at(), 1, "a still tree: its root");
    // A file that was still for long, written to and closed: no directory's time tells of it.
    append(&mut open(&dir.path().join("dir-7/file-3")), 100_000);
    let (ours, du) = quiet(dir.path(), &mut tree, 1_000_000);
    assert_eq!(ours, du);
    settle();
    append(&mut open(&dir.path().join("dir-7/file-3")), 100_000);
    fs::create_dir_all(dir.path().join("dir-9/new/deeper")).unwrap();
    fs::write(dir.path().join("dir-9/new/deeper/file"), vec![1; 9000]).unwrap();
    let totals = refresh(&mut tree, 1_000_000);
    // The root; a directory and its file; one with fifty files and one entry more; the new ones.
    assert!((54..=62).contains(&tree.looked_at()), "{}", tree.looked_at());
    assert_eq!(numbers(totals).used, support::du::du(dir.path()).used);
    // An ordinary program.
    settle();
    let mut truncate = Command::new("truncate");
    truncate.args(["-s", "0"]).arg(dir.path().join("dir-3/file-1"));
    assert!(truncate.status().unwrap().success());
    let (ours, du) = quiet(dir.path(), &mut tree, 1);
    assert_eq!(ours, du);
    // Without being told, the same stays unseen.
    drop(watcher);
}

#[test]
fn without_it_the_same_is_not_seen() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 3, 3);
    settle();
    let mut walk =
        Walk::new(dir.path(), &[], &[]).recorded(Recorder::new(&[], Duration::ZERO, MEMORY));
    assert!(matches!(walk.advance(1_000_000), Progress::Done(_)));
    let mut tree = *walk.take_recorder().unwrap().finish().unwrap();
    append(&mut open(&dir.path().join("dir-1/file-1")), 100_000);
    assert!(refresh(&mut tree, 1_000_000).used_bytes < du(dir.path()).used);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Whatever happened: equal to the byte, with hot files and, once all are closed, without.
    #[test]
    fn random_changes(
        first in ops(60),
        rounds in prop::collection::vec((ops(12), any::<bool>()), 1..5),
        slice in prop_oneof![Just(1_usize), 2..20_usize, Just(1_000_000)],
        hot: bool,
    ) {
        let Some(watcher) = watcher() else { return Ok(()) };
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("box"), dir.path().join("beside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        first.iter().for_each(|op| change(&root, &outside, op));
        let window = if hot { WINDOW } else { Duration::ZERO };
        let mut tree = told(&root, window, &watcher.watch());
        for (ops, rest) in rounds {
            if rest {
                settle();
            }
            ops.iter().for_each(|op| change(&root, &outside, op));
            let linked_outside = links_outside(&root, &outside);
            let (ours, du) = quiet(&root, &mut tree, slice);
            prop_assert!(tree.is_told());
            // A file with a name outside may be written to by that name: nothing in the subject
            // is told of then.
            if hot || !linked_outside {
                prop_assert_eq!(ours, du);
            }
        }
    }
}

fn links_outside(root: &Path, outside: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inodes = |top: &Path| -> std::collections::HashSet<u64> {
        let entries = walkdir::WalkDir::new(top).into_iter().map(Result::unwrap);
        entries.filter(|e| !e.file_type().is_dir()).map(|e| e.metadata().unwrap().ino()).collect()
    };
    inodes(root).intersection(&inodes(outside)).next().is_some()
}

#[test]
fn renames_across_subjects_are_told_to_both() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    make(&one, 10, 10);
    make(&two, 10, 10);
    fs::write(one.join("dir-3/large"), vec![1; 500_000]).unwrap();
    settle();
    let watch = watcher.watch();
    let mut trees = [&one, &two].map(|root| (root, told(root, Duration::ZERO, &watch)));
    fs::rename(one.join("dir-3/large"), two.join("dir-5/large")).unwrap();
    fs::rename(two.join("dir-8"), one.join("dir-1/moved")).unwrap();
    for (root, tree) in &mut trees {
        let (ours, du) = quiet(root, tree, 3);
        assert_eq!(ours, du, "{}", root.display());
        assert!(tree.is_told());
    }
    // What moved is told of where it is now.
    settle();
    append(&mut open(&two.join("dir-5/large")), 100_000);
    append(&mut open(&one.join("dir-1/moved/file-4")), 100_000);
    for (root, tree) in &mut trees {
        let (ours, du) = quiet(root, tree, 1_000_000);
        assert_eq!(ours, du, "{}", root.display());
        assert!(tree.looked_at() < 40, "{}", tree.looked_at());
    }
    // Another directory in the place of one that is gone, perhaps with its inode.
    fs::remove_dir_all(one.join("dir-2")).unwrap();
    fs::create_dir(one.join("dir-2")).unwrap();
    let (root, tree) = &mut trees[0];
    assert_eq!(quiet(root, tree, 5).0, du(root));
    settle();
    fs::write(one.join("dir-2/fresh"), vec![1; 50_000]).unwrap();
    settle();
    append(&mut open(&one.join("dir-2/fresh")), 100_000);
    assert_eq!(quiet(root, tree, 5).0, du(root));
}

#[test]
fn lost_events_end_it_until_the_next_full_pass() {
    // The reader spends its budget at once, and rests: the kernel's queue of 16384 runs over.
    let Some(watcher) = watcher_within(1e-6) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (busy, still) = (dir.path().join("busy"), dir.path().join("still"));
    make(&busy, 3, 3);
    make(&still, 3, 3);
    settle();
    let watch = watcher.watch();
    let (mut tree, mut other) =
        (told(&busy, Duration::ZERO, &watch), told(&still, Duration::ZERO, &watch));
    fs::write(busy.join("dir-0/wakes"), "the reader").unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let limit: usize = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events")
        .map_or(16_384, |text| text.trim().parse().unwrap());
    for n in 0..limit + 500 {
        File::create(busy.join(format!("dir-1/{n}"))).unwrap();
    }
    let (ours, expected) = quiet(&busy, &mut tree, 1_000_000);
    assert_eq!(ours, expected, "nothing is missed all the same");
    assert!(!tree.is_told());
    assert!(watch.stats().overflows_total > 0);
    // Every subject of that filesystem: its events may be among those lost.
    refresh(&mut other, 1_000_000);
    assert!(!other.is_told());
    assert_eq!(other.looked_at(), 4);
    let mut again = told(&still, Duration::ZERO, &watch);
    refresh(&mut again, 1_000_000);
    assert!(again.is_told());
    assert_eq!(again.looked_at(), 1);
    assert!(watch.stats().directories < 40_000);
}

#[test]
fn a_writer_that_never_closes_is_not_told_of_and_stays_hot() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 5, 5);
    let path = dir.path().join("dir-2/file-2");
    settle();
    let watch = watcher.watch();
    let mut cold = told(dir.path(), Duration::ZERO, &watch);
    let mut hot = told(dir.path(), WINDOW, &watch);
    let mut file = open(&path);
    append(&mut file, 300_000);
    let before = du(dir.path()).used - 300_000;
    assert!(refresh(&mut cold, 1000).used_bytes <= before + 8192, "the blind spot");
    assert_eq!(quiet(dir.path(), &mut hot, 1000).0, du(dir.path()), "hot files are looked at");
    append(&mut file, 300_000);
    assert_eq!(quiet(dir.path(), &mut hot, 1000).0, du(dir.path()));
    drop(file);
    assert_eq!(quiet(dir.path(), &mut cold, 1000).0, du(dir.path()), "closed: told of");
    assert!(cold.is_told() && hot.is_told());
}

#[test]
fn a_mapping_is_told_of_when_it_ends() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 2, 2);
    let path = dir.path().join("dir-1/holes");
    File::create(&path).unwrap().set_len(1 << 20).unwrap();
    settle();
    let watch = watcher.watch();
    let mut cold = told(dir.path(), Duration::ZERO, &watch);
    let mut hot = told(dir.path(), WINDOW, &watch);
    let before = refresh(&mut cold, 1000).used_bytes;
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    for page in 0..20 {
        support::mmap::write_page(&file, page * 8192, 1);
    }
    file.sync_all().unwrap();
    assert_eq!(refresh(&mut cold, 1000).used_bytes, before, "the blind spot");
    assert_eq!(quiet(dir.path(), &mut hot, 1000).0, du(dir.path()), "hot files are looked at");
    drop(file);
    assert_eq!(quiet(dir.path(), &mut cold, 1000).0, du(dir.path()));
    assert!(du(dir.path()).used >= before + 20 * 4096);
}

#[test]
fn what_is_written_through_an_overlay() {
    let Some(watcher) = watcher() else { return };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["box", "lower", "upper", "work", "merged"] {
        fs::create_dir(at(name)).unwrap();
    }
    make(&at("lower"), 2, 2);
    fs::write(at("upper").join("own"), "x").unwrap();
    settle();
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        at("lower").display(),
        at("upper").display(),
        at("work").display()
    );
    let mounted = Command::new("mount")
        .args(["-t", "overlay", "-o", &options, "overlay"])
        .arg(at("merged"))
        .status()
        .unwrap();
    assert!(mounted.success());
    let watch = watcher.watch();
    let mut tree = recorded(&at("box"), &[at("upper")], Duration::ZERO, &watch);
    // Whatever the test at the start found is what happens.
    let proven = watch.proof().overlay.expect("an overlay can be made here");
    assert_eq!(tree.is_told(), proven);
    let both = || {
        let (one, two) = (du(&at("box")), du(&at("upper")));
        one.used + two.used
    };
    append(&mut open(&at("merged").join("own")), 200_000);
    let found = refresh(&mut tree, 1000).used_bytes;
    if proven {
        assert_eq!(found, both(), "written in place through the overlay");
    } else {
        assert!(found < both(), "not told of, and rightly not believed");
    }
    // Copied up, made, removed: the upper directory changes, and either way that is seen.
    append(&mut open(&at("merged").join("dir-1/file-1")), 100_000);
    fs::write(at("merged").join("dir-0/new"), vec![1; 50_000]).unwrap();
    fs::remove_file(at("merged").join("dir-0/file-0")).unwrap();
    settle();
    let found = refresh(&mut tree, 1000).used_bytes;
    if proven {
        assert_eq!(found, both());
    } else {
        let own = du(&at("upper").join("own")).used;
        assert_eq!(found + own - 4096, both());
    }
    support::mounts::lazy_umount(&at("merged"));
}

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
            Watcher::start(&dirs, 0.5).err().expect("denied")
        });
        assert_eq!(error, format!("{}: {reason}", dirs[0].display()));
    }
    let error = Watcher::start(&["/nonexistent".into()], 0.5).err().expect("no directory");
    assert_eq!(error, "/nonexistent: mkdir: No such file or directory (os error 2)");
    if watcher().is_some() {
        let error = denied::without(&[libc::SYS_name_to_handle_at], libc::EPERM, || {
            Watcher::start(&dirs, 0.5).err().expect("no handles")
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
    assert_eq!(meter.stats().watch.trusted, 1);
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
