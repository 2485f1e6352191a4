//! Several threads on one tree find what one finds, and what du finds.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::{How, OnceProgress, Target, measure_once_with};
use plimsoll::model::{Measured, SourceKind, Subject, VolumeKey};
use support::du::{Du, counts_directory_sizes, du};
use support::hungfs::{HungFs, Mood};

fn target(path: &Path) -> Target {
    let subject = Subject::Volume(VolumeKey {
        source: SourceKind::Directories,
        role: String::new(),
        volume: path.display().to_string(),
        disk: String::new(),
    });
    let path = path.to_path_buf();
    Target { subject, path, extra: Vec::new(), skip: Vec::new(), how: How::Walk, remote: false }
}

fn guard() -> Guard {
    Guard::new(Roots::default(), Duration::from_secs(5))
}

fn numbers(measured: &Measured) -> Du {
    let sample = measured.sample.unwrap_or_else(|| panic!("{measured:?}"));
    Du {
        used: sample.used_bytes,
        apparent: sample.apparent_bytes.unwrap(),
        inodes: sample.files.unwrap(),
    }
}

/// `dirs` directories in three levels with `files` files each, of which every third is linked from
/// the next directory too.
fn tree(root: &Path, dirs: usize, files: usize) {
    let place = |i: usize| {
        root.join(format!("a{}", i % 7)).join(format!("b{}", i % 31)).join(format!("c{i}"))
    };
    for i in 0..dirs {
        fs::create_dir_all(place(i)).unwrap();
    }
    for i in 0..dirs {
        for j in 0..files {
            let path = place(i).join(format!("file {j}"));
            fs::write(&path, vec![1; (i * 37 + j * 501) % 9000]).unwrap();
            if j % 3 == 0 {
                fs::hard_link(&path, place((i + 1) % dirs).join(format!("link {i} {j}"))).unwrap();
            }
        }
    }
}

#[test]
fn one_large_tree_with_hard_links() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path(), 400, 20);
    let mut expected = du(dir.path());
    let directories = 1 + 7 + 7 * 31 + 400;
    assert_eq!(expected.inodes, (directories + 400 * 20) as u64);
    for threads in [1, 2, 3, 8] {
        let mut last = OnceProgress::default();
        let found = measure_once_with(&guard(), &[target(dir.path())], threads, |p| last = p);
        let ours = numbers(&found[0].1);
        if !counts_directory_sizes() {
            expected.apparent = ours.apparent;
        }
        assert_eq!(ours, expected, "{threads} threads");
        assert_eq!(last, OnceProgress { inodes: expected.inodes, subjects: 1 });
    }
}

#[test]
fn many_small_subjects_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..120).map(|i| dir.path().join(format!("box {i}"))).collect();
    for (i, path) in paths.iter().enumerate() {
        tree(path, 1 + i % 5, 3);
    }
    // A symbolic link on the way is followed, one that is the subject is not.
    std::os::unix::fs::symlink(dir.path(), dir.path().join("link")).unwrap();
    let mut targets: Vec<Target> = paths.iter().map(|path| target(path)).collect();
    targets.push(target(&dir.path().join("link/box 7")));
    targets.push(target(&dir.path().join("link")));
    targets.push(target(&dir.path().join("none")));
    for threads in [1, 2, 4] {
        let found = measure_once_with(&guard(), &targets, threads, |_| {});
        let subjects: Vec<&Subject> = found.iter().map(|(subject, _)| subject).collect();
        assert_eq!(subjects, targets.iter().map(|target| &target.subject).collect::<Vec<_>>());
        for (path, (_, measured)) in paths.iter().zip(&found) {
            let (ours, theirs) = (numbers(measured), du(path));
            assert_eq!((ours.used, ours.inodes), (theirs.used, theirs.inodes), "{path:?}");
        }
        assert_eq!(numbers(&found[120].1), numbers(&found[7].1));
        let reason = |i: usize| found[i].1.failure.as_ref().map(|failure| failure.reason);
        assert_eq!((reason(121), reason(122)), (Some("replaced"), Some("missing")));
    }
}

#[test]
fn what_cannot_be_read_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (hung_at, fine) = (dir.path().join("hung"), dir.path().join("fine"));
    fs::create_dir(&hung_at).unwrap();
    tree(&fine, 50, 5);
    let fs = HungFs::mount(&hung_at);
    let guard = Guard::new(Roots::default(), Duration::from_millis(1500));
    let targets = [target(&fine), target(&hung_at), target(&hung_at.join("dir"))];
    let reasons = |threads| {
        let found = measure_once_with(&guard, &targets, threads, |_| {});
        let reason = |m: &Measured| m.failure.as_ref().map_or("", |failure| failure.reason);
        found.iter().map(|(_, m)| reason(m)).collect::<Vec<_>>()
    };
    assert_eq!(reasons(4), ["", "", ""]);
    fs.set(Mood::Fail(rustix::io::Errno::IO.raw_os_error()));
    assert_eq!(reasons(4), ["", "io", "io"]);
    // It hangs: the command ends all the same.
    fs.set(Mood::Hang);
    let began = Instant::now();
    assert_eq!(reasons(4), ["", "unresponsive", "unresponsive"]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(guard.unresponsive().len(), 1);
    fs.set(Mood::Answer);
}
