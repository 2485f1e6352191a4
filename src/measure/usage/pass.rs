//! The pieces of work that run on a filesystem's own worker thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, fstatvfs, open, openat2,
    statx,
};
use rustix::io::retry_on_intr;

use super::hot::{Recorder, Refreshed, Tree};
use super::target::Target;
use super::walk::{Progress, Walk};
use crate::host::sys::{IoClass, set_io_class, thread_cpu_seconds};
use crate::host::{Guard, GuardError, MountTable, Roots};

/// A slice of refreshes ends after this long, as a walk's does.
const SLICE_TIME: Duration = Duration::from_millis(50);

/// A slice of a walk, as it came back.
pub(super) struct Slice {
    pub(super) walk: Box<Walk>,
    pub(super) progress: Progress,
    pub(super) cpu_seconds: f64,
    pub(super) inodes: u64,
}

/// A slice of a refresh, as it came back.
pub(super) struct RefreshSlice {
    pub(super) id: u64,
    pub(super) tree: Box<Tree>,
    pub(super) refreshed: Refreshed,
    pub(super) cpu_seconds: f64,
    pub(super) inodes: u64,
}

impl RefreshSlice {
    fn untouched(id: u64, tree: Box<Tree>) -> Self {
        Self { id, tree, refreshed: Refreshed::More, cpu_seconds: 0.0, inodes: 0 }
    }
}

/// Does one slice of refreshes, one after the other, in the idle I/O class where that is allowed.
/// Those it does not come to are not begun.
pub(super) fn refresh(trees: Vec<(u64, Box<Tree>)>, max_inodes: usize) -> Vec<RefreshSlice> {
    let idle = set_io_class(IoClass::Idle).is_ok();
    let (until, mut left) = (Instant::now() + SLICE_TIME, max_inodes as u64);
    let one = |(id, mut tree): (u64, Box<Tree>)| {
        if left == 0 || Instant::now() >= until {
            return RefreshSlice::untouched(id, tree);
        }
        let (cpu, inodes) = (thread_cpu_seconds(), tree.steps());
        let refreshed = tree.refresh(usize::try_from(left).unwrap_or(usize::MAX));
        let cpu_seconds = thread_cpu_seconds() - cpu;
        // Its own count starts anew with each refresh.
        let inodes = tree.looked_at().saturating_sub(inodes);
        left = left.saturating_sub(inodes);
        RefreshSlice { id, tree, refreshed, cpu_seconds, inodes }
    };
    let slices = trees.into_iter().map(one).collect();
    if idle {
        let _ = set_io_class(IoClass::Default);
    }
    slices
}

/// Does one slice, in the idle I/O class if so asked (where that is refused, without).
pub(super) fn slice(mut walk: Box<Walk>, max_inodes: usize, idle: bool) -> Slice {
    let idle = idle && set_io_class(IoClass::Idle).is_ok();
    let (cpu, inodes) = (thread_cpu_seconds(), walk.inodes());
    let progress = walk.advance(max_inodes);
    let (cpu_seconds, inodes) = (thread_cpu_seconds() - cpu, walk.inodes() - inodes);
    if idle {
        let _ = set_io_class(IoClass::Default);
    }
    Slice { walk, progress, cpu_seconds, inodes }
}

/// Bytes used on the filesystem whose root is `path`, as `df` prints them: blocks less free ones.
/// `None`: it is not the root of a filesystem. Opened and closed here, or the operator's `umount`
/// would fail.
pub(super) fn own_filesystem(path: &Path) -> io::Result<Option<u64>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = retry_on_intr(|| open(path, flags, Mode::empty()))?;
    let stat = statx(&fd, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE)?;
    // Known from Linux 5.8; before, the mount table has to do.
    let known = stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
    if known && !stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        return Ok(None);
    }
    let fs = fstatvfs(&fd)?;
    Ok(Some(fs.f_blocks.saturating_sub(fs.f_bfree).saturating_mul(fs.f_frsize)))
}

/// The path with every symbolic link followed but the last component left as it is: a subject
/// that is a symbolic link is refused, not followed.
pub(super) fn resolve(guard: &Guard, path: &Path) -> Result<PathBuf, GuardError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(guard.resolve(parent)?.join(name)),
        _ => Ok(path.to_path_buf()),
    }
}

/// A walk of a target that lies at `real`. It leaves alone what the target names and what the
/// mount table shows now.
pub(super) fn walk(guard: &Guard, target: &Target, real: &Real) -> Walk {
    View::of(guard).walk(target, real)
}

/// The same, with its tree taken down in at most `limit` bytes.
pub(super) fn recorded_walk(guard: &Guard, target: &Target, real: &Real, limit: usize) -> Walk {
    let skip = View::of(guard).skip(target, real);
    let recorder = Recorder::new(&real.places(&skip), super::hot::WINDOW, limit);
    Walk::new(&real.root, &real.extra, &skip).recorded(recorder)
}

/// Whether a remembered tree lies where the target does now, with the same mounts below it.
pub(super) fn same_places(guard: &Guard, target: &Target, real: &Real, tree: &Tree) -> bool {
    tree.skipped_the_same(&real.places(&View::of(guard).skip(target, real)))
}

/// Where a target really lies: its directory, then the `extra` ones.
#[derive(Clone, Debug)]
pub(super) struct Real {
    pub(super) root: PathBuf,
    pub(super) extra: Vec<PathBuf>,
}

impl Real {
    /// Everything that decides what a walk of it sees, beside the tree itself.
    fn places(&self, skip: &[PathBuf]) -> Vec<PathBuf> {
        let own = self.extra.iter().chain([&self.root]);
        own.chain(skip).cloned().collect()
    }

    /// No symbolic link was on the way to any of its directories.
    pub(super) fn direct(&self, target: &Target) -> bool {
        self.root == target.path && self.extra == target.extra
    }
}

/// The same for a target whose directory was followed to `root`. An extra one that cannot be
/// followed is looked at by its own name, and fails there.
pub(super) fn resolved(guard: &Guard, target: &Target, root: &Path) -> Real {
    let follow = |path: &PathBuf| resolve(guard, path).unwrap_or_else(|_| path.clone());
    Real { root: root.into(), extra: target.extra.iter().map(follow).collect() }
}

/// What is known of the host when walks begin: for workers, which must not call the guard.
pub(super) struct View {
    table: Arc<MountTable>,
    roots: Roots,
}

impl View {
    pub(super) fn of(guard: &Guard) -> Self {
        Self { table: guard.table(), roots: guard.roots().clone() }
    }

    pub(super) fn walk(&self, target: &Target, real: &Real) -> Walk {
        Walk::new(&real.root, &real.extra, &self.skip(target, real))
    }

    fn skip(&self, target: &Target, real: &Real) -> Vec<PathBuf> {
        let mut skip = self.mounts_below(&target.path, &real.root, &target.skip);
        for (path, real) in target.extra.iter().zip(&real.extra) {
            skip.extend(self.mounts_below(path, real, &target.skip));
        }
        skip
    }

    /// The target's paths as they are, when no symbolic link is on the way to any of them and all
    /// lie on one filesystem, the one that path was looked up on: two system calls for each, where
    /// [`resolve`] takes one a component and a worker of its own. Touches that filesystem.
    pub(super) fn plain(&self, target: &Target) -> Option<Real> {
        let device =
            |path: &Path| self.table.containing(&self.roots.on_host(path)).map(|e| e.device);
        let here = device(&target.path);
        let all_plain = no_link_in(&target.path)
            && target.extra.iter().all(|path| device(path) == here && no_link_in(path));
        all_plain.then(|| Real { root: target.path.clone(), extra: target.extra.clone() })
    }

    fn mounts_below(&self, path: &Path, root: &Path, named: &[PathBuf]) -> Vec<PathBuf> {
        let host_root = self.roots.on_host(root);
        let shown = self.table.below(&host_root).map(|entry| self.roots.inside(&entry.mount_point));
        let named = named.iter().filter_map(|skip| Some(root.join(skip.strip_prefix(path).ok()?)));
        shown.chain(named).collect()
    }
}

/// Whether the path is there and leads through no symbolic link; its last component may be one.
/// `false` too where it cannot be told (`openat2` is there from Linux 5.6).
fn no_link_in(path: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let look = || openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    retry_on_intr(look).is_ok()
}
