//! What there is to measure, when it changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::super::entry::{Entry, Kind};
use super::super::meter::{lock, not_walked, timestamp};
use super::super::target::{How, Target};
use super::Scheduler;
use super::queue::Queue;
use crate::model::MeasureFailure;

impl Scheduler {
    pub(super) fn accept(&mut self, targets: Vec<Target>) {
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
                        let entry = self.entries.get_mut(&id);
                        // The same one, so that what was found out about it holds.
                        if let Some(entry) = entry.filter(|entry| entry.target != target) {
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
        self.queue = Queue::default();
        (self.changed, self.all_known, self.counted) = (true, false, None);
    }
}
