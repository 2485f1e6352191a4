//! Whose slice is next, and what becomes of it: one thread for all subjects.
//!
//! The slices themselves run on the [guard](crate::host::guard)'s workers. One that does not come
//! back is left there (its worker drops the walk should it ever return) and the scheduler goes on
//! with subjects on other filesystems.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::budget::Bucket;
use super::entry::{Active, Entry, Kind, RECONCILE, trusted};
use super::meter::{Inbox, Shared, lock, not_walked, nothing_mounted, timestamp};
use super::order::{self, Candidate, OLDEST_SHARE};
use super::pass::{self, RefreshSlice, Slice};
use super::pressure::{Pressure, UNDER_PRESSURE};
use super::quota::{NoRecord, Probe, Record};
use super::target::{How, MeterStats, Target, UsageConfig};
use super::walk::{Progress, Totals};
use crate::host::sys::thread_cpu_seconds;
use crate::host::{Guard, GuardError, Ticket, errno};
use crate::model::{MeasureFailure, Subject};

/// How long the scheduler waits for one slice before it turns to other filesystems.
const PATIENCE: Duration = Duration::from_millis(150);
/// Updates are told at most this often.
const UPDATE_EVERY: Duration = Duration::from_millis(200);

/// System calls an inode costs, measured: a `statx`, and its share of `getdents64` and opening.
const CALLS_AN_INODE: f64 = 1.25;

/// What a worker brings back.
enum Done {
    Walk(Slice, Box<Readings>),
    Quota(Result<Record, NoRecord>, f64),
    Refresh(RefreshSlice),
    Statfs(std::io::Result<Option<u64>>, f64),
}

/// The records of the project quota before the first slice of a walk and after the last.
struct Readings {
    before: Option<Record>,
    after: Option<Record>,
}

struct Flight {
    id: u64,
    device: (u32, u32),
    began: Instant,
    ticket: Ticket<Done>,
}

pub(super) struct Scheduler {
    guard: Arc<Guard>,
    pub(super) config: UsageConfig,
    pub(super) shared: Arc<Shared>,
    pub(super) entries: BTreeMap<u64, Entry>,
    ids: HashMap<(Subject, Kind), u64>,
    next_id: u64,
    flights: Vec<Flight>,
    steady: Bucket,
    bootstrap: Bucket,
    calls: Bucket,
    pressure: Pressure,
    /// CPU seconds owed to the subject that waited longest.
    oldest_credit: f64,
    pub(super) stats: MeterStats,
    changed: bool,
    updated: Option<Instant>,
}

impl Scheduler {
    pub(super) fn new(guard: Arc<Guard>, config: UsageConfig, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            steady: Bucket::new(config.cpu_budget, now),
            bootstrap: Bucket::new(config.bootstrap_cpu_budget, now),
            calls: Bucket::of_calls(config.syscall_budget, now),
            pressure: Pressure::new(&guard.roots().procfs),
            guard,
            config,
            shared,
            entries: BTreeMap::new(),
            ids: HashMap::new(),
            next_id: 0,
            flights: Vec::new(),
            oldest_credit: 0.0,
            stats: MeterStats::default(),
            changed: false,
            updated: None,
        }
    }

    pub(super) fn run(mut self, on_update: &dyn Fn()) {
        let mut wait = Duration::ZERO;
        let mut own_cpu = thread_cpu_seconds();
        loop {
            let (targets, config) = {
                let inbox = lock(&self.shared.inbox);
                let idle = |inbox: &mut Inbox| {
                    !inbox.stop && inbox.targets.is_none() && inbox.config.is_none()
                };
                let (mut inbox, _) = self
                    .shared
                    .wake
                    .wait_timeout_while(inbox, wait, idle)
                    .unwrap_or_else(PoisonError::into_inner);
                if inbox.stop {
                    return;
                }
                (inbox.targets.take(), inbox.config.take())
            };
            if let Some(config) = config {
                if config.syscall_budget != self.config.syscall_budget {
                    self.calls = Bucket::of_calls(config.syscall_budget, Instant::now());
                }
                self.config = config;
                self.set_rates();
            }
            if let Some(targets) = targets {
                self.accept(targets);
            }
            self.land();
            let now = Instant::now();
            self.steady.fill(now);
            self.bootstrap.fill(now);
            self.calls.fill(now);
            wait = match self.choose(now) {
                Ok((id, oldest)) => {
                    self.work(id, oldest);
                    Duration::ZERO
                }
                Err(wait) => wait,
            };
            // The scheduler's own work is part of the cost.
            let cpu = thread_cpu_seconds();
            self.steady.take(cpu - own_cpu);
            self.stats.cpu_seconds_total += cpu - own_cpu;
            own_cpu = cpu;
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
        let throttled = self.pressure.look(self.config.io_pressure);
        if throttled != self.stats.throttled {
            self.stats.throttled = throttled;
            self.set_rates();
        }
        self.account_memory();
        let owed = |entry: &Entry| {
            entry.age(now).saturating_sub(entry.max_age(self.config.max_age)).as_secs_f64()
        };
        let stats = &mut self.stats;
        stats.debt_seconds = self.entries.values().map(owed).fold(0.0, f64::max);
        let primary = || self.entries.values().filter(|entry| !entry.kind.secondary());
        stats.pending = primary().filter(|entry| entry.last_good.is_none()).count();
        stats.subjects = primary().count();
        stats.active = self.entries.values().filter(|entry| entry.active.is_some()).count();
        *lock(&self.shared.stats) = stats.clone();
        self.updated = Some(now);
        if std::mem::take(&mut self.changed) {
            on_update();
        }
    }

    fn accept(&mut self, targets: Vec<Target>) {
        let now = Instant::now();
        let mut ids = HashMap::new();
        let mut named = HashSet::new();
        for target in targets {
            named.insert(target.subject.clone());
            let target = Arc::new(target);
            if target.remote && target.how == How::Walk {
                let message = not_walked(&target.path);
                let failure = MeasureFailure { reason: "remote", message, at: timestamp() };
                lock(&self.shared.book).failed(&target.subject, Kind::Walk, failure);
            }
            // Where a project quota is in use, it stays so.
            let quota = self.ids.contains_key(&(target.subject.clone(), Kind::Quota));
            let kinds = Kind::of(&target).iter().copied().chain(quota.then_some(Kind::Quota));
            for kind in kinds {
                let key = (target.subject.clone(), kind);
                let known = self.ids.get(&key).copied().filter(|id| {
                    self.entries.get(id).is_some_and(|entry| {
                        let old = &entry.target;
                        old.path == target.path
                            && old.extra == target.extra
                            && old.how == target.how
                    })
                });
                let id = match known {
                    Some(id) => {
                        if let Some(entry) = self.entries.get_mut(&id) {
                            entry.target = Arc::clone(&target);
                        }
                        id
                    }
                    // Of another place: a walk has to find out there first.
                    None if kind == Kind::Quota => continue,
                    None => {
                        // Another place: what was measured there is not this one's.
                        if self.ids.contains_key(&key) {
                            lock(&self.shared.book).forget(|subject| *subject == key.0);
                        }
                        let device = self.guard.device(&target.path);
                        self.next_id += 1;
                        let entry = Entry::new(Arc::clone(&target), kind, device, now);
                        self.entries.insert(self.next_id, entry);
                        self.next_id
                    }
                };
                ids.insert(key, id);
            }
        }
        let kept: HashSet<u64> = ids.values().copied().collect();
        self.entries.retain(|id, _| kept.contains(id));
        self.ids = ids;
        lock(&self.shared.book).forget(|subject| !named.contains(subject));
        self.changed = true;
    }

    /// Whose turn it is, and whether as the one that waited longest; else how long to wait.
    fn choose(&self, now: Instant) -> Result<(u64, bool), Duration> {
        let max_age = self.config.max_age;
        let in_flight: HashSet<(u32, u32)> = self.flights.iter().map(|f| f.device).collect();
        let mut wait = Duration::from_secs(1);
        if !self.flights.is_empty() {
            wait = Duration::from_millis(20);
        }
        let mut ready: Vec<Candidate> = Vec::new();
        for (&id, entry) in &self.entries {
            if entry.in_flight || in_flight.contains(&entry.device) {
                continue;
            }
            let at = entry.ready_at(max_age);
            if at > now {
                wait = wait.min(at - now);
            } else {
                ready.push(entry.candidate(id, now, max_age));
            }
        }
        if !self.calls.open() {
            return Err(wait.min(self.calls.wait()).max(Duration::from_millis(1)));
        }
        if let Some(id) = order::first(&ready) {
            if self.bootstrap.open() {
                return Ok((id, false));
            }
            wait = wait.min(self.bootstrap.wait());
        }
        let oldest = self.oldest_credit > 0.0;
        if let Some(id) = order::again(&ready, oldest) {
            if self.steady.open() {
                return Ok((id, oldest));
            }
            wait = wait.min(self.steady.wait());
        }
        Err(wait.max(Duration::from_millis(1)))
    }

    /// Starts a pass if none is under way, and hands its next slice to the filesystem's worker.
    fn work(&mut self, id: u64, oldest: bool) {
        let began = Instant::now();
        let started = match self.prepare(id).and_then(|()| self.launch(id)) {
            Ok(ticket) => ticket,
            Err((reason, message)) => return self.fail(id, reason, message),
        };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.in_flight = true;
        let flight = Flight { id, device: entry.device, began, ticket: started };
        let before = self.stats.cpu_seconds_total;
        self.flights.push(flight);
        let last = self.flights.len() - 1;
        if let Some(result) = self.flights[last].ticket.poll(PATIENCE) {
            self.flights.pop();
            self.finish(id, began, result);
        }
        let spent = self.stats.cpu_seconds_total - before;
        self.oldest_credit += spent * if oldest { OLDEST_SHARE - 1.0 } else { OLDEST_SHARE };
        self.oldest_credit = self.oldest_credit.clamp(-1.0, 1.0);
    }

    fn prepare(&mut self, id: u64) -> Result<(), (&'static str, String)> {
        let now = Instant::now();
        let asked = self.config.max_age;
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
        let refresh = entry.refresh_next(now, asked);
        if entry.hot.began.is_some() || (entry.active.is_some() && !refresh) {
            return Ok(());
        }
        let target = &entry.target;
        let root =
            pass::resolve(&self.guard, &target.path).map_err(|e| (e.reason(), e.to_string()))?;
        if refresh {
            let tree = entry.hot.tree.as_ref();
            if tree.is_some_and(|tree| pass::same_places(&self.guard, target, &root, tree)) {
                (entry.hot.began, entry.hot.spent) = (Some(now), 0.0);
                return Ok(());
            }
            // Mounted over, or elsewhere now: only a full pass tells.
            entry.hot.tree = None;
            if entry.active.is_some() {
                return Ok(());
            }
        }
        entry.device = self.guard.device(&root);
        if matches!(entry.kind, Kind::Statfs | Kind::OwnWalk) {
            let table = self.guard.table();
            if table.at(&self.guard.on_host(&root)).is_none() {
                return Err(("missing", nothing_mounted(&root)));
            }
        }
        let record = entry.kind == Kind::Walk
            && entry.stretch == 1
            && entry.hot.pressed
            && !entry.hot.given_up;
        let memory = self.config.memory;
        let walks = matches!(entry.kind, Kind::Walk | Kind::OwnWalk);
        let walk = walks.then(|| {
            Box::new(if record && memory > 0 {
                pass::recorded_walk(&self.guard, target, &root, memory)
            } else {
                pass::walk(&self.guard, target, &root)
            })
        });
        let counted = matches!(entry.kind, Kind::Walk | Kind::Quota);
        let probe = if counted { Probe::find(&self.guard, target, &root) } else { None };
        if entry.kind == Kind::Quota && probe.is_none() {
            return Err(("missing", NoRecord::Off.to_string()));
        }
        entry.active = Some(Active {
            walk,
            root,
            inodes: 0,
            started: Instant::now(),
            cpu: 0.0,
            probe,
            before: None,
        });
        Ok(())
    }

    fn launch(&mut self, id: u64) -> Result<Ticket<Done>, (&'static str, String)> {
        let gone = || ("missing", "no longer asked for".to_owned());
        let entry = self.entries.get_mut(&id).ok_or_else(gone)?;
        let (limit, max) = (self.config.slice_limit, self.config.slice_inodes);
        if entry.hot.began.is_some()
            && let Some(tree) = entry.hot.tree.take()
        {
            let work = move || Done::Refresh(pass::refresh(tree, max));
            let ticket = self.guard.start(&entry.target.path, "refresh", limit, work);
            return ticket.map_err(|error| (error.reason(), error.to_string()));
        }
        let active = entry.active.as_mut().ok_or_else(gone)?;
        let root = active.root.clone();
        let probe = active.probe.clone();
        let ticket = match (active.walk.take(), probe) {
            (Some(walk), probe) => self.guard.start(&root, "walk", limit, move || {
                let read = || probe.as_ref().and_then(|probe| probe.read().ok());
                let before = if walk.inodes() == 0 { read() } else { None };
                let slice = pass::slice(walk, max, true);
                // Of a tree that ends with its first slice both are wanted.
                let after = matches!(slice.progress, Progress::Done(_)).then(read).flatten();
                Done::Walk(slice, Box::new(Readings { before, after }))
            }),
            (None, Some(probe)) => {
                self.guard.start(&root, "quotactl", self.guard.limit(), move || {
                    let cpu = thread_cpu_seconds();
                    let result = probe.read();
                    Done::Quota(result, thread_cpu_seconds() - cpu)
                })
            }
            (None, None) => {
                let path = root.clone();
                self.guard.start(&root, "statfs", self.guard.limit(), move || {
                    let cpu = thread_cpu_seconds();
                    let result = pass::own_filesystem(&path);
                    Done::Statfs(result, thread_cpu_seconds() - cpu)
                })
            }
        };
        ticket.map_err(|error| (error.reason(), error.to_string()))
    }

    /// Takes in what came back meanwhile.
    fn land(&mut self) {
        let mut index = 0;
        while index < self.flights.len() {
            match self.flights[index].ticket.poll(Duration::ZERO) {
                Some(result) => {
                    let flight = self.flights.swap_remove(index);
                    self.finish(flight.id, flight.began, result);
                }
                None => index += 1,
            }
        }
    }

    fn finish(&mut self, id: u64, began: Instant, result: Result<Done, GuardError>) {
        let now = Instant::now();
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.in_flight = false;
        }
        match result {
            Err(error) => self.fail(id, error.reason(), error.to_string()),
            Ok(Done::Statfs(result, cpu)) => {
                self.charge(id, cpu);
                let Some(entry) = self.entries.get_mut(&id) else { return };
                let path = &entry.target.path;
                match result {
                    Ok(Some(used)) => {
                        entry.succeeded(now);
                        let seconds = (now - began).as_secs_f64();
                        let subject = &entry.target.subject;
                        lock(&self.shared.book).statfs(subject, used, timestamp(), seconds);
                        self.count("complete");
                    }
                    Ok(None) => {
                        let message = nothing_mounted(path);
                        self.fail(id, "missing", message);
                    }
                    Err(error) => {
                        let message = format!("statfs {}: {error}", path.display());
                        self.fail(id, errno::reason(&error), message);
                    }
                }
            }
            Ok(Done::Quota(result, cpu)) => {
                self.charge(id, cpu);
                match result {
                    Ok(record) => self.recorded(id, &record, (now - began).as_secs_f64(), now),
                    Err(error) => self.fail(id, "missing", error.to_string()),
                }
            }
            Ok(Done::Refresh(slice)) => self.finish_refresh(id, slice, now),
            Ok(Done::Walk(mut slice, quota)) => {
                self.stats.inodes_total += slice.inodes;
                self.calls.take(slice.inodes as f64 * CALLS_AN_INODE);
                self.charge(id, slice.cpu_seconds);
                let Some(entry) = self.entries.get_mut(&id) else { return };
                let Some(active) = &mut entry.active else { return };
                active.cpu += slice.cpu_seconds;
                active.inodes += slice.inodes;
                active.before = quota.before.or(active.before);
                match slice.progress {
                    Progress::More => active.walk = Some(slice.walk),
                    Progress::Failed(error) => {
                        let message = format!("{}: {error}", entry.target.path.display());
                        self.fail(id, error.reason, message);
                    }
                    Progress::Done(totals) => {
                        let recorder = slice.walk.take_recorder();
                        self.complete(id, &totals, quota.after, now);
                        self.reconcile(id, recorder, now);
                    }
                }
            }
        }
    }

    /// A whole walk: publishes it and learns what it cost and how the subject grows.
    fn complete(&mut self, id: u64, totals: &Totals, after: Option<Record>, now: Instant) {
        let others = self.projects_of_others(id);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(active) = &entry.active else { return };
        let (cost, seconds) = (active.cpu, active.started.elapsed().as_secs_f64());
        let before = active.before;
        let subject = &entry.target.subject;
        let (mut book, at) = (lock(&self.shared.book), timestamp());
        if let Some((used, then)) = book.used(subject) {
            let change = totals.used_bytes as f64 - used as f64;
            let asked = self.config.max_age.as_secs_f64();
            let fresh = order::weight(change / (at - then).max(1.0), totals.used_bytes, asked);
            // Half of what it was: growth that comes in bursts is remembered.
            entry.weight = fresh.max(entry.weight / 2.0).max(1.0);
        }
        book.walked(subject, entry.kind, totals, at, seconds);
        let mut quota = None;
        if entry.kind == Kind::Walk {
            let project = after.map(|record| record.project);
            let proven = entry.stretch == RECONCILE && entry.project == project;
            entry.project = project;
            book.limit(subject, after.as_ref());
            quota = match trusted(before.as_ref(), after.as_ref(), totals, proven) {
                Some(Ok(record)) if !others.contains(&record.project) => Some(record),
                Some(Err(reason)) => {
                    tracing::debug!(path = %entry.target.path.display(), %reason, "No use of the project quota");
                    None
                }
                _ => None,
            };
            if let Some(record) = &quota {
                book.quota(subject, record, at, seconds);
            }
        }
        drop(book);
        entry.cost = cost;
        entry.succeeded(now);
        if entry.kind == Kind::Walk {
            self.trust(id, quota.is_some(), now);
        }
        self.count("complete");
    }

    /// Projects of other subjects: one that two share stands for neither.
    fn projects_of_others(&self, id: u64) -> HashSet<(u64, u32)> {
        let others = self.entries.iter().filter(|(other, _)| **other != id);
        others.filter_map(|(_, entry)| entry.project).collect()
    }

    /// Reads the project quota of a walked subject from now on, and walks it seldom; or no longer.
    fn trust(&mut self, id: u64, trusted: bool, now: Instant) {
        let Some(walk) = self.entries.get_mut(&id) else { return };
        walk.stretch = if trusted { RECONCILE } else { 1 };
        let key = (walk.target.subject.clone(), Kind::Quota);
        let known = self.ids.get(&key).copied();
        match (trusted, known) {
            (true, None) => {
                let mut entry = Entry::new(Arc::clone(&walk.target), Kind::Quota, walk.device, now);
                entry.last_good = Some(now);
                self.next_id += 1;
                self.entries.insert(self.next_id, entry);
                self.ids.insert(key, self.next_id);
            }
            (false, Some(quota)) => {
                self.entries.remove(&quota);
                self.ids.remove(&key);
            }
            _ => {}
        }
    }

    /// A record of a trusted project quota.
    fn recorded(&mut self, id: u64, record: &Record, seconds: f64, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let subject = entry.target.subject.clone();
        let walk = self.ids.get(&(subject.clone(), Kind::Walk));
        let project = walk.and_then(|walk| self.entries.get(walk)).and_then(|walk| walk.project);
        if project != Some(record.project) {
            return self.fail(id, "replaced", "the directory changed its project".to_owned());
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.succeeded(now);
        }
        lock(&self.shared.book).quota(&subject, record, timestamp(), seconds);
        self.count("complete");
    }

    fn finish_refresh(&mut self, id: u64, slice: RefreshSlice, now: Instant) {
        self.stats.inodes_total += slice.inodes;
        self.calls.take(slice.inodes as f64 * CALLS_AN_INODE);
        self.charge(id, slice.cpu_seconds);
        self.refreshed(id, slice, now);
    }

    /// Charges the bucket that the work was admitted by.
    fn charge(&mut self, id: u64, cpu: f64) {
        self.stats.cpu_seconds_total += cpu;
        let first = self.entries.get(&id).is_some_and(|entry| entry.last_good.is_none());
        let bucket = if first { &mut self.bootstrap } else { &mut self.steady };
        bucket.take(cpu);
    }

    fn fail(&mut self, id: u64, reason: &'static str, message: String) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.kind == Kind::Quota {
            // No failure of the subject: it is walked again, at once.
            tracing::debug!(path = %entry.target.path.display(), %message, "No use of the project quota");
            let walk = (entry.target.subject.clone(), Kind::Walk);
            if let Some(walk) = self.ids.get(&walk).copied() {
                self.trust(walk, false, Instant::now());
            }
            return self.count("quota_lost");
        }
        entry.back_off(reason, Instant::now(), self.config.max_age);
        // What is remembered may be wrong by now, or is away with a call that does not come back.
        (entry.hot.tree, entry.hot.began) = (None, None);
        let failure = MeasureFailure { reason, message, at: timestamp() };
        lock(&self.shared.book).failed(&entry.target.subject, entry.kind, failure);
        self.count(reason);
    }

    pub(super) fn count(&mut self, outcome: &'static str) {
        *self.stats.passes_total.entry(outcome).or_default() += 1;
        self.changed = true;
    }
}
