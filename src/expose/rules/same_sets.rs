//! Rules and findings tell the same: every host on which findings are tested is judged minute by
//! minute as the daemon does it, its pages are given to Prometheus' rule engine (`promtool test
//! rules`) as if they had been scraped, and what fires there must be the alerts that the findings
//! make, to the last label.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use super::labels::{LabelSet, alert_labels};
use super::{RuleOptions, alert_rules};
use crate::expose::exposition::{Format, push_label};
use crate::expose::render::{DEFAULT_MAX_SERIES, render};
use crate::expose::{BuildInfo, Telemetry};
use crate::judge::conditions::{MONITORING, Thresholds, all};
use crate::judge::findings::FindingMemory;
use crate::judge::findings::tests::{Host, NOW, cases, silence};
use crate::model::{Finding, OperationStats, Snapshot};
use crate::pipeline::collector_runs;

/// Longer than any hold time and any range of a rate, in minutes.
const MINUTES: u32 = 70;
/// When the first page was scraped: what conditions hold since long before then, findings know.
const BEGIN: f64 = NOW + 14.0 * 86_400.0 - MINUTES as f64 * 60.0;

/// Values of each series, by its name and labels, one a minute.
type Pages = BTreeMap<String, Vec<Option<f64>>>;

/// What a host is scraped with, and what is found on it in the end.
fn watched(host: &Host) -> (Pages, Vec<Finding>) {
    let mut memory = FindingMemory::default();
    host.look(&mut memory, NOW);
    let mut pages = Pages::new();
    let mut findings = Vec::new();
    for minute in 0..=MINUTES {
        let passed = f64::from(minute) * 60.0;
        let mut snapshot = host.snapshot(BEGIN + passed);
        findings = host.look(&mut memory, BEGIN + passed);
        snapshot.findings.clone_from(&findings);
        snapshot.collectors = collector_runs(&host.sources).collect();
        count_up(&mut snapshot, passed);
        for (series, value) in page(&snapshot, host) {
            let values = pages.entry(series).or_default();
            values.resize(minute as usize, None);
            values.push(Some(value));
        }
    }
    pages.values_mut().for_each(|values| values.resize(MINUTES as usize + 1, None));
    (pages, findings)
}

/// The kernel's counters after so many seconds in which all went on as the judged rates say. Judging
/// made these rates of such counters.
fn count_up(snapshot: &mut Snapshot, passed: f64) {
    let mut io = snapshot.io.to_vec();
    for container in &mut io {
        for device in &mut container.devices {
            device.read.bytes = Some(0);
            device.write.bytes =
                device.bytes_per_second.map(|each_second| (each_second * passed) as u64);
            for direction in [&mut device.read, &mut device.write] {
                direction.throttled_seconds = direction.throttled_ratio.map(|part| part * passed);
            }
        }
        if let Some(pressure) = &mut container.pressure {
            pressure.some_seconds = pressure.some_ratio.unwrap_or(0.0) * passed;
            pressure.full_seconds = pressure.full_ratio.unwrap_or(0.0) * passed;
        }
    }
    snapshot.io = io.into();
    for network in &mut snapshot.network {
        let Some(recent) = network.recent.filter(|recent| recent.window_seconds > 0.0) else {
            continue;
        };
        let windows = passed / recent.window_seconds;
        let requests = recent.requests as f64 * windows;
        let reads = OperationStats {
            requests: requests as u64,
            retransmissions: Some((recent.retransmissions as f64 * windows) as u64),
            execute_seconds: recent.mean_execute_seconds.map(|mean| mean * requests),
            ..OperationStats::default()
        };
        network.operations.insert("READ".into(), reads);
    }
}

/// Every sample of a page, with points in time counted from [`BEGIN`], where promtool's clock starts.
fn page(snapshot: &Snapshot, host: &Host) -> Vec<(String, f64)> {
    let telemetry = Telemetry::new(&BuildInfo::default(), 0.0).expect("it registers");
    telemetry.usage_backlog(host.debt, 0);
    let mut bytes = render(snapshot, Format::Text, DEFAULT_MAX_SERIES).chunks.concat();
    bytes.extend(telemetry.render(Format::Text));
    let text = String::from_utf8(bytes).expect("a page is text");
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    samples
        .filter(|line| line.starts_with("plimsoll_"))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a sample");
            let value: f64 = value.parse().expect("a number");
            let name = series.split('{').next().unwrap_or(series);
            let value = match name {
                // The host of a case says it, without having so many subjects.
                "plimsoll_series_dropped" => host.dropped as f64,
                name if name.ends_with("_timestamp_seconds") => value - BEGIN,
                _ => value,
            };
            (series.to_owned(), value)
        })
        .collect()
}

/// Labels of the target, as a scrape adds them.
fn target() -> LabelSet {
    let labels = [("job", "plimsoll"), ("instance", "host-1:10061"), ("zone", "b")];
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The values as promtool reads them, equal ones in a row as one word.
fn in_short(values: &[Option<f64>]) -> String {
    let words = values.chunk_by(|a, b| a == b).map(|run| match (run[0], run.len() - 1) {
        (None, more) => format!("_x{}", more + 1),
        (Some(value), 0) => value.to_string(),
        (Some(value), more) => format!("{value}x{more}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn test_of(name: &str, host: &Host) -> (String, usize) {
    let (pages, findings) = watched(host);
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut scraped = Vec::new();
    for (label, value) in &target() {
        push_label(&mut scraped, label, value);
    }
    let scraped = String::from_utf8(scraped).expect("text");
    let mut text = format!("  - name: {}\n    interval: 1m\n    input_series:\n", quoted(name));
    let up = format!("up{{{scraped}}}");
    let _ = writeln!(text, "      - {{series: {}, values: '1x{MINUTES}'}}", quoted(&up));
    for (series, values) in pages {
        let (name, own) = match series.split_once('{') {
            Some((name, own)) => (name, format!(",{own}")),
            None => (series.as_str(), "}".to_owned()),
        };
        let series = quoted(&format!("{name}{{{scraped}{own}"));
        let _ = writeln!(text, "      - {{series: {series}, values: '{}'}}", in_short(&values));
    }
    text.push_str("    alert_rule_test:\n");
    let alerts: Vec<LabelSet> =
        findings.iter().map(|finding| alert_labels(finding, &target())).collect();
    let names = all().map(|one| one.alert).chain(MONITORING.iter().map(|one| one.alert));
    for name in names {
        let own = alerts.iter().filter(|labels| labels["alertname"] == name);
        let expected: Vec<String> = own
            .map(|labels| {
                let others = labels.iter().filter(|(label, _)| *label != "alertname");
                let others: Vec<String> =
                    others.map(|(label, value)| format!("{label}: {}", quoted(value))).collect();
                format!("{{exp_labels: {{{}}}}}", others.join(", "))
            })
            .collect();
        let _ = writeln!(
            text,
            "      - {{alertname: {name}, eval_time: {MINUTES}m, exp_alerts: [{}]}}",
            expected.join(", ")
        );
    }
    (text, alerts.len())
}

/// The shipped rules; promtool would compare their annotations too.
fn rules() -> String {
    let text = alert_rules(&Thresholds::default(), &RuleOptions::default());
    let mut kept = String::new();
    let mut annotations = false;
    for line in text.lines() {
        annotations =
            line == "        annotations:" || (annotations && line.starts_with("          "));
        if !annotations {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[test]
fn rules_and_findings_fire_on_the_same_sets() {
    let ill = cases::cases().into_iter().chain(cases::by_io());
    let ill = ill.map(|(kind, _, host)| (kind, host, 1));
    let well = silence::hosts().into_iter().map(|(name, host)| (name, host, 0));
    // Scraped every minute, and evaluated every five: that is enough of many evaluations.
    let mut text = String::from("rule_files: [rules.yml]\nevaluation_interval: 5m\ntests:\n");
    for (name, host, told) in ill.chain(well) {
        let (test, alerts) = test_of(name, &host);
        assert_eq!(alerts, told, "{name}");
        text.push_str(&test);
    }
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("rules.yml"), rules()).expect("write");
    std::fs::write(dir.path().join("tests.yml"), text).expect("write");
    let said = Command::new("promtool")
        .args(["test", "rules", "tests.yml"])
        .current_dir(dir.path())
        .output()
        .expect("promtool is installed by scripts/test");
    let words = [said.stdout, said.stderr].concat();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&words));
}
