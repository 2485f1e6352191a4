//! What changed, as the kernel tells it: fanotify marks on whole filesystems (`usage.fanotify`).
//!
//! Events name the directory by its file handle, and the entry. A recorded pass takes down the
//! handle of every directory, so that a [refresh](super::hot) asks the [`Journal`] which of its
//! directories changed and looks at those only. Nothing is opened by handle, no event holds a
//! descriptor, and a mark does not keep a filesystem from being unmounted.
//!
//! `FAN_MODIFY` is not asked for: it costs every small write. So a file that is written to
//! without ever being closed is not told of, nor is one that is written through a mapping: those
//! stay the affair of the hot files, and what is missed is measured by each full pass.
//!
//! What is trusted: nothing at all unless a [test](selftest) of the kernel passes at the start, in
//! a directory of our own; then each local filesystem by itself, when it is heard to tell of a
//! directory that this process opened. A filesystem whose full pass finds changes that were never
//! told of is not trusted any more. Lost events, a full journal or a mark that is gone: the trees
//! concerned are refreshed as without, until their next full pass.

mod decode;
mod journal;
mod reader;
pub mod selftest;

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, retry_on_intr, write};

pub use decode::{Event, Key, Malformed, events};
pub use journal::Journal;
pub use selftest::Proof;

use super::meter::lock;
use crate::host::sys::fanotify::{self, mask};

/// What is asked of the kernel. Not `FAN_MODIFY`: see the module; nor `FAN_ATTRIB`, which costs whoever
/// removes a file and tells nothing of how much it holds.
pub const MASK: u64 = mask::CLOSE_WRITE
    | mask::CREATE
    | mask::DELETE
    | mask::MOVED_FROM
    | mask::MOVED_TO
    | mask::ONDIR;
/// Filesystems that are watched at most: each has a queue of its own in the kernel.
const MOST_FILESYSTEMS: usize = 16;
/// Directories in a journal that are not worth the search for what can be forgotten.
const FORGET_AT: usize = 1024;
/// One read: some five hundred events.
const BUFFER: usize = 64 * 1024;
/// Reads that hold more than a queue can: whoever goes on meanwhile does not hold the reader up.
const MOST_READS: usize = 256;

/// The handle of an open directory as events name it; `None`: its filesystem has none.
pub fn key(directory: impl AsFd) -> Option<Key> {
    let (kind, bytes) = fanotify::handle(directory.as_fd()).ok()?;
    Some(Key::of(kind, &bytes))
}

/// What is watched, and what was heard. Shared by the trees that ask it.
#[derive(Debug)]
pub struct Watch {
    groups: Mutex<HashMap<u64, Group>>,
    proof: Proof,
    /// Wakes the reader: something new is watched, or it shall end.
    wake: OwnedFd,
    stop: AtomicBool,
    reader_cpu: AtomicU64,
    next: AtomicU64,
}

/// One filesystem.
#[derive(Debug)]
struct Group {
    /// Shared, so that no call that takes a path is made under the lock. Absent where it is not
    /// trusted: then nothing is marked, and no writer pays.
    fd: Option<Arc<OwnedFd>>,
    journal: Journal,
    /// Up to which moment each of those who ask knows it.
    readers: BTreeMap<u64, u64>,
    /// Directories in the journal at which what everybody knows is forgotten.
    forget_at: usize,
}

/// Figures of a [`Watch`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WatchStats {
    /// Filesystems whose changes are told of.
    pub trusted: usize,
    /// Filesystems that were asked for and are not trusted.
    pub untrusted: usize,
    /// Events read since the start.
    pub events_total: u64,
    /// Times that events were lost, since the start.
    pub overflows_total: u64,
    /// Remembered trees that ask where to look.
    pub listeners: usize,
    /// Directories that are remembered as changed.
    pub directories: usize,
    /// CPU time of the reading thread.
    pub reader_cpu_seconds: f64,
}

impl Watch {
    /// Watches the filesystem with this device number (as `statx` tells it), of which `path` is a
    /// directory; to be called on a guarded thread. What is asked for from then on; `None`: it cannot
    /// be watched, or is not trusted. `overlay`: upper directories of overlays are among it.
    pub fn attach(self: &Arc<Self>, device: u64, path: &CStr, overlay: bool) -> Option<Listener> {
        if overlay && self.proof.overlay != Some(true) {
            return None;
        }
        let known = lock(&self.groups).get(&device).map(|group| group.fd.clone());
        let fd = match known {
            Some(fd) => fd?,
            None => self.begin(device, path)?,
        };
        // Unmounted and mounted again: the mark went with it.
        let still = fanotify::has_mark(fd.as_fd(), path).unwrap_or(false);
        let marked = fanotify::mark_filesystem(fd.as_fd(), path, MASK);
        let mut groups = lock(&self.groups);
        let group = groups.get_mut(&device)?;
        if !still {
            group.journal.lose();
        }
        if marked.is_err() {
            group.journal.lose();
            return None;
        }
        group.drain();
        let moment = group.journal.now();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        group.readers.insert(id, moment);
        Some(Listener { watch: Arc::clone(self), device, path: path.into(), id, moment })
    }

    /// A group for a filesystem that was not asked for before.
    fn begin(&self, device: u64, path: &CStr) -> Option<Arc<OwnedFd>> {
        if lock(&self.groups).len() >= MOST_FILESYSTEMS {
            return None;
        }
        let place = crate::text::path(Path::new(OsStr::from_bytes(path.to_bytes()))).to_string();
        let heard = selftest::heard(path);
        match &heard {
            Ok(()) => {
                tracing::info!(path = %place, "Changes of this filesystem are told by the kernel")
            }
            Err(reason) => {
                tracing::warn!(path = %place, %reason, "No use of fanotify on this filesystem")
            }
        }
        let fd = heard.ok().and_then(|()| fanotify::group().ok()).map(Arc::new);
        let group = Group {
            fd,
            journal: Journal::default(),
            readers: BTreeMap::new(),
            forget_at: FORGET_AT,
        };
        let fd = lock(&self.groups).entry(device).or_insert(group).fd.clone();
        self.wake();
        fd
    }

    /// A full pass found what should have been told and was not: no trust any more.
    fn distrust(&self, device: u64) {
        if let Some(group) = lock(&self.groups).get_mut(&device)
            && group.fd.take().is_some()
        {
            group.journal.lose();
            // The reader holds it while it waits.
            self.wake();
            let (major, minor) = (device >> 32, device & 0xffff_ffff);
            tracing::warn!(
                "Changes on the filesystem {major}:{minor} were never told: no use of fanotify \
                 there until the next start"
            );
        }
    }

    /// What it does and did.
    pub fn stats(&self) -> WatchStats {
        let groups = lock(&self.groups);
        let trusted = groups.values().filter(|group| group.fd.is_some()).count();
        WatchStats {
            trusted,
            untrusted: groups.len() - trusted,
            events_total: groups.values().map(|group| group.journal.now()).sum(),
            listeners: groups.values().map(|group| group.readers.len()).sum(),
            overflows_total: groups.values().map(|group| group.journal.overflows).sum(),
            directories: groups.values().map(|group| group.journal.len()).sum(),
            reader_cpu_seconds: self.reader_cpu.load(Ordering::Relaxed) as f64 / 1e9,
        }
    }

    /// What the test at the start found.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    fn wake(&self) {
        // A counter that is full already wakes as well.
        let _ = write(&self.wake, &1_u64.to_ne_bytes());
    }
}

/// One who asks what happened on a filesystem, each time since the last.
#[derive(Debug)]
pub struct Listener {
    watch: Arc<Watch>,
    device: u64,
    path: Box<CStr>,
    id: u64,
    moment: u64,
}

impl Listener {
    /// Whether the filesystem is still marked; to be called on a guarded thread.
    pub fn still_watched(&self) -> bool {
        let groups = lock(&self.watch.groups);
        let fd = groups.get(&self.device).and_then(|group| group.fd.clone());
        drop(groups);
        fd.is_some_and(|fd| fanotify::has_mark(fd.as_fd(), &self.path).unwrap_or(false))
    }

    /// Shows the journal with everything that happened until now, and the moment of the last time.
    /// `None`: it is not known what happened since then. Touches no path.
    pub fn ask<T>(&mut self, show: impl FnOnce(&Journal, u64) -> T) -> Option<T> {
        let mut groups = lock(&self.watch.groups);
        let group = groups.get_mut(&self.device)?;
        group.drain();
        if group.fd.is_none() || !group.journal.knows_since(self.moment) {
            return None;
        }
        let shown = show(&group.journal, self.moment);
        self.moment = group.journal.now();
        group.readers.insert(self.id, self.moment);
        group.forget();
        Some(shown)
    }

    /// A full pass found what should have been told and was not: the filesystem is not trusted any
    /// more.
    pub fn distrust(&self) {
        self.watch.distrust(self.device);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(group) = lock(&self.watch.groups).get_mut(&self.device) {
            group.readers.remove(&self.id);
        }
    }
}

impl Group {
    /// Forgets what everybody knows, once there is much.
    fn forget(&mut self) {
        if self.journal.len() >= self.forget_at {
            let known = self.readers.values().copied().min().unwrap_or(self.journal.now());
            self.journal.forget(known);
            self.forget_at = FORGET_AT.max(2 * self.journal.len());
        }
    }

    /// Takes down everything that is in the kernel's queue.
    fn drain(&mut self) {
        let Some(fd) = &self.fd else { return };
        let mut buffer = vec![0_u8; BUFFER];
        for _ in 0..MOST_READS {
            let length = match retry_on_intr(|| read(&**fd, &mut buffer[..])) {
                Ok(0) | Err(Errno::AGAIN) => return,
                Ok(length) => length,
                Err(_) => return self.journal.lose(),
            };
            for event in events(&buffer[..length]) {
                match event {
                    Ok(event) => self.journal.take(&event),
                    Err(_) => self.journal.lose(),
                }
            }
        }
    }
}

/// A [`Watch`] with its reading thread. Ends when dropped.
#[derive(Debug)]
pub struct Watcher {
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Tests the kernel in the first of `directories` that allows it (a directory of our own:
    /// files are made and removed there) and starts the reader, which uses at most `cpu_budget` of
    /// a core. An error: why fanotify is no help here.
    pub fn start(directories: &[PathBuf], cpu_budget: f64) -> Result<Self, String> {
        Self::start_proved(selftest::prove(directories)?, cpu_budget)
    }

    /// The same where the kernel was tested before.
    pub fn start_proved(proof: Proof, cpu_budget: f64) -> Result<Self, String> {
        let failed = |what: &str, error: io::Error| format!("{what}: {error}");
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| failed("eventfd", errno.into()))?;
        let watch = Arc::new(Watch {
            groups: Mutex::default(),
            proof,
            wake,
            stop: AtomicBool::new(false),
            reader_cpu: AtomicU64::new(0),
            next: AtomicU64::new(0),
        });
        let shared = Arc::clone(&watch);
        let thread = std::thread::Builder::new()
            .name("fanotify".into())
            .spawn(move || reader::run(&shared, cpu_budget))
            .map_err(|error| failed("start a thread", error))?;
        Ok(Self { watch, thread: Some(thread) })
    }

    /// What is watched.
    pub fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.watch.stop.store(true, Ordering::Release);
        self.watch.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
