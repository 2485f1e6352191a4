//! Alertmanagers and the daemon come and go: nothing is lost, nothing told twice.

use std::time::Duration;

use serde_json::Value;

use super::alertmanager::Alertmanager;
use super::alone::{ORPHANED, Orphan, alerting, metric};
use super::host::{holds_for, wait_for};
use super::scene;
use super::support::daemon::value;
use super::webhook::Webhook;

#[test]
fn an_alertmanager_that_was_away_gets_what_fires_then_and_what_ended() {
    let webhook = Webhook::start();
    let mut alertmanager = Alertmanager::start(&webhook);
    let scene = scene::quiet();
    scene.configure(&alerting(&[&alertmanager], "  beside_prometheus: false\n"));
    let daemon = scene.serve();
    daemon.wait_ready();
    let stays = Orphan::make(&scene, "stays");
    let goes = Orphan::make(&scene, "goes");
    webhook.wait_for(ORPHANED, "stays", &["firing"]);
    webhook.wait_for(ORPHANED, "goes", &["firing"]);

    alertmanager.stop();
    let failures = format!(
        "plimsoll_alertmanager_failures_total{{alertmanager=\"{}\",reason=\"refused\"}}",
        alertmanager.address
    );
    wait_for("failures are counted", || value(&daemon.get("/metrics").body, &failures));
    let comes = Orphan::make(&scene, "comes");
    // It comes and goes while nobody listens: whoever reads this later has no use for it.
    let passes = Orphan::make(&scene, "passes");
    goes.remove();
    wait_for("the findings change", || {
        let text = daemon.get("/api/v1/findings").body;
        let has = |name: &str| text.contains(&format!("\"volume\":\"{name}\""));
        (has("comes") && has("passes") && !has("goes")).then_some(())
    });
    passes.remove();
    wait_for("it is over", || {
        let text = daemon.get("/api/v1/findings").body;
        (!text.contains("\"volume\":\"passes\"")).then_some(())
    });
    wait_for("they wait", || {
        let pending = metric(&daemon, "plimsoll_alertmanager_pending_alerts", &alertmanager)?;
        (pending >= 2.0).then_some(())
    });
    alertmanager.run();

    webhook.wait_for(ORPHANED, "comes", &["firing"]);
    webhook.wait_for(ORPHANED, "goes", &["firing", "resolved"]);
    wait_for("nothing waits", || {
        let pending = metric(&daemon, "plimsoll_alertmanager_pending_alerts", &alertmanager)?;
        (pending == 0.0).then_some(())
    });
    holds_for(Duration::from_secs(4), || {
        assert_eq!(webhook.notices(ORPHANED, stays.name), ["firing"]);
        assert_eq!(webhook.notices(ORPHANED, "passes"), [""; 0]);
        assert_eq!(alertmanager.firing(ORPHANED, stays.name).len(), 1);
        assert_eq!(alertmanager.firing(ORPHANED, comes.name).len(), 1);
    });
    // The outage was told once, not at each attempt.
    assert_eq!(daemon.log().matches("Alertmanager takes no alerts").count(), 1);
    assert_eq!(daemon.log().matches("Alertmanager takes alerts again").count(), 1);
}

#[test]
fn of_two_alertmanagers_the_one_that_is_down_delays_nothing() {
    let (webhook, other) = (Webhook::start(), Webhook::start());
    let up = Alertmanager::start(&webhook);
    let mut down = Alertmanager::new(&other);
    let scene = scene::quiet();
    scene.configure(&alerting(&[&down, &up], "  beside_prometheus: false\n"));
    let daemon = scene.serve();
    daemon.wait_ready();
    let orphan = Orphan::make(&scene, "seen");
    webhook.wait_for(ORPHANED, "seen", &["firing"]);
    let stays = Orphan::make(&scene, "stays");
    webhook.wait_for(ORPHANED, "stays", &["firing"]);
    orphan.remove();
    webhook.wait_for(ORPHANED, "seen", &["firing", "resolved"]);
    assert_eq!(metric(&daemon, "plimsoll_alertmanager_sent_alerts_total", &down), Some(0.0));

    down.run();
    other.wait_for(ORPHANED, stays.name, &["firing"]);
    holds_for(Duration::from_secs(2), || {
        assert_eq!(other.notices(ORPHANED, "seen"), [""; 0], "it was over before anybody knew");
        assert_eq!(webhook.notices(ORPHANED, stays.name), ["firing"]);
    });
}

#[test]
fn a_daemon_that_was_away_goes_on_where_it_was() {
    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(&webhook);
    let scene = scene::quiet();
    let state = tempfile::tempdir().expect("a directory");
    let more = alerting(&[&alertmanager], "  beside_prometheus: false\n");
    // Alerts lapse after two minutes, later than anybody here waits: only the state file ends them.
    let more = more.replace("resend_interval: 1s", "resend_interval: 30s");
    scene.configure(&format!("{more}storage:\n  path: {}\n", state.path().display()));
    let daemon = scene.serve();
    daemon.wait_ready();
    let stays = Orphan::make(&scene, "stays");
    let goes = Orphan::make(&scene, "goes");
    webhook.wait_for(ORPHANED, "stays", &["firing"]);
    webhook.wait_for(ORPHANED, "goes", &["firing"]);
    let starts_at = |name: &str| -> Value {
        let held = alertmanager.firing(ORPHANED, name);
        assert_eq!(held.len(), 1, "{name}");
        held[0]["startsAt"].clone()
    };
    let began = starts_at("stays");
    assert_eq!(daemon.stop(), Some(0));

    goes.remove();
    let daemon = scene.serve();
    daemon.wait_ready();
    let notice = webhook.wait_for(ORPHANED, "goes", &["firing", "resolved"]);
    assert_eq!(notice["annotations"]["summary"], "host-a: Data that nobody claims");
    wait_for("it sends again", || {
        let sent = metric(&daemon, "plimsoll_alertmanager_sent_alerts_total", &alertmanager)?;
        (sent >= 2.0).then_some(())
    });
    assert_eq!(starts_at("stays"), began);
    assert_eq!(webhook.notices(ORPHANED, stays.name), ["firing"]);
}
