//! Whose slice is next, and what becomes of it: one thread for all subjects.
//!
//! The slices themselves run on the [guard](crate::host::guard)'s workers. One that does not come
//! back is left there (its worker drops the walk should it ever return) and the scheduler goes on
//! with subjects on other filesystems.

mod begin;
mod doubt;
mod lookup;
mod outcome;
mod queue;
mod remember;
mod targets;
mod trust;
mod turn;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::budget::Bucket;
use super::entry::{Entry, Kind};
use super::fanotify::Watch;
use super::meter::{Inbox, Shared, lock};
use super::pass::{RefreshSlice, Slice};
use super::pressure::{Pressure, UNDER_PRESSURE};
use super::quota::{NoRecord, Record, Settled};
use super::target::{MeterStats, UsageConfig};
use crate::host::sys::thread_cpu_seconds;
use crate::host::{Guard, Ticket};
use crate::model::Subject;
use doubt::Unexplained;
use lookup::Lookup;
use queue::Queue;

/// Updates are told at most this often.
const UPDATE_EVERY: Duration = Duration::from_millis(200);

/// What is owed and remembered is counted this often, more often while some have no value yet.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What a worker brings back.
enum Done {
    Walk(Slice, Box<Readings>),
    Quota(Result<(Record, Option<Settled>), NoRecord>, f64),
    Settled(Vec<SettledRead>),
    Refresh(Vec<RefreshSlice>),
    Statfs(std::io::Result<Option<u64>>, f64),
}

/// A project quota that was read in the shortest way; no record: it takes a whole look again.
struct SettledRead {
    id: u64,
    settled: Box<Settled>,
    record: Option<Record>,
    cpu_seconds: f64,
}

/// The records of the project quota before the first slice of a walk and after the last.
struct Readings {
    before: Option<Record>,
    after: Option<Record>,
}

/// Work under way for some subjects.
struct Flight {
    ids: Vec<u64>,
    /// The filesystem it waits for.
    device: (u32, u32),
    began: Instant,
    stage: Stage,
}

enum Stage {
    /// Finding out where the subject lies, and whether it is to be refreshed then.
    Lookup(Lookup, bool),
    Slice(Ticket<Done>),
}

pub(super) struct Scheduler {
    guard: Arc<Guard>,
    watch: Option<Arc<Watch>>,
    config: UsageConfig,
    shared: Arc<Shared>,
    entries: BTreeMap<u64, Entry>,
    ids: HashMap<(Subject, Kind), u64>,
    next_id: u64,
    flights: Vec<Flight>,
    queue: Queue,
    unexplained: Unexplained,
    steady: Bucket,
    bootstrap: Bucket,
    calls: Bucket,
    pressure: Pressure,
    /// CPU seconds owed to the subject that waited longest.
    oldest_credit: f64,
    stats: MeterStats,
    /// Every entry has a value.
    all_known: bool,
    changed: bool,
    updated: Option<Instant>,
    counted: Option<Instant>,
}

impl Scheduler {
    pub(super) fn new(
        guard: Arc<Guard>,
        config: UsageConfig,
        watch: Option<Arc<Watch>>,
        shared: Arc<Shared>,
    ) -> Self {
        let now = Instant::now();
        Self {
            steady: Bucket::new(config.cpu_budget, now),
            bootstrap: Bucket::new(config.bootstrap_cpu_budget, now),
            calls: Bucket::of_calls(config.syscall_budget, now),
            pressure: Pressure::new(&guard.roots().procfs),
            guard,
            watch,
            config,
            shared,
            entries: BTreeMap::new(),
            ids: HashMap::new(),
            next_id: 0,
            flights: Vec::new(),
            queue: Queue::default(),
            unexplained: Unexplained::default(),
            oldest_credit: 0.0,
            stats: MeterStats::default(),
            all_known: false,
            changed: false,
            updated: None,
            counted: None,
        }
    }

    pub(super) fn run(mut self, on_update: &dyn Fn()) {
        let mut wait = Duration::ZERO;
        let mut own_cpu = thread_cpu_seconds();
        loop {
            let (targets, config, filesystems) = {
                let inbox = lock(&self.shared.inbox);
                let idle = |inbox: &mut Inbox| {
                    !inbox.stop
                        && inbox.targets.is_none()
                        && inbox.config.is_none()
                        && inbox.filesystems.is_none()
                };
                let (mut inbox, _) = self
                    .shared
                    .wake
                    .wait_timeout_while(inbox, wait, idle)
                    .unwrap_or_else(PoisonError::into_inner);
                if inbox.stop {
                    return;
                }
                (inbox.targets.take(), inbox.config.take(), inbox.filesystems.take())
            };
            if let Some(config) = config {
                if config.syscall_budget != self.config.syscall_budget {
                    self.calls = Bucket::of_calls(config.syscall_budget, Instant::now());
                }
                self.config = config;
                self.queue = Queue::default();
                self.set_rates();
            }
            if let Some(targets) = targets {
                self.accept(targets);
            }
            if let Some(used) = filesystems {
                self.doubt(&used);
            }
            self.land();
            let now = Instant::now();
            self.steady.fill(now);
            self.bootstrap.fill(now);
            self.calls.fill(now);
            wait = match self.choose(now) {
                Ok((chosen, oldest)) => {
                    self.work(chosen, oldest);
                    Duration::ZERO
                }
                Err(wait) => wait,
            };
            // The scheduler's own work is part of the cost.
            let cpu = thread_cpu_seconds();
            self.steady.take(cpu - own_cpu);
            self.stats.cpu_seconds_total += cpu - own_cpu;
            own_cpu = cpu;
            self.account_watch();
            self.tell(on_update, &mut wait);
        }
    }

    /// What may be spent, less while others wait for I/O.
    fn set_rates(&mut self) {
        let part = if self.stats.throttled { UNDER_PRESSURE } else { 1.0 };
        self.steady.set_rate(self.config.cpu_budget * part);
        self.bootstrap.set_rate(self.config.bootstrap_cpu_budget * part);
    }

    /// Publishes the account, and that results changed.
    fn tell(&mut self, on_update: &dyn Fn(), wait: &mut Duration) {
        let rested = self.updated.is_none_or(|at| at.elapsed() >= UPDATE_EVERY);
        if !rested {
            if self.changed {
                *wait = (*wait).min(UPDATE_EVERY);
            }
            return;
        }
        let now = Instant::now();
        if self.stats.pending > 0 || self.counted.is_none_or(|at| now - at >= COUNT_EVERY) {
            self.take_stock(now);
        }
        *lock(&self.shared.stats) = self.stats.clone();
        self.updated = Some(now);
        if std::mem::take(&mut self.changed) {
            on_update();
        }
    }

    /// Goes through all subjects for what is owed and remembered.
    fn take_stock(&mut self, now: Instant) {
        self.counted = Some(now);
        let throttled = self.pressure.look(self.config.io_pressure);
        if throttled != self.stats.throttled {
            self.stats.throttled = throttled;
            self.set_rates();
        }
        self.account_memory();
        // What fails is told as that: no budget would make it newer.
        let owed = |entry: &Entry| match entry.failures {
            0 => entry.age(now).saturating_sub(entry.max_age(self.config.max_age)).as_secs_f64(),
            _ => 0.0,
        };
        let stats = &mut self.stats;
        stats.debt_seconds = self.entries.values().map(owed).fold(0.0, f64::max);
        let primary = || self.entries.values().filter(|entry| !entry.kind.secondary());
        stats.pending = primary().filter(|entry| entry.last_good.is_none()).count();
        stats.subjects = primary().count();
        stats.active = self.entries.values().filter(|entry| entry.active.is_some()).count();
    }

    pub(super) fn count(&mut self, outcome: &'static str) {
        *self.stats.passes_total.entry(outcome).or_default() += 1;
        self.changed = true;
    }
}
