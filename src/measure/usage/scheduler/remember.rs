//! The scheduler's part in [hot files](super::super::hot): which trees are given up for want of
//! memory, and what becomes of a refresh.
//!
//! Full passes leave trees, and refreshes go between them where that buys more for the same CPU time:
//! see [`Entry::incremental`].

use std::time::Instant;

use super::super::entry::Entry;
use super::super::hot::{Recorder, Refreshed, drift, untold};
use super::super::meter::{lock, timestamp};
use super::super::pass::{Real, RefreshSlice};
use super::Scheduler;
use super::outcome::grown;

impl Scheduler {
    /// A full pass ended: what it found that refreshes had missed, and the tree it left.
    pub(super) fn reconcile(
        &mut self,
        id: u64,
        (real, started): (Real, Instant),
        recorder: Option<Recorder>,
        now: Instant,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        // Where a project quota is read between the walks, nothing is to be remembered.
        let recorder = recorder.filter(|_| entry.stretch == 1);
        let hot = &mut entry.hot;
        let wanted = recorder.is_some();
        let (mut old, mut new) = (hot.tree.take(), recorder.and_then(Recorder::finish));
        // What came while the walk was under way it may have passed by.
        (hot.full, hot.doubted) = (Some(now), hot.doubted.filter(|doubted| *doubted >= started));
        (hot.began, hot.checked, hot.real) = (None, None, Some(real));
        if let (Some(old), Some(new)) = (&mut old, &mut new) {
            // What was told of by now would be looked at by the next refresh.
            if old.catch_up() && untold(old, new) {
                old.distrust();
            }
            let missed = drift(old, new);
            let passed = now.saturating_duration_since(old.made());
            if let Some(bound) = hot.bound {
                self.stats.bound_checked_total += 1;
                self.stats.bound_exceeded_total += u64::from(missed.bytes > bound);
            }
            hot.drift.reconciled(missed, passed);
            hot.pace = hot.seen as f64 / passed.as_secs_f64().max(1.0);
            new.inherit(old);
        }
        (hot.bound, hot.seen) = (None, 0);
        // Whether a refresh is worth its cost is learned anew with each tree.
        hot.cost = hot.cost.filter(|cost| *cost < entry.cost / 2.0);
        // A pass that was not to leave a tree says nothing of whether there is room for one; who knows
        // how large it would be is told when there is (`account_memory`).
        let kept = hot.given_up && hot.bytes > 0 && entry.stretch == 1;
        hot.given_up = if wanted { new.is_none() } else { kept };
        hot.bytes = new.as_ref().map_or(hot.bytes, |tree| tree.bytes());
        hot.tree = new;
        self.make_room();
    }

    /// A slice of a refresh came back.
    pub(super) fn refreshed(&mut self, slice: RefreshSlice, now: Instant) {
        let Some(entry) = self.entries.get_mut(&slice.id) else { return };
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
        hot.seen = hot.seen.saturating_add(churn);
        hot.drift.refreshed(churn);
        let bound = hot.drift.bound(totals.used_bytes, passed);
        let seconds = hot.began.take().map_or(0.0, |began| (now - began).as_secs_f64());
        (hot.bound, hot.cost) = (bound, Some(hot.spent));
        (hot.used, hot.tree) = (totals.used_bytes, Some(slice.tree));
        let subject = &entry.target.subject;
        let mut book = lock(&self.shared.book);
        if let (Some(used), Some(then)) = (book.used(subject), entry.last_good) {
            let (passed, asked) = (now.saturating_duration_since(then), self.config.max_age);
            entry.weight = grown(entry.weight, used, totals.used_bytes, passed, asked);
        }
        entry.last_good = Some(now);
        book.refreshed(subject, &totals, bound, timestamp(), seconds);
        drop(book);
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

    /// Charges what the thread that reads events used since the last time.
    pub(super) fn account_watch(&mut self) {
        let Some(watch) = &self.watch else { return };
        let stats = watch.stats();
        let before = self.stats.watch.map_or(0.0, |before| before.reader_cpu_seconds);
        let cpu = stats.reader_cpu_seconds - before;
        self.stats.watch = Some(stats);
        self.stats.cpu_seconds_total += cpu;
        self.steady.take(cpu);
    }

    /// What is remembered.
    pub(super) fn account_memory(&mut self) {
        let (mut bytes, mut remembered) = (0, 0);
        for entry in self.entries.values_mut() {
            if self.config.memory == 0 && !entry.in_flight {
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
