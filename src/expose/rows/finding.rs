//! Findings as rows.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Finding;

/// A finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingRow<'a> {
    /// Kind: the id of a condition of the runbook.
    pub kind: &'static str,
    /// Name of its alert.
    pub alert: &'static str,
    /// `critical`, `warning`, `info`.
    pub severity: &'static str,
    /// What sort of thing it is about.
    pub subject_kind: &'static str,
    /// Its name for a person.
    pub subject: &'a str,
    /// The labels that name it.
    pub labels: BTreeMap<&'static str, &'a str>,
    /// One sentence with the numbers.
    pub reason: &'a str,
    /// What a person would do next.
    pub next: &'a str,
    /// Since when it holds.
    pub since_timestamp_seconds: f64,
}

impl<'a> From<&'a Finding> for FindingRow<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            kind: finding.kind,
            alert: finding.alert,
            severity: finding.severity.as_str(),
            subject_kind: finding.subject.kind.as_str(),
            subject: &finding.subject.display,
            labels: finding.subject.labels().collect(),
            reason: &finding.reason,
            next: &finding.next,
            since_timestamp_seconds: finding.since,
        }
    }
}
