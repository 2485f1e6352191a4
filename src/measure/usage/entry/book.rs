//! What is published of each subject.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::quota::Record as ProjectRecord;
use super::super::walk::Totals;
use super::Kind;
use crate::model::{
    ClockStep, MeasureFailure, Measured, Method, NewestChange, Subject, Timestamp, UsageSample,
};

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
pub(in super::super) struct Book {
    records: HashMap<Subject, Record>,
    snapshot: Option<Arc<HashMap<Subject, Measured>>>,
}

impl Book {
    pub(in super::super) fn snapshot(&mut self) -> Arc<HashMap<Subject, Measured>> {
        let records = &self.records;
        let fresh =
            || Arc::new(records.iter().map(|(s, r)| (s.clone(), r.measured.clone())).collect());
        Arc::clone(self.snapshot.get_or_insert_with(fresh))
    }

    /// The wall clock was set: what was told by the old one is told by the new one.
    pub(in super::super) fn clock_stepped(&mut self, step: &ClockStep) {
        for record in self.records.values_mut() {
            let failures = [&mut record.statfs_failure, &mut record.walk_failure];
            failures.into_iter().flatten().for_each(|failure| step.shift_old(&mut failure.at));
            if let Some(sample) = &mut record.measured.sample {
                step.shift_old(&mut sample.measured_at);
            }
            if let Some(newest) = &mut record.measured.newest_change {
                step.shift_old(&mut newest.seen_at);
            }
            record.settle();
        }
        self.snapshot = None;
    }

    pub(in super::super) fn forget(&mut self, gone: impl Fn(&Subject) -> bool) {
        self.records.retain(|subject, _| !gone(subject));
        self.snapshot = None;
    }

    pub(in super::super) fn used(&self, subject: &Subject) -> Option<u64> {
        Some(self.records.get(subject)?.measured.sample.as_ref()?.used_bytes)
    }

    /// Whether a pass of this subject failed already.
    pub(in super::super) fn failed_already(&self, subject: &Subject) -> bool {
        self.records.get(subject).is_some_and(|record| record.measured.failure.is_some())
    }

    /// A whole walk. On an own filesystem the used bytes stay those of `statfs`.
    pub(in super::super) fn walked(
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
        record.looked_at(totals, at);
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
                    error_bound_bytes: Some(0),
                    measured_at: at,
                    duration_seconds: seconds,
                });
            }
        }
        record.settle();
    }

    /// The record of a project quota that was found to tell the truth. What only a walk finds stays.
    pub(in super::super) fn quota(
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
            error_bound_bytes: Some(0),
            measured_at: at,
            duration_seconds: seconds,
        });
        record.measured.kernel_limit = quota.limit;
    }

    /// The kernel's limits hold whether or not the use it counts is all there is.
    pub(in super::super) fn limit(&mut self, subject: &Subject, quota: Option<&ProjectRecord>) {
        let limit = quota.and_then(|quota| quota.limit);
        self.change(subject).measured.kernel_limit = limit;
    }

    /// A whole refresh of a tree that a walk left: the value, and by how much it may be off.
    pub(in super::super) fn refreshed(
        &mut self,
        subject: &Subject,
        totals: &Totals,
        error_bound_bytes: Option<u64>,
        at: Timestamp,
        seconds: f64,
    ) {
        let record = self.change(subject);
        record.walk_failure = None;
        record.looked_at(totals, at);
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
    pub(in super::super) fn statfs(
        &mut self,
        subject: &Subject,
        used: u64,
        at: Timestamp,
        seconds: f64,
    ) {
        let record = self.change(subject);
        let before = record.measured.sample;
        record.measured.sample = Some(UsageSample {
            used_bytes: used,
            apparent_bytes: before.and_then(|sample| sample.apparent_bytes),
            files: before.and_then(|sample| sample.files),
            method: Method::Statfs,
            error_bound_bytes: Some(0),
            measured_at: at,
            duration_seconds: seconds,
        });
        record.statfs_failure = None;
        record.settle();
    }

    /// A failed pass: the last good value stays.
    pub(in super::super) fn failed(
        &mut self,
        subject: &Subject,
        kind: Kind,
        failure: MeasureFailure,
    ) {
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
    /// Whatever stands for the bytes: only a look at the inodes tells when they changed.
    fn looked_at(&mut self, totals: &Totals, at: Timestamp) {
        let newest = totals.newest_mtime;
        self.measured.newest_change = newest.map(|newest| NewestChange {
            at: newest.change,
            claimed: newest.claimed,
            seen_at: at,
        });
    }

    fn settle(&mut self) {
        self.measured.failure = self.statfs_failure.clone().or_else(|| self.walk_failure.clone());
    }
}

#[cfg(test)]
mod tests {
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

    fn failure(reason: &'static str) -> MeasureFailure {
        MeasureFailure { reason, message: String::new(), at: 1.0 }
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
            error_bound_bytes: Some(0),
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
            error_bound_bytes: Some(0),
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
