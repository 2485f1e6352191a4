//! The files that are shipped are those that `plimsoll rules` makes by default.
//! `UPDATE_DOCS=1 cargo test --test alerts` writes them anew.

use std::path::{Path, PathBuf};

use plimsoll::expose::rules::recording_rules;

use crate::promtool::{every_alert, rules, run};

fn alerts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts")
}

#[test]
fn the_shipped_rules_are_in_step() {
    for (name, made) in [("plimsoll.yml", rules()), ("plimsoll-recording.yml", recording_rules())] {
        let path = alerts().join(name);
        if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
            std::fs::write(&path, &made).expect("write");
        }
        let shipped = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            shipped == made,
            "alerts/{name} is out of step: UPDATE_DOCS=1 cargo test --test alerts"
        );
    }
}

#[test]
fn promtool_reads_the_rules() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, made) in [("alerts.yml", rules()), ("recording.yml", recording_rules())] {
        std::fs::write(dir.path().join(name), made).expect("write");
        run(dir.path(), "promtool", &["check", "rules", "--lint=all", "--lint-fatal", name]);
    }
}

/// Every alert has a severity, what a person reads, and a section of the runbook.
#[test]
fn every_alert_has_all_its_parts() {
    let runbook =
        std::fs::read_to_string(alerts().with_file_name("docs/runbook.md")).expect("read");
    let text = rules();
    for (name, severity) in every_alert() {
        let (_, rule) = text.split_once(&format!("      - alert: {name}\n")).expect(name);
        let rule = rule.split("      - alert: ").next().expect("it has lines");
        for part in ["expr: |-\n", "summary: \"", "description: \""] {
            assert!(rule.contains(part), "{name}: no {part:?}");
        }
        assert!(rule.contains(&format!("severity: \"{}\"\n", severity.as_str())), "{name}");
        let (_, anchor) = rule.split_once("runbook_url: \"docs/runbook.md#").expect(name);
        let anchor = anchor.lines().next().expect("it ends").trim_end_matches('"');
        // As a heading's anchor is made.
        assert_eq!(anchor, name.to_lowercase());
        assert!(runbook.contains(&format!("\n## {name}\n")), "{name}");
    }
}
