//! Taking down a tree while a full pass goes through it.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, Statx, statx};
use rustix::io::retry_on_intr;

use super::super::fanotify::Watch;
use super::super::skip::SkipTree;
use super::super::walk::LOOK;
use super::tree::{MASK, Place, Tree, settled_ctime};

/// Levels that are remembered: a refresh holds one descriptor for each.
pub(super) const DEEPEST: usize = 48;

/// Follows a walk. What it cannot remember makes it give up, never the walk.
#[derive(Debug)]
pub struct Recorder {
    tree: Option<Box<Tree>>,
    /// Directory of each level of the walk.
    stack: Vec<u32>,
    /// What tells of changes, and whether those of overlays count.
    watch: Option<(Arc<Watch>, bool)>,
}

impl Recorder {
    /// For a walk that leaves the paths `skip` alone; the tree may take `limit` bytes, and files
    /// changed within `window` are hot.
    pub fn new(skip: &[PathBuf], window: Duration, limit: usize) -> Self {
        Self {
            tree: Some(Box::new(Tree::new(skip, window, limit))),
            stack: Vec::new(),
            watch: None,
        }
    }

    /// Refreshes of the tree shall look only where `watch` tells of a change, if it does of that
    /// filesystem. `overlay`: upper directories of overlays belong to the subject.
    pub fn told_by(mut self, watch: Arc<Watch>, overlay: bool) -> Self {
        self.watch = Some((watch, overlay));
        self
    }

    /// The same, with another wall clock (seconds since 1970) to set change times against: for
    /// tests.
    #[doc(hidden)]
    pub fn with_clock(mut self, clock: fn() -> f64) -> Self {
        if let Some(tree) = &mut self.tree {
            tree.clock = clock;
        }
        self
    }

    /// The walk opened a directory on the level `depth` (a root: 0) and has not read it yet.
    pub(in crate::measure::usage) fn enter(
        &mut self,
        depth: usize,
        name: &CStr,
        fd: impl AsFd,
        skip: &SkipTree,
    ) {
        self.stack.truncate(depth);
        let Some(tree) = &mut self.tree else { return };
        let now = (tree.clock)();
        let Ok(stat) = retry_on_intr(|| statx(&fd, c"", LOOK | AtFlags::EMPTY_PATH, MASK)) else {
            return self.give_up();
        };
        let place = Place::of(&stat);
        let index = if depth == 0 {
            if tree.roots.iter().any(|(_, other, _)| other.device != place.device) {
                return self.give_up();
            }
            if let Some((watch, overlay)) = self.watch.take() {
                tree.told = watch.attach(place.device, name, overlay);
            }
            let index = tree.add_dir(None, name, &stat);
            tree.roots.push((index, place, skip.clone()));
            index
        } else {
            let known = tree.roots.last().is_some_and(|(_, root, _)| *root == place);
            if !known || depth > DEEPEST || tree.about_bytes() > tree.limit {
                return self.give_up();
            }
            tree.add_dir(Some(self.stack[depth - 1]), name, &stat)
        };
        tree.learn_key(index, &fd);
        tree.dir_mut(index).ctime = settled_ctime(&stat, now);
        self.stack.push(index);
    }

    /// The walk looked at an entry that is no directory, in the directory on the level `depth`.
    pub(in crate::measure::usage) fn entry(&mut self, depth: usize, name: &CStr, stat: &Statx) {
        let Some(tree) = &mut self.tree else { return };
        if tree.roots.last().is_none_or(|(_, root, _)| root.device != Place::of(stat).device) {
            return self.give_up();
        }
        let now = (tree.clock)();
        tree.add_entry(self.stack[depth], name, stat, now, None);
        if tree.crowded() {
            tree.prune();
        }
        if tree.files.is_multiple_of(4096) && tree.about_bytes() > tree.limit {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.tree = None;
    }

    /// The tree, when all of it could be remembered.
    pub fn finish(self) -> Option<Box<Tree>> {
        let mut tree = self.tree?;
        tree.forget_made();
        tree.prune();
        for dir in tree.dirs.iter_mut().flatten() {
            dir.children.shrink_to_fit();
            dir.files.shrink_to_fit();
            dir.hot.shrink_to_fit();
            dir.linked.shrink_to_fit();
        }
        tree.dirs.shrink_to_fit();
        tree.count_awake();
        // A second name in a directory that the walk left before the link was made is searched by
        // the first refresh; so is one outside, once.
        (tree.bytes() <= tree.limit).then_some(tree)
    }
}
