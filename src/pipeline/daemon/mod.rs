//! The rooms at work: one thread each for discovery, filesystems and publishing, beside the
//! measuring scheduler with its own. They meet in one small locked state; whoever changes it
//! raises a signal, and the publisher makes a new snapshot of it.

mod clock;
mod discovery;
mod filesystems;
mod io;
mod master;
mod network;
mod open_files;
mod persistence;
mod publishing;
mod tmpfs;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::expose::alertmanager::{Reached, Sidecar};
use crate::expose::telemetry::Telemetry;
use crate::host::{Guard, Roots};
use crate::judge::Memory;
use crate::judge::findings::FindingMemory;
use crate::judge::growth::Histories;
use crate::judge::storage::Below;
use crate::measure::usage::{UsageConfig, UsageMeter};
use crate::model::{
    CollectorRun, ContainerIo, FilesystemSample, Inventory, Measured, OpenFiles, RoleOwners,
    Snapshot, SourceReport, Subject, Timestamp, VolumeKey,
};

use super::confinement::Confinement;
use super::fanotify;
use super::once_log::OnceLog;
use super::signal::Signal;

/// What the daemon is started with.
pub struct Settings {
    /// Configuration.
    pub config: Config,
    /// Where the host's files are seen.
    pub roots: Roots,
    /// Runs the API's requests.
    pub handle: Handle,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    /// How the daemon is reached.
    pub reached: Reached,
    /// What Landlock keeps from the daemon, if anything.
    pub confinement: Arc<Confinement>,
}

/// A running pipeline. Stops when dropped.
pub struct Daemon {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What one thread does until the daemon stops.
type Work = fn(&Shared);

struct Shared {
    config: ArcSwap<Config>,
    roots: Roots,
    handle: Handle,
    telemetry: Arc<Telemetry>,
    guard: Arc<Guard>,
    meter: UsageMeter,
    alerts: Sidecar,
    confinement: Arc<Confinement>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    state: Mutex<State>,
    discover: Arc<Signal>,
    measure_filesystems: Signal,
    measure_network: Signal,
    measure_io: Signal,
    publish: Arc<Signal>,
    save: Signal,
    master: Signal,
    history: Signal,
    open_files: Signal,
    measure_tmpfs: Signal,
    stopping: AtomicBool,
    /// A thread ended in a panic.
    broken: AtomicBool,
}

/// What the threads found so far.
#[derive(Default)]
struct State {
    inventory: Arc<Inventory>,
    memory: Memory,
    findings: FindingMemory,
    histories: Histories,
    state_file: Option<SourceReport>,
    owners: Option<(Instant, RoleOwners)>,
    master: Option<SourceReport>,
    open_files: HashMap<VolumeKey, OpenFiles>,
    /// Use of memory mounted into containers.
    tmpfs: HashMap<Subject, Measured>,
    filesystems: Vec<FilesystemSample>,
    filesystem_of: Arc<HashMap<PathBuf, PathBuf>>,
    below: Below,
    network_sources: Vec<SourceReport>,
    io: Arc<Vec<ContainerIo>>,
    collectors: BTreeMap<&'static str, CollectorRun>,
    log: OnceLog,
    /// When the clock was looked at last, and what it showed.
    clock: Option<(Instant, Timestamp)>,
}

impl Daemon {
    /// Starts every thread. The first snapshot follows the first round of discovery.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let Settings { config, roots, handle, telemetry, reached, confinement } = settings;
        let guard = Arc::new(Guard::new(roots.clone(), config.filesystems.timeout));
        let publish = Arc::new(Signal::default());
        let measured = Arc::clone(&publish);
        let watcher = fanotify::start(&config, &guard, confinement.proved());
        let usage = usage_config(&config);
        let meter = UsageMeter::start_told(Arc::clone(&guard), usage, watcher, move || {
            measured.raise();
        })?;
        let counters = telemetry.alerting().clone();
        let alerts = Sidecar::new(handle.clone(), counters, reached, &config.alerting);
        let shared = Arc::new(Shared {
            alerts,
            confinement,
            config: ArcSwap::from_pointee(config),
            roots,
            handle,
            telemetry,
            guard,
            meter,
            snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::default())),
            state: Mutex::new(State::default()),
            discover: Arc::new(Signal::default()),
            measure_filesystems: Signal::default(),
            measure_network: Signal::default(),
            measure_io: Signal::default(),
            publish,
            save: Signal::default(),
            history: Signal::default(),
            open_files: Signal::default(),
            measure_tmpfs: Signal::default(),
            master: Signal::default(),
            stopping: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        });
        let work: [(&str, Work); 9] = [
            ("state", Shared::keep_state_for_ever),
            ("master", Shared::ask_master_for_ever),
            ("discover", Shared::discover_for_ever),
            ("filesystems", Shared::measure_filesystems_for_ever),
            ("network", Shared::measure_network_for_ever),
            ("io", Shared::measure_io_for_ever),
            ("publish", Shared::publish_for_ever),
            ("open files", Shared::look_for_open_files_for_ever),
            ("tmpfs", Shared::measure_tmpfs_for_ever),
        ];
        let mut daemon = Self { shared, threads: Vec::new() };
        for (name, work) in work {
            let shared = Arc::clone(&daemon.shared);
            let thread = std::thread::Builder::new().name(name.into());
            daemon.threads.push(thread.spawn(move || noted(&shared.broken, || work(&shared)))?);
        }
        Ok(daemon)
    }

    /// The newest snapshot, replaced whole whenever something changed.
    pub fn snapshot(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.shared.snapshot)
    }

    /// Whether a thread ended in a panic: what it measured would stay as it is for ever, and look
    /// like new. There is nothing better to do then than to end, and be started again.
    pub fn is_broken(&self) -> bool {
        self.shared.broken.load(Ordering::Acquire) || self.shared.meter.has_ended()
    }

    /// Takes a new configuration into force: discovery looks again at once.
    pub fn reconfigure(&self) -> impl Fn(Config) + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |config: Config| {
            shared.guard.set_limit(config.filesystems.timeout);
            shared.meter.configure(usage_config(&config));
            shared.alerts.configure(&config.alerting);
            shared.config.store(Arc::new(config));
            // Each has waited for the interval that was.
            shared.discover.raise();
            shared.measure_filesystems.raise();
            shared.measure_network.raise();
            shared.measure_io.raise();
            shared.measure_tmpfs.raise();
            shared.master.raise();
            shared.open_files.raise();
            shared.publish.raise();
        }
    }
}

/// Does a thread's work, and notes when it ended in a panic.
fn noted(broken: &AtomicBool, work: impl FnOnce()) {
    // The daemon ends: what the panic left half done is shown for a moment at most, and never kept.
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
        broken.store(true, Ordering::Release);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.discover.raise();
        self.shared.measure_filesystems.raise();
        self.shared.measure_network.raise();
        self.shared.measure_io.raise();
        self.shared.publish.raise();
        self.shared.save.raise();
        self.shared.master.raise();
        self.shared.open_files.raise();
        self.shared.measure_tmpfs.raise();
        self.shared.meter.shutdown();
        // A thread may sit in a call that a hung mount or a slow agent holds up; each of these
        // ends within its time-out. The state is written meanwhile; should the disk be too slow for
        // that, the file of a minute ago stays.
        let patience = Instant::now() + Duration::from_secs(2);
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn usage_config(config: &Config) -> UsageConfig {
    UsageConfig {
        cpu_budget: config.usage.cpu_budget,
        bootstrap_cpu_budget: config.usage.bootstrap_cpu_budget,
        max_age: config.usage.max_age,
        memory: usize::try_from(config.usage.memory.0).unwrap_or(usize::MAX),
        syscall_budget: config.usage.syscall_budget,
        io_pressure: config.usage.io_pressure,
        ..UsageConfig::default()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_thread_is_noted_and_its_end_is_not() {
        let broken = AtomicBool::new(false);
        noted(&broken, || {});
        assert!(!broken.load(Ordering::Acquire));
        noted(&broken, || panic!("as a defect would"));
        assert!(broken.load(Ordering::Acquire));
    }
}
