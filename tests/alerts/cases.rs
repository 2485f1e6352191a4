//! The expressions of the catalogue of conditions, as Prometheus evaluates them (`promtool`): each
//! fires for the host that it is about, and for no other of the same cluster, whose roles, volumes
//! and mount points have the same names.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use plimsoll::judge::conditions::{Condition, Thresholds, all, find};

/// One group with an alert for every condition that has an expression.
fn rules(annotated: bool) -> String {
    let mut text = String::from("groups:\n  - name: plimsoll\n    rules:\n");
    for condition in all() {
        let Some(expr) = condition.promql(&Thresholds::default()) else { continue };
        let quoted = |text: &str| serde_json::to_string(text).expect("text");
        let _ = write!(
            text,
            "      - alert: {}\n        expr: {}\n        for: {}s\n        labels: {{severity: {}}}\n",
            condition.alert,
            quoted(&expr),
            condition.hold_seconds,
            condition.severity.as_str()
        );
        if annotated {
            let _ = write!(
                text,
                "        annotations:\n          summary: {}\n          description: {}\n",
                quoted(condition.summary),
                quoted(condition.description)
            );
        }
    }
    text
}

fn promtool(dir: &Path, args: &[&str]) {
    let said = Command::new("promtool")
        .args(args)
        .current_dir(dir)
        .output()
        .expect("promtool is installed by scripts/test");
    let words = [said.stdout, said.stderr].concat();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&words));
}

#[test]
fn promtool_reads_every_expression_and_description() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("rules.yml"), rules(true)).expect("write");
    promtool(dir.path(), &["check", "rules", "rules.yml"]);
}

/// Labels of every sample, beside those of the host.
const VOLUME: &str = r#"source="mesos",role="db",volume="v",disk="ROOT""#;
const SANDBOX: &str = r#"source="mesos",framework="F",executor="e",container="c""#;
const FILESYSTEM: &str = r#"mount_point="/data""#;
const NETWORK: &str = r#"server="filer",export="/vol",mount_point="/data""#;

/// What one host shows: samples as (family, labels, value), constant over time.
type Samples = Vec<(&'static str, String, f64)>;

struct Case {
    condition: &'static str,
    /// The host that it holds for.
    ill: Samples,
    /// One that it does not hold for, with the same names, and whatever could be mixed up with the
    /// first one's.
    well: Samples,
    /// Labels of the alert.
    labels: &'static str,
}

fn with(base: &str, more: &str) -> String {
    let parts: Vec<&str> = [base, more].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(",")
}

/// Used bytes and quota of a subject, its enforcement, and when it is full.
fn quota(kind: &'static str, used: f64, enforcement: &str, full_at: Option<f64>) -> Samples {
    let (labels, families): (_, [&'static str; 4]) = match kind {
        "volume" => (
            VOLUME,
            [
                "plimsoll_volume_used_bytes",
                "plimsoll_volume_quota_bytes",
                "plimsoll_volume_info",
                "plimsoll_volume_full_timestamp_seconds",
            ],
        ),
        _ => (
            SANDBOX,
            [
                "plimsoll_sandbox_used_bytes",
                "plimsoll_sandbox_quota_bytes",
                "plimsoll_sandbox_info",
                "plimsoll_sandbox_full_timestamp_seconds",
            ],
        ),
    };
    let info = format!(r#"enforcement="{enforcement}",filesystem="/data""#);
    let mut samples = vec![
        (families[0], labels.to_owned(), used),
        (families[1], labels.to_owned(), 100.0),
        (families[2], with(labels, &info), 1.0),
    ];
    samples.extend(full_at.map(|at| (families[3], labels.to_owned(), at)));
    samples
}

/// A filesystem of 100 bytes.
fn filesystem(available: f64, responsive: f64, full_at: Option<f64>) -> Samples {
    let mut samples = vec![
        ("plimsoll_filesystem_size_bytes", FILESYSTEM.to_owned(), 100.0),
        ("plimsoll_filesystem_free_bytes", FILESYSTEM.to_owned(), available),
        ("plimsoll_filesystem_available_bytes", FILESYSTEM.to_owned(), available),
        ("plimsoll_filesystem_responsive", FILESYSTEM.to_owned(), responsive),
    ];
    samples.extend(
        full_at.map(|at| ("plimsoll_filesystem_full_timestamp_seconds", FILESYSTEM.to_owned(), at)),
    );
    samples
}

fn one(family: &'static str, labels: &str, value: f64) -> Samples {
    vec![(family, labels.to_owned(), value)]
}

/// A container's reads or writes that stand at a limit so many seconds of each minute.
fn throttled(direction: &str, seconds: f64) -> Samples {
    let device = with(SANDBOX, r#"device="sda""#);
    ["read", "write"]
        .map(|which| {
            let family = match which {
                "read" => "plimsoll_container_io_read_throttled_seconds_total",
                _ => "plimsoll_container_io_write_throttled_seconds_total",
            };
            (family, device.clone(), if which == direction { seconds } else { 0.0 })
        })
        .into()
}

/// Two containers on one device: what the first writes, in percent of 100 MiB/s, and how many
/// seconds of each minute the other waits and stands at a limit of its own.
fn neighbours(percent: f64, waits: f64, at_limit: f64) -> Samples {
    const PERCENT: f64 = 60.0 * 1_048_576.0;
    let other = r#"source="mesos",framework="F",executor="o",container="o-c""#;
    let on_device = |labels: &str| with(labels, r#"device="sda""#);
    let mut samples = Samples::new();
    for (labels, written, waited) in
        [(SANDBOX, percent * PERCENT, 0.0), (other, (100.0 - percent) * PERCENT, waits)]
    {
        let device = on_device(labels);
        samples.push(("plimsoll_container_io_read_bytes_total", device.clone(), 0.0));
        samples.push(("plimsoll_container_io_written_bytes_total", device, written));
        let pressure = "plimsoll_container_io_pressure_some_seconds_total";
        samples.push((pressure, labels.to_owned(), waited));
    }
    let throttled = "plimsoll_container_io_write_throttled_seconds_total";
    samples.push((throttled, on_device(other), at_limit));
    samples
}

/// How long each case goes on: longer than any hold time.
const MINUTES: u32 = 70;
/// A point in time that stays within a day, and beyond four hours, all that while.
const SOON: f64 = 60_000.0;
/// One that is within four hours.
const NOW: f64 = 12_000.0;
const LATE: f64 = 1e6;

fn cases() -> Vec<Case> {
    let case = |condition, ill, well, labels| Case { condition, ill, well, labels };
    let volume = |used, enforcement, full_at| quota("volume", used, enforcement, full_at);
    let sandbox = |used, enforcement, full_at| quota("sandbox", used, enforcement, full_at);
    // A neighbour on whose filesystem the same time is told: there it is the filesystem's alert.
    let by_filesystem = |mut samples: Samples, at: f64| {
        samples.extend(filesystem(50.0, 1.0, Some(at)));
        samples
    };
    // The filesystem of the host itself is full at another time.
    let beside = |mut samples: Samples| {
        samples.extend(filesystem(50.0, 1.0, Some(LATE)));
        samples
    };
    let state = |family: &'static str, base: &str, state: &str, on: f64| {
        one(family, &with(base, &format!(r#"state="{state}""#)), on)
    };
    let volume_state = |of: &str, on| state("plimsoll_volume_state", VOLUME, of, on);
    let finished = |of: &str, count| {
        let base = r#"source="mesos",framework="F""#;
        state("plimsoll_finished_sandboxes", base, of, count)
    };
    let files = |free: f64| {
        vec![
            ("plimsoll_filesystem_files", FILESYSTEM.to_owned(), 100.0),
            ("plimsoll_filesystem_files_free", FILESYSTEM.to_owned(), free),
        ]
    };
    let promised = |bytes: f64| {
        let mut samples = filesystem(50.0, 1.0, None);
        samples.extend(one("plimsoll_filesystem_promised_bytes", FILESYSTEM, bytes));
        samples
    };
    let agent = |up: f64, recovering: f64| {
        vec![
            ("plimsoll_agent_up", String::new(), up),
            ("plimsoll_agent_recovering", String::new(), recovering),
        ]
    };
    let folded = |used: f64| {
        let other = r#"source="other",role="other",volume="other",disk="other""#;
        vec![
            ("plimsoll_volume_used_bytes", other.to_owned(), used),
            ("plimsoll_volume_quota_bytes", other.to_owned(), 100.0),
        ]
    };
    let collector = |name: &str, success: f64| {
        one("plimsoll_collector_success", &format!(r#"collector="{name}""#), success)
    };
    let checkpoint = r#"collector="mesos_checkpoint""#;
    let framework = r#"source="mesos",framework="F""#;
    vec![
        case("volume_near_quota", volume(95.0, "none", None), volume(89.0, "none", None), VOLUME),
        case("volume_near_quota", volume(90.0, "none", None), folded(95.0), VOLUME),
        case(
            "volume_over_quota",
            volume(110.0, "soft_kill", None),
            volume(110.0, "none", None),
            VOLUME,
        ),
        case(
            "volume_over_quota_unenforced",
            volume(110.0, "accounting", None),
            volume(110.0, "hard_quota", None),
            VOLUME,
        ),
        case(
            "volume_fills_soon",
            beside(volume(50.0, "none", Some(SOON))),
            by_filesystem(volume(50.0, "none", Some(SOON)), SOON),
            VOLUME,
        ),
        case(
            "volume_fills_soon",
            beside(volume(50.0, "none", Some(SOON))),
            volume(100.0, "none", Some(SOON)),
            VOLUME,
        ),
        case(
            "volume_fills_now",
            beside(volume(50.0, "none", Some(NOW))),
            by_filesystem(volume(50.0, "none", Some(NOW)), NOW),
            VOLUME,
        ),
        case(
            "sandbox_fills_soon",
            beside(sandbox(50.0, "soft_kill", Some(SOON))),
            by_filesystem(sandbox(50.0, "soft_kill", Some(SOON)), SOON),
            SANDBOX,
        ),
        case(
            "sandbox_fills_soon",
            beside(sandbox(50.0, "unknown", Some(SOON))),
            sandbox(50.0, "accounting", Some(SOON)),
            SANDBOX,
        ),
        case(
            "sandbox_fills_now",
            beside(sandbox(50.0, "hard_quota", Some(NOW))),
            by_filesystem(sandbox(50.0, "hard_quota", Some(NOW)), NOW),
            SANDBOX,
        ),
        case(
            "volume_orphaned",
            volume_state("orphaned", 1.0),
            volume_state("orphaned", 0.0),
            VOLUME,
        ),
        case(
            "volume_unused",
            unused(0.0, 3600.0),
            // As old there, but told later.
            unused(0.0, 7200.0),
            VOLUME,
        ),
        case("volume_unowned", volume_state("unowned", 1.0), volume_state("idle", 1.0), VOLUME),
        case("volume_missing", volume_state("missing", 1.0), volume_state("missing", 0.0), VOLUME),
        case(
            "sandbox_near_quota",
            sandbox(95.0, "soft_kill", None),
            sandbox(95.0, "none", None),
            SANDBOX,
        ),
        case(
            "sandbox_over_quota",
            sandbox(100.0, "hard_quota", None),
            sandbox(100.0, "none", None),
            SANDBOX,
        ),
        case(
            "sandbox_over_quota_unenforced",
            sandbox(100.0, "none", None),
            sandbox(100.0, "soft_kill", None),
            SANDBOX,
        ),
        case(
            "sandbox_missing",
            state("plimsoll_sandbox_state", SANDBOX, "missing", 1.0),
            state("plimsoll_sandbox_state", SANDBOX, "live", 1.0),
            SANDBOX,
        ),
        case("sandboxes_leaked", finished("leaked", 2.0), finished("abandoned", 0.0), framework),
        case("sandboxes_abandoned", finished("abandoned", 1.0), finished("leaked", 0.0), framework),
        case("io_throttled", throttled("write", 45.0), throttled("write", 20.0), SANDBOX),
        case("io_throttled", throttled("read", 31.0), throttled("read", 29.0), SANDBOX),
        case(
            "io_pressure",
            one("plimsoll_container_io_pressure_full_seconds_total", SANDBOX, 40.0),
            one("plimsoll_container_io_pressure_full_seconds_total", SANDBOX, 20.0),
            SANDBOX,
        ),
        case("io_neighbour", neighbours(90.0, 24.0, 0.0), neighbours(90.0, 24.0, 20.0), SANDBOX),
        case("io_neighbour", neighbours(90.0, 24.0, 0.0), neighbours(60.0, 24.0, 0.0), SANDBOX),
        case("io_neighbour", neighbours(90.0, 24.0, 0.0), neighbours(90.0, 3.0, 0.0), SANDBOX),
        case(
            "filesystem_filling",
            filesystem(5.0, 1.0, None),
            filesystem(11.0, 1.0, None),
            FILESYSTEM,
        ),
        case(
            "filesystem_full",
            filesystem(2.0, 1.0, None),
            filesystem(11.0, 1.0, None),
            FILESYSTEM,
        ),
        case(
            "filesystem_fills_soon",
            filesystem(50.0, 1.0, Some(SOON)),
            filesystem(50.0, 1.0, Some(LATE)),
            FILESYSTEM,
        ),
        case(
            "filesystem_fills_now",
            filesystem(50.0, 1.0, Some(NOW)),
            filesystem(50.0, 1.0, Some(LATE)),
            FILESYSTEM,
        ),
        case("filesystem_inodes_low", files(5.0), files(11.0), FILESYSTEM),
        case("filesystem_inodes_exhausted", files(1.0), files(11.0), FILESYSTEM),
        case("filesystem_overcommitted", promised(101.0), promised(100.0), FILESYSTEM),
        case(
            "filesystem_readonly",
            one("plimsoll_filesystem_readonly", FILESYSTEM, 1.0),
            one("plimsoll_filesystem_readonly", FILESYSTEM, 0.0),
            FILESYSTEM,
        ),
        case(
            "filesystem_unresponsive",
            filesystem(50.0, 0.0, Some(NOW)),
            filesystem(50.0, 1.0, None),
            FILESYSTEM,
        ),
        case(
            // A hung network filesystem is told as such, with its server.
            "filesystem_unresponsive",
            filesystem(50.0, 0.0, Some(NOW)),
            [filesystem(50.0, 0.0, Some(LATE)), hung(0.0)].concat(),
            FILESYSTEM,
        ),
        case("network_storage_unresponsive", hung(0.0), hung(1.0), NETWORK),
        case("network_storage_slow", requests(1000.0, 0.0), requests(990.0, 0.0), NETWORK),
        case("network_storage_retransmitting", requests(10.0, 51.0), requests(10.0, 49.0), NETWORK),
        case("agent_down", agent(0.0, 0.0), agent(1.0, 0.0), ""),
        case("agent_recovering", agent(0.0, 1.0), agent(1.0, 0.0), ""),
        case(
            "gc_behind",
            one("plimsoll_gc_next_removal_timestamp_seconds", "", -3600.0),
            one("plimsoll_gc_next_removal_timestamp_seconds", "", 3600.0),
            "",
        ),
        case(
            "source_unreadable",
            collector("mesos_checkpoint", 0.0),
            collector("filesystems", 0.0),
            checkpoint,
        ),
        case(
            "sources_disagree",
            one("plimsoll_disagreements", "", 1.0),
            one("plimsoll_disagreements", "", 0.0),
            "",
        ),
        case(
            "measurements_overdue",
            one("plimsoll_usage_debt_seconds", "", 900.0),
            one("plimsoll_usage_debt_seconds", "", 899.0),
            "",
        ),
        case(
            "series_dropped",
            one("plimsoll_series_dropped", "", 4.0),
            one("plimsoll_series_dropped", "", 0.0),
            "",
        ),
    ]
}

/// Whether a network filesystem answers.
fn hung(responsive: f64) -> Samples {
    one("plimsoll_network_filesystem_responsive", NETWORK, responsive)
}

/// A network filesystem with a thousand requests a minute: the seconds they took, and how many were
/// sent again. Upkeep of the connection is slow, and does not count.
fn requests(seconds: f64, again: f64) -> Samples {
    let of = |name: &str| with(NETWORK, &format!(r#"operation="{name}""#));
    let requests = "plimsoll_network_filesystem_operations_total";
    let execute = "plimsoll_network_filesystem_operation_execute_seconds_total";
    vec![
        (requests, of("READ"), 600.0),
        (requests, of("WRITE"), 400.0),
        (requests, of("SESSION"), 10.0),
        (execute, of("READ"), seconds / 2.0),
        (execute, of("WRITE"), seconds / 2.0),
        (execute, of("SESSION"), 9000.0),
        ("plimsoll_network_filesystem_retransmissions_total", NETWORK.to_owned(), again),
    ]
}

/// A directory that nobody uses since a time, and after how many seconds that is told.
fn unused(since: f64, after: f64) -> Samples {
    vec![
        ("plimsoll_volume_unused_since_timestamp_seconds", VOLUME.to_owned(), since),
        ("plimsoll_volume_unused_after_seconds", VOLUME.to_owned(), after),
    ]
}

/// What fires on the other host of a case instead, with its labels: that is what tells them apart.
fn instead(case: &Case) -> Option<(&'static str, &'static str)> {
    let has = |family: &str, value: f64| {
        case.well.iter().any(|(name, _, found)| *name == family && *found == value)
    };
    let full = "plimsoll_filesystem_full_timestamp_seconds";
    Some(match case.condition {
        "volume_over_quota" => ("volume_over_quota_unenforced", VOLUME),
        "volume_over_quota_unenforced" => ("volume_over_quota", VOLUME),
        "sandbox_over_quota" => ("sandbox_over_quota_unenforced", SANDBOX),
        "sandbox_over_quota_unenforced" => ("sandbox_over_quota", SANDBOX),
        "volume_fills_soon" if has("plimsoll_volume_used_bytes", 100.0) => {
            ("volume_over_quota_unenforced", VOLUME)
        }
        "filesystem_unresponsive" if has("plimsoll_network_filesystem_responsive", 0.0) => {
            ("network_storage_unresponsive", NETWORK)
        }
        _ if has(full, SOON) => ("filesystem_fills_soon", FILESYSTEM),
        _ if has(full, NOW) => ("filesystem_fills_now", FILESYSTEM),
        _ => return None,
    })
}

fn test_file() -> String {
    let mut text = String::from("rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n");
    for (number, case) in cases().iter().enumerate() {
        assert!(find(case.condition).is_some(), "{}", case.condition);
        let _ = write!(
            text,
            "  - name: {} {number}\n    interval: 1m\n    input_series:\n",
            case.condition
        );
        // The ill host is scraped by two jobs: neither is joined with the other's series.
        let hosts = [
            (r#"job="plimsoll",instance="ill""#, &case.ill),
            (r#"job="twice",instance="ill""#, &case.ill),
            (r#"job="plimsoll",instance="well""#, &case.well),
        ];
        for (host, samples) in hosts {
            for (family, labels, value) in samples {
                // A counter's value is what it gains in a minute.
                let (from, step) =
                    if family.ends_with("_total") { (0.0, *value) } else { (*value, 0.0) };
                let _ = write!(
                    text,
                    "      - series: '{family}{{{}}}'\n        values: '{from}+{step}x{MINUTES}'\n",
                    with(host, labels)
                );
            }
        }
        text.push_str("    alert_rule_test:\n");
        let instead = instead(case);
        for condition in all().filter(|condition| condition.expr.is_some()) {
            let mut alerts = Vec::new();
            if condition.id == case.condition {
                alerts.push(alert(condition, "plimsoll", "ill", case.labels));
                alerts.push(alert(condition, "twice", "ill", case.labels));
            }
            if let Some((_, labels)) = instead.filter(|(id, _)| *id == condition.id) {
                alerts.push(alert(condition, "plimsoll", "well", labels));
            }
            let _ = write!(
                text,
                "      - alertname: {}\n        eval_time: {MINUTES}m\n        exp_alerts: [{}]\n",
                condition.alert,
                alerts.join(", ")
            );
        }
    }
    text
}

fn alert(condition: &Condition, job: &str, instance: &str, labels: &str) -> String {
    let severity = condition.severity.as_str();
    let own = format!(r#"job="{job}",instance="{instance}",severity="{severity}""#);
    format!("{{exp_labels: {{{}}}}}", with(&own, labels).replace('=', ": "))
}

#[test]
fn each_fires_for_its_own_host_and_no_other() {
    let covered: BTreeSet<&str> = cases().iter().map(|case| case.condition).collect();
    let all_of_them: BTreeSet<&str> =
        all().filter(|condition| condition.expr.is_some()).map(|condition| condition.id).collect();
    assert_eq!(covered, all_of_them, "an expression has no case");
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("rules.yml"), rules(false)).expect("write");
    std::fs::write(dir.path().join("tests.yml"), test_file()).expect("write");
    promtool(dir.path(), &["test", "rules", "tests.yml"]);
}

/// As findings do it: the warning fires until the graver alert does, and no longer.
#[test]
fn a_warning_fires_until_the_graver_alert_does() {
    // Ten minutes with a little room left, then next to none.
    let stories: [(&str, &str, Samples, &str, f64); 2] = [
        ("filesystem_filling", "filesystem_full", filesystem(8.0, 1.0, None), FILESYSTEM, 1.0),
        (
            "volume_near_quota",
            "volume_over_quota_unenforced",
            quota("volume", 95.0, "none", None),
            VOLUME,
            110.0,
        ),
    ];
    let mut text = String::from("rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n");
    for (warning, graver, samples, labels, worse) in stories {
        let _ = write!(text, "  - name: {warning}\n    interval: 1m\n    input_series:\n");
        for (family, own, value) in samples {
            let gets_worse = matches!(
                family,
                "plimsoll_filesystem_free_bytes"
                    | "plimsoll_filesystem_available_bytes"
                    | "plimsoll_volume_used_bytes"
            );
            let then = if gets_worse { worse } else { value };
            let _ = write!(
                text,
                "      - series: '{family}{{{}}}'\n        values: '{value}x9 {then}x20'\n",
                with(r#"job="plimsoll",instance="ill""#, &own)
            );
        }
        text.push_str("    alert_rule_test:\n");
        let [warning, graver] = [warning, graver].map(|id| find(id).expect(id));
        let fires_from = 10.0 + graver.hold_seconds / 60.0;
        for minute in 6..25 {
            // An alert is seen by the rules before it one evaluation later.
            let both = f64::from(minute) == fires_from;
            let told = f64::from(minute) >= fires_from;
            for (condition, fires) in [(warning, !told || both), (graver, told)] {
                let alert = alert(condition, "plimsoll", "ill", labels);
                let _ = write!(
                    text,
                    "      - alertname: {}\n        eval_time: {minute}m\n        exp_alerts: [{}]\n",
                    condition.alert,
                    if fires { alert.as_str() } else { "" }
                );
            }
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("rules.yml"), rules(false)).expect("write");
    std::fs::write(dir.path().join("tests.yml"), text).expect("write");
    promtool(dir.path(), &["test", "rules", "tests.yml"]);
}

#[test]
fn what_no_metric_tells_has_no_expression() {
    let without: Vec<&str> =
        all().filter(|condition| condition.expr.is_none()).map(|condition| condition.id).collect();
    assert_eq!(
        without,
        [
            "volume_reattached",
            "volume_conflict",
            "volume_dangling_mount",
            "volume_mounted_elsewhere",
            "volume_mounted_twice",
            "volume_unmeasured",
            "reservation_idle",
        ]
    );
}
