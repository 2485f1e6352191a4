//! Whether a project's record may stand for a walk: both were taken, do they agree?
//!
//! A record can say too little (a part of the subject carries another id: tagged after it was
//! filled, or its owner changed the id of a file) or too much (another directory somewhere carries
//! the same id). It rightly says *more* than a walk by the files that are deleted but still open,
//! but nothing tells those from a foreign directory. So the first time they must agree to the byte;
//! a record that did once may say a little more later.

use thiserror::Error;

use super::Record;
use crate::measure::usage::walk::Totals;

/// Inodes a record that agreed before may have more than the walk found: as many deleted files are
/// taken to be held open. Beyond that something else is more likely to share the id.
const DELETED_BUT_OPEN: u64 = 64;

/// Why a record does not stand for its subject.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Distrust {
    /// Parts of the subject are not in its project.
    #[error(
        "parts of the tree are in no or another project: found {walked} {unit}, project holds {recorded}"
    )]
    TooLittle {
        /// What the walk found.
        walked: u64,
        /// What the record says, the larger of two.
        recorded: u64,
        /// `bytes` or `inodes`.
        unit: &'static str,
    },
    /// The project holds more than the subject.
    #[error(
        "the project holds more than the tree: found {walked} {unit}, project holds {recorded}"
    )]
    TooMuch {
        /// What the walk found.
        walked: u64,
        /// What the record says, the smaller of two.
        recorded: u64,
        /// `bytes` or `inodes`.
        unit: &'static str,
    },
    /// The two records are of different projects or were read by different means.
    #[error("the project changed during the walk")]
    Changed,
}

/// Compares a walk with the records read just before and just after it.
///
/// On a quiet tree they must agree to the byte, but for deleted files still open where the record
/// was found right before (`proven`). On one that changes, what the walk found may lie outside the
/// two records by as much as lies between them.
pub fn verdict(
    before: &Record,
    after: &Record,
    walked: &Totals,
    proven: bool,
) -> Result<(), Distrust> {
    if before.project != after.project || before.method != after.method {
        return Err(Distrust::Changed);
    }
    let bytes = Range::of(before.used_bytes, after.used_bytes);
    let files = before.files.zip(after.files).map(|(a, b)| Range::of(a, b));
    bytes.not_below(walked.used_bytes, "bytes")?;
    let Some(files) = files else {
        // Without the number of inodes nothing tells a deleted file from a foreign one.
        return bytes.not_above(walked.used_bytes, 0, "bytes");
    };
    files.not_below(walked.files, "inodes")?;
    files.not_above(walked.files, if proven { DELETED_BUT_OPEN } else { 0 }, "inodes")?;
    if !proven || files.low <= walked.files {
        // Nothing is there that the walk did not see: it saw all its bytes too.
        bytes.not_above(walked.used_bytes, 0, "bytes")?;
    }
    Ok(())
}

/// What to think of a project quota after a walk: its record, if it stands for the subject.
/// `proven`: it did after the walk before this one.
pub(in crate::measure::usage) fn trusted(
    before: Option<&Record>,
    after: Option<&Record>,
    totals: &Totals,
    proven: bool,
) -> Option<Result<Record, Distrust>> {
    let (before, after) = (before?, after?);
    Some(verdict(before, after, totals, proven).map(|()| *after))
}

struct Range {
    low: u64,
    high: u64,
}

impl Range {
    fn of(a: u64, b: u64) -> Self {
        Self { low: a.min(b), high: a.max(b) }
    }

    fn slack(&self) -> u64 {
        self.high - self.low
    }

    fn not_below(&self, walked: u64, unit: &'static str) -> Result<(), Distrust> {
        if walked > self.high.saturating_add(self.slack()) {
            return Err(Distrust::TooLittle { walked, recorded: self.high, unit });
        }
        Ok(())
    }

    fn not_above(&self, walked: u64, more: u64, unit: &'static str) -> Result<(), Distrust> {
        if self.low > walked.saturating_add(self.slack()).saturating_add(more) {
            return Err(Distrust::TooMuch { walked, recorded: self.low, unit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Method;

    fn record(used_bytes: u64, files: Option<u64>) -> Record {
        let method =
            if files.is_some() { Method::ProjectQuota } else { Method::ProjectQuotaStatfs };
        Record { project: (1, 7), used_bytes, files, method, limit: None }
    }

    fn of(before: (u64, u64), after: (u64, u64), walked: (u64, u64)) -> Result<(), Distrust> {
        judged(before, after, walked, false)
    }

    fn judged(
        before: (u64, u64),
        after: (u64, u64),
        walked: (u64, u64),
        proven: bool,
    ) -> Result<(), Distrust> {
        let totals =
            Totals { used_bytes: walked.0, apparent_bytes: 0, files: walked.1, newest_mtime: None };
        let record = |(bytes, files)| record(bytes, Some(files));
        verdict(&record(before), &record(after), &totals, proven)
    }

    #[test]
    fn a_quiet_tree_to_the_byte() {
        assert_eq!(of((8192, 2), (8192, 2), (8192, 2)), Ok(()));
        let less = Distrust::TooLittle { walked: 12_288, recorded: 8192, unit: "bytes" };
        assert_eq!(of((8192, 2), (8192, 2), (12_288, 2)), Err(less));
        let less = Distrust::TooLittle { walked: 3, recorded: 2, unit: "inodes" };
        assert_eq!(of((8192, 2), (8192, 2), (8192, 3)), Err(less));
        let more = Distrust::TooMuch { walked: 4096, recorded: 8192, unit: "bytes" };
        assert_eq!(of((8192, 2), (8192, 2), (4096, 2)), Err(more));
    }

    #[test]
    fn deleted_but_open_files_explain_some() {
        let of = |files, proven| judged((1 << 30, files), (1 << 30, files), (8192, 2), proven);
        let more = |recorded| Err(Distrust::TooMuch { walked: 2, recorded, unit: "inodes" });
        assert_eq!(of(66, true), Ok(()));
        assert_eq!(of(67, true), more(67));
        // Never before in agreement: it may as well be another directory.
        assert_eq!(of(3, false), more(3));
        let bytes = Distrust::TooMuch { walked: 8192, recorded: 1 << 30, unit: "bytes" };
        assert_eq!(of(2, true), Err(bytes));
    }

    #[test]
    fn a_tree_that_changes_has_as_much_room() {
        assert_eq!(of((1000, 10), (1500, 12), (2000, 14)), Ok(()));
        assert!(of((1000, 10), (1500, 12), (2001, 14)).is_err());
        assert!(of((1000, 10), (1500, 12), (1500, 15)).is_err());
        assert_eq!(of((1500, 12), (1000, 10), (500, 10)), Ok(()));
        assert!(of((1500, 12), (1000, 10), (499, 10)).is_err());
    }

    #[test]
    fn by_statfs_nothing_is_explained() {
        let totals = Totals { used_bytes: 100, apparent_bytes: 0, files: 1, newest_mtime: None };
        let of = |bytes| verdict(&record(bytes, None), &record(bytes, None), &totals, true);
        assert_eq!(of(100), Ok(()));
        assert!(of(99).is_err());
        assert!(of(101).is_err());
    }

    #[test]
    fn another_project_or_means() {
        let totals = Totals { used_bytes: 100, apparent_bytes: 0, files: 1, newest_mtime: None };
        let one = record(100, Some(1));
        let other = Record { project: (1, 8), ..one };
        assert_eq!(verdict(&one, &other, &totals, true), Err(Distrust::Changed));
        assert_eq!(verdict(&one, &record(100, None), &totals, true), Err(Distrust::Changed));
    }

    #[test]
    fn the_first_comparison_must_be_exact() {
        let totals = Totals { used_bytes: 8192, apparent_bytes: 7, files: 2, newest_mtime: None };
        let (same, more) = (record(8192, Some(2)), record(12_288, Some(3)));
        assert_eq!(trusted(Some(&same), Some(&same), &totals, false), Some(Ok(same)));
        assert!(matches!(trusted(Some(&more), Some(&more), &totals, false), Some(Err(_))));
        assert_eq!(trusted(Some(&more), Some(&more), &totals, true), Some(Ok(more)));
        assert_eq!(trusted(None, Some(&same), &totals, true), None);
    }
}
