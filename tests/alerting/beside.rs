//! The sidecar and a Prometheus that sends the same.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::alertmanager::Alertmanager;
use super::alone::{ORPHANED, Orphan, alerting, labels};
use super::host::holds_for;
use super::prometheus::Prometheus;
use super::scene;
use super::webhook::Webhook;

/// Prometheus' alerts go on for so long after their condition is over.
const KEEP: Duration = Duration::from_secs(8);

#[test]
fn whoever_sends_it_is_one_alert_with_the_same_labels() {
    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(&webhook);
    let scene = scene::quiet();
    scene.configure("");
    let daemon = scene.serve();
    daemon.wait_ready();
    let target = daemon.url.trim_start_matches("http://").to_owned();
    let keep = format!("{}s", KEEP.as_secs());
    let mut prometheus = Prometheus::start(&scene, &target, &alertmanager, &keep);

    // Prometheus alone.
    let orphan = Orphan::make(&scene, "new-0003");
    let notice = webhook.wait_for(ORPHANED, "new-0003", &["firing"]);
    assert_eq!(notice["labels"], labels("new-0003"));
    let held = alertmanager.firing(ORPHANED, "new-0003");
    let fingerprint = held[0]["fingerprint"].clone();
    assert_eq!(held.len(), 1);

    // Then both. The sidecar's words are others in the description only.
    scene.configure(&alerting(&[&alertmanager], ""));
    daemon.signal("HUP");
    let words = |held: &[Value], name: &str| held[0]["annotations"][name].clone();
    super::host::wait_for("the sidecar's alert", || {
        let held = alertmanager.firing(ORPHANED, "new-0003");
        assert_eq!(held.len(), 1, "one alert: {held:#?}");
        assert_eq!(held[0]["fingerprint"], fingerprint);
        for name in ["summary", "runbook_url"] {
            assert_eq!(words(&held, name), notice["annotations"][name], "{name}");
        }
        let said = words(&held, "description");
        said.as_str()?.starts_with("Volume analytics / new-0003 on ROOT: ").then_some(())
    });

    // It is over for the sidecar long before Prometheus says so: nobody is told before it does, and
    // then once.
    orphan.remove();
    let removed = Instant::now();
    let notice = webhook.wait_for(ORPHANED, "new-0003", &["firing", "resolved"]);
    // The sidecar's own would have lapsed after four seconds.
    assert!(removed.elapsed() >= KEEP - Duration::from_secs(1), "{:?}", removed.elapsed());
    assert_eq!(notice["labels"], labels("new-0003"));
    holds_for(Duration::from_secs(4), || {
        assert_eq!(webhook.notices(ORPHANED, "new-0003"), ["firing", "resolved"]);
    });

    // What is new while both are there is told once, and goes on when Prometheus is gone.
    let orphan = Orphan::make(&scene, "new-0004");
    webhook.wait_for(ORPHANED, "new-0004", &["firing"]);
    prometheus.stop();
    let alone = Orphan::make(&scene, "new-0005");
    let notice = webhook.wait_for(ORPHANED, "new-0005", &["firing"]);
    assert_eq!(notice["labels"], labels("new-0005"));
    holds_for(Duration::from_secs(5), || {
        assert_eq!(webhook.notices(ORPHANED, "new-0004"), ["firing"]);
        assert_eq!(alertmanager.firing(ORPHANED, "new-0005").len(), 1);
    });
    // Without it the end is not told, but lapses.
    alone.remove();
    webhook.wait_for(ORPHANED, "new-0005", &["firing", "resolved"]);
    drop(orphan);
}
