//! Whose turn it is, and how its next slice is begun.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::super::entry::{Active, Kind};
use super::super::meter::nothing_mounted;
use super::super::order::{self, Candidate, OLDEST_SHARE};
use super::super::pass;
use super::super::quota::{NoRecord, Probe};
use super::super::walk::Progress;
use super::{Done, Flight, Readings, Scheduler};
use crate::host::Ticket;
use crate::host::sys::thread_cpu_seconds;

/// How long the scheduler waits for one slice before it turns to other filesystems.
const PATIENCE: Duration = Duration::from_millis(150);

impl Scheduler {
    /// Whose turn it is, and whether as the one that waited longest; else how long to wait.
    pub(super) fn choose(&self, now: Instant) -> Result<(u64, bool), Duration> {
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
    pub(super) fn work(&mut self, id: u64, oldest: bool) {
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
}
