//! A filesystem that stops answering on demand: FUSE, served by this very process.
//!
//! Holds `file` (5 bytes) and `dir/` with `dir/inner` (7 bytes). In [`Mood::Hang`] every request
//! waits until the mood changes; in [`Mood::Fail`] it fails with an error number.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Errno, FileAttr, FileHandle, FileType, Filesystem, INodeNo, MountOption,
    ReplyAttr, ReplyDirectory, ReplyEntry, ReplyOpen, ReplyStatfs, Request,
};

/// How the filesystem behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Like any other.
    Answer,
    /// No request returns.
    Hang,
    /// Every request fails with this error number.
    Fail(i32),
}

struct Gate {
    state: Mutex<(Mood, usize)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) -> Result<(), Errno> {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.0 == Mood::Hang).unwrap();
        state.1 -= 1;
        match state.0 {
            Mood::Fail(errno) => Err(Errno::from_i32(errno)),
            _ => Ok(()),
        }
    }
}

/// A mounted filesystem. Dropped, it answers again and is unmounted, lazily if need be.
pub struct HungFs {
    mount_point: PathBuf,
    gate: Arc<Gate>,
    session: Option<BackgroundSession>,
}

impl HungFs {
    /// Mounts it on an empty directory. Panics with a clear message where that is not possible.
    pub fn mount(mount_point: &Path) -> Self {
        Self::with_files(mount_point, 0)
    }

    /// The same with `more` files of a block each beside `file`: `f0`, `f1`, …
    pub fn with_files(mount_point: &Path, more: u64) -> Self {
        assert!(
            Path::new("/dev/fuse").exists(),
            "/dev/fuse is missing: this test needs FUSE (modprobe fuse; in a container --device /dev/fuse)"
        );
        let gate = Arc::new(Gate { state: Mutex::new((Mood::Answer, 0)), changed: Condvar::new() });
        let mut config = fuser::Config::default();
        config.mount_options = vec![MountOption::FSName("hungfs".into())];
        let session = fuser::spawn_mount(Served(Arc::clone(&gate), more), mount_point, &config)
            .unwrap_or_else(|error| {
                panic!("cannot mount FUSE on {}: {error}", mount_point.display())
            });
        Self { mount_point: mount_point.into(), gate, session: Some(session) }
    }

    /// Changes how it behaves; requests that wait go on.
    pub fn set(&self, mood: Mood) {
        self.gate.state.lock().unwrap().0 = mood;
        self.gate.changed.notify_all();
    }

    /// Waits until a request is stuck in it.
    pub fn wait_stuck(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        let mut state = self.gate.state.lock().unwrap();
        while state.1 == 0 || state.0 != Mood::Hang {
            assert!(Instant::now() < until, "no request reached the hung filesystem");
            state = self.gate.changed.wait_timeout(state, Duration::from_millis(50)).unwrap().0;
        }
    }
}

impl Drop for HungFs {
    fn drop(&mut self) {
        self.set(Mood::Answer);
        super::mounts::lazy_umount(&self.mount_point);
        // The session unmounts what is not there any more; its thread ends with the connection.
        drop(self.session.take());
    }
}

struct Served(Arc<Gate>, u64);

/// Inode of `f0`.
const MORE: u64 = 100;

const NEVER: Duration = Duration::ZERO;

fn attr(ino: u64) -> Option<FileAttr> {
    let (kind, size) = match ino {
        1 | 3 => (FileType::Directory, 4096),
        2 => (FileType::RegularFile, 5),
        4 | MORE.. => (FileType::RegularFile, 7),
        _ => return None,
    };
    Some(FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: 8,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: 0o755,
        nlink: if kind == FileType::Directory { 2 } else { 1 },
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if let Err(errno) = self.0.pass() {
            return reply.error(errno);
        }
        let ino = match (u64::from(parent), name.to_str()) {
            (1, Some("file")) => 2,
            (1, Some("dir")) => 3,
            (3, Some("inner")) => 4,
            (1, Some(name)) => match name.strip_prefix('f').and_then(|n| n.parse::<u64>().ok()) {
                Some(n) if n < self.1 => MORE + n,
                _ => return reply.error(Errno::ENOENT),
            },
            _ => return reply.error(Errno::ENOENT),
        };
        match attr(ino) {
            Some(attr) => reply.entry(&NEVER, &attr, fuser::Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match (self.0.pass(), attr(ino.into())) {
            (Err(errno), _) => reply.error(errno),
            (Ok(()), Some(attr)) => reply.attr(&NEVER, &attr),
            (Ok(()), None) => reply.error(Errno::ENOENT),
        }
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: fuser::OpenFlags, reply: ReplyOpen) {
        match self.0.pass() {
            Err(errno) => reply.error(errno),
            Ok(()) => reply.opened(FileHandle(0), fuser::FopenFlags::empty()),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        if let Err(errno) = self.0.pass() {
            return reply.error(errno);
        }
        let dots = [(1, FileType::Directory, ".".into()), (1, FileType::Directory, "..".into())];
        let mut entries: Vec<(u64, FileType, String)> = dots.into();
        if u64::from(ino) == 1 {
            entries.push((2, FileType::RegularFile, "file".into()));
            entries.push((3, FileType::Directory, "dir".into()));
            let more = (0..self.1).map(|n| (MORE + n, FileType::RegularFile, format!("f{n}")));
            entries.extend(more);
        } else {
            entries[0].0 = 3;
            entries.push((4, FileType::RegularFile, "inner".into()));
        }
        for (index, (ino, kind, name)) in entries.iter().enumerate().skip(offset as usize) {
            if reply.add(INodeNo(*ino), index as u64 + 1, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        match self.0.pass() {
            Err(errno) => reply.error(errno),
            Ok(()) => reply.statfs(1000, 400, 300, 100, 50, 4096, 255, 4096),
        }
    }
}
