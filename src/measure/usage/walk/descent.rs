//! Going down, up and back: everything that opens a directory.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, openat, statx};
use rustix::io::{Errno, retry_on_intr};

use super::{Frame, Identity, LOOK, MAX_DEPTH, Step, Walk, WalkError};

/// Descriptors one walk holds at most within a slice.
const MAX_OPEN: usize = 64;
/// How many of the innermost directories are kept open on the way back to a deep place.
const KEEP_OPEN: usize = 32;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

impl Walk {
    /// Begins the next root; `false`: there is none.
    pub(super) fn next_root(&mut self) -> Result<bool, WalkError> {
        let Some((path, skip)) = self.roots.pop() else { return Ok(false) };
        let main = std::mem::replace(&mut self.main, false);
        let optional = |errno: Errno| !main && errno == Errno::NOENT;
        let root = Path::new("");
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| WalkError::at("open", root, Errno::INVAL))?;
        let fd = match self.open(CWD, &name) {
            Ok(fd) => fd,
            Err(errno) if optional(errno) => return Ok(true),
            Err(errno) => return Err(WalkError::at("open", root, errno)),
        };
        let stat = retry_on_intr(|| statx(&fd, c"", LOOK | AtFlags::EMPTY_PATH, self.mask))
            .map_err(|errno| WalkError::at("statx", root, errno))?;
        self.totals.add(&stat);
        let identity = Identity::of(&stat, self.mask);
        if let Some(recorder) = &mut self.recorder {
            recorder.enter(0, &name, &fd, &skip);
        }
        self.frames.push(Frame::new(name, identity, fd, skip.root()));
        self.skip = Arc::new(skip);
        Ok(true)
    }

    /// Goes down into a directory that was counted already.
    pub(super) fn descend(&mut self, name: CString) -> Result<(), WalkError> {
        self.steps += 1;
        let parent = self.frames.last().expect("only called with a frame");
        let node = parent.skip.map(|node| self.skip.step(node, name.to_bytes()));
        let parent_fd = parent.fd.as_ref().expect("the innermost directory is open within a slice");
        let fd = match Self::open_at(&mut self.noatime, parent_fd, &name) {
            Ok(fd) => fd,
            // Removed since, or something else by now: a tree that changes is normal.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            Err(errno) => return Err(self.error("openat", Some(&name), errno)),
        };
        let identity =
            self.identity(&fd).map_err(|errno| self.error("statx", Some(&name), errno))?;
        // Something was mounted on it between the two calls.
        if !identity.same_mount(&self.frames[0].identity) {
            return Ok(());
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err(WalkError::too_large("directories nested too deep"));
        }
        let skip = match node {
            Some(Step::Inner(node)) => Some(node),
            _ => None,
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.enter(self.frames.len(), &name, &fd, &self.skip);
        }
        self.frames.push(Frame::new(name, identity, fd, skip));
        if let Some(far) = self.frames.len().checked_sub(MAX_OPEN + 1) {
            self.frames[far].fd = None;
        }
        Ok(())
    }

    /// Leaves the innermost directory for the one above.
    pub(super) fn ascend(&mut self) -> Result<(), WalkError> {
        let left = self.frames.pop().expect("only called with a frame");
        if self.frames.len() <= self.borrowed {
            self.frames.clear();
        }
        let Some(parent) = self.frames.last() else { return Ok(()) };
        if parent.fd.is_some() {
            return Ok(());
        }
        if let Some(fd) = &left.fd
            && let Ok(up) = Self::open_at(&mut self.noatime, fd, c"..")
            && self.identity(&up) == Ok(parent.identity)
        {
            self.top().fd = Some(up);
            return Ok(());
        }
        self.attach()
    }

    /// Opens the innermost directory again, by names from the root, each one checked to be the
    /// directory it was. One that is gone is left behind if all its work was done; else the pass
    /// cannot become a total.
    pub(super) fn attach(&mut self) -> Result<(), WalkError> {
        let depth = self.frames.len();
        if self.frames.last().is_none_or(|top| top.fd.is_some()) {
            return Ok(());
        }
        let mut above: Option<OwnedFd> = None;
        for level in 0..depth {
            let name = self.frames[level].name.clone();
            let opened = match &above {
                None => self.open(CWD, &name),
                Some(fd) => self.open(fd, &name),
            };
            let fd = match opened {
                Ok(fd) => fd,
                Err(errno @ (Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) if level > 0 => {
                    return self.lost(level, &std::io::Error::from(errno).to_string());
                }
                Err(errno) => return Err(WalkError::at("openat", &self.place(level), errno)),
            };
            let identity = self
                .identity(&fd)
                .map_err(|errno| WalkError::at("statx", &self.place(level), errno))?;
            if identity != self.frames[level].identity {
                return self.lost(level, "another directory is in its place");
            }
            if let Some(done) = above.replace(fd)
                && level + KEEP_OPEN > depth
            {
                self.frames[level - 1].fd = Some(done);
            }
        }
        self.frames[depth - 1].fd = above;
        Ok(())
    }

    fn lost(&mut self, level: usize, message: &str) -> Result<(), WalkError> {
        let done = |frame: &Frame| frame.read_done && frame.pending.is_empty();
        if level > 0 && self.frames[level..].iter().all(done) {
            self.frames.truncate(level);
            return self.attach();
        }
        Err(WalkError::disturbed(&self.place(level), message))
    }

    fn place(&self, level: usize) -> std::path::PathBuf {
        let names = self.frames.iter().take(level + 1).skip(1);
        names.map(|frame| OsStr::from_bytes(frame.name.to_bytes())).collect()
    }

    fn identity(&self, fd: impl AsFd) -> Result<Identity, Errno> {
        let mask = StatxFlags::INO | (self.mask & StatxFlags::MNT_ID);
        let stat = retry_on_intr(|| statx(fd.as_fd(), c"", LOOK | AtFlags::EMPTY_PATH, mask))?;
        Ok(Identity::of(&stat, mask))
    }

    fn open(&mut self, at: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
        Self::open_at(&mut self.noatime, at, name)
    }

    /// `O_NOATIME` leaves no trace in the tree but needs ownership or CAP_FOWNER: without it, once
    /// refused, the walk goes on without.
    fn open_at(noatime: &mut bool, at: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
        if *noatime {
            let flags = DIRECTORY | OFlags::NOATIME;
            match retry_on_intr(|| openat(at.as_fd(), name, flags, Mode::empty())) {
                Err(Errno::PERM) => *noatime = false,
                result => return result,
            }
        }
        retry_on_intr(|| openat(at.as_fd(), name, DIRECTORY, Mode::empty()))
    }
}

impl Frame {
    fn new(name: CString, identity: Identity, fd: OwnedFd, skip: Option<usize>) -> Self {
        Self {
            name,
            identity,
            fd: Some(fd),
            cookie: 0,
            read_done: false,
            pending: Vec::new(),
            skip,
        }
    }
}
