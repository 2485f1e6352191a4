//! What becomes of a slice that came back.

use std::time::{Duration, Instant};

use super::super::entry::{Kind, RECONCILE};
use super::super::meter::{lock, nothing_mounted, timestamp};
use super::super::order;
use super::super::pass::RefreshSlice;
use super::super::quota::{Record, trusted};
use super::super::walk::{Progress, Totals};
use super::{Done, Scheduler};
use crate::host::{GuardError, errno};
use crate::model::MeasureFailure;

/// System calls an inode costs, measured: a `statx`, and its share of `getdents64` and opening.
const CALLS_AN_INODE: f64 = 1.25;

impl Scheduler {
    pub(super) fn finish(&mut self, ids: &[u64], began: Instant, result: Result<Done, GuardError>) {
        let now = Instant::now();
        for id in ids {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.in_flight = false;
            }
        }
        let id = ids[0];
        match result {
            Err(error) => {
                for id in ids {
                    self.fail(*id, error.reason(), error.to_string());
                }
            }
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
                    Ok((record, settled)) => {
                        self.recorded(id, &record, (now - began).as_secs_f64(), now);
                        self.settle(id, settled);
                    }
                    Err(error) => self.fail(id, "missing", error.to_string()),
                }
            }
            Ok(Done::Settled(reads)) => {
                for read in reads {
                    self.read_settled(read, (now - began).as_secs_f64(), now);
                }
            }
            Ok(Done::Refresh(slices)) => {
                for slice in slices {
                    self.finish_refresh(slice, now);
                }
            }
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
                        let walked = (active.real.clone(), active.started);
                        self.complete(id, &totals, quota.after, now);
                        self.reconcile(id, walked, recorder, now);
                    }
                }
            }
        }
    }

    /// A whole walk: publishes it and learns what it cost and how the subject grows.
    fn complete(&mut self, id: u64, totals: &Totals, after: Option<Record>, now: Instant) {
        let project = after.as_ref().map(|record| record.project);
        let shared = project.is_some_and(|project| self.is_project_of_another(id, project));
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(active) = &entry.active else { return };
        let (cost, seconds) = (active.cpu, active.started.elapsed().as_secs_f64());
        let before = active.before;
        let subject = &entry.target.subject;
        let (mut book, at) = (lock(&self.shared.book), timestamp());
        if let (Some(used), Some(then)) = (book.used(subject), entry.last_good) {
            let passed = now.saturating_duration_since(then);
            entry.weight =
                grown(entry.weight, used, totals.used_bytes, passed, self.config.max_age);
        }
        book.walked(subject, entry.kind, totals, at, seconds);
        let mut quota = None;
        if entry.kind == Kind::Walk {
            let proven = entry.stretch == RECONCILE && entry.project == project;
            entry.project = project;
            book.limit(subject, after.as_ref());
            quota = match trusted(before.as_ref(), after.as_ref(), totals, proven) {
                Some(Ok(record)) if !shared => Some(record),
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
        (entry.cost, entry.hot.used) = (cost, totals.used_bytes);
        entry.succeeded(now);
        if entry.kind == Kind::Walk {
            self.trust(id, quota.is_some(), now);
        }
        self.count("complete");
    }

    fn finish_refresh(&mut self, slice: RefreshSlice, now: Instant) {
        self.stats.inodes_total += slice.inodes;
        self.calls.take(slice.inodes as f64 * CALLS_AN_INODE);
        self.charge(slice.id, slice.cpu_seconds);
        self.refreshed(slice, now);
    }

    /// Charges the bucket that the work was admitted by.
    pub(super) fn charge(&mut self, id: u64, cpu: f64) {
        self.stats.cpu_seconds_total += cpu;
        let first = self.entries.get(&id).is_some_and(|entry| entry.last_good.is_none());
        let bucket = if first { &mut self.bootstrap } else { &mut self.steady };
        bucket.take(cpu);
    }

    pub(super) fn fail(&mut self, id: u64, reason: &'static str, message: String) {
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
        entry.in_flight = false;
        entry.back_off(reason, Instant::now(), self.config.max_age);
        // What is remembered may be wrong by now, or is away with a call that does not come back.
        (entry.hot.tree, entry.hot.began, entry.settled) = (None, None, None);
        let failure = MeasureFailure { reason, message, at: timestamp() };
        lock(&self.shared.book).failed(&entry.target.subject, entry.kind, failure);
        self.count(reason);
    }
}

/// The importance of a subject whose use went from `before` to `now` in `passed`.
pub(super) fn grown(weight: f64, before: u64, now: u64, passed: Duration, asked: Duration) -> f64 {
    let change = now as f64 - before as f64;
    let fresh = order::weight(change / passed.as_secs_f64().max(1.0), now, asked.as_secs_f64());
    // Half of what it was: growth that comes in bursts is remembered.
    fresh.max(weight / 2.0).max(1.0)
}
