//! Random changes of a tree: everything a task may do to it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rustix::fs::{FallocateFlags, fallocate};

/// One change, its places chosen when it is done.
#[derive(Clone, Debug)]
pub struct Op {
    kind: u8,
    a: prop::sample::Index,
    b: prop::sample::Index,
    name: u16,
    size: u32,
}

/// So many changes at most, at random.
pub fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let index = any::<prop::sample::Index>;
    let op = (0_u8..16, index(), index(), 0_u16..40, 0_u32..200_000)
        .prop_map(|(kind, a, b, name, size)| Op { kind, a, b, name, size });
    prop::collection::vec(op, 1..most)
}

/// Every directory and every other entry of some trees.
fn listing(roots: &[&Path]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = roots.iter().flat_map(walkdir::WalkDir::new);
    let (dirs, files): (Vec<_>, Vec<_>) =
        entries.map(Result::unwrap).partition(|entry| entry.file_type().is_dir());
    let paths = |all: Vec<walkdir::DirEntry>| all.into_iter().map(|e| e.into_path()).collect();
    (paths(dirs), paths(files))
}

fn map_and_write(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    if length < 4096 {
        return;
    }
    let page = at % (length / 4096) * 4096;
    super::mmap::write_page(&file, page, 0xaa);
}

/// Does what can be done; what cannot (a name that is taken, a directory into itself) is left out.
/// The subject is `root`; `outside` lies beside it.
pub fn change(root: &Path, outside: &Path, op: &Op) {
    let (dirs, files) = listing(&[root, outside]);
    let dir = op.a.get(&dirs);
    let fresh = dir.join(format!("n{}", op.name));
    if op.kind <= 2 {
        let _ = fs::create_dir(&fresh);
        return;
    }
    if op.kind <= 5 || files.is_empty() {
        fs::write(&fresh, vec![1; op.size as usize]).ok();
        return;
    }
    let file = op.b.get(&files);
    let open = || OpenOptions::new().write(true).open(file).unwrap();
    match op.kind {
        6 => {
            let file = open();
            let end = file.metadata().unwrap().len();
            file.write_all_at(&vec![2; op.size as usize], end).unwrap();
        }
        7 => open().set_len(u64::from(op.size)).unwrap(),
        8 => {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(open(), flags, u64::from(op.size), 50_000).unwrap();
        }
        9 => fallocate(open(), FallocateFlags::empty(), u64::from(op.size), 50_000).unwrap(),
        10 => drop(fs::hard_link(file, &fresh)),
        11 => drop(fs::remove_file(file)),
        12 => drop(fs::rename(file, &fresh)),
        13 => {
            let moved = op.b.get(&dirs);
            if moved != root && moved != outside && !fresh.starts_with(moved) {
                let _ = fs::rename(moved, &fresh);
            }
        }
        14 => map_and_write(file, u64::from(op.size)),
        _ => {
            let gone = op.b.get(&dirs);
            if gone != root && gone != outside {
                fs::remove_dir_all(gone).unwrap();
            }
        }
    }
}
