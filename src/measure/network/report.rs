//! What could be read of network filesystems, as sources that `check` lists.

use std::io;
use std::path::Path;

use crate::host::errno::{self, Outcome};
use crate::model::{SourceError, SourceHealth, SourceReport};

/// What became of reading one client's counters.
pub(super) struct Reading {
    pub(super) report: SourceReport,
}

impl Reading {
    fn new(name: &'static str, target: &Path, health: SourceHealth) -> Self {
        let target = target.display().to_string();
        let report =
            SourceReport { name, health, target, errors: Vec::new(), duration_seconds: 0.0 };
        Self { report }
    }

    pub(super) fn good(name: &'static str, target: &Path) -> Self {
        Self::new(name, target, SourceHealth::Ok)
    }

    /// The kernel offers nothing to read: no failure, but worth saying.
    pub(super) fn absent(name: &'static str, target: &Path, what: &str, hint: &str) -> Self {
        let mut reading = Self::new(name, target, SourceHealth::Absent);
        reading.tell("missing", what.to_owned(), hint);
        reading
    }

    pub(super) fn failed(
        name: &'static str,
        target: &Path,
        operation: &str,
        error: &io::Error,
    ) -> Self {
        let message = format!("{operation} {}: {error}", target.display());
        if errno::outcome_of(error) == Outcome::Gone {
            let hint =
                "its counters are absent; sizes and whether it answers are told all the same";
            return Self::absent(name, target, &message, hint);
        }
        let mut reading = Self::new(name, target, SourceHealth::Failed);
        let hint = "give the service CAP_DAC_READ_SEARCH; without it these counters are absent";
        reading.tell(errno::reason(error), message, hint);
        reading
    }

    /// The same, with so many lines that were not understood.
    pub(super) fn with_malformed(mut self, lines: usize) -> Self {
        if lines > 0 {
            self.degrade(lines);
        }
        self
    }

    fn degrade(&mut self, lines: usize) {
        self.report.health = SourceHealth::Partial;
        let message = format!("{}: {lines} lines were not understood", self.report.target);
        let hint = "report it with the file and the kernel's version; the other lines are used";
        self.tell("malformed", message, hint);
    }

    fn tell(&mut self, reason: &'static str, message: String, hint: &str) {
        self.report.errors.push(SourceError { reason, message, hint: hint.to_owned() });
    }
}
