//! Findings: what of a snapshot is worth telling a person.
//!
//! Two steps, both pure. The rules ([`candidates`]) look at one snapshot and say of each condition
//! and subject whether it holds now. [`FindingMemory`] adds time: a finding appears when its
//! condition held for the hold time, and stays, once told, until the value is below the threshold
//! by the margin, or the subject is gone.

mod growth;
mod host;
mod io;
mod memory;
mod network;
mod orphan;
mod subjects;

#[cfg(test)]
pub(crate) mod tests;

pub use memory::{FindingMemory, Remembered, identity};
pub use orphan::{OrphanAdvice, orphan_advice};

use std::collections::HashSet;

use crate::model::{Finding, FindingSubject, Snapshot, SubjectKind, Timestamp};

use super::conditions::{self, Condition, Thresholds};

/// Conditions with a longer hold time cannot be told by one look.
const ONE_LOOK_SECONDS: f64 = 3_600.0;

/// All that findings are made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// From which value on.
    pub thresholds: &'a Thresholds,
    /// Series folded into `other` on `/metrics`.
    pub series_dropped: usize,
    /// By how much the most overdue measurement is late, in seconds.
    pub debt_seconds: f64,
    /// The time.
    pub now: Timestamp,
}

/// How a condition stands in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// It holds.
    Holds,
    /// It does not, but not by enough (or not surely enough) to take back a finding that was told.
    Lingers,
}

/// One condition on one subject in one snapshot.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Which condition.
    pub condition: &'static Condition,
    /// What it is about.
    pub subject: FindingSubject,
    /// One sentence with the numbers.
    pub reason: String,
    /// What to do next, where that is more exact than the condition's own sentence.
    pub next: Option<String>,
    /// How it stands.
    pub strength: Strength,
}

impl Candidate {
    fn new(condition: &'static Condition, subject: FindingSubject, reason: String) -> Self {
        Self { condition, subject, reason, next: None, strength: Strength::Holds }
    }

    fn lingers(mut self) -> Self {
        self.strength = Strength::Lingers;
        self
    }

    fn finding(self, since: Timestamp) -> Finding {
        Finding {
            kind: self.condition.id,
            alert: self.condition.alert,
            severity: self.condition.severity,
            next: self.next.unwrap_or_else(|| self.condition.next.to_string()),
            subject: self.subject,
            reason: self.reason,
            since,
        }
    }
}

/// Every condition that holds or lingers in this snapshot, before hold times.
pub fn candidates(facts: &Facts<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    if facts.snapshot.ready {
        subjects::volumes(facts, &mut found);
        subjects::sandboxes(facts, &mut found);
        io::containers(facts, &mut found);
        host::filesystems(facts, &mut found);
        network::filesystems(facts, &mut found);
        host::agent(facts, &mut found);
        host::sources(facts, &mut found);
        host::own(facts, &mut found);
    }
    found
}

/// Findings of one look, for the one-shot commands: hold times are not waited for, and conditions
/// that only a long watch can tell are left out.
pub fn at_once(facts: &Facts<'_>) -> Vec<Finding> {
    at_once_since(facts, &FindingMemory::default())
}

/// The same, with since when each holds as far as a daemon `remembered` it.
pub fn at_once_since(facts: &Facts<'_>, remembered: &FindingMemory) -> Vec<Finding> {
    let now = candidates(facts).into_iter().filter(|candidate| {
        candidate.strength == Strength::Holds
            && candidate.condition.hold_seconds <= ONE_LOOK_SECONDS
    });
    let since = |candidate: &Candidate| remembered.since(candidate).unwrap_or(facts.now);
    let told = now.map(|candidate| {
        let since = since(&candidate).min(facts.now);
        candidate.finding(since)
    });
    in_order(given_way(told.collect()))
}

/// Leaves out what another finding of the same subject says, and more.
fn given_way(mut findings: Vec<Finding>) -> Vec<Finding> {
    let told: HashSet<(&str, FindingSubject)> =
        findings.iter().map(|finding| (finding.kind, finding.subject.clone())).collect();
    findings.retain(|finding| {
        let further = conditions::find(finding.kind).map_or(&[][..], Condition::gives_way_to);
        !further.iter().any(|further| told.contains(&(further.id, finding.subject.clone())))
    });
    findings
}

/// The gravest first, then by kind and subject; one for each identity.
fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings
        .sort_by(|a, b| (a.severity, a.kind, &a.subject).cmp(&(b.severity, b.kind, &b.subject)));
    findings.dedup_by(|a, b| a.kind == b.kind && a.subject.values == b.subject.values);
    findings
}

fn subject(
    kind: SubjectKind,
    values: impl IntoIterator<Item = String>,
    display: String,
) -> FindingSubject {
    FindingSubject { kind, values: values.into_iter().collect(), display }
}

/// Holds at the threshold and above, lingers down to the margin below it.
fn strength(value: f64, threshold: f64, margin: f64) -> Option<Strength> {
    if value >= threshold {
        Some(Strength::Holds)
    } else if value > threshold - margin {
        Some(Strength::Lingers)
    } else {
        None
    }
}

/// Threshold and margin of a condition that has one.
fn limit(condition: &Condition, thresholds: &Thresholds) -> Option<(f64, f64)> {
    let threshold = condition.threshold.as_ref()?;
    let value = thresholds.get(threshold.key)?;
    Some((value, threshold.margin_of(value)))
}

/// A ratio for a sentence, rounded down so that 100 % is never early.
fn percent(ratio: f64) -> String {
    format!("{:.0} %", (ratio * 100.0).floor())
}
