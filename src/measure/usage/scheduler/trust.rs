//! Where a project quota is read in place of walks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::super::entry::{Entry, Kind, RECONCILE};
use super::super::meter::{lock, timestamp};
use super::super::quota::Record;
use super::Scheduler;

impl Scheduler {
    /// Projects of other subjects: one that two share stands for neither.
    pub(super) fn projects_of_others(&self, id: u64) -> HashSet<(u64, u32)> {
        let others = self.entries.iter().filter(|(other, _)| **other != id);
        others.filter_map(|(_, entry)| entry.project).collect()
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
}
