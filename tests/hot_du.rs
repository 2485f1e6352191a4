//! The incremental layer against GNU du and against full passes.
#![allow(missing_docs)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use plimsoll::measure::usage::hot::{Drift, Missed, Recorder, Refreshed, Tree, WINDOW, drift};
use plimsoll::measure::usage::{Progress, Totals, Walk};
use proptest::prelude::*;
use rustix::io::Errno;
use support::changes::{change, ops};
use support::du::{Du, counts_directory_sizes, du};
use support::hungfs::{HungFs, Mood};
use support::mounts::Mounted;

const MEMORY: usize = 64 << 20;

fn numbers(totals: Totals) -> Du {
    Du { used: totals.used_bytes, apparent: totals.apparent_bytes, inodes: totals.files }
}

/// A full pass and the tree it leaves.
fn full(root: &Path, window: Duration, memory: usize) -> (Totals, Option<Box<Tree>>) {
    let mut walk = Walk::new(root, &[], &[]).recorded(Recorder::new(&[], window, memory));
    loop {
        match walk.advance(1000) {
            Progress::More => {}
            Progress::Done(totals) => {
                return (totals, walk.take_recorder().unwrap().finish());
            }
            Progress::Failed(error) => panic!("{error}"),
        }
    }
}

fn refresh(tree: &mut Tree, slice: usize) -> (Totals, u64) {
    loop {
        match tree.refresh(slice) {
            Refreshed::More => {}
            Refreshed::Done { totals, churn } => return (totals, churn),
            Refreshed::Stale(why) => panic!("stale: {why}"),
        }
    }
}

/// Refreshed values while nothing moves: the filesystem may still be allocating what was just
/// written, so du has to say the same before and after.
fn quiet(root: &Path, mut measure: impl FnMut() -> Totals) -> (Du, Du) {
    let sizes = counts_directory_sizes();
    for _ in 0..20 {
        let before = du(root);
        let mut ours = numbers(measure());
        let after = du(root);
        if before == after {
            if !sizes {
                ours.apparent = after.apparent;
            }
            return (ours, after);
        }
    }
    panic!("du never said the same twice");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Whatever happened, as long as it is not older than the window: nothing is missed at all.
    #[test]
    fn random_changes(
        first in ops(60),
        rounds in prop::collection::vec((ops(12), any::<bool>()), 1..5),
        slice in prop_oneof![Just(1_usize), 2..20_usize, Just(1_000_000)],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("box"), dir.path().join("beside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        first.iter().for_each(|op| change(&root, &outside, op));
        let (_, tree) = full(&root, WINDOW, MEMORY);
        let mut tree = tree.expect("small enough");
        for (ops, rest) in rounds {
            if rest {
                // Longer than a change time is young.
                std::thread::sleep(Duration::from_millis(60));
            }
            ops.iter().for_each(|op| change(&root, &outside, op));
            let (ours, du) = quiet(&root, || refresh(&mut tree, slice).0);
            prop_assert_eq!(ours, du);
        }
        // A full pass says the same.
        let (ours, du) = quiet(&root, || full(&root, WINDOW, MEMORY).0);
        prop_assert_eq!(ours, du);
        let left = full(&root, WINDOW, MEMORY).1.unwrap();
        prop_assert_eq!(numbers(left.totals()), numbers(full(&root, WINDOW, MEMORY).0));
    }

    /// In directories with many files beside, which a listing passes by, and more files changing than
    /// are followed: what comes and goes is seen all the same, and whatever is missed is found and
    /// counted by the next full pass.
    #[test]
    fn random_changes_among_many(
        first in ops(20),
        rounds in prop::collection::vec(ops(12), 1..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("box"), dir.path().join("beside"));
        for path in [&root, &root.join("n1"), &outside] {
            fs::create_dir(path).unwrap();
            for i in 0..60 {
                fs::write(path.join(format!("beside-{i}")), vec![1; 100 * i]).unwrap();
            }
        }
        first.iter().for_each(|op| change(&root, &outside, op));
        let mut tree = full(&root, WINDOW, MEMORY).1.expect("small enough");
        for ops in rounds {
            ops.iter().for_each(|op| change(&root, &outside, op));
            std::thread::sleep(Duration::from_millis(60));
            let (ours, du) = quiet(&root, || refresh(&mut tree, 1000).0);
            let (all, new) = full(&root, WINDOW, MEMORY);
            prop_assert_eq!(ours.inodes, du.inodes);
            prop_assert_eq!(all.used_bytes, du.used);
            let missed = drift(&tree, &new.expect("small enough"));
            prop_assert!(du.used.abs_diff(ours.used) <= missed.bytes, "{:?} {:?} {:?}", ours, du, missed);
        }
    }

    /// The same through an overlay, whose upper directory is what a container with an image adds to
    /// its sandbox. On the real kernel.
    #[test]
    fn random_changes_through_an_overlay(
        first in ops(30),
        rounds in prop::collection::vec(ops(12), 1..4),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let [lower, upper, work, merged, outside] =
            ["lower", "upper", "work", "merged", "outside"].map(|name| {
                let path = dir.path().join(name);
                fs::create_dir(&path).unwrap();
                path
            });
        first.iter().for_each(|op| change(&lower, &outside, op));
        let Some(_overlay) = Mounted::overlay(&lower, &upper, &work, &merged) else {
            return Ok(());
        };
        let (_, tree) = full(&upper, WINDOW, MEMORY);
        let mut tree = tree.expect("small enough");
        for ops in rounds {
            ops.iter().for_each(|op| change(&merged, &outside, op));
            let (ours, du) = quiet(&upper, || refresh(&mut tree, 1000).0);
            prop_assert_eq!(ours, du);
        }
        let (ours, du) = quiet(&upper, || full(&upper, WINDOW, MEMORY).0);
        prop_assert_eq!(ours, du);
    }

    /// Without hot files, growth in place is missed until a full pass; what directories tell
    /// is not. From the drift of one interval, as much in the next is within the bound.
    #[test]
    fn what_is_missed_is_bounded_and_reconciled(sizes in prop::collection::vec(1_u64..300_000, 1..8)) {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..sizes.len() {
            fs::write(dir.path().join(format!("f{i}")), "x").unwrap();
        }
        std::thread::sleep(Duration::from_millis(60));
        let none = Duration::ZERO;
        let grow = || for (i, size) in sizes.iter().enumerate() {
            let file = OpenOptions::new().write(true).open(dir.path().join(format!("f{i}"))).unwrap();
            let end = file.metadata().unwrap().len();
            file.write_all_at(&vec![1; *size as usize], end).unwrap();
            file.sync_all().unwrap();
        };
        let (before, tree) = full(dir.path(), none, MEMORY);
        let mut tree = tree.unwrap();
        grow();
        prop_assert_eq!(refresh(&mut tree, 100).0.used_bytes, before.used_bytes);
        let (exact, next) = full(dir.path(), none, MEMORY);
        let missed = drift(&tree, next.as_ref().unwrap());
        prop_assert_eq!(missed.bytes, exact.used_bytes - before.used_bytes);
        let mut known = Drift::default();
        known.reconciled(missed, Duration::from_secs(60));
        let mut tree = next.unwrap();
        grow();
        let (value, churn) = refresh(&mut tree, 100);
        let (ours, du) = quiet(dir.path(), || full(dir.path(), none, MEMORY).0);
        prop_assert_eq!(ours, du);
        known.refreshed(churn);
        let bound = known.bound(value.used_bytes, Duration::from_secs(60)).expect("reconciled");
        prop_assert!(du.used.abs_diff(value.used_bytes) <= bound, "{} {value:?} {bound}", du.used);
    }
}

/// A link elsewhere tells nothing of itself here: the file is another kind of record afterwards, and
/// so is none of those beside it.
#[test]
fn a_link_from_elsewhere_hides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("box"), dir.path().join("beside"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&outside).unwrap();
    let path = |i: usize| root.join(format!("f{i}"));
    (0..9).for_each(|i| fs::write(path(i), [1]).unwrap());
    let missed = |change: &dyn Fn()| {
        std::thread::sleep(Duration::from_millis(60));
        let mut tree = full(&root, Duration::ZERO, MEMORY).1.unwrap();
        change();
        let value = refresh(&mut tree, 1000).0.used_bytes;
        let (exact, new) = full(&root, Duration::ZERO, MEMORY);
        assert_eq!(drift(&tree, &new.unwrap()).bytes, exact.used_bytes - value);
        exact.used_bytes - value
    };
    let grow = |i: usize, bytes: usize| {
        let file = OpenOptions::new().write(true).open(path(i)).unwrap();
        file.write_all_at(&vec![1; bytes], 0).unwrap();
        file.sync_all().unwrap();
    };
    let all = |bytes: usize| (0..9).for_each(|i| grow(i, bytes));
    let linked = outside.join("link");
    let told = missed(&|| {
        fs::hard_link(path(4), &linked).unwrap();
        all(8192);
    });
    assert_eq!(told, 9 * 4096);
    let told = missed(&|| {
        fs::remove_file(&linked).unwrap();
        all(16_384);
    });
    assert_eq!(told, 9 * 8192);
}

/// Files in directories of fifty, as sandboxes have them.
fn make(root: &Path, files: usize) {
    for i in 0..files {
        let dir = root.join(format!("dir-{:05}", i / 50));
        if i % 50 == 0 {
            fs::create_dir_all(&dir).unwrap();
        }
        File::create(dir.join(format!("some-file-{i:07}.log"))).unwrap();
    }
}

#[test]
fn fifty_bytes_a_file_at_two_sizes() {
    let dir = tempfile::tempdir().unwrap();
    for files in [4_000, 20_000] {
        let root = dir.path().join(files.to_string());
        make(&root, files);
        let (totals, tree) = full(&root, WINDOW, MEMORY);
        assert_eq!(totals.files as usize, 1 + files + files / 50);
        let tree = tree.unwrap();
        let each = tree.bytes() as f64 / files as f64;
        assert!(each <= 50.0, "{each} bytes a file at {files}");
        assert!(each >= 16.0, "{each} bytes a file at {files}: not all is counted");
        // All were just made: only an eighth of them is followed.
        assert!(tree.hot_files() <= files / 8 + files / 32, "{}", tree.hot_files());
    }
    // Past the bound nothing is remembered; the pass itself is whole.
    let root = dir.path().join("4000");
    let (totals, tree) = full(&root, WINDOW, 50_000);
    assert_eq!(totals.files, 4081);
    assert!(tree.is_none());
}

#[test]
fn only_what_moved_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 2_000);
    std::thread::sleep(Duration::from_millis(60));
    let (_, tree) = full(dir.path(), Duration::ZERO, MEMORY);
    let mut tree = tree.unwrap();
    refresh(&mut tree, 1_000_000);
    assert_eq!(tree.looked_at(), 41, "a still tree: its directories");
    fs::write(dir.path().join("dir-00007/one more"), "x").unwrap();
    let (totals, churn) = refresh(&mut tree, 1_000_000);
    assert_eq!(tree.looked_at(), 41 + 1 + 9, "and what is new, with a few of the files beside it");
    assert_eq!((totals.files, churn), (2042, 4096));
}

/// A listing that looks the same is no proof: filesystems give the inode of a file that is gone to the
/// next one.
#[test]
fn made_anew_under_the_same_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = |i: usize| dir.path().join(format!("report-{i:03}"));
    let write = |i: usize, size: usize| fs::write(path(i), vec![1; size]).unwrap();
    let remove = |i: usize| fs::remove_file(path(i)).unwrap();
    let inode = |i: usize| fs::metadata(path(i)).unwrap().ino();
    (0..100).for_each(|i| write(i, 1));
    std::thread::sleep(Duration::from_millis(60));
    let mut tree = full(dir.path(), Duration::ZERO, MEMORY).1.unwrap();
    let equals_du = |tree: &mut Tree| {
        std::thread::sleep(Duration::from_millis(60));
        let (ours, du) = quiet(dir.path(), || refresh(tree, 1_000_000).0);
        assert_eq!(ours, du);
    };
    equals_du(&mut tree);
    // One of them: there is nothing new in the listing, and that is strange.
    let before = inode(50);
    remove(50);
    write(50, 100_000);
    let reused = inode(50) == before;
    equals_du(&mut tree);
    // All of them, and one more: the listing explains itself, but a probe is not what it was.
    let before: Vec<u64> = (0..100).map(inode).collect();
    (0..100).for_each(remove);
    (0..101).for_each(|i| write(i, 50_000));
    let again = (0..100).filter(|&i| inode(i) == before[i]).count();
    equals_du(&mut tree);
    if !reused || again < 50 {
        eprintln!("SKIPPED in part: this filesystem did not use the same inodes again ({again})");
    }
    // Still a saving where the listing tells the truth.
    write(200, 10_000);
    equals_du(&mut tree);
    refresh(&mut tree, 1000);
    write(201, 10_000);
    refresh(&mut tree, 1000);
    assert!(tree.looked_at() < 20, "{}", tree.looked_at());
}

#[test]
fn a_tree_that_is_too_deep_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("d/".repeat(60))).unwrap();
    let (totals, tree) = full(dir.path(), WINDOW, MEMORY);
    assert_eq!(totals.files, 61);
    assert!(tree.is_none());
    // One that grows so deep is refused then.
    let dir = tempfile::tempdir().unwrap();
    let (_, tree) = full(dir.path(), WINDOW, MEMORY);
    fs::create_dir_all(dir.path().join("d/".repeat(60))).unwrap();
    assert_eq!(tree.unwrap().refresh(1_000_000), Refreshed::Stale("deep"));
}

#[test]
fn symbolic_links_and_a_lost_root() {
    let dir = tempfile::tempdir().unwrap();
    let (root, away) = (dir.path().join("box"), dir.path().join("away"));
    fs::create_dir_all(root.join("data")).unwrap();
    fs::create_dir(&away).unwrap();
    fs::write(away.join("large"), vec![1; 1_000_000]).unwrap();
    let (_, tree) = full(&root, WINDOW, MEMORY);
    let mut tree = tree.unwrap();
    // A directory becomes a link that leads outside: it is not followed.
    fs::remove_dir(root.join("data")).unwrap();
    std::os::unix::fs::symlink(&away, root.join("data")).unwrap();
    let (ours, du) = quiet(&root, || refresh(&mut tree, 1).0);
    assert_eq!(ours, du);
    fs::rename(&root, dir.path().join("moved")).unwrap();
    assert_eq!(tree.refresh(10), Refreshed::Stale("moved"));
}

/// A file of a million bytes, and nothing in it.
fn hole(path: &Path) -> File {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
    file.set_len(1_000_000).unwrap();
    file
}

#[test]
fn written_through_a_mapping() {
    let dir = tempfile::tempdir().unwrap();
    let file = hole(&dir.path().join("database"));
    let (before, tree) = full(dir.path(), WINDOW, MEMORY);
    let mut tree = tree.unwrap();
    support::mmap::write_page(&file, 8192, 1);
    let (ours, du) = quiet(dir.path(), || refresh(&mut tree, 100).0);
    assert_eq!(ours, du);
    assert!(ours.used > before.used_bytes);

    // A file that was still for a whole window is missed, by as much as the full pass says.
    std::thread::sleep(Duration::from_millis(60));
    let (before, tree) = full(dir.path(), Duration::ZERO, MEMORY);
    let mut tree = tree.unwrap();
    support::mmap::write_page(&file, 81_920, 1);
    file.sync_all().unwrap();
    assert_eq!(refresh(&mut tree, 100).0, before);
    let (after, new) = full(dir.path(), Duration::ZERO, MEMORY);
    assert_eq!(after.used_bytes, before.used_bytes + 4096);
    assert_eq!(drift(&tree, &new.unwrap()), Missed { bytes: 4096, resting: 0, largest: 4096 });
}

/// Seconds by which the wall clock of [`the_wall_clock_is_set`] is ahead of the kernel's.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn clock() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    now + AHEAD.load(Ordering::Relaxed) as f64
}

/// Change times come from the kernel, so that a clock that is ahead of it is as if it had been set
/// forward after everything changed.
#[test]
fn the_wall_clock_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let log = hole(&dir.path().join("log"));
    let recorded = || {
        let recorder = Recorder::new(&[], WINDOW, MEMORY).with_clock(clock);
        let mut walk = Walk::new(dir.path(), &[], &[]).recorded(recorder);
        while let Progress::More = walk.advance(1000) {}
        walk.take_recorder().unwrap().finish().unwrap()
    };
    let follows = |tree: &mut Tree, at: u64| {
        log.write_all_at(&[1; 4096], at).unwrap();
        let (ours, du) = quiet(dir.path(), || refresh(tree, 100).0);
        assert_eq!(ours, du);
    };
    let mut tree = recorded();
    assert_eq!(tree.hot_files(), 1);
    for (step, ahead) in [7200, -7200, 0, 100_000, -100_000].into_iter().enumerate() {
        AHEAD.store(ahead, Ordering::Relaxed);
        let at = 40_960 * step as u64;
        follows(&mut tree, at);
        // A directory that is read again forgets nothing.
        fs::write(dir.path().join(format!("new {step}")), "x").unwrap();
        follows(&mut tree, at + 8192);
        let mut next = recorded();
        next.inherit(&tree);
        tree = next;
        follows(&mut tree, at + 16_384);
        assert!(tree.hot_files() >= 1);
    }
}

#[test]
fn a_filesystem_that_fails_makes_the_tree_stale() {
    let dir = tempfile::tempdir().unwrap();
    let fs = HungFs::with_files(dir.path(), 300);
    // The kernel asks for a FUSE root's blocks only when somebody wants them fresh.
    dir.path().metadata().unwrap();
    let (totals, tree) = full(dir.path(), WINDOW, MEMORY);
    assert_eq!((totals.files, totals.used_bytes), (304, 304 * 4096));
    let mut tree = tree.unwrap();
    assert_eq!(refresh(&mut tree, 1000).0, totals);
    fs.set(Mood::Fail(Errno::IO.raw_os_error()));
    assert_eq!(tree.refresh(1000), Refreshed::Stale("error"));
    fs.set(Mood::Answer);
    assert_eq!(full(dir.path(), WINDOW, MEMORY).0, totals);
}
