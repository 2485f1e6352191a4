//! Rules for Prometheus, made from the catalogue of conditions: what `alerts` hold is what the
//! findings say, with the thresholds of a configuration; `recording` sums up the fleet.
//!
//! [`labels`] is the label set that an alert has, whoever sends it.

mod alerts;
pub mod labels;
mod recording;
#[cfg(test)]
mod same_sets;
mod yaml;

pub use alerts::alert_rules;
pub use labels::{LabelSet, alert_labels};
pub use recording::recording_rules;

/// What rules are made for, beside the thresholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleOptions {
    /// The job in Prometheus' configuration that scrapes Plimsoll. Only alerts about Plimsoll itself
    /// need it.
    pub job: String,
    /// Where the runbook is: an alert's section follows after `#`.
    pub runbook: String,
}

impl Default for RuleOptions {
    fn default() -> Self {
        Self { job: "plimsoll".into(), runbook: "docs/runbook.md".into() }
    }
}

/// The runbook's section of an alert.
pub fn runbook_url(runbook: &str, alert: &str) -> String {
    format!("{runbook}#{}", alert.to_lowercase())
}
