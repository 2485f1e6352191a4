//! What the scheduler knows of each subject, and what is published of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hot::{Drift, Tree};
use super::order::Candidate;
use super::quota::{Distrust, Probe, Record as ProjectRecord, verdict};
use super::target::{How, Target};
use super::walk::{Totals, Walk};
use crate::model::{ClockStep, MeasureFailure, Measured, Method, Subject, Timestamp, UsageSample};

/// Where refreshes go between, a full pass comes once in so many times the age asked for.
const RECONCILE_EVERY: u32 = 10;

/// A kind of pass. A subject with a filesystem of its own has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Gives all numbers.
    Walk,
    /// Gives the used bytes of an own filesystem.
    Statfs,
    /// Adds files and apparent size to them, ten times more seldom.
    OwnWalk,
    /// Gives used bytes and files from the project quota, once a walk found that it tells the
    /// truth; the walks themselves are then a reconciliation, much more seldom.
    Quota,
}

impl Kind {
    /// Adds to another pass of the same subject.
    pub(super) fn secondary(self) -> bool {
        matches!(self, Self::OwnWalk | Self::Quota)
    }

    pub(super) fn of(target: &Target) -> &'static [Self] {
        match (target.how, target.remote) {
            (How::Walk, false) => &[Self::Walk],
            (How::Walk, true) => &[],
            (How::OwnFilesystem, false) => &[Self::Statfs, Self::OwnWalk],
            (How::OwnFilesystem, true) => &[Self::Statfs],
        }
    }
}

/// A pass under way.
pub(super) struct Active {
    /// Away on a worker thread while a slice runs.
    pub(super) walk: Option<Box<Walk>>,
    pub(super) root: PathBuf,
    pub(super) inodes: u64,
    pub(super) started: Instant,
    pub(super) cpu: f64,
    /// Where the project quota can be read, if there may be one.
    pub(super) probe: Option<Probe>,
    /// What it said before the walk.
    pub(super) before: Option<ProjectRecord>,
}

pub(super) struct Entry {
    pub(super) target: Arc<Target>,
    pub(super) kind: Kind,
    /// Device number of the filesystem it lies on, as far as known.
    pub(super) device: (u32, u32),
    pub(super) known_since: Instant,
    pub(super) last_good: Option<Instant>,
    pub(super) cost: f64,
    pub(super) weight: f64,
    pub(super) not_before: Option<Instant>,
    pub(super) failures: u32,
    pub(super) in_flight: bool,
    pub(super) active: Option<Active>,
    /// How many times the age asked for this pass may be old.
    pub(super) stretch: u32,
    /// The project its subject makes up, as the last walk found it.
    pub(super) project: Option<(u64, u32)>,
    pub(super) hot: HotState,
}

/// What an entry knows beside its values to bring them up to date between full passes.
#[derive(Default)]
pub(super) struct HotState {
    /// Away on a worker thread while a slice of a refresh runs.
    pub(super) tree: Option<Box<Tree>>,
    /// A refresh is under way, since then.
    pub(super) began: Option<Instant>,
    pub(super) spent: f64,
    /// CPU seconds of the last refresh.
    pub(super) cost: Option<f64>,
    pub(super) drift: Drift,
    /// What the last published value said it may be off.
    pub(super) bound: Option<u64>,
    /// When the last full pass ended.
    pub(super) full: Option<Instant>,
    /// Bytes its tree takes (or took, when it was given up for want of memory).
    pub(super) bytes: usize,
    /// It was given up for want of memory.
    pub(super) given_up: bool,
    /// The budget is not enough for full passes alone.
    pub(super) pressed: bool,
}

/// A walk that only checks a project quota: an hour apart where a minute is asked for.
pub(super) const RECONCILE: u32 = 60;

impl Entry {
    pub(super) fn new(target: Arc<Target>, kind: Kind, device: (u32, u32), now: Instant) -> Self {
        Self {
            target,
            kind,
            device,
            known_since: now,
            last_good: None,
            cost: 0.0,
            weight: 1.0,
            not_before: None,
            failures: 0,
            in_flight: false,
            active: None,
            stretch: if kind == Kind::OwnWalk { 10 } else { 1 },
            project: None,
            hot: HotState::default(),
        }
    }

    /// Values may come from refreshes: they cost less than half of a full pass, and how much they
    /// miss is known.
    pub(super) fn incremental(&self) -> bool {
        let hot = &self.hot;
        let worth = hot.cost.is_none_or(|cost| cost < self.cost / 2.0);
        self.stretch == 1 && hot.pressed && hot.tree.is_some() && hot.drift.known() && worth
    }

    /// When the next full pass is due: ten times more seldom where refreshes go between.
    fn full_due(&self, asked: Duration) -> Instant {
        match self.hot.full {
            Some(full) if self.incremental() => full + asked * RECONCILE_EVERY,
            Some(full) => full + self.max_age(asked) / 2,
            None => self.known_since,
        }
    }

    /// The next slice is one of a refresh, not of a full pass.
    pub(super) fn refresh_next(&self, now: Instant, asked: Duration) -> bool {
        let due = || self.last_good.is_some_and(|last| last + asked / 4 <= now);
        self.incremental() && (self.hot.began.is_some() || due())
    }

    /// Age asked for, for this kind of pass.
    pub(super) fn max_age(&self, asked: Duration) -> Duration {
        asked * self.stretch
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_good.unwrap_or(self.known_since))
    }

    /// When it may be worked on: half the age asked for after its last value, so that it is fresh
    /// while the budget allows; at once when a pass is under way.
    pub(super) fn ready_at(&self, asked: Duration) -> Instant {
        let due = match (self.last_good, &self.active) {
            (Some(_), None) if self.incremental() && self.hot.began.is_some() => self.known_since,
            (Some(last), None) if self.incremental() => {
                (last + asked / 4).min(self.full_due(asked))
            }
            (Some(last), None) => last + self.max_age(asked) / 2,
            _ => self.known_since,
        };
        self.not_before.map_or(due, |not_before| due.max(not_before))
    }

    pub(super) fn candidate(&self, id: u64, now: Instant, asked: Duration) -> Candidate {
        let rank = if self.kind == Kind::OwnWalk { 2 } else { 1 };
        let refresh = self.refresh_next(now, asked);
        let (age, wanted) = match self.hot.full {
            // A full pass between refreshes is as old as the last full pass.
            Some(full) if self.incremental() && !refresh => {
                (now.saturating_duration_since(full), asked * RECONCILE_EVERY)
            }
            _ => (self.age(now), self.max_age(asked)),
        };
        Candidate {
            id,
            first: self.last_good.is_none().then_some(rank),
            attained: self.active.as_ref().map_or(0, |active| active.inodes),
            age: age.as_secs_f64() / wanted.as_secs_f64().max(0.001),
            cost: if refresh { self.hot.cost.unwrap_or(self.cost / 4.0) } else { self.cost },
            weight: self.weight,
        }
    }

    /// Backs off after a failure: the first time a disturbed tree is tried again at once; then
    /// after a twelfth of the age asked for (5 s), twice that, … up to a quarter of an hour; a
    /// minute for what may come back at any time.
    pub(super) fn back_off(&mut self, reason: &str, now: Instant, asked: Duration) {
        let most = if matches!(reason, "unresponsive" | "disturbed") { asked } else { asked * 15 };
        let rest = match (reason, self.failures) {
            ("disturbed", 0) => Duration::ZERO,
            (_, n) => (asked / 12 * (1 << n.min(8))).min(most),
        };
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + rest);
        self.active = None;
    }

    pub(super) fn succeeded(&mut self, now: Instant) {
        self.failures = 0;
        self.not_before = None;
        self.last_good = Some(now);
        self.active = None;
    }
}

/// What to think of a project quota after a walk: its record, if it stands for the subject.
/// `proven`: it did after the walk before this one.
pub(super) fn trusted(
    before: Option<&ProjectRecord>,
    after: Option<&ProjectRecord>,
    totals: &Totals,
    proven: bool,
) -> Option<Result<ProjectRecord, Distrust>> {
    let (before, after) = (before?, after?);
    Some(verdict(before, after, totals, proven).map(|()| *after))
}

/// What is known of one subject.
#[derive(Default)]
struct Record {
    measured: Measured,
    /// Newest failure of the passes by which it is measured; `Statfs` first.
    statfs_failure: Option<MeasureFailure>,
    walk_failure: Option<MeasureFailure>,
}

/// Everything that is published.
#[derive(Default)]
pub(super) struct Book {
    records: HashMap<Subject, Record>,
    snapshot: Option<Arc<HashMap<Subject, Measured>>>,
}

impl Book {
    pub(super) fn snapshot(&mut self) -> Arc<HashMap<Subject, Measured>> {
        let records = &self.records;
        let fresh =
            || Arc::new(records.iter().map(|(s, r)| (s.clone(), r.measured.clone())).collect());
        Arc::clone(self.snapshot.get_or_insert_with(fresh))
    }

    pub(super) fn clock_stepped(&mut self, step: &ClockStep) {
        for record in self.records.values_mut() {
            let failures = [&mut record.statfs_failure, &mut record.walk_failure];
            failures.into_iter().flatten().for_each(|failure| step.shift_old(&mut failure.at));
            if let Some(sample) = &mut record.measured.sample {
                step.shift_old(&mut sample.measured_at);
            }
            record.settle();
        }
        self.snapshot = None;
    }

    pub(super) fn forget(&mut self, gone: impl Fn(&Subject) -> bool) {
        self.records.retain(|subject, _| !gone(subject));
        self.snapshot = None;
    }

    pub(super) fn used(&self, subject: &Subject) -> Option<(u64, Timestamp)> {
        let sample = self.records.get(subject)?.measured.sample.as_ref()?;
        Some((sample.used_bytes, sample.measured_at))
    }

    /// Whether a pass of this subject failed already.
    pub(super) fn failed_already(&self, subject: &Subject) -> bool {
        self.records.get(subject).is_some_and(|record| record.measured.failure.is_some())
    }

    /// A whole walk. On an own filesystem the used bytes stay those of `statfs`.
    pub(super) fn walked(
        &mut self,
        subject: &Subject,
        kind: Kind,
        totals: &Totals,
        at: Timestamp,
        seconds: f64,
    ) {
        let record = self.change(subject);
        let (apparent_bytes, files) = (Some(totals.apparent_bytes), Some(totals.files));
        record.walk_failure = None;
        match (&mut record.measured.sample, kind) {
            (Some(sample), Kind::OwnWalk) => {
                sample.apparent_bytes = apparent_bytes;
                sample.files = files;
            }
            // Not without the use itself: the next walk comes after `statfs` answered.
            (None, Kind::OwnWalk) => {}
            (sample, _) => {
                *sample = Some(UsageSample {
                    used_bytes: totals.used_bytes,
                    apparent_bytes,
                    files,
                    method: Method::Walk,
                    error_bound_bytes: 0,
                    measured_at: at,
                    duration_seconds: seconds,
                });
            }
        }
        record.settle();
    }

    /// The record of a project quota that was found to tell the truth. What only a walk finds stays.
    pub(super) fn quota(
        &mut self,
        subject: &Subject,
        quota: &ProjectRecord,
        at: Timestamp,
        seconds: f64,
    ) {
        let record = self.change(subject);
        let before = record.measured.sample;
        record.measured.sample = Some(UsageSample {
            used_bytes: quota.used_bytes,
            apparent_bytes: before.and_then(|sample| sample.apparent_bytes),
            files: quota.files.or(before.and_then(|sample| sample.files)),
            method: quota.method,
            error_bound_bytes: 0,
            measured_at: at,
            duration_seconds: seconds,
        });
        record.measured.kernel_limit = quota.limit;
    }

    /// The kernel's limits hold whether or not the use it counts is all there is.
    pub(super) fn limit(&mut self, subject: &Subject, quota: Option<&ProjectRecord>) {
        let limit = quota.and_then(|quota| quota.limit);
        self.change(subject).measured.kernel_limit = limit;
    }

    /// A whole refresh of a tree that a walk left: the value, and by how much it may be off.
    pub(super) fn refreshed(
        &mut self,
        subject: &Subject,
        totals: &Totals,
        error_bound_bytes: u64,
        at: Timestamp,
        seconds: f64,
    ) {
        let record = self.change(subject);
        record.walk_failure = None;
        record.measured.sample = Some(UsageSample {
            used_bytes: totals.used_bytes,
            apparent_bytes: Some(totals.apparent_bytes),
            files: Some(totals.files),
            method: Method::Incremental,
            error_bound_bytes,
            measured_at: at,
            duration_seconds: seconds,
        });
        record.settle();
    }

    /// `statfs` of an own filesystem. What a walk found before stays.
    pub(super) fn statfs(&mut self, subject: &Subject, used: u64, at: Timestamp, seconds: f64) {
        let record = self.change(subject);
        let before = record.measured.sample;
        record.measured.sample = Some(UsageSample {
            used_bytes: used,
            apparent_bytes: before.and_then(|sample| sample.apparent_bytes),
            files: before.and_then(|sample| sample.files),
            method: Method::Statfs,
            error_bound_bytes: 0,
            measured_at: at,
            duration_seconds: seconds,
        });
        record.statfs_failure = None;
        record.settle();
    }

    /// A failed pass: the last good value stays.
    pub(super) fn failed(&mut self, subject: &Subject, kind: Kind, failure: MeasureFailure) {
        let record = self.change(subject);
        match kind {
            Kind::Statfs => record.statfs_failure = Some(failure),
            Kind::Walk | Kind::OwnWalk | Kind::Quota => record.walk_failure = Some(failure),
        }
        record.settle();
    }

    fn change(&mut self, subject: &Subject) -> &mut Record {
        self.snapshot = None;
        self.records.entry(subject.clone()).or_default()
    }
}

impl Record {
    fn settle(&mut self) {
        self.measured.failure = self.statfs_failure.clone().or_else(|| self.walk_failure.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::{SandboxKey, SourceKind};

    fn subject() -> Subject {
        Subject::Sandbox(SandboxKey {
            source: SourceKind::Mesos,
            framework: "f".into(),
            executor: "e".into(),
            container: "c".into(),
        })
    }

    fn entry(kind: Kind, now: Instant) -> Entry {
        let target = Target {
            subject: subject(),
            path: Path::new("/x").into(),
            extra: Vec::new(),
            skip: Vec::new(),
            how: How::Walk,
            remote: false,
        };
        Entry::new(Arc::new(target), kind, (0, 0), now)
    }

    fn failure(reason: &'static str) -> MeasureFailure {
        MeasureFailure { reason, message: String::new(), at: 1.0 }
    }

    #[test]
    fn backing_off_has_bounds() {
        let (now, asked) = (Instant::now(), Duration::from_secs(60));
        let rests = |reason: &str| {
            let mut entry = entry(Kind::Walk, now);
            let mut rest = || {
                entry.back_off(reason, now, asked);
                (entry.ready_at(asked) - now).as_secs()
            };
            (0..12).map(|_| rest()).collect::<Vec<u64>>()
        };
        assert_eq!(rests("io"), [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]);
        assert_eq!(rests("disturbed")[..5], [0, 10, 20, 40, 60]);
        assert_eq!(rests("unresponsive")[11], 60);
        let mut entry = entry(Kind::OwnWalk, now);
        entry.succeeded(now);
        assert_eq!(entry.ready_at(asked), now + asked * 5);
    }

    #[test]
    fn a_failed_pass_keeps_the_last_value() {
        let mut book = Book::default();
        let totals = Totals { used_bytes: 10, apparent_bytes: 7, files: 2, newest_mtime: None };
        book.walked(&subject(), Kind::Walk, &totals, 5.0, 1.0);
        book.failed(&subject(), Kind::Walk, failure("io"));
        let measured = book.snapshot()[&subject()].clone();
        assert_eq!(measured.sample.map(|sample| sample.used_bytes), Some(10));
        assert_eq!(measured.failure.map(|failure| failure.reason), Some("io"));
        book.walked(&subject(), Kind::Walk, &totals, 6.0, 1.0);
        assert_eq!(book.snapshot()[&subject()].failure, None);
    }

    #[test]
    fn a_project_quota_stands_between_walks() {
        let mut book = Book::default();
        let totals = Totals { used_bytes: 10, apparent_bytes: 7, files: 2, newest_mtime: None };
        let limit = crate::model::KernelLimit { project: 9, ..Default::default() };
        let record = |used_bytes, files| ProjectRecord {
            project: (1, 9),
            used_bytes,
            files,
            method: Method::ProjectQuota,
            limit: Some(limit),
        };
        book.walked(&subject(), Kind::Walk, &totals, 5.0, 1.0);
        book.quota(&subject(), &record(30, Some(4)), 6.0, 0.0);
        let sample = UsageSample {
            used_bytes: 30,
            apparent_bytes: Some(7),
            files: Some(4),
            method: Method::ProjectQuota,
            error_bound_bytes: 0,
            measured_at: 6.0,
            duration_seconds: 0.0,
        };
        let measured = book.snapshot()[&subject()].clone();
        assert_eq!((measured.sample, measured.kernel_limit), (Some(sample), Some(limit)));
        // By statfs the number of inodes stays the last one known.
        book.quota(&subject(), &ProjectRecord { limit: None, ..record(40, None) }, 7.0, 0.0);
        let measured = book.snapshot()[&subject()].clone();
        assert_eq!(measured.sample.and_then(|sample| sample.files), Some(4));
        assert_eq!(measured.kernel_limit, None);
    }

    #[test]
    fn the_first_comparison_must_be_exact() {
        let totals = Totals { used_bytes: 8192, apparent_bytes: 7, files: 2, newest_mtime: None };
        let record = |used_bytes, files| ProjectRecord {
            project: (1, 9),
            used_bytes,
            files: Some(files),
            method: Method::ProjectQuota,
            limit: None,
        };
        let (same, more) = (record(8192, 2), record(12_288, 3));
        assert_eq!(trusted(Some(&same), Some(&same), &totals, false), Some(Ok(same)));
        assert!(matches!(trusted(Some(&more), Some(&more), &totals, false), Some(Err(_))));
        assert_eq!(trusted(Some(&more), Some(&more), &totals, true), Some(Ok(more)));
        assert_eq!(trusted(None, Some(&same), &totals, true), None);
    }

    #[test]
    fn an_own_filesystem_joins_two_passes() {
        let mut book = Book::default();
        let totals = Totals { used_bytes: 10, apparent_bytes: 7, files: 2, newest_mtime: None };
        // Without the use itself a walk says nothing.
        book.walked(&subject(), Kind::OwnWalk, &totals, 4.0, 1.0);
        assert_eq!(book.snapshot()[&subject()].sample, None);
        book.statfs(&subject(), 4096, 5.0, 0.0);
        book.walked(&subject(), Kind::OwnWalk, &totals, 6.0, 1.0);
        book.statfs(&subject(), 8192, 7.0, 0.0);
        let sample = UsageSample {
            used_bytes: 8192,
            apparent_bytes: Some(7),
            files: Some(2),
            method: Method::Statfs,
            error_bound_bytes: 0,
            measured_at: 7.0,
            duration_seconds: 0.0,
        };
        assert_eq!(book.snapshot()[&subject()].sample, Some(sample));
        // What fails is told until that very thing succeeds.
        book.failed(&subject(), Kind::OwnWalk, failure("permission"));
        book.statfs(&subject(), 8192, 8.0, 0.0);
        let reason =
            |book: &mut Book| book.snapshot()[&subject()].failure.as_ref().map(|f| f.reason);
        assert_eq!(reason(&mut book), Some("permission"));
        book.walked(&subject(), Kind::OwnWalk, &totals, 9.0, 1.0);
        assert_eq!(reason(&mut book), None);
        book.forget(|_| true);
        assert!(book.snapshot().is_empty());
    }
}
