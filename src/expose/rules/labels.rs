//! The label set of an alert, in one place: what Prometheus makes of the rules, and what is sent to
//! Alertmanager without it, must be the same to the last label, or one trouble is two alerts.
//!
//! The whole set is
//!
//! - the labels of the target, as Prometheus has them after relabelling (`job`, `instance`, and what
//!   service discovery adds), and its external labels: every expression keeps them;
//! - the labels that name the subject ([`SubjectKind::labels`]), those without a value left out, for
//!   Prometheus takes an empty label for none;
//! - `severity`, and `alertname`.
//!
//! Nothing else: what changes (a value, a state, a reason) is an annotation, for an alert with
//! another label is another alert.

use std::collections::BTreeMap;

use crate::expose::exposition::label_value;
use crate::judge::conditions::Condition;
use crate::model::{Finding, Severity, SubjectKind};

/// Names and values, sorted by name.
pub type LabelSet = BTreeMap<String, String>;

/// Label with the alert's name.
pub const ALERT_NAME: &str = "alertname";
/// Label with the alert's severity.
pub const SEVERITY: &str = "severity";
/// Label of the target that takes a host out of alerting while its value is [`IN_MAINTENANCE`].
pub const MAINTENANCE: &str = "maintenance";
/// See [`MAINTENANCE`].
pub const IN_MAINTENANCE: &str = "true";

/// The whole label set of a finding's alert. `target` holds the labels that Prometheus adds: those of
/// the target and the external ones. Names that [`is_reserved`] have no place in it.
pub fn alert_labels(finding: &Finding, target: &LabelSet) -> LabelSet {
    let mut labels = target.clone();
    let subject = finding.subject.labels();
    labels.extend(subject.map(|(name, value)| (name.into(), label_value(value).into_owned())));
    labels.extend(rule_labels(finding.severity).map(|(name, value)| (name.into(), value.into())));
    labels.insert(ALERT_NAME.to_owned(), finding.alert.to_owned());
    labels.retain(|_, value| !value.is_empty());
    labels
}

/// What a rule adds to the labels of its expression, beside the alert's name.
pub fn rule_labels(severity: Severity) -> [(&'static str, &'static str); 1] {
    [(SEVERITY, severity.as_str())]
}

/// Labels that an alert of the condition has beside those of the target; some may be empty, which is
/// to be absent.
pub fn own_labels(condition: &Condition) -> impl Iterator<Item = &'static str> {
    [ALERT_NAME, SEVERITY].into_iter().chain(condition.subject.labels().iter().copied())
}

/// Whether a label of the target of this name would be taken for one of an alert's own. (Prometheus
/// renames the scraped label to `exported_…` then, and no rule would find it.)
pub fn is_reserved(name: &str) -> bool {
    [ALERT_NAME, SEVERITY].contains(&name)
        || SubjectKind::ALL.iter().any(|kind| kind.labels().contains(&name))
}

/// Whether the host is taken out of alerting by a label of its target.
pub fn in_maintenance(target: &LabelSet) -> bool {
    target.get(MAINTENANCE).is_some_and(|value| value == IN_MAINTENANCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::conditions::{AGENT_DOWN, VOLUME_NEAR_QUOTA};
    use crate::model::FindingSubject;

    fn finding(condition: &'static Condition, values: &[&str]) -> Finding {
        Finding {
            kind: condition.id,
            alert: condition.alert,
            severity: condition.severity,
            subject: FindingSubject {
                kind: condition.subject,
                values: values.iter().map(|value| (*value).to_owned()).collect(),
                display: String::new(),
            },
            reason: String::new(),
            next: String::new(),
            since: 0.0,
        }
    }

    fn set(labels: &[(&str, &str)]) -> LabelSet {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_set_has_the_target_the_subject_the_severity_and_the_name() {
        let target = set(&[("job", "plimsoll"), ("instance", "h1:10061"), ("zone", "b")]);
        let found = finding(&VOLUME_NEAR_QUOTA, &["mesos", "db", "v", "ROOT"]);
        let expected = set(&[
            ("alertname", "PlimsollVolumeNearQuota"),
            ("severity", "warning"),
            ("job", "plimsoll"),
            ("instance", "h1:10061"),
            ("zone", "b"),
            ("source", "mesos"),
            ("role", "db"),
            ("volume", "v"),
            ("disk", "ROOT"),
        ]);
        assert_eq!(alert_labels(&found, &target), expected);
    }

    #[test]
    fn what_is_empty_is_absent() {
        let target = set(&[("job", "plimsoll"), ("instance", "h1"), ("zone", "")]);
        let found = finding(&VOLUME_NEAR_QUOTA, &["directories", "", "v", ""]);
        let names: Vec<String> = alert_labels(&found, &target).into_keys().collect();
        assert_eq!(names, ["alertname", "instance", "job", "severity", "source", "volume"]);
        let found = finding(&AGENT_DOWN, &[]);
        let names: Vec<String> = alert_labels(&found, &target).into_keys().collect();
        assert_eq!(names, ["alertname", "instance", "job", "severity"]);
    }

    #[test]
    fn labels_of_alerts_are_reserved_and_those_of_targets_are_not() {
        for name in ["alertname", "severity", "volume", "mount_point", "server", "collector"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["job", "instance", "cluster", "zone", "rack", MAINTENANCE] {
            assert!(!is_reserved(name), "{name}");
        }
        assert_eq!(
            own_labels(&AGENT_DOWN).collect::<Vec<_>>(),
            ["alertname", "severity"],
            "a condition without a subject of its own"
        );
    }

    #[test]
    fn maintenance_is_a_label_of_the_target() {
        assert!(in_maintenance(&set(&[("maintenance", "true")])));
        assert!(!in_maintenance(&set(&[("maintenance", "false"), ("job", "true")])));
    }
}
