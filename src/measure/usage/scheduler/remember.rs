//! The scheduler's part in [hot files](super::hot): when trees are remembered, which are given up
//! for want of memory, and what becomes of a refresh.
//!
//! While the budget is enough for full passes of everything at the age asked for, nothing is
//! remembered: every value is exact. Else full passes leave trees, and refreshes go between them.

use std::time::Instant;

use super::super::entry::{Entry, Kind};
use super::super::hot::{Recorder, Refreshed, drift};
use super::super::meter::{lock, timestamp};
use super::super::pass::RefreshSlice;
use super::Scheduler;

/// Parts of the budget that full passes alone would need, above which trees are remembered, and
/// below which they are no longer.
const PRESSED: [f64; 2] = [0.9, 0.5];

impl Scheduler {
    /// A full pass ended: what it found that refreshes had missed, and the tree it left.
    pub(super) fn reconcile(&mut self, id: u64, recorder: Option<Recorder>, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        // Where a project quota is read between the walks, nothing is to be remembered.
        let recorder = recorder.filter(|_| entry.stretch == 1);
        let hot = &mut entry.hot;
        let wanted = recorder.is_some();
        let (old, new) = (hot.tree.take(), recorder.and_then(Recorder::finish));
        hot.full = Some(now);
        hot.began = None;
        if let (Some(old), Some(new)) = (&old, &new) {
            let missed = drift(old, new);
            let passed = now.saturating_duration_since(old.made());
            if hot.bound.is_some_and(|bound| missed > bound) {
                self.stats.bound_exceeded_total += 1;
            }
            hot.drift.reconciled(missed, passed);
        }
        hot.bound = None;
        // Whether a refresh is worth its cost is learned anew with each tree.
        hot.cost = hot.cost.filter(|cost| *cost < entry.cost / 2.0);
        hot.given_up = wanted && new.is_none();
        hot.bytes = new.as_ref().map_or(hot.bytes, |tree| tree.bytes());
        hot.tree = new;
        self.make_room();
    }

    /// A slice of a refresh came back.
    pub(super) fn refreshed(&mut self, id: u64, slice: RefreshSlice, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let hot = &mut entry.hot;
        hot.spent += slice.cpu_seconds;
        let (totals, churn) = match slice.refreshed {
            Refreshed::More => {
                hot.tree = Some(slice.tree);
                return;
            }
            Refreshed::Stale(_) => {
                // The full pass that follows says what is wrong, if anything is.
                (hot.tree, hot.began) = (None, None);
                return self.count("stale");
            }
            Refreshed::Done { totals, churn } => (totals, churn),
        };
        let passed = now.saturating_duration_since(slice.tree.made());
        let bound = hot.drift.bound(totals.used_bytes, churn, passed);
        let seconds = hot.began.take().map_or(0.0, |began| (now - began).as_secs_f64());
        (hot.bound, hot.cost) = (Some(bound), Some(hot.spent));
        hot.tree = Some(slice.tree);
        entry.last_good = Some(now);
        let subject = &entry.target.subject;
        lock(&self.shared.book).refreshed(subject, &totals, bound, timestamp(), seconds);
        self.count("incremental");
    }

    /// Gives up the trees of the coldest subjects until the rest has room.
    fn make_room(&mut self) {
        let held = |entry: &Entry| match entry.hot.tree {
            Some(_) => entry.hot.bytes,
            None => 0,
        };
        let mut bytes: usize = self.entries.values().map(held).sum();
        while bytes > self.config.memory {
            let coldest = self.entries.values_mut().filter(|entry| entry.hot.tree.is_some());
            let rank = |entry: &&mut Entry| (entry.weight, entry.hot.bytes);
            let coldest = coldest.min_by(|a, b| {
                let ((weight, size), (other, other_size)) = (rank(a), rank(b));
                weight.total_cmp(&other).then(other_size.cmp(&size))
            });
            let Some(entry) = coldest else { return };
            bytes -= entry.hot.bytes;
            (entry.hot.tree, entry.hot.began, entry.hot.given_up) = (None, None, true);
        }
    }

    /// Whether full passes alone are too much for the budget, and what is remembered.
    pub(super) fn account_memory(&mut self) {
        let asked = self.config.max_age.as_secs_f64() / 2.0;
        let walks = || self.entries.values().filter(|entry| entry.kind == Kind::Walk);
        let demand = walks().map(|entry| entry.cost / f64::from(entry.stretch)).sum::<f64>()
            / asked.max(0.001);
        let pressed = walks().any(|entry| entry.hot.pressed);
        let threshold = PRESSED[usize::from(pressed)] * self.config.cpu_budget;
        let pressed = demand > threshold && self.config.memory > 0;
        let (mut bytes, mut remembered) = (0, 0);
        for entry in self.entries.values_mut() {
            entry.hot.pressed = pressed;
            if !pressed && !entry.in_flight {
                (entry.hot.tree, entry.hot.began) = (None, None);
            }
            if entry.hot.tree.is_some() || (entry.in_flight && entry.hot.began.is_some()) {
                bytes += entry.hot.bytes;
                remembered += 1;
            }
        }
        // Room for one that was given up, with a tenth to spare: it is remembered by its next pass.
        let room = (self.config.memory / 10 * 9).saturating_sub(bytes);
        let mut given_up = 0;
        for entry in self.entries.values_mut().filter(|entry| entry.hot.given_up) {
            if entry.hot.bytes > 0 && entry.hot.bytes < room {
                entry.hot.given_up = false;
            }
            given_up += usize::from(entry.hot.given_up);
        }
        self.stats.remembered_bytes = bytes;
        self.stats.remembered = remembered;
        self.stats.unremembered = given_up;
    }
}
