//! Families of findings.

use std::collections::HashMap;

use crate::expose::catalogue::finding::{FINDING, FINDINGS};
use crate::expose::exposition::{Arena, Encoder, Labels};
use crate::judge::conditions;
use crate::model::Snapshot;

/// Findings with a series of their own; the counts have all.
const MAX_FINDINGS: usize = 1000;

pub(super) fn write(encoder: &mut Encoder, snapshot: &Snapshot) {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for finding in &snapshot.findings {
        *counts.entry(finding.kind).or_default() += 1;
    }
    encoder.family(&FINDINGS);
    let mut labels = Arena::default();
    for (index, condition) in conditions::all().enumerate() {
        labels.push(&[("kind", condition.id), ("severity", condition.severity.as_str())]);
        encoder.u64(labels.get(index), counts.get(condition.id).copied().unwrap_or(0));
    }
    encoder.family(&FINDING);
    for finding in snapshot.findings.iter().take(MAX_FINDINGS) {
        let mut pairs = vec![("kind", finding.kind), ("severity", finding.severity.as_str())];
        for name in FINDING.labels {
            let value = finding.subject.labels().find(|(label, _)| label == name);
            pairs.push((name, value.map_or("", |(_, value)| value)));
        }
        encoder.info(Labels::NONE, &pairs);
    }
}
