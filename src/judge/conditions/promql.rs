//! Expressions with the thresholds of a configuration.

use super::{Condition, Thresholds};

impl Condition {
    /// The expression with its names of thresholds, and without the subjects for which what it
    /// [gives way to](Condition::gives_way_to) fires already. (Once that is over, Prometheus holds
    /// this one for its time anew; findings come back at once.)
    pub fn expression(&self) -> Option<String> {
        let expr = self.expr?;
        let further: Vec<&str> = self.gives_way_to().iter().map(|one| one.alert).collect();
        if further.is_empty() {
            return Some(expr.to_owned());
        }
        let labels = ["job", "instance"].iter().chain(self.subject.labels());
        let labels: Vec<&str> = labels.copied().collect();
        Some(format!(
            "({expr}) unless on ({}) ALERTS{{alertname=~\"{}\", alertstate=\"firing\"}}",
            labels.join(", "),
            further.join("|")
        ))
    }

    /// The expression that holds for one series of each subject the condition holds for, with
    /// `$threshold` and `$KEY` filled in. `None` where no metric tells the condition, or the
    /// expression names a threshold that is not there.
    ///
    /// Every join in it is on `job` and `instance` too: subjects of two hosts, or one host scraped
    /// by two jobs, never meet.
    pub fn promql(&self, thresholds: &Thresholds) -> Option<String> {
        let template = self.expression()?;
        let mut filled = String::new();
        let mut rest = template.as_str();
        while let Some(at) = rest.find('$') {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            let length =
                after.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(after.len());
            let (name, left) = after.split_at(length);
            filled.push_str(before);
            match name {
                // A group of a regular expression.
                "" => filled.push('$'),
                "threshold" => {
                    filled.push_str(&number(thresholds.get(self.threshold.as_ref()?.key)?))
                }
                key => filled.push_str(&number(thresholds.get(key)?)),
            }
            rest = left;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// As PromQL reads it: without an exponent, and as short as it can be.
fn number(value: f64) -> String {
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::super::{all, find};
    use super::*;

    #[test]
    fn thresholds_take_the_place_of_their_names() {
        let thresholds = Thresholds { filesystem_filling: 0.85, ..Thresholds::default() };
        let filled = |id: &str| find(id).expect(id).promql(&thresholds);
        let expr = filled("filesystem_filling").expect("it has one");
        let full = r#"ALERTS{alertname=~"PlimsollFilesystemFull", alertstate="firing"}"#;
        let unless = format!(">= 0.85) unless on (job, instance, mount_point) {full}");
        assert!(expr.ends_with(&unless), "{expr}");
        let expr = filled("volume_fills_soon").expect("it has one");
        assert!(expr.contains("<= 86400)"), "{expr}");
        assert!(expr.contains(r#""filesystem", "$1", "mount_point", "(.*)""#), "{expr}");
        assert_eq!(filled("volume_conflict"), None);
    }

    #[test]
    fn every_expression_is_filled_whole_and_joins_within_one_target() {
        for condition in all() {
            let Some(expr) = condition.expression() else { continue };
            let filled = condition.promql(&Thresholds::default()).expect(condition.id);
            assert!(!filled.replace("$1", "").contains('$'), "{filled}");
            for join in expr.split(" on (").skip(1).chain(expr.split(" by (").skip(1)) {
                assert!(join.starts_with("job, instance"), "{}: on ({join}", condition.id);
            }
        }
    }
}
