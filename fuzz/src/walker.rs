//! The walk and the remembered tree, on a real directory that changes as the input says: what they
//! sum up is what is there.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use plimsoll::measure::usage::hot::{Recorder, Refreshed, Tree, WINDOW};
use plimsoll::measure::usage::{Progress, Totals, Walk};

use super::Choices;

const MEMORY: usize = 16 << 20;
const MOST_CHANGES: usize = 120;
/// Looks at a tree whose filesystem may still be allocating.
const MOST_LOOKS: usize = 50;

pub fn run(data: &[u8]) {
    // In memory where there is some to be had: blocks are there at once.
    let home = Some(Path::new("/dev/shm")).filter(|shm| shm.is_dir());
    let dir = match home {
        Some(home) => tempfile::tempdir_in(home),
        None => tempfile::tempdir(),
    };
    let dir = dir.expect("a directory of our own");
    let (root, outside) = (dir.path().join("box"), dir.path().join("beside"));
    for made in [&root, &outside] {
        fs::create_dir(made).expect("a fresh directory");
    }
    fs::write(outside.join("not-ours"), vec![1; 100_000]).expect("a file");

    let mut choices = Choices(data);
    let mut tree: Option<Box<Tree>> = None;
    for _ in 0..MOST_CHANGES {
        if choices.is_empty() {
            break;
        }
        let slice = 1 + usize::from(choices.byte() % 40);
        match choices.byte() % 16 {
            0 => agree(&root, || refreshed(&mut tree, &root, slice)),
            1 => tree = None,
            kind => change(kind, &root, &outside, &mut choices),
        }
    }
    agree(&root, || refreshed(&mut tree, &root, 7));
    agree(&root, || full(&root, 3).0);
}

/// Measures until the tree is quiet, and compares.
fn agree(root: &Path, mut measure: impl FnMut() -> Totals) {
    for _ in 0..MOST_LOOKS {
        let before = truth(root);
        let ours = measure();
        if truth(root) != before {
            continue;
        }
        let ours = (ours.used_bytes, ours.apparent_bytes, ours.files);
        assert_eq!(ours, before, "bytes, apparent bytes, inodes");
        return;
    }
    panic!("the tree never came to rest");
}

/// Bytes, apparent bytes and inodes, the plain way: each inode once, no link followed.
fn truth(root: &Path) -> (u64, u64, u64) {
    let (mut used, mut apparent, mut inodes) = (0, 0, HashSet::new());
    let mut waiting = vec![root.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).expect("nobody else is here");
        if inodes.insert((metadata.dev(), metadata.ino())) {
            used += metadata.blocks() * 512;
            apparent += metadata.size();
        }
        if metadata.is_dir() {
            waiting.extend(
                fs::read_dir(&path).expect("ours").map(|entry| entry.expect("ours").path()),
            );
        }
    }
    (used, apparent, inodes.len() as u64)
}

fn full(root: &Path, slice: usize) -> (Totals, Option<Box<Tree>>) {
    let mut walk = Walk::new(root, &[], &[]).recorded(Recorder::new(&[], WINDOW, MEMORY));
    loop {
        match walk.advance(slice) {
            Progress::More => {}
            Progress::Done(totals) => {
                return (totals, walk.take_recorder().and_then(Recorder::finish));
            }
            Progress::Failed(error) => panic!("{error}"),
        }
    }
}

/// What the tree says after a refresh; without one, or where it has to give up, a full pass.
fn refreshed(tree: &mut Option<Box<Tree>>, root: &Path, slice: usize) -> Totals {
    while let Some(known) = tree {
        match known.refresh(slice) {
            Refreshed::More => {}
            Refreshed::Done { totals, .. } => {
                assert_eq!(known.totals(), totals);
                return totals;
            }
            Refreshed::Stale(_) => *tree = None,
        }
    }
    let (totals, left) = full(root, slice);
    let left = left.expect("small enough to remember");
    assert_eq!(left.totals(), totals, "what the walk left is what it summed up");
    *tree = Some(left);
    totals
}

fn listing(root: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut dirs, mut files) = (vec![root.to_path_buf()], Vec::new());
    let mut next = 0;
    while let Some(dir) = dirs.get(next).cloned() {
        next += 1;
        let mut entries: Vec<PathBuf> =
            fs::read_dir(dir).expect("ours").map(|entry| entry.expect("ours").path()).collect();
        entries.sort();
        for path in entries {
            let is_dir = fs::symlink_metadata(&path).expect("ours").is_dir();
            if is_dir { dirs.push(path) } else { files.push(path) }
        }
    }
    (dirs, files)
}

/// One change of the tree; what cannot be done is left out.
fn change(kind: u8, root: &Path, outside: &Path, choices: &mut Choices<'_>) {
    let (mut dirs, mut files) = listing(root);
    if choices.byte().is_multiple_of(8) {
        let (more_dirs, more_files) = listing(outside);
        dirs.extend(more_dirs);
        files.extend(more_files);
    }
    let dir = dirs[usize::from(choices.byte()) % dirs.len()].clone();
    let fresh = dir.join(format!("n{}", choices.byte() % 24));
    let size = u64::from(choices.byte()) * 331;
    if kind <= 3 {
        drop(fs::create_dir(&fresh));
        return;
    }
    if kind <= 6 || files.is_empty() {
        if !fresh.is_symlink() {
            drop(fs::write(&fresh, vec![1; size as usize]));
        }
        return;
    }
    let file = files[usize::from(choices.byte()) % files.len()].clone();
    let moved = dirs[usize::from(choices.byte()) % dirs.len()].clone();
    let whole = moved == root || moved == outside;
    match kind {
        7 | 8 if !file.is_symlink() => {
            if let Ok(file) = OpenOptions::new().write(true).open(&file) {
                drop(file.set_len(size));
            }
        }
        9 | 10 => drop(fs::hard_link(&file, &fresh)),
        11 => drop(fs::remove_file(&file)),
        12 => drop(fs::rename(&file, &fresh)),
        13 if !whole && !fresh.starts_with(&moved) => drop(fs::rename(&moved, &fresh)),
        14 => drop(symlink(if size % 2 == 0 { outside } else { root }, &fresh)),
        15 if !whole => fs::remove_dir_all(&moved).expect("ours"),
        _ => {}
    }
}
