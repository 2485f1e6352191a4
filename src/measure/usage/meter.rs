//! The measuring of all subjects, again and again, within a budget.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use super::entry::Book;
use super::fanotify::Watcher;
use super::scheduler::Scheduler;
use super::target::{MeterStats, Target, UsageConfig};
use crate::host::Guard;
use crate::model::{ClockStep, Measured, Subject, Timestamp};

/// Measures subjects again and again. Ends with [`UsageMeter::shutdown`] or when dropped.
pub struct UsageMeter {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Reads what the kernel tells of changes; ends after the scheduler.
    _watcher: Option<Watcher>,
}

/// What the handle and the scheduler share.
pub(super) struct Shared {
    pub(super) inbox: Mutex<Inbox>,
    pub(super) wake: Condvar,
    pub(super) book: Mutex<Book>,
    pub(super) stats: Mutex<MeterStats>,
}

#[derive(Default)]
pub(super) struct Inbox {
    pub(super) targets: Option<Vec<Target>>,
    pub(super) config: Option<UsageConfig>,
    /// Bytes used on each filesystem, by device.
    pub(super) filesystems: Option<HashMap<(u32, u32), u64>>,
    pub(super) stop: bool,
}

impl UsageMeter {
    /// Starts the scheduler. `on_update` is called from its thread after results changed, at most
    /// five times a second; it should be quick. An error: no thread could be made.
    pub fn start(
        guard: Arc<Guard>,
        config: UsageConfig,
        on_update: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        Self::start_told(guard, config, None, on_update)
    }

    /// The same, where the kernel tells what changed.
    pub fn start_told(
        guard: Arc<Guard>,
        config: UsageConfig,
        watcher: Option<Watcher>,
        on_update: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            wake: Condvar::new(),
            book: Mutex::default(),
            stats: Mutex::default(),
        });
        let scheduler = Scheduler::new(
            guard,
            config,
            watcher.as_ref().map(Watcher::watch),
            Arc::clone(&shared),
        );
        let thread = std::thread::Builder::new()
            .name("usage".into())
            .spawn(move || scheduler.run(&on_update))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)), _watcher: watcher })
    }

    /// Replaces what is measured. Subjects that stay the same keep their values and their passes;
    /// results of those that are no longer named are forgotten.
    pub fn set_targets(&self, targets: Vec<Target>) {
        lock(&self.shared.inbox).targets = Some(targets);
        self.shared.wake.notify_all();
    }

    /// Takes a new budget and age into force; passes under way go on.
    pub fn configure(&self, config: UsageConfig) {
        lock(&self.shared.inbox).config = Some(config);
        self.shared.wake.notify_all();
    }

    /// Tells how many bytes are used on each filesystem, by device number (`major:minor` of the mount
    /// table): what no subject on it explains brings their full passes forward.
    pub fn filesystems_hold(&self, used: HashMap<(u32, u32), u64>) {
        lock(&self.shared.inbox).filesystems = Some(used);
        self.shared.wake.notify_all();
    }

    /// What is known of each subject. Cheap while nothing changed.
    pub fn results(&self) -> Arc<HashMap<Subject, Measured>> {
        lock(&self.shared.book).snapshot()
    }

    /// The wall clock was set: every value is as old as before.
    pub fn clock_stepped(&self, step: &ClockStep) {
        lock(&self.shared.book).clock_stepped(step);
    }

    /// What was done and is owed, as of the last turn of the scheduler (two seconds ago at most).
    pub fn stats(&self) -> MeterStats {
        lock(&self.shared.stats).clone()
    }

    /// The scheduler is no more, by a panic (its message was printed) or because it was told to end.
    pub fn has_ended(&self) -> bool {
        lock(&self.thread).as_ref().is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// Ends the scheduler and waits for it: at most as long as one slice.
    pub fn shutdown(&self) {
        lock(&self.shared.inbox).stop = true;
        self.shared.wake.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            // A panic of the scheduler was reported by then; there is nothing left to end.
            let _ = thread.join();
        }
    }
}

impl Drop for UsageMeter {
    fn drop(&mut self) {
        self.shutdown();
    }
}

pub(super) fn nothing_mounted(path: &Path) -> String {
    format!("{}: no filesystem is mounted there", path.display())
}

pub(super) fn not_walked(path: &Path) -> String {
    format!("{}: on a network or user-space filesystem, which is not walked", path.display())
}

/// The wall clock, read at the edge.
pub(super) fn timestamp() -> Timestamp {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A lock that outlives a panic of its holder.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
