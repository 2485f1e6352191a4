//! `plimsoll rules` as it is run.

use std::path::Path;
use std::process::{Command, Output};

use plimsoll::expose::rules::recording_rules;

use crate::promtool::{rules, run};

fn plimsoll(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .output()
        .expect("it runs")
}

#[test]
fn rules_have_the_thresholds_of_the_configuration() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("empty.yml"), "").expect("write");
    std::fs::write(
        dir.path().join("own.yml"),
        "conditions:\n  filesystem_filling: 0.8\n  fills_soon: 172800\n",
    )
    .expect("write");

    let said = plimsoll(dir.path(), &["rules", "--config.file", "empty.yml"]);
    assert_eq!(String::from_utf8_lossy(&said.stdout), rules());
    let said = plimsoll(dir.path(), &["rules", "--recording", "--config.file", "empty.yml"]);
    assert_eq!(String::from_utf8_lossy(&said.stdout), recording_rules());

    let args = ["rules", "--config.file", "own.yml", "--output.file", "rules.yml"];
    let more = ["--job", "storage", "--runbook-url", "https://wiki.example.org/plimsoll"];
    let said = plimsoll(dir.path(), &[&args[..], &more].concat());
    assert!(said.status.success() && said.stdout.is_empty(), "{said:?}");
    let text = std::fs::read_to_string(dir.path().join("rules.yml")).expect("it was written");
    assert!(text.contains(">= 0.8\n") && text.contains(">= 0.78\n"), "{text}");
    assert!(text.contains("<= 172800") && text.contains(r#"up{job="storage"} == 0"#), "{text}");
    assert!(text.contains("https://wiki.example.org/plimsoll#plimsolldown"), "{text}");
    run(dir.path(), "promtool", &["check", "rules", "rules.yml"]);
}

#[test]
fn what_cannot_be_written_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("empty.yml"), "").expect("write");
    let args = ["rules", "--config.file", "empty.yml", "--output.file", "nowhere/rules.yml"];
    let said = plimsoll(dir.path(), &args);
    let words = String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success() && words.contains("nowhere/rules.yml"), "{words}");
}
