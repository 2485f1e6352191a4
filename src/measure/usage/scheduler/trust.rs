//! Where a project quota is read in place of walks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::super::entry::{Entry, Kind, RECONCILE};
use super::super::meter::{lock, timestamp};
use super::super::quota::{Record, Settled};
use super::begin::{BATCH, Failure, refused};
use super::{Done, Scheduler, SettledRead, Stage};
use crate::host::sys::thread_cpu_seconds;

/// Quotas that are due within this part of the age asked for are read together.
const SOON_SHARE: u32 = 12;

impl Scheduler {
    /// Whether the project is another subject's, too: one that two share stands for neither.
    pub(super) fn is_project_of_another(&self, id: u64, project: (u64, u32)) -> bool {
        let mut others = self.entries.iter().filter(|(other, _)| **other != id);
        others.any(|(_, entry)| entry.project == Some(project))
    }

    /// Reads the project quota of a walked subject from now on, and walks it seldom; or no longer.
    pub(super) fn trust(&mut self, id: u64, trusted: bool, now: Instant) {
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
    pub(super) fn recorded(&mut self, id: u64, record: &Record, seconds: f64, now: Instant) {
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

    /// Takes in how the quota can be read from now on.
    pub(super) fn settle(&mut self, id: u64, settled: Option<Settled>) {
        let table = self.guard.table();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let target = Arc::clone(&entry.target);
        entry.settled = settled.map(|settled| (Box::new(settled), table, target));
    }

    /// The subject, and others of its filesystem that are due too, as far as their quotas can be read
    /// in the shortest way. None: it takes a whole look.
    pub(super) fn settled(&self, id: u64, now: Instant) -> Vec<u64> {
        let table = self.guard.table();
        let still = |entry: &Entry| {
            entry.settled.as_ref().is_some_and(|(_, of_table, of_target)| {
                Arc::ptr_eq(of_table, &table) && Arc::ptr_eq(of_target, &entry.target)
            })
        };
        let Some(first) = self.entries.get(&id).filter(|entry| still(entry)) else {
            return Vec::new();
        };
        let soon = now + self.config.max_age / SOON_SHARE;
        let others = self.entries.iter().filter(|(other, entry)| {
            **other != id
                && entry.device == first.device
                && !entry.in_flight
                && still(entry)
                && entry.ready_at(self.config.max_age) <= soon
        });
        [id].into_iter().chain(others.map(|(other, _)| *other)).take(BATCH).collect()
    }

    /// Hands them to the worker of their filesystem.
    pub(super) fn launch_settled(&mut self, ids: &[u64]) -> Result<Stage, Failure> {
        let (mut all, mut place) = (Vec::with_capacity(ids.len()), PathBuf::new());
        for id in ids {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            let Some((settled, ..)) = entry.settled.take() else { continue };
            entry.in_flight = true;
            place.clone_from(&entry.target.path);
            all.push((*id, settled));
        }
        let work = move || {
            let mut place = None;
            let read = |(id, mut settled): (u64, Box<Settled>)| {
                let cpu = thread_cpu_seconds();
                let record = settled.read_again(&mut place);
                SettledRead { id, settled, record, cpu_seconds: thread_cpu_seconds() - cpu }
            };
            Done::Settled(all.into_iter().map(read).collect())
        };
        let ticket = self.guard.start(&place, "quotactl", self.guard.limit(), work);
        ticket.map(Stage::Slice).map_err(refused)
    }

    /// One of them came back. Without a record the whole look follows at once.
    pub(super) fn read_settled(&mut self, read: SettledRead, seconds: f64, now: Instant) {
        self.charge(read.id, read.cpu_seconds);
        if let Some(record) = &read.record {
            self.recorded(read.id, record, seconds, now);
            self.settle(read.id, Some(*read.settled));
        }
    }
}
