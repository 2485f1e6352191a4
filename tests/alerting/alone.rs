//! The sidecar without a Prometheus.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::alertmanager::Alertmanager;
use super::host::wait_for;
use super::scene::{self, Prepared};
use super::support::daemon::{Daemon, value};
use super::webhook::Webhook;

pub const ORPHANED: &str = "PlimsollVolumeOrphaned";

/// The section of the configuration, repeating every second.
pub fn alerting(alertmanagers: &[&Alertmanager], more: &str) -> String {
    let urls: Vec<String> = alertmanagers.iter().map(|one| one.url()).collect();
    format!(
        "alerting:\n  alertmanagers: [{}]\n  labels: {{job: plimsoll, instance: host-a, cluster: \
         test}}\n  resend_interval: 1s\n  timeout: 2s\n  runbook_url: docs/runbook.md\n{more}",
        urls.join(", ")
    )
}

/// Data that nobody claims, told at once.
pub struct Orphan {
    pub name: &'static str,
    path: PathBuf,
}

impl Orphan {
    pub fn make(scene: &Prepared, name: &'static str) -> Self {
        let path = scene.volume("analytics", name);
        std::fs::create_dir_all(&path).expect("make");
        std::fs::write(path.join("data"), vec![7; 100_000]).expect("write");
        Self { name, path }
    }

    pub fn remove(self) {
        std::fs::remove_dir_all(&self.path).expect("remove");
    }
}

/// The whole label set of the orphan's alert.
pub fn labels(name: &str) -> Value {
    json!({
        "alertname": ORPHANED, "severity": "warning", "job": "plimsoll", "instance": "host-a",
        "cluster": "test", "source": "mesos", "role": "analytics", "volume": name, "disk": "ROOT",
    })
}

pub fn metric(daemon: &Daemon, family: &str, alertmanager: &Alertmanager) -> Option<f64> {
    let address = alertmanager.address;
    value(&daemon.get("/metrics").body, &format!("{family}{{alertmanager=\"{address}\"}}"))
}

#[test]
fn a_finding_is_one_alert_with_all_labels_and_its_end_is_told() {
    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(&webhook);
    let scene = scene::quiet();
    scene.configure(&alerting(&[&alertmanager], "  beside_prometheus: false\n"));
    let daemon = scene.serve();
    daemon.wait_ready();
    let orphan = Orphan::make(&scene, "new-0001");

    let notice = webhook.wait_for(ORPHANED, "new-0001", &["firing"]);
    assert_eq!(notice["labels"], labels("new-0001"));
    let finding = wait_for("the finding", || {
        let findings = daemon.json("/api/v1/findings");
        let about = |row: &&Value| row["labels"]["volume"] == "new-0001";
        findings.as_array().expect("an array").iter().find(about).cloned()
    });
    let said = &notice["annotations"];
    assert_eq!(said["summary"], "host-a: Data that nobody claims");
    assert_eq!(said["action"], finding["next"]);
    assert_eq!(said["runbook_url"], "docs/runbook.md#plimsollvolumeorphaned");
    let description = said["description"].as_str().expect("text");
    assert!(description.starts_with("Volume analytics / new-0001 on ROOT: "), "{description}");
    assert!(description.contains("unclaimed"), "{description}");
    let page = notice["generatorURL"].as_str().expect("text");
    let port = daemon.url.rsplit(':').next().expect("a port");
    assert!(page.starts_with("http://") && page.ends_with(&format!(":{port}/")), "{page}");

    // Its beginning is that of the finding, however often it is sent.
    let since = finding["since_timestamp_seconds"].as_f64().expect("seconds");
    let sent = |least: f64| {
        wait_for("it is repeated", || {
            let sent = metric(&daemon, "plimsoll_alertmanager_sent_alerts_total", &alertmanager)?;
            (sent >= least).then_some(sent)
        })
    };
    let before = sent(1.0);
    sent(before + 20.0);
    let held = alertmanager.firing(ORPHANED, "new-0001");
    assert_eq!(held.len(), 1);
    let starts_at = held[0]["startsAt"].as_str().expect("a time");
    let starts_at = humantime::parse_rfc3339(starts_at).expect("RFC 3339");
    let starts_at = starts_at.duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    assert!((starts_at.as_secs_f64() - since).abs() < 0.01, "{held:?}");
    assert_eq!(webhook.notices(ORPHANED, "new-0001"), ["firing"]);

    orphan.remove();
    let notice = webhook.wait_for(ORPHANED, "new-0001", &["firing", "resolved"]);
    assert_eq!(notice["labels"], labels("new-0001"));
    assert_eq!(alertmanager.firing(ORPHANED, "new-0001"), Vec::<Value>::new());

    let of = |family| metric(&daemon, family, &alertmanager).expect(family);
    assert_eq!(of("plimsoll_alertmanager_pending_alerts"), 0.0);
    assert!(of("plimsoll_alertmanager_requests_total") >= 2.0);
    assert!(of("plimsoll_alertmanager_request_seconds_total") > 0.0);
    assert!(of("plimsoll_alertmanager_last_success_timestamp_seconds") >= since);
    let page = daemon.get("/metrics").body;
    let findings = daemon.json("/api/v1/findings").as_array().map(Vec::len).expect("an array");
    assert_eq!(value(&page, "plimsoll_alerting_firing_alerts"), Some(findings as f64));
    assert!(!page.contains("plimsoll_alertmanager_failures_total{"), "nothing failed");
}

#[test]
fn a_reload_begins_and_ends_the_sending() {
    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(&webhook);
    let scene = scene::quiet();
    scene.configure("");
    let orphan = Orphan::make(&scene, "new-0002");
    let daemon = scene.serve();
    daemon.wait_ready();
    assert!(!daemon.get("/metrics").body.contains("plimsoll_alertmanager_requests_total{"));
    scene.configure(&alerting(&[&alertmanager], "  beside_prometheus: false\n"));
    daemon.signal("HUP");
    webhook.wait_for(ORPHANED, orphan.name, &["firing"]);

    // In maintenance nothing fires: what did is over.
    let quiet = alerting(&[&alertmanager], "  beside_prometheus: false\n");
    let quiet = quiet.replace("cluster: test}", "cluster: test, maintenance: \"true\"}");
    scene.configure(&quiet);
    daemon.signal("HUP");
    webhook.wait_for(ORPHANED, orphan.name, &["firing", "resolved"]);

    scene.configure("");
    daemon.signal("HUP");
    wait_for("its counters go", || {
        let page = daemon.get("/metrics").body;
        (!page.contains("plimsoll_alertmanager_requests_total{")).then_some(())
    });
    assert_eq!(value(&daemon.get("/metrics").body, "plimsoll_alerting_firing_alerts"), Some(0.0));
}

#[test]
fn check_reaches_each_alertmanager_and_says_what_to_do() {
    let webhook = Webhook::start();
    let up = Alertmanager::start(&webhook);
    let down = Alertmanager::new(&webhook);
    let scene = scene::quiet();
    let check = |alertmanagers: &[&Alertmanager]| {
        scene.configure(&alerting(alertmanagers, ""));
        let said = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["check", "--config.file"])
            .arg(&scene.config)
            .args(scene.path_flags())
            .output()
            .expect("plimsoll check");
        (said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned())
    };
    let (good, report) = check(&[&up]);
    assert!(good, "{report}");
    assert!(report.contains(&format!("alertmanager      ok       {}", up.address)), "{report}");
    for label in ["instance       host-a\n", "job            plimsoll\n", "cluster        test\n"] {
        assert!(report.contains(label), "{report}");
    }
    let (good, report) = check(&[&up, &down]);
    assert!(!good, "{report}");
    assert!(report.contains(&format!("alertmanager      FAILED   {}", down.address)), "{report}");
    assert!(report.contains("refused: GET http://") && report.contains("start Alertmanager"));
}
