//! The walk equals GNU du, to the byte and the inode, on whatever trees there are.
#![allow(missing_docs)]

mod support;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use plimsoll::measure::usage::{Progress, Totals, Walk, WalkError};
use proptest::prelude::*;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, mknodat, openat};
use support::du::{Du, counts_directory_sizes, du};
use support::mounts::Mounted;

fn finish(mut walk: Walk, slice: usize) -> Result<Totals, WalkError> {
    loop {
        match walk.advance(slice) {
            Progress::More => {}
            Progress::Done(totals) => return Ok(totals),
            Progress::Failed(error) => return Err(error),
        }
    }
}

fn walked(root: &Path, slice: usize) -> Du {
    numbers(finish(Walk::new(root, &[], &[]), slice).expect("a whole pass"))
}

fn numbers(totals: Totals) -> Du {
    Du { used: totals.used_bytes, apparent: totals.apparent_bytes, inodes: totals.files }
}

/// Compares while nothing moves: the filesystem may still be allocating what was just written, so
/// du has to say the same before and after.
fn assert_equals_du(root: &Path, slice: usize) {
    let sizes = counts_directory_sizes();
    for _ in 0..20 {
        let before = du(root);
        let mut ours = walked(root, slice);
        let after = du(root);
        if before != after {
            continue;
        }
        if !sizes {
            ours.apparent = after.apparent;
        }
        assert_eq!(ours, after);
        return;
    }
    panic!("du never said the same twice");
}

#[derive(Clone, Debug)]
struct Op {
    kind: u8,
    parent: prop::sample::Index,
    other: prop::sample::Index,
    name: Vec<u8>,
    size: u32,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    // Any byte but '/' and NUL, newlines and broken UTF-8 included.
    let byte = any::<u8>().prop_map(|byte| if byte == 0 || byte == b'/' { b'\n' } else { byte });
    let name = prop::collection::vec(byte, 1..60);
    let op = (
        0_u8..10,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        name,
        0_u32..300_000,
    );
    let op =
        op.prop_map(|(kind, parent, other, name, size)| Op { kind, parent, other, name, size });
    prop::collection::vec(op, 0..120)
}

/// Makes what can be made; a name that is taken already makes nothing.
fn build(root: &Path, ops: &[Op]) {
    let mut dirs = vec![root.to_path_buf()];
    let mut files: Vec<PathBuf> = Vec::new();
    for op in ops {
        let path = op.parent.get(&dirs).join(OsStr::from_bytes(&op.name));
        if fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        match op.kind {
            0..=2 => {
                fs::create_dir(&path).unwrap();
                dirs.push(path);
            }
            3 | 4 => {
                fs::write(&path, vec![7; op.size as usize % 20_000]).unwrap();
                files.push(path);
            }
            5 => {
                let sparse = File::create(&path).unwrap();
                sparse.set_len(u64::from(op.size) * 10_000).unwrap();
                sparse.write_at(b"island", u64::from(op.size)).unwrap();
                files.push(path);
            }
            6 if !files.is_empty() => fs::hard_link(op.other.get(&files), &path).unwrap(),
            7 => symlink(op.other.get(&dirs), &path).unwrap(),
            8 => {
                let mode = Mode::RUSR | Mode::WUSR;
                mknodat(CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
                files.push(path);
            }
            // Longer than an address may be: nothing is made.
            9 => drop(UnixListener::bind(&path)),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn random_trees(ops in ops(), slice in prop_oneof![Just(1_usize), 2..50_usize, Just(1_000_000)]) {
        let dir = tempfile::tempdir().unwrap();
        build(dir.path(), &ops);
        assert_equals_du(dir.path(), slice);
    }
}

#[test]
fn deeper_than_a_path_may_be_long() {
    let dir = tempfile::tempdir().unwrap();
    let mut fd = File::open(dir.path()).unwrap();
    let name = "d".repeat(200);
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    for level in 0..300 {
        mkdirat(&fd, name.as_str(), Mode::RWXU).unwrap();
        mkdirat(&fd, "beside", Mode::RWXU).unwrap();
        let size = 1000 + level;
        let file = openat(&fd, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
        File::from(file).write_all_at(&vec![1; size], 0).unwrap();
        fd = openat(&fd, name.as_str(), flags, Mode::empty()).unwrap().into();
    }
    assert_eq!(walked(dir.path(), 1_000_000).inodes, 1 + 300 * 3);
    for slice in [1, 17, 1_000_000] {
        assert_equals_du(dir.path(), slice);
    }
}

#[test]
fn a_hundred_thousand_entries_in_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let fd = File::open(dir.path()).unwrap();
    for i in 0..100_000 {
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        drop(openat(&fd, format!("entry {i}"), flags, Mode::RUSR).unwrap());
    }
    for i in 0..500 {
        mkdirat(&fd, format!("dir {i}"), Mode::RWXU).unwrap();
    }
    assert_eq!(walked(dir.path(), 1000).inodes, 1 + 100_500);
    assert_equals_du(dir.path(), 1_000_000);
}

#[test]
fn mounts_inside_are_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("box"), dir.path().join("volume"));
    for path in [root.join("a/b"), outside.join("deep")] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(root.join("a/file"), vec![1; 5000]).unwrap();
    fs::write(outside.join("deep/data"), vec![1; 500_000]).unwrap();
    let alone = walked(&root, 100);
    let points = ["a/volume", "a/b/tmpfs", "a/b/again"].map(|name| root.join(name));
    for point in &points {
        fs::create_dir(point).unwrap();
    }
    let file_point = root.join("a/hosts");
    fs::write(&file_point, "").unwrap();
    let with_points = walked(&root, 100);
    assert_eq!(with_points.inodes, alone.inodes + 4);

    let _bound = Mounted::bind(&outside, &points[0]);
    let _tmpfs = Mounted::tmpfs(&points[1], "1m");
    fs::write(points[1].join("file"), vec![1; 10_000]).unwrap();
    let _again = Mounted::bind(&root.join("a"), &points[2]);
    let _file = Mounted::bind(&outside.join("deep/data"), &file_point);

    // du enters the bind mounts: they have the same device number.
    assert!(du(&root).used >= alone.used + 500_000);
    for slice in [1, 1_000_000] {
        assert_eq!(walked(&root, slice), alone);
    }
    // On a kernel without mount ids, by the device number and the mount table's list.
    let skip: Vec<PathBuf> = points.iter().cloned().chain([file_point.clone()]).collect();
    let old = |skip: &[PathBuf]| {
        let walk = Walk::new(&root, &[], skip).without_mount_ids();
        numbers(finish(walk, 10).expect("a whole pass"))
    };
    assert_eq!(old(&skip), alone);
    let tmpfs_told_by_device: Vec<PathBuf> =
        skip.iter().filter(|path| **path != points[1]).cloned().collect();
    assert_eq!(old(&tmpfs_told_by_device), alone);
    assert!(old(&[]).used >= alone.used + 500_000);
}
