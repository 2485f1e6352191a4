//! Refreshes that look only where this kernel tells of a change, against GNU du.
//!
//! Needs CAP_SYS_ADMIN and Linux 5.9; without, each test says so and skips.
#![allow(missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod changes;
mod gaps;
mod places;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll::measure::usage::fanotify::{Watch, Watcher};
use plimsoll::measure::usage::hot::{Recorder, Refreshed, Tree};
use plimsoll::measure::usage::{Progress, Totals, Walk};
use support::du::{Du, counts_directory_sizes, du};

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
