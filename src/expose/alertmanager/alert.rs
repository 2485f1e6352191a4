//! A finding as an alert, and alerts as Alertmanager reads them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::peer::Message;
use crate::expose::rules::{alert_labels, runbook_url};
use crate::judge::conditions;
use crate::model::{Finding, Timestamp};
use crate::text;

pub use crate::expose::rules::LabelSet as Labels;

/// Longest annotation, in bytes: a name may be as long as whoever chose it likes.
const MAX_ANNOTATION: usize = 2048;

/// What does not depend on the finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Labels of the target, as Prometheus has them after relabelling, and the external ones.
    pub target: Labels,
    /// Where the runbook is.
    pub runbook: String,
    /// The status page.
    pub status_url: String,
}

/// One alert. Alertmanager knows it by its labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its whole label set.
    #[serde(with = "shared")]
    pub labels: Arc<Labels>,
    /// What it says to people.
    pub annotations: BTreeMap<String, String>,
    /// Since when it fires.
    pub starts_at: Timestamp,
}

impl Alert {
    /// The alert of a finding.
    pub fn new(finding: &Finding, origin: &Origin) -> Self {
        let kind = finding.subject.kind.as_str();
        let mut subject: String = kind[..1].to_uppercase() + &kind[1..];
        if finding.subject.display != kind {
            subject = format!("{subject} {}", finding.subject.display);
        }
        let summary = conditions::find(finding.kind).map_or(finding.kind, |found| found.summary);
        let instance = origin.target.get("instance").map_or("", String::as_str);
        let annotations = [
            ("summary", format!("{instance}: {summary}")),
            ("description", format!("{subject}: {}", finding.reason)),
            ("action", finding.next.clone()),
            ("runbook_url", runbook_url(&origin.runbook, finding.alert)),
        ];
        let shown = |(name, text): (&str, String)| (name.to_owned(), bounded(&text::escape(&text)));
        Self {
            labels: Arc::new(alert_labels(finding, &origin.target)),
            annotations: annotations.map(shown).into(),
            starts_at: finding.since,
        }
    }
}

/// Labels behind an [`Arc`] as the labels themselves.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Labels;

    pub(super) fn serialize<S: Serializer>(labels: &Labels, to: S) -> Result<S::Ok, S::Error> {
        labels.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Labels>, D::Error> {
        Labels::deserialize(from).map(Arc::new)
    }
}

fn bounded(text: &str) -> String {
    if text.len() <= MAX_ANNOTATION {
        return text.to_owned();
    }
    let end = (0..=MAX_ANNOTATION).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// An alert in Alertmanager's API v2 (`postableAlert`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: &'a Labels,
    annotations: &'a BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
}

/// The body of `POST /api/v2/alerts`. What fires is good for `horizon` seconds from `now`.
///
/// # Errors
/// None that is known: everything in it is text.
pub fn body(
    batch: &[Message],
    status_url: &str,
    horizon: f64,
    now: Timestamp,
) -> Result<Bytes, serde_json::Error> {
    let posted: Vec<Posted<'_>> = batch
        .iter()
        .map(|message| {
            // An alert of the future, or one that ended before it began, would be refused.
            let starts_at = message.alert.starts_at.min(now);
            let ends_at = match message.ended_at {
                Some(at) => at.clamp(starts_at, now),
                None => now + horizon,
            };
            Posted {
                labels: &message.alert.labels,
                annotations: &message.alert.annotations,
                starts_at: rfc3339(starts_at),
                ends_at: rfc3339(ends_at),
                generator_url: status_url,
            }
        })
        .collect();
    serde_json::to_vec(&posted).map(Bytes::from)
}

fn rfc3339(at: Timestamp) -> String {
    let since = Duration::try_from_secs_f64(at.clamp(0.0, 253_402_300_799.0)).unwrap_or_default();
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::conditions::VOLUME_NEAR_QUOTA;
    use crate::model::{FindingSubject, SubjectKind};

    fn finding(reason: &str) -> Finding {
        Finding {
            kind: VOLUME_NEAR_QUOTA.id,
            alert: VOLUME_NEAR_QUOTA.alert,
            severity: VOLUME_NEAR_QUOTA.severity,
            subject: FindingSubject {
                kind: SubjectKind::Volume,
                values: ["mesos", "db", "v", "ROOT"].map(str::to_owned).into(),
                display: "db/v".into(),
            },
            reason: reason.into(),
            next: "Do it.".into(),
            since: 1_000_000.5,
        }
    }

    fn origin() -> Origin {
        let target = [("job", "plimsoll"), ("instance", "h:10061")];
        Origin {
            target: target.map(|(name, value)| (name.into(), value.into())).into(),
            runbook: "https://wiki/runbook".into(),
            status_url: "http://h:10061/".into(),
        }
    }

    #[test]
    fn a_body_has_every_field_of_the_api() {
        let alert = Arc::new(Alert::new(&finding("93 %."), &origin()));
        let batch = [
            Message { alert: Arc::clone(&alert), ended_at: None },
            Message { alert, ended_at: Some(1_000_060.0) },
        ];
        let body = body(&batch, "http://h:10061/", 240.0, 1_000_100.0).expect("JSON");
        let read: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let expected = serde_json::json!({
            "labels": {
                "alertname": "PlimsollVolumeNearQuota", "severity": "warning",
                "job": "plimsoll", "instance": "h:10061",
                "source": "mesos", "role": "db", "volume": "v", "disk": "ROOT",
            },
            "annotations": {
                "summary": "h:10061: Volume is close to its quota",
                "description": "Volume db/v: 93 %.",
                "action": "Do it.",
                "runbook_url": "https://wiki/runbook#plimsollvolumenearquota",
            },
            "startsAt": "1970-01-12T13:46:40.500Z",
            "endsAt": "1970-01-12T13:52:20.000Z",
            "generatorURL": "http://h:10061/",
        });
        assert_eq!(read[0], expected);
        assert_eq!(read[1]["endsAt"], "1970-01-12T13:47:40.000Z");
    }

    #[test]
    fn times_that_would_be_refused_are_set_right() {
        let alert = Arc::new(Alert::new(&finding(""), &origin()));
        for (now, ended_at) in
            [(900_000.0, None), (1_000_100.0, Some(500.0)), (1_000_100.0, Some(2e6))]
        {
            let batch = [Message { alert: Arc::clone(&alert), ended_at }];
            let body = body(&batch, "http://h/", 60.0, now).expect("JSON");
            let read: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            let time = |name: &str| {
                let text = read[0][name].as_str().expect("text");
                let time = humantime::parse_rfc3339(text).expect("a time");
                time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
            };
            assert!(time("startsAt") <= now && time("startsAt") <= time("endsAt"), "{now}");
            assert!(ended_at.is_none() || time("endsAt") <= now, "{now}");
        }
    }

    #[test]
    fn names_of_strangers_are_shown_escaped_and_bounded() {
        let alert = Alert::new(&finding(&format!("\u{1b}[31m{}", "ä".repeat(4000))), &origin());
        let text = &alert.annotations["description"];
        assert!(text.starts_with("Volume db/v: \\x1b[31mää"), "{text}");
        assert!(text.len() <= MAX_ANNOTATION + 3 && text.ends_with('…'));
    }
}
