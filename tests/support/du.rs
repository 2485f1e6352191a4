//! The reference: GNU du.

use std::path::Path;
use std::process::Command;

/// What du says of a tree, in its three modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Du {
    pub used: u64,
    pub apparent: u64,
    pub inodes: u64,
}

fn run(path: &Path, args: &[&str]) -> u64 {
    let output = Command::new("du").args(args).arg("--").arg(path).output().expect("GNU du");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let digits = output.stdout.split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default();
    std::str::from_utf8(digits).unwrap().parse().expect("du prints a number first")
}

pub fn du(path: &Path) -> Du {
    Du {
        used: used_bytes(path),
        apparent: run(path, &["-s", "--apparent-size", "-B1"]),
        inodes: run(path, &["-s", "--inodes"]),
    }
}

/// Allocated bytes of a tree.
pub fn used_bytes(path: &Path) -> u64 {
    run(path, &["-s", "-B1"])
}

/// Sum of `st_size` as du of coreutils 9.1 has it: later ones leave directories out, and then this
/// one does, hard links once.
pub fn counts_directory_sizes() -> bool {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("inner")).unwrap();
    run(dir.path(), &["-s", "--apparent-size", "-B1"]) > 0
}
