//! What a person should look at, the gravest first: the findings.

use super::html::{Tone, span};
use crate::model::{Finding, Severity, Snapshot};

/// A snapshot older than this means that Plimsoll itself is stuck, in seconds.
const STALE: f64 = 300.0;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) tone: Tone,
    /// What sort of thing.
    pub(super) kind: String,
    /// What it is about.
    pub(super) subject: String,
    /// What is wrong.
    pub(super) text: String,
    /// What to do, where there is something to say.
    pub(super) hint: String,
}

/// Everything that needs attention.
pub(super) fn items(snapshot: &Snapshot, now: f64) -> Vec<Item> {
    let mut items = Vec::new();
    if snapshot.ready && now - snapshot.taken_at > STALE {
        items.push(Item {
            tone: Tone::Bad,
            kind: "stale".into(),
            subject: "this page".into(),
            text: format!("The newest snapshot is {} old.", span(now - snapshot.taken_at)),
            hint: String::new(),
        });
    }
    items.extend(snapshot.findings.iter().map(|finding| item(finding, now)));
    items
}

fn item(finding: &Finding, now: f64) -> Item {
    Item {
        tone: match finding.severity {
            Severity::Critical => Tone::Bad,
            Severity::Warning => Tone::Warn,
            Severity::Info => Tone::Quiet,
        },
        kind: finding.kind.replace('_', " "),
        subject: finding.subject.display.clone(),
        text: match now - finding.since {
            fresh if fresh < 60.0 => finding.reason.clone(),
            age => format!("{} For {}.", finding.reason, span(age)),
        },
        hint: finding.next.clone(),
    }
}

/// How grave it is that a filesystem is this full.
pub(super) fn filesystem_tone(ratio: f64) -> Tone {
    match ratio {
        full if full >= 0.95 => Tone::Bad,
        full if full >= 0.90 => Tone::Warn,
        _ => Tone::Good,
    }
}
