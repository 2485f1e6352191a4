//! The hang guard: every call that takes a path goes through it.
//!
//! A call into a dead NFS server or FUSE process may never return, and nothing can cancel it. So
//! each filesystem has one worker thread (a *lane*), made when first needed and ended after a
//! minute without work; calls on it are serial, and the caller waits no longer than a limit.
//! Past it the filesystem is *unresponsive*: this call and all later ones fail at once, queued
//! ones are dropped unrun, until the stuck call returns. However much is thrown at a stuck mount,
//! it holds one thread.
//!
//! Lanes are told by the device number in the mount table, not by the mount id: what hangs is the
//! filesystem, and an NFS export bind-mounted into fifty sandboxes is fifty mounts. A new
//! filesystem at the same mount point has another number, and a lane of its own; the number of a
//! filesystem that holds a stuck call is not given again.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::lane::{Job, Lane, Lanes, Running};
use super::resolve::Resolution;
use super::table::TableCache;
use super::{MountTable, Roots, errno};

/// Why a guarded call has no result.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The filesystem did not answer in time, or is known not to answer.
    #[error("{op}: the filesystem at {mount_point} does not answer", mount_point = .mount_point.display())]
    Unresponsive {
        /// Where it is mounted (a path of the host).
        mount_point: PathBuf,
        /// The call that is stuck.
        op: &'static str,
        /// When that call began.
        since: SystemTime,
    },
    /// The work itself panicked: a bug, confined to this call.
    #[error("{op} {path}: internal error: {message}", path = .path.display())]
    Panicked {
        /// What was called.
        op: &'static str,
        /// On which path.
        path: PathBuf,
        /// The panic's message.
        message: String,
    },
    /// The call came back with an error, or no thread could be made for it.
    #[error("{op} {path}: {source}", path = .path.display())]
    Io {
        /// What was called.
        op: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl GuardError {
    /// The short fixed word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unresponsive { .. } => "unresponsive",
            Self::Panicked { .. } => "internal",
            Self::Io { source, .. } => errno::reason(source),
        }
    }
}

/// A filesystem that does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnresponsiveMount {
    /// Mount id of the mount on which the stuck call was made.
    pub mount_id: u64,
    /// Its mount point (a path of the host).
    pub mount_point: PathBuf,
    /// Its filesystem's device number.
    pub device: (u32, u32),
    /// When the stuck call began.
    pub since: SystemTime,
    /// What was called.
    pub op: &'static str,
}

/// See the module. Shared by everybody who touches paths (`Arc<Guard>`).
pub struct Guard {
    roots: Roots,
    limit: AtomicU64,
    table: Mutex<TableCache>,
    lanes: Arc<Lanes>,
}

fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
}

impl Guard {
    /// A guard for the filesystems under `roots`; `limit` is how long a call may take.
    pub fn new(roots: Roots, limit: Duration) -> Self {
        Self::with_idle_time(roots, limit, Duration::from_secs(60))
    }

    /// The same, with the time after which a worker without work ends.
    pub fn with_idle_time(roots: Roots, limit: Duration, idle: Duration) -> Self {
        let table = Mutex::new(TableCache::new(roots.mountinfo()));
        Self { roots, limit: AtomicU64::new(millis(limit)), table, lanes: Lanes::new(idle) }
    }

    /// The roots it was made with.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// How long a call may take.
    pub fn limit(&self) -> Duration {
        Duration::from_millis(self.limit.load(Ordering::Relaxed))
    }

    /// Changes how long a call may take, from the next call on.
    pub fn set_limit(&self, limit: Duration) {
        self.limit.store(millis(limit), Ordering::Relaxed);
    }

    /// The mount table as it is now, in paths of the host. Reading it never hangs.
    pub fn table(&self) -> Arc<MountTable> {
        lock(&self.table).get()
    }

    /// Why the mount table could not be read last time, if so.
    pub fn table_error(&self) -> Option<String> {
        lock(&self.table).error.clone()
    }

    /// Path of the host for a path as this process sees it: [`Roots::on_host`].
    pub fn on_host(&self, inside: &Path) -> PathBuf {
        self.roots.on_host(inside)
    }

    /// Device number of the filesystem a path lies on by the mount table, `(0, 0)` if none does.
    pub fn device(&self, path: &Path) -> (u32, u32) {
        self.table().containing(&self.on_host(path)).map_or((0, 0), |entry| entry.device)
    }

    /// Runs `f` on the worker of the filesystem that `path` lies on and waits for it. `path` is as
    /// this process sees it (inside the roots), absolute, free of `..`; that it is free of symbolic
    /// links into other mounts is the caller's care: see [`Guard::resolve`].
    pub fn run<T: Send + 'static>(
        &self,
        path: &Path,
        op: &'static str,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, GuardError> {
        self.start(path, op, self.limit(), f)?.wait()
    }

    /// [`Guard::run`] for work that may itself fail: path and operation join the error.
    pub fn run_io<T: Send + 'static>(
        &self,
        path: &Path,
        op: &'static str,
        f: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, GuardError> {
        self.run(path, op, f)?.map_err(|source| GuardError::Io { op, path: path.into(), source })
    }

    /// Hands `f` over without waiting. `limit` is how long this call may run before its
    /// filesystem counts as unresponsive. Fails at once where that is known already.
    pub fn start<T: Send + 'static>(
        &self,
        path: &Path,
        op: &'static str,
        limit: Duration,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Ticket<T>, GuardError> {
        let host_path = self.on_host(path);
        let table = self.table();
        let mut chain = table.chain(&host_path);
        let (mount_id, mount_point, device) = match chain.pop() {
            Some(entry) => (entry.id, entry.mount_point.clone(), entry.device),
            None => (0, PathBuf::from("/"), (0, 0)),
        };
        // The look-up of the path asks every remote filesystem on the way (d_revalidate); local
        // ones answer from memory.
        for outer in chain.iter().filter(|entry| entry.remote() && entry.device != device) {
            self.lanes.check(outer.device)?;
        }
        let (sender, answer) = mpsc::sync_channel(1);
        let cancelled = Arc::new(AtomicBool::new(false));
        let given_up = Arc::clone(&cancelled);
        let work = Box::new(move || {
            if !given_up.load(Ordering::Relaxed) {
                // The caller may be gone; then the result is dropped here, on this thread.
                let _ = sender.send(catch_unwind(AssertUnwindSafe(f)));
            }
        });
        let running = Running::new(op, mount_id, mount_point, limit);
        let lane = self.lanes.submit(device, Job { running, work })?.map_err(|source| {
            GuardError::Io { op: "start a thread for", path: path.into(), source }
        })?;
        Ok(Ticket { lane, answer, cancelled, op, path: path.into() })
    }

    /// Every filesystem that does not answer now.
    pub fn unresponsive(&self) -> Vec<UnresponsiveMount> {
        self.lanes.unresponsive()
    }

    /// Living worker threads, stuck ones included.
    pub fn threads(&self) -> usize {
        self.lanes.threads()
    }

    /// Follows every symbolic link of an absolute path, each step on the worker of the
    /// filesystem reached so far, and returns the path without any. Links lead where they lead
    /// on the host: an absolute one starts again at the root directory under `--path.rootfs`.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, GuardError> {
        let mut way = self.resolution(path);
        loop {
            if let Some(result) = way.poll(self, Duration::from_secs(3600)) {
                return result;
            }
        }
    }

    /// The same for a caller that has other things to do meanwhile.
    pub fn resolution(&self, path: &Path) -> Resolution {
        let rootfs = &self.roots.rootfs;
        Resolution::new(if path.starts_with(rootfs) { rootfs } else { Path::new("/") }, path)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lanes.close();
    }
}

/// A call that was handed over.
pub struct Ticket<T> {
    lane: Arc<Lane>,
    answer: Receiver<std::thread::Result<T>>,
    cancelled: Arc<AtomicBool>,
    op: &'static str,
    path: PathBuf,
}

impl<T> Ticket<T> {
    /// Waits for the result, or until the filesystem counts as unresponsive.
    pub fn wait(mut self) -> Result<T, GuardError> {
        loop {
            if let Some(result) = self.poll(Duration::from_secs(3600)) {
                return result;
            }
        }
    }

    /// Waits at most `patience`; `None`: not yet. Not to be asked again after a result.
    pub fn poll(&mut self, patience: Duration) -> Option<Result<T, GuardError>> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.answer.recv_timeout(left.min(self.lane.time_left())) {
                Ok(Ok(value)) => return Some(Ok(value)),
                Ok(Err(panic)) => {
                    let message = panic
                        .downcast_ref::<&str>()
                        .map(|text| (*text).to_owned())
                        .or_else(|| panic.downcast_ref::<String>().cloned())
                        .unwrap_or_else(|| "panic".to_owned());
                    let (op, path) = (self.op, self.path.clone());
                    return Some(Err(GuardError::Panicked { op, path, message }));
                }
                Err(RecvTimeoutError::Disconnected) => return Some(Err(self.lane.last_error())),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(error) = self.lane.check() {
                // It may have come back between the two looks.
                return Some(match self.answer.try_recv() {
                    Ok(Ok(value)) => Ok(value),
                    _ => Err(error),
                });
            }
            if Instant::now() >= until {
                return None;
            }
        }
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// A lock that outlives a panic of its holder: the data below is whole between statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
