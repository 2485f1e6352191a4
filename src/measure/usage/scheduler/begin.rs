//! Handing slices of passes and refreshes to the filesystem's worker.

use std::sync::Arc;
use std::time::Instant;

use super::super::entry::{Active, Entry, Kind};
use super::super::meter::{nothing_mounted, timestamp};
use super::super::pass::{self, Real};
use super::super::quota::{NoRecord, Probe, Settled};
use super::super::walk::Progress;
use super::{Done, Readings, Scheduler, Stage};
use crate::host::sys::thread_cpu_seconds;
use crate::host::{Guard, GuardError, MountTable, Ticket};

/// Subjects that are refreshed together at most.
pub(super) const BATCH: usize = 64;

/// Reason and message.
pub(super) type Failure = (&'static str, String);

pub(super) fn refused(error: GuardError) -> Failure {
    (error.reason(), error.to_string())
}

impl Scheduler {
    /// The subject, and others of its filesystem that are due too, as far as what is remembered of
    /// them can be refreshed at once. None: its paths have to be followed first.
    pub(super) fn in_place(&mut self, id: u64, now: Instant) -> Vec<u64> {
        let (asked, table) = (self.config.max_age, self.guard.table());
        let Some(entry) = self.entries.get_mut(&id) else { return Vec::new() };
        if !in_place(&self.guard, entry, &table) {
            return Vec::new();
        }
        let device = entry.device;
        let mut others: Vec<(Option<Instant>, u64)> = self
            .entries
            .iter()
            .filter(|(other, entry)| {
                let same = **other != id && entry.device == device;
                same && !entry.in_flight && entry.refresh_together(now, asked)
            })
            .map(|(other, entry)| (entry.last_good, *other))
            .collect();
        others.sort_unstable();
        let mut together = vec![id];
        let mut looks = self.entries.get(&id).map_or(0, looks);
        for (_, other) in others {
            if together.len() >= BATCH || looks >= self.config.slice_inodes {
                break;
            }
            let Some(entry) = self.entries.get_mut(&other) else { continue };
            if in_place(&self.guard, entry, &table) && entry.device == device {
                together.push(other);
                looks += self::looks(entry);
            }
        }
        together
    }

    /// A refresh of a subject whose paths were just followed.
    pub(super) fn begin_refresh(&mut self, id: u64, real: Real) -> Result<Option<Stage>, Failure> {
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(None) };
        let there = |tree: &Box<_>| pass::same_places(&self.guard, &entry.target, &real, tree);
        if !entry.hot.tree.as_ref().is_some_and(there) {
            // Mounted over, or elsewhere now: only a full pass tells.
            (entry.hot.tree, entry.hot.began) = (None, None);
            return Ok(None);
        }
        entry.device = self.guard.device(&real.root);
        entry.hot.real = Some(real);
        self.launch_refresh(&[id], Instant::now()).map(Some)
    }

    pub(super) fn launch_refresh(&mut self, ids: &[u64], now: Instant) -> Result<Stage, Failure> {
        let (limit, max) = (self.config.slice_limit, self.config.slice_inodes);
        let (mut trees, mut place) = (Vec::with_capacity(ids.len()), None);
        for id in ids {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            let hot = &mut entry.hot;
            let Some(tree) = hot.tree.take() else { continue };
            if hot.began.is_none() {
                (hot.began, hot.spent) = (Some(now), 0.0);
            }
            entry.in_flight = true;
            place = place.or(hot.real.as_ref().map(|real| real.root.clone()));
            trees.push((*id, tree));
        }
        let place = place.unwrap_or_default();
        let work = move || Done::Refresh(pass::refresh(trees, max));
        let ticket = self.guard.start(&place, "refresh", limit, work);
        ticket.map(Stage::Slice).map_err(refused)
    }

    /// A pass of a subject that lies at `real`.
    pub(super) fn begin(&mut self, id: u64, real: Real) -> Result<Option<Stage>, Failure> {
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(None) };
        let target = &entry.target;
        entry.device = self.guard.device(&real.root);
        if matches!(entry.kind, Kind::Statfs | Kind::OwnWalk) {
            let table = self.guard.table();
            if table.at(&self.guard.on_host(&real.root)).is_none() {
                return Err(("missing", nothing_mounted(&real.root)));
            }
        }
        let memory = self.config.memory;
        let walks = matches!(entry.kind, Kind::Walk | Kind::OwnWalk);
        let walk = walks.then(|| {
            Box::new(if memory > 0 && entry.remembers() {
                pass::recorded_walk(&self.guard, target, &real, memory, self.watch.as_ref())
            } else {
                pass::walk(&self.guard, target, &real)
            })
        });
        let counted = matches!(entry.kind, Kind::Walk | Kind::Quota);
        let probe = if counted { Probe::find(&self.guard, target, &real) } else { None };
        if entry.kind == Kind::Quota && probe.is_none() {
            return Err(("missing", NoRecord::Off.to_string()));
        }
        entry.active = Some(Active {
            walk,
            real,
            inodes: 0,
            started: Instant::now(),
            cpu: 0.0,
            probe,
            before: None,
        });
        self.launch(id).map(Some)
    }

    /// The next slice of a pass under way.
    pub(super) fn launch(&mut self, id: u64) -> Result<Stage, Failure> {
        let gone = || ("missing", "no longer asked for".to_owned());
        let entry = self.entries.get_mut(&id).ok_or_else(gone)?;
        let (limit, max) = (self.config.slice_limit, self.config.slice_inodes);
        let active = entry.active.as_mut().ok_or_else(gone)?;
        let root = active.real.root.clone();
        let probe = active.probe.clone();
        let ticket: Result<Ticket<Done>, GuardError> = match (active.walk.take(), probe) {
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
                    let result = Settled::read(&probe, timestamp());
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
        ticket.map(Stage::Slice).map_err(refused)
    }
}

/// Inodes that a refresh is expected to look at.
fn looks(entry: &Entry) -> usize {
    entry.hot.tree.as_ref().map_or(0, |tree| tree.looks())
}

/// Whether what is remembered of a subject still lies where the subject does, as far as that can be
/// told without touching a path. That no symbolic link came into the way is found by the refresh.
fn in_place(guard: &Guard, entry: &mut Entry, table: &Arc<MountTable>) -> bool {
    let (hot, target) = (&mut entry.hot, &entry.target);
    let (Some(tree), Some(real)) = (&hot.tree, &hot.real) else { return false };
    if hot.began.is_some() {
        return true;
    }
    if !tree.sees_links() || !real.direct(target) {
        return false;
    }
    let known = hot.checked.as_ref().is_some_and(|(of_table, of_target)| {
        Arc::ptr_eq(of_table, table) && Arc::ptr_eq(of_target, target)
    });
    if !known {
        if !pass::same_places(guard, target, real, tree) {
            // Mounted over: only a full pass tells.
            hot.tree = None;
            return false;
        }
        entry.device = guard.device(&real.root);
        hot.checked = Some((Arc::clone(table), Arc::clone(target)));
    }
    true
}
