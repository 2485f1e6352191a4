//! Following symbolic links one component at a time, so that each step is made on the worker of
//! the filesystem it really touches.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, readlinkat};
use rustix::io::Errno;

use super::{Guard, GuardError, MountTable, Ticket};

/// As many as the kernel follows (`MAXSYMLINKS`).
const MAX_LINKS: u32 = 40;

type Steps = Result<Resolver, (PathBuf, io::Error)>;

/// The following of one path's links, for a caller that does not wait: see
/// [`Guard::resolution`].
pub struct Resolution {
    /// Absent while a step is under way.
    walk: Option<Resolver>,
    step: Option<Ticket<Steps>>,
    /// What the step under way looks at, or the next one will.
    place: PathBuf,
}

impl Resolution {
    pub(super) fn new(base: &Path, path: &Path) -> Self {
        Self { walk: Some(Resolver::new(base, path)), step: None, place: path.into() }
    }

    /// The path that is being looked at: what it lies on is what the caller waits for.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Goes on, waiting at most `patience` for each filesystem on the way. `None`: not there yet.
    /// Not to be asked again after a result.
    pub fn poll(
        &mut self,
        guard: &Guard,
        patience: Duration,
    ) -> Option<Result<PathBuf, GuardError>> {
        loop {
            if let Some(mut walk) = self.walk.take() {
                let Some(next) = walk.next() else { return Some(Ok(walk.done)) };
                let (table, rootfs) = (guard.table(), guard.roots().rootfs.clone());
                let step = guard
                    .start(&next, "readlink", guard.limit(), move || walk.steps(&table, &rootfs));
                self.place = next;
                match step {
                    Ok(step) => self.step = Some(step),
                    Err(error) => return Some(Err(error)),
                }
            }
            match self.step.as_mut()?.poll(patience)? {
                Ok(Ok(walk)) => (self.walk, self.step) = (Some(walk), None),
                Ok(Err((path, source))) => {
                    return Some(Err(GuardError::Io { op: "readlink", path, source }));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A path half resolved: `done` holds no symbolic link.
pub(super) struct Resolver {
    base: PathBuf,
    pub(super) done: PathBuf,
    todo: VecDeque<OsString>,
    links: u32,
}

impl Resolver {
    pub(super) fn new(base: &Path, path: &Path) -> Self {
        let mut new =
            Self { base: base.into(), done: base.into(), todo: VecDeque::new(), links: 0 };
        new.put_first(path.strip_prefix(base).unwrap_or(path));
        new
    }

    fn put_first(&mut self, path: &Path) {
        for part in path.components().rev() {
            match part {
                Component::Normal(_) | Component::ParentDir => {
                    self.todo.push_front(part.as_os_str().to_owned());
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }

    /// The path that has to be looked at next; `None`: all is done.
    pub(super) fn next(&mut self) -> Option<PathBuf> {
        while self.todo.front().is_some_and(|part| part == OsStr::new("..")) {
            self.todo.pop_front();
            if self.done != self.base {
                self.done.pop();
            }
        }
        self.todo.front().map(|part| self.done.join(part))
    }

    /// Makes every step that stays on the mount of the first.
    pub(super) fn steps(
        mut self,
        table: &MountTable,
        rootfs: &Path,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let device = |path: &Path| {
            let host = path.strip_prefix(rootfs).map_or(path.into(), |p| Path::new("/").join(p));
            table.containing(&host).map(|entry| entry.device)
        };
        let mut here = None;
        while let Some(next) = self.next() {
            let on = device(&next);
            if *here.get_or_insert(on) != on {
                break;
            }
            self.todo.pop_front();
            match rustix::io::retry_on_intr(|| readlinkat(CWD, &next, Vec::new())) {
                Err(Errno::INVAL) => self.done = next,
                Err(error) => return Err((next, error.into())),
                Ok(target) => {
                    self.links += 1;
                    if self.links > MAX_LINKS {
                        return Err((next, Errno::LOOP.into()));
                    }
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    if target.is_absolute() {
                        self.done = self.base.clone();
                    }
                    self.put_first(&target);
                }
            }
        }
        Ok(self)
    }
}
