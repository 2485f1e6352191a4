//! Files for `promtool test rules`.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use plimsoll::expose::rules::{RuleOptions, alert_rules};
use plimsoll::judge::conditions::{MONITORING, Thresholds, all};
use plimsoll::model::Severity;

use crate::samples::with;

/// The whole file that is shipped, with the thresholds that are the default.
pub fn rules() -> String {
    alert_rules(&Thresholds::default(), &RuleOptions::default())
}

/// The same without annotations, which promtool would compare too.
pub fn bare_rules() -> String {
    let mut kept = String::new();
    let mut annotations = false;
    for line in rules().lines() {
        let inner = annotations && line.starts_with("          ");
        annotations = inner || line == "        annotations:";
        if !annotations {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Runs a command that must succeed, in a directory, and returns what it said.
pub fn run(dir: &Path, program: &str, args: &[&str]) -> String {
    let said = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap_or_else(|error| panic!("{program} is installed by scripts/test: {error}"));
    let words = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success(), "{program} {args:?}: {words}");
    words
}

/// Names and severities of every alert.
pub fn every_alert() -> impl Iterator<Item = (&'static str, Severity)> {
    let conditions = all().map(|one| (one.alert, one.severity));
    conditions.chain(MONITORING.iter().map(|one| (one.alert, one.severity)))
}

/// Labels of an alert, without its name: those of the host, of the subject, and the severity.
pub fn labels(alert: &str, host: &str, subject: &str) -> String {
    let (_, severity) = every_alert().find(|(name, _)| *name == alert).expect(alert);
    let severity = format!(r#"severity="{}""#, severity.as_str());
    with(&with(host, subject), &severity)
}

/// Tests in the making. Samples are a minute apart.
pub struct Tests {
    text: String,
}

impl Tests {
    /// With one evaluation a minute.
    pub fn new() -> Self {
        Self::every(1)
    }

    /// With an evaluation every so many minutes: the time that a test takes is that of evaluations.
    pub fn every(minutes: u32) -> Self {
        let head = "rule_files: [rules.yml]\nevaluation_interval";
        Self { text: format!("{head}: {minutes}m\ntests:\n") }
    }

    /// Begins a test: its series come next, then what is expected.
    pub fn test(&mut self, name: &str, series: &[(String, String)]) {
        let name = serde_json::Value::from(name);
        let _ = write!(self.text, "  - name: {name}\n    interval: 1m\n    input_series:\n");
        for (series, values) in series {
            let series = serde_json::Value::from(series.as_str());
            let _ = writeln!(self.text, "      - {{series: {series}, values: '{values}'}}");
        }
        self.text.push_str("    alert_rule_test:\n");
    }

    /// All that fires of an alert in a minute: label sets (`a="b",c="d"`), each perhaps with
    /// annotations.
    pub fn expect(&mut self, alert: &str, minute: u32, fires: &[(String, Option<String>)]) {
        let alerts: Vec<String> = fires
            .iter()
            .map(|(labels, annotations)| {
                let labels = labels.replace("=\"", ": \"").replace("\",", "\", ");
                let more = annotations.as_ref().map(|text| format!(", exp_annotations: {text}"));
                format!("{{exp_labels: {{{labels}}}{}}}", more.unwrap_or_default())
            })
            .collect();
        let _ = writeln!(
            self.text,
            "      - {{alertname: {alert}, eval_time: {minute}m, exp_alerts: [{}]}}",
            alerts.join(", ")
        );
    }

    /// These fire in a minute, and no others.
    pub fn expect_only(&mut self, minute: u32, fires: &[(&str, String)]) {
        for (name, _) in every_alert() {
            let own = fires.iter().filter(|(alert, _)| *alert == name);
            let own: Vec<_> = own.map(|(_, labels)| (labels.clone(), None)).collect();
            self.expect(name, minute, &own);
        }
    }

    /// Lets promtool judge.
    pub fn run(self, rules: &str) {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("rules.yml"), rules).expect("write");
        std::fs::write(dir.path().join("tests.yml"), &self.text).expect("write");
        run(dir.path(), "promtool", &["test", "rules", "tests.yml"]);
    }
}

/// `name{labels}`.
pub fn series(name: &str, host: &str, own: &str) -> String {
    format!("{name}{{{}}}", with(host, own))
}
