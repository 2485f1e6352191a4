//! Expressions with the thresholds of a configuration.

use super::{Condition, Thresholds, Unit};
use crate::model::SubjectKind;

/// 1 for each filesystem, with the server and the export of those on the network. (Should a host have
/// two at one place, the one is as good as the other, and both would be no answer at all.)
const SERVERS: &str = "\
    (topk by (job, instance, mount_point) (1, plimsoll_network_filesystem_info) or on (job, \
    instance, mount_point) plimsoll_filesystem_responsive * 0 + 1)";

impl Condition {
    /// The expression with its names of thresholds, and without the subjects for which what it
    /// [gives way to](Condition::gives_way_to) fires already. (Once that is over, Prometheus holds
    /// this one for its time anew; findings come back at once.) `None` where only a finding tells it.
    pub fn expression(&self) -> Option<String> {
        Some(self.giving_way(self.expr?.to_owned()))
    }

    /// The expression of its alert: one series for each subject that the condition holds for, with
    /// the labels of the target and of the subject, and no others. `$threshold` and `$KEY` are filled
    /// in. `None` where the expression names a threshold that is not there.
    ///
    /// As with findings, an alert that fires stays until the value is past the threshold by the
    /// margin. What no other metric tells is taken from the finding's own, which has held already.
    ///
    /// Every join in it is on `job` and `instance` too: subjects of two hosts, or one host scraped
    /// by two jobs, never meet.
    pub fn promql(&self, thresholds: &Thresholds) -> Option<String> {
        let Some(template) = self.expr else {
            let finding = format!("plimsoll_finding{{kind=\"{}\"}}", self.id);
            return Some(self.giving_way(format!("max without (kind, severity) ({finding}) == 1")));
        };
        let with_labels = |expr: String| match self.subject {
            SubjectKind::Filesystem => format!(
                "({expr}) * on (job, instance, mount_point) group_left (server, export) {SERVERS}"
            ),
            _ => expr,
        };
        let mut expr = self.filled(template, thresholds, 0.0)?;
        if let Some(threshold) = self.threshold.as_ref().filter(|one| one.margin > 0.0) {
            let margin = threshold.margin_of(thresholds.get(threshold.key)?);
            let past = match threshold.unit {
                Unit::Within => margin,
                Unit::Ratio | Unit::Seconds => -margin,
            };
            let lingers = self.filled(template, thresholds, past)?;
            let fires = firing(self.alert);
            expr = format!("({expr}) or ({lingers}) and on ({}) {fires}", self.identity());
        }
        Some(with_labels(self.giving_way(expr)))
    }

    /// Seconds that its alert must hold in Prometheus: findings have held already.
    pub fn rule_hold_seconds(&self) -> f64 {
        if self.expr.is_some() { self.hold_seconds } else { 0.0 }
    }

    fn giving_way(&self, expr: String) -> String {
        let further: Vec<&str> = self.gives_way_to().iter().map(|one| one.alert).collect();
        if further.is_empty() {
            return expr;
        }
        format!("({expr}) unless on ({}) {}", self.identity(), firing(&further.join("|")))
    }

    /// Labels that name one subject of one target.
    fn identity(&self) -> String {
        let labels = ["job", "instance"].iter().chain(self.subject.key());
        labels.copied().collect::<Vec<_>>().join(", ")
    }

    /// The template with the thresholds, its own one moved by `past`.
    fn filled(&self, template: &str, thresholds: &Thresholds, past: f64) -> Option<String> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(at) = rest.find('$') {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            let length =
                after.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(after.len());
            let (name, left) = after.split_at(length);
            filled.push_str(before);
            match name {
                "threshold" => {
                    let key = self.threshold.as_ref()?.key;
                    filled.push_str(&number(thresholds.get(key)? + past));
                }
                key => filled.push_str(&number(thresholds.get(key)?)),
            }
            rest = left;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// Subjects for which one of these alerts fires.
fn firing(alerts: &str) -> String {
    format!("ALERTS{{alertname=~\"{alerts}\", alertstate=\"firing\"}}")
}

/// As PromQL reads it: without an exponent, and as short as it can be. Nine decimals are more than
/// anybody configures, and hide what binary fractions make of a difference.
fn number(value: f64) -> String {
    format!("{}", (value * 1e9).round() / 1e9)
}

#[cfg(test)]
mod tests {
    use super::super::{all, find};
    use super::*;

    #[test]
    fn thresholds_take_the_place_of_their_names() {
        let thresholds = Thresholds { filesystem_filling: 0.85, ..Thresholds::default() };
        let filled = |id: &str| find(id).expect(id).promql(&thresholds).expect(id);
        let expr = filled("filesystem_filling");
        let full = r#"ALERTS{alertname=~"PlimsollFilesystemFull", alertstate="firing"}"#;
        let unless = format!(" unless on (job, instance, mount_point) {full}) * on (job, ");
        assert!(expr.contains(&unless), "{expr}");
        assert!(expr.contains(">= 0.85 unless"), "{expr}");
        let expr = filled("volume_fills_soon");
        assert!(expr.contains("<= 86400)"), "{expr}");
    }

    #[test]
    fn what_fires_lingers_by_the_margin() {
        let expr = |id: &str| find(id).expect(id).promql(&Thresholds::default()).expect(id);
        let alert = |name: &str| format!(r#"ALERTS{{alertname=~"{name}", alertstate="firing"}}"#);
        let near = alert("PlimsollSandboxNearQuota");
        let labels = "job, instance, source, framework, executor, container";
        let found = expr("sandbox_near_quota");
        assert!(found.contains(&format!("and on ({labels}) {near}")), "{found}");
        assert!(found.contains(">= 0.9 and") && found.contains(">= 0.87 and"), "{found}");
        // Time ahead: a finding stays while it is a little further away.
        let found = expr("filesystem_fills_now");
        assert!(found.contains("<= 14400 ") && found.contains("<= 16200 "), "{found}");
        assert!(!expr("filesystem_overcommitted").contains("ALERTS"), "no margin");
        // A threshold that is smaller than its margin: an alert must be able to end.
        let low = Thresholds { network_storage_slow: 0.1, ..Thresholds::default() };
        let found = find("network_storage_slow").expect("it").promql(&low).expect("it");
        assert!(found.contains(">= 0.1 and") && found.contains(">= 0.05 and"), "{found}");
    }

    #[test]
    fn what_no_metric_tells_is_taken_from_its_finding() {
        let conflict = find("volume_conflict").expect("it is there");
        let expr =
            r#"max without (kind, severity) (plimsoll_finding{kind="volume_conflict"}) == 1"#;
        assert_eq!(conflict.promql(&Thresholds::default()).as_deref(), Some(expr));
        assert_eq!((conflict.rule_hold_seconds(), conflict.hold_seconds), (0.0, 120.0));
        assert_eq!(conflict.expression(), None);
    }

    #[test]
    fn every_expression_is_filled_whole_and_joins_within_one_target() {
        for condition in all() {
            let filled = condition.promql(&Thresholds::default()).expect(condition.id);
            assert!(!filled.contains('$'), "{filled}");
            for join in filled.split(" on (").skip(1).chain(filled.split(" by (").skip(1)) {
                assert!(join.starts_with("job, instance"), "{}: on ({join}", condition.id);
            }
        }
    }
}
