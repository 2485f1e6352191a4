//! The pieces of work that run on a filesystem's own worker thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, fstatvfs, open, openat2,
    statx,
};
use rustix::io::retry_on_intr;

use super::fanotify::Watch;
use super::hot::{Recorder, Refreshed, Tree};
use super::target::Target;
use super::walk::{Progress, Walk};
use crate::host::sys::{IoClass, set_io_class, thread_cpu_seconds};
use crate::host::{Guard, GuardError, MountTable, Roots};

/// A slice of a walk, as it came back.
pub(super) struct Slice {
    pub(super) walk: Box<Walk>,
    pub(super) progress: Progress,
    pub(super) cpu_seconds: f64,
    pub(super) inodes: u64,
}

/// A slice of a refresh, as it came back.
pub(super) struct RefreshSlice {
    pub(super) tree: Box<Tree>,
    pub(super) refreshed: Refreshed,
    pub(super) cpu_seconds: f64,
    pub(super) inodes: u64,
}

/// Does one slice of a refresh, in the idle I/O class where that is allowed.
pub(super) fn refresh(mut tree: Box<Tree>, max_inodes: usize) -> RefreshSlice {
    let idle = set_io_class(IoClass::Idle).is_ok();
    let (cpu, inodes) = (thread_cpu_seconds(), tree.steps());
    let refreshed = tree.refresh(max_inodes);
    let cpu_seconds = thread_cpu_seconds() - cpu;
    // Its own count starts anew with each refresh.
    let inodes = tree.looked_at().saturating_sub(inodes);
    if idle {
        let _ = set_io_class(IoClass::Default);
    }
    RefreshSlice { tree, refreshed, cpu_seconds, inodes }
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

/// A walk of a target whose resolved path is `root`. It leaves alone what the target names and
/// what the mount table shows now.
pub(super) fn walk(guard: &Guard, target: &Target, root: &Path) -> Walk {
    let Places { extra, skip } = places(guard, target, root);
    Walk::new(root, &extra, &skip)
}

/// The same, with its tree taken down in at most `limit` bytes. `watch`: what may tell of its
/// changes.
pub(super) fn recorded_walk(
    guard: &Guard,
    target: &Target,
    root: &Path,
    limit: usize,
    watch: Option<&Arc<Watch>>,
) -> Walk {
    let places = places(guard, target, root);
    let mut recorder = Recorder::new(&places.all(root), super::hot::WINDOW, limit);
    if let Some(watch) = watch {
        recorder = recorder.told_by(Arc::clone(watch), !target.extra.is_empty());
    }
    Walk::new(root, &places.extra, &places.skip).recorded(recorder)
}

/// Whether a remembered tree lies where the target does now, with the same mounts below it.
pub(super) fn same_places(guard: &Guard, target: &Target, root: &Path, tree: &Tree) -> bool {
    tree.skipped_the_same(&places(guard, target, root).all(root))
}

/// Resolved paths of a target beside its root: what belongs to it elsewhere, what is left alone.
struct Places {
    extra: Vec<PathBuf>,
    skip: Vec<PathBuf>,
}

impl Places {
    fn all(&self, root: &Path) -> Vec<PathBuf> {
        let own = self.extra.iter().map(PathBuf::as_path).chain([root]);
        own.chain(self.skip.iter().map(PathBuf::as_path)).map(PathBuf::from).collect()
    }
}

fn places(guard: &Guard, target: &Target, root: &Path) -> Places {
    let real = resolved(guard, target, root);
    let skip = View::of(guard).skip(target, &real);
    Places { extra: real.extra, skip }
}

/// Where a target really lies: its directory, then the `extra` ones.
#[derive(Clone, Debug)]
pub(super) struct Real {
    pub(super) root: PathBuf,
    extra: Vec<PathBuf>,
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
