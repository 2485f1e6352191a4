//! Captured checkpoints, their former forms, and damaged ones.

mod captured;
mod damaged;
mod partial;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::discover::mesos::testing::*;

const META: &str = "workdir-meta.tar.gz";

/// The one file below `dir` that is called so.
fn find(dir: &Path, name: &str) -> PathBuf {
    let found = walkdir::WalkDir::new(dir)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .find(|entry| entry.file_name() == name);
    found.unwrap_or_else(|| panic!("{name} in {dir:?}")).into_path()
}
