//! The one catalogue of conditions: what is worth telling a person, when, and what to do then.
//!
//! Findings are made from it, and so is the runbook (`docs/runbook.md`): a condition that is not
//! here can neither be found nor be documented.

mod catalogue;
mod growth;
mod host;
mod io;
mod monitoring;
mod network;
mod promql;
mod runbook;
mod stages;
mod subjects;
mod thresholds;

pub use catalogue::{all, find};
pub use growth::*;
pub use host::*;
pub use io::*;
pub use monitoring::{MONITORING, MonitoringAlert};
pub use network::*;
pub use runbook::runbook_markdown;
pub use subjects::*;
pub use thresholds::{Thresholds, Unit};

use crate::model::{Severity, SubjectKind};

/// From which value on a condition holds.
#[derive(Debug)]
pub struct Threshold {
    /// Key below `conditions` in the configuration.
    pub key: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// A finding that is there stays until the value falls below the threshold by this much, or by
    /// half of a threshold that is set so low that it could not.
    pub margin: f64,
}

impl Threshold {
    /// By how much the value must fall below the threshold that is configured.
    pub fn margin_of(&self, threshold: f64) -> f64 {
        match self.unit {
            Unit::Within => self.margin,
            Unit::Ratio | Unit::Seconds => self.margin.min(threshold / 2.0),
        }
    }
}

/// One condition.
#[derive(Debug)]
pub struct Condition {
    /// Kind of its findings: snake_case, never renamed.
    pub id: &'static str,
    /// Name of its alert.
    pub alert: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub subject: SubjectKind,
    /// Absent where the condition holds or does not.
    pub threshold: Option<Threshold>,
    /// Seconds it must hold before anybody is told.
    pub hold_seconds: f64,
    /// A few words, without the subject.
    pub summary: &'static str,
    /// One sentence for an alert, a template over the labels of the subject.
    pub description: &'static str,
    /// The same in PromQL; absent where no metric tells it. `$threshold` stands for the threshold.
    pub expr: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
    /// How to check it.
    pub check: &'static str,
    /// What to do.
    pub action: &'static str,
    /// The same in one sentence, for a list of findings.
    pub next: &'static str,
}
