//! The rooms at work: one thread each for discovery, filesystems and publishing, beside the
//! measuring scheduler with its own. They meet in one small locked state; whoever changes it
//! raises a signal, and the publisher makes a new snapshot of it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::discover::mesos::MesosSource;
use crate::discover::mesos::master::MasterSource;
use crate::discover::watch::DirectoryWatch;
use crate::expose::render::series_dropped;
use crate::expose::telemetry::Telemetry;
use crate::host::{Guard, Roots};
use crate::judge::findings::{Facts, FindingMemory};
use crate::judge::growth::{Histories, StoredHistories};
use crate::judge::memory::StoredMemory;
use crate::judge::{Evidence, Memory, assemble};
use crate::measure::targets;
use crate::measure::usage::{MeterStats, UsageConfig, UsageMeter};
use crate::model::{
    CollectorRun, FilesystemSample, Inventory, RoleOwners, Snapshot, SourceError, SourceHealth,
    SourceReport, Timestamp,
};

use super::filesystems::Filesystems;
use super::once_log::OnceLog;
use super::signal::Signal;
use super::state_file::{MAX_BYTES, Sections, StateFile};
use super::{collector_runs, now};

/// After a wake-up, the time in which its companions (the rest of a `mkdir -p`) arrive.
const SETTLE: Duration = Duration::from_millis(50);
/// Two rounds of discovery are at least this far apart, so that churn costs no more than a round
/// in half a second.
const LEAST_GAP: Duration = Duration::from_millis(500);
/// Two snapshots are at least this far apart.
const LEAST_PUBLISH_GAP: Duration = Duration::from_millis(100);
/// Two writes of the state file are at least this far apart.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// How long the first round of discovery waits for the history of earlier runs.
const HISTORY_PATIENCE: Duration = Duration::from_secs(1);
/// A step of the wall clock that is more than its ordinary correction, in seconds.
const CLOCK_JUMP: f64 = 5.0;
/// Section of the state file that holds the memory.
const MEMORY: &str = "memory";
/// Section that holds since when each condition holds.
const FINDINGS: &str = "findings";
/// Section that holds the histories that growth is told from.
const GROWTH: &str = "growth";
/// Longest growth section, in bytes: past it growth starts anew at a restart, so that there is
/// always room for the memory.
const MAX_GROWTH: usize = (MAX_BYTES / 2) as usize;
/// A snapshot is made at least this often, so that ages and grace periods move on.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);

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
    snapshot: Arc<ArcSwap<Snapshot>>,
    state: Mutex<State>,
    discover: Arc<Signal>,
    measure_filesystems: Signal,
    publish: Arc<Signal>,
    save: Signal,
    master: Signal,
    history: Signal,
    stopping: AtomicBool,
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
    filesystems: Vec<FilesystemSample>,
    filesystem_of: Arc<HashMap<PathBuf, PathBuf>>,
    collectors: BTreeMap<&'static str, CollectorRun>,
    log: OnceLog,
}

impl Daemon {
    /// Starts every thread. The first snapshot follows the first round of discovery.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let Settings { config, roots, handle, telemetry } = settings;
        let guard = Arc::new(Guard::new(roots.clone(), config.filesystems.timeout));
        let publish = Arc::new(Signal::default());
        let measured = Arc::clone(&publish);
        let meter = UsageMeter::start(Arc::clone(&guard), usage_config(&config), move || {
            measured.raise();
        })?;
        let shared = Arc::new(Shared {
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
            publish,
            save: Signal::default(),
            history: Signal::default(),
            master: Signal::default(),
            stopping: AtomicBool::new(false),
        });
        let work: [(&str, Work); 5] = [
            ("state", Shared::keep_state_for_ever),
            ("master", Shared::ask_master_for_ever),
            ("discover", Shared::discover_for_ever),
            ("filesystems", Shared::measure_filesystems_for_ever),
            ("publish", Shared::publish_for_ever),
        ];
        let mut daemon = Self { shared, threads: Vec::new() };
        for (name, work) in work {
            let shared = Arc::clone(&daemon.shared);
            let thread = std::thread::Builder::new().name(name.into());
            daemon.threads.push(thread.spawn(move || work(&shared))?);
        }
        Ok(daemon)
    }

    /// The newest snapshot, replaced whole whenever something changed.
    pub fn snapshot(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.shared.snapshot)
    }

    /// Takes a new configuration into force: discovery looks again at once.
    pub fn reconfigure(&self) -> impl Fn(Config) + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |config: Config| {
            shared.guard.set_limit(config.filesystems.timeout);
            shared.meter.configure(usage_config(&config));
            shared.config.store(Arc::new(config));
            shared.discover.raise();
            shared.master.raise();
            shared.publish.raise();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.discover.raise();
        self.shared.measure_filesystems.raise();
        self.shared.publish.raise();
        self.shared.save.raise();
        self.shared.master.raise();
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

    fn discover_for_ever(&self) {
        let wake = Arc::clone(&self.discover);
        let mut watch = DirectoryWatch::new(move || wake.raise())
            .inspect_err(|error| {
                tracing::warn!(%error, "New sandboxes are noticed by the periodic listing only");
            })
            .ok();
        let mut source: Option<(Arc<Config>, MesosSource)> = None;
        self.history.wait(HISTORY_PATIENCE);
        while !self.stopping() {
            let started = Instant::now();
            let config = self.config.load_full();
            let current = source.take().filter(|(of, _)| of.mesos == config.mesos);
            let (_, mut mesos) = current.unwrap_or_else(|| {
                let source = MesosSource::new(
                    config.mesos.clone(),
                    self.roots.clone(),
                    Arc::clone(&self.guard),
                    self.handle.clone(),
                );
                (Arc::clone(&config), source)
            });
            let round = mesos.refresh();
            source = Some((Arc::clone(&config), mesos));

            let mut sources = round.sources;
            if let Some(watch) = &mut watch {
                sources.extend(self.watch(watch, &round.watch));
            }
            let state = self.state();
            sources.extend(state.state_file.iter().chain(&state.master).cloned());
            drop(state);
            self.count_and_log(&sources);
            let inventory = Inventory {
                taken_at: now(),
                agent: round.agent,
                volumes: round.volumes,
                sandboxes: round.sandboxes,
                sources,
                disagreements: round.disagreements,
            };
            self.accept(inventory);
            self.wait_for_discovery(started, &config);
        }
    }

    fn accept(&self, inventory: Inventory) {
        let table = self.guard.table();
        self.meter.set_targets(targets::plan(&inventory, &table, &self.roots));
        let mut state = self.state();
        let at = inventory.taken_at;
        if let Some(owners) = self.fresh_owners(&state) {
            state.memory.observe_owners(&owners, at);
        }
        state.memory.observe(&inventory, at);
        for run in collector_runs(&inventory.sources) {
            state.collectors.insert(run.name, run);
        }
        let sources = &inventory.sources;
        state.collectors.retain(|name, _| {
            *name == Filesystems::COLLECTOR || sources.iter().any(|source| source.name == *name)
        });
        let moved = state.inventory.volumes.len() != inventory.volumes.len()
            || state.inventory.sandboxes.len() != inventory.sandboxes.len();
        state.inventory = Arc::new(inventory);
        drop(state);
        if moved {
            self.measure_filesystems.raise();
        }
        self.publish.raise();
    }

    /// Waits for a wake-up or for the periodic round, whichever comes first.
    fn wait_for_discovery(&self, started: Instant, config: &Config) {
        let period = config.mesos.poll_interval.min(config.discovery.interval);
        if self.discover.wait(period.saturating_sub(started.elapsed())) && !self.stopping() {
            std::thread::sleep(SETTLE.max(LEAST_GAP.saturating_sub(started.elapsed())));
            // What came in meanwhile is seen by the round that follows.
            self.discover.wait(Duration::ZERO);
        }
    }

    fn watch(
        &self,
        watch: &mut DirectoryWatch,
        wanted: &std::collections::BTreeSet<PathBuf>,
    ) -> Option<SourceReport> {
        // Adding a watch touches the path: none is added where the mount does not answer.
        let stuck = self.guard.unresponsive();
        let wanted = wanted
            .iter()
            .filter(|path| !stuck.iter().any(|mount| path.starts_with(&mount.mount_point)))
            .cloned()
            .collect();
        let errors = watch.set(&wanted);
        if watch.added() > 0 {
            // Something may have appeared between the listing and the new watch.
            self.discover.raise();
        }
        if errors.is_empty() {
            return None;
        }
        let message = format!("{} directories cannot be watched: {}", errors.len(), errors[0]);
        Some(SourceReport {
            name: "watch",
            health: crate::model::SourceHealth::Partial,
            target: "inotify".into(),
            errors: vec![SourceError {
                reason: "limit",
                message,
                hint: "the periodic listing still finds what is new, only later".into(),
            }],
            duration_seconds: 0.0,
        })
    }

    fn count_and_log(&self, sources: &[SourceReport]) {
        // What is absent is no error, whatever there is to say of it.
        for source in sources.iter().filter(|source| source.health != SourceHealth::Absent) {
            for error in &source.errors {
                self.telemetry.source_error(source.name, error.reason);
            }
        }
        let mut state = self.state();
        for source in sources {
            state.log.report(source.name, source.errors.iter().map(|error| error.message.as_str()));
        }
    }

    fn measure_filesystems_for_ever(&self) {
        let mut filesystems = Filesystems::default();
        while !self.stopping() {
            let started = Instant::now();
            let inventory = Arc::clone(&self.state().inventory);
            let measured = filesystems.measure(&inventory, &self.guard, &self.roots);
            let mut state = self.state();
            state.filesystems = measured.samples;
            state.filesystem_of = Arc::new(measured.of_path);
            state.collectors.insert(Filesystems::COLLECTOR, measured.run);
            state.log.report(Filesystems::COLLECTOR, measured.errors);
            drop(state);
            self.publish.raise();
            let interval = self.config.load().filesystems.interval;
            self.measure_filesystems.wait(interval.saturating_sub(started.elapsed()));
        }
    }

    fn publish_for_ever(&self) {
        let mut sequence = 0;
        let mut counted = MeterStats::default();
        while !self.stopping() {
            let stats = self.meter.stats();
            count(&self.telemetry, &counted, &stats);
            counted = stats;
            sequence += 1;
            let mut made = self.assemble(sequence);
            let config = self.config.load();
            made.findings = self.state().findings.update(&Facts {
                snapshot: &made,
                thresholds: &config.conditions,
                series_dropped: series_dropped(&made, config.metrics.max_series),
                debt_seconds: counted.debt_seconds,
                now: made.taken_at,
            });
            self.snapshot.store(Arc::new(made));
            // What is raised during the least gap is seen after it.
            std::thread::sleep(LEAST_PUBLISH_GAP);
            self.publish.wait(PUBLISH_EVERY);
        }
    }

    fn assemble(&self, sequence: u64) -> Snapshot {
        let usage = self.meter.results();
        let config = self.config.load();
        let mut state = self.state();
        let now = now();
        let owners = self.fresh_owners(&state);
        let state = &mut *state;
        state.histories.observe(&state.inventory, &usage, &state.filesystems);
        state.memory.observe_usage(&usage, now);
        let evidence = Evidence {
            inventory: Arc::clone(&state.inventory),
            memory: &state.memory,
            owners: owners.as_ref(),
            usage: &usage,
            histories: &state.histories,
            filesystems: state.filesystems.clone(),
            filesystem_of: &state.filesystem_of,
            collectors: state.collectors.values().cloned().collect(),
            now,
            grace: config.orphans.grace.as_secs_f64(),
            sequence,
        };
        let snapshot = assemble(evidence);
        state.memory.observe_states(&snapshot);
        snapshot
    }

    /// What the master said, unless it is older than three intervals.
    fn fresh_owners(&self, state: &State) -> Option<RoleOwners> {
        let limit = 3 * self.config.load().mesos.master_interval;
        let (at, owners) = state.owners.as_ref()?;
        (at.elapsed() <= limit).then(|| owners.clone())
    }

    fn ask_master_for_ever(&self) {
        let mut asked: Option<MasterSource> = None;
        while !self.stopping() {
            let config = self.config.load_full();
            let Some(url) = config.mesos.master_url.clone() else {
                asked = None;
                let mut state = self.state();
                (state.owners, state.master) = (None, None);
                drop(state);
                self.master.wait(Duration::MAX);
                continue;
            };
            let master = match asked.take().filter(|master| master.is_of(&config.mesos)) {
                Some(master) => master,
                None => MasterSource::new(&config.mesos, &url),
            };
            let asked_at = Instant::now();
            let (owners, report) = self.handle.block_on(master.ask());
            asked = Some(master);
            let mut state = self.state();
            if let Some(owners) = owners {
                state.owners = Some((asked_at, owners));
            }
            state.master = Some(report);
            drop(state);
            self.discover.raise();
            self.master.wait(jittered(config.mesos.master_interval));
        }
    }

    fn keep_state_for_ever(&self) {
        let storage = self.config.load().storage.clone();
        let mut file = StateFile::new(storage, Arc::clone(&self.guard));
        let mut clock = (Instant::now(), now());
        loop {
            let stopping = self.stopping();
            let time = now();
            if !file.is_open()
                && let Some(sections) = file.open(time)
            {
                self.restore(&mut file, &sections, time);
            }
            self.history.raise();
            // What the wall clock gained on the one that only goes forward.
            let jumped = (time - clock.1) - clock.0.elapsed().as_secs_f64();
            if jumped > CLOCK_JUMP {
                self.state().memory.clock_jumped(jumped);
            }
            clock = (Instant::now(), time);
            if file.is_open() {
                file.save(self.sections());
            }
            let report = file.report(time);
            let mut state = self.state();
            let changed = state.state_file != report;
            state.state_file = report;
            drop(state);
            if stopping {
                return;
            }
            if changed {
                self.discover.raise();
            }
            self.save.wait(SAVE_EVERY);
        }
    }

    /// What outlives this run.
    fn sections(&self) -> Sections {
        // Written as JSON outside the lock: nobody waits for that.
        let state = self.state();
        let memory = state.memory.stored();
        let findings = state.findings.stored();
        let histories = state.histories.stored();
        drop(state);
        let mut sections = Sections::new();
        let mut keep = |name: &str, bytes: serde_json::Result<Vec<u8>>| match bytes {
            Ok(bytes) => _ = sections.insert(name.to_owned(), bytes),
            Err(error) => tracing::error!(%error, "Section {name} cannot be written as JSON"),
        };
        keep(MEMORY, serde_json::to_vec(&memory));
        keep(FINDINGS, serde_json::to_vec(&findings));
        let growth = serde_json::to_vec(&histories).map(|bytes| match bytes.len() > MAX_GROWTH {
            true => b"{}".to_vec(),
            false => bytes,
        });
        keep(GROWTH, growth);
        sections
    }

    fn restore(&self, file: &mut StateFile, sections: &Sections, now: Timestamp) {
        if let Some(stored) = section::<StoredMemory>(file, sections, MEMORY, now) {
            tracing::info!(subjects = stored.len(), "History of earlier runs read");
            self.state().memory.restore(stored);
        }
        if let Some(stored) = section::<FindingMemory>(file, sections, FINDINGS, now) {
            self.state().findings.restore(stored);
        }
        if let Some(stored) = section::<StoredHistories>(file, sections, GROWTH, now) {
            self.state().histories.restore(stored);
        }
    }
}

/// A section as it was kept. One that does not read is told, and its history starts anew.
fn section<T: DeserializeOwned>(
    file: &mut StateFile,
    sections: &Sections,
    name: &str,
    now: Timestamp,
) -> Option<T> {
    serde_json::from_slice(sections.get(name)?)
        .map_err(|error| file.distrust(name, &error.to_string(), now))
        .ok()
}

/// An interval, up to a tenth longer: the agents of a cluster do not ask their master in step.
fn jittered(interval: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    interval.mul_f64(1.0 + (random % 1000) as f64 / 10_000.0)
}

/// Adds to the counters what the meter did since the last time.
fn count(telemetry: &Telemetry, before: &MeterStats, now: &MeterStats) {
    telemetry.usage_cpu(now.cpu_seconds_total - before.cpu_seconds_total);
    telemetry.usage_inodes(now.inodes_total.saturating_sub(before.inodes_total));
    for (outcome, passes) in &now.passes_total {
        let counted = before.passes_total.get(outcome).copied().unwrap_or(0);
        telemetry.usage_passes(outcome, passes.saturating_sub(counted));
    }
    telemetry.usage_backlog(now.debt_seconds, now.pending);
    let exceeded = now.bound_exceeded_total.saturating_sub(before.bound_exceeded_total);
    let checked = now.bound_checked_total.saturating_sub(before.bound_checked_total);
    telemetry.usage_bound(checked, exceeded);
    telemetry.usage_remembered(now.remembered_bytes, now.remembered, now.unremembered);
    telemetry.usage_throttled(now.throttled);
}
