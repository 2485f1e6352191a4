//! What a person reads, to the letter.

use plimsoll::judge::conditions::find;

use crate::promtool::{Tests, labels, rules, series};
use crate::samples::{FILESYSTEM, NETWORK, Samples, VOLUME, filesystem, hung, one, quota, with};

const HOST: &str = r#"job="plimsoll",instance="h1:10061""#;

/// Condition, what the host shows, the subject, and the description.
fn cases() -> Vec<(&'static str, Samples, &'static str, &'static str)> {
    let mut orphan = one("plimsoll_volume_used_bytes", VOLUME, 5.0 * 1024.0 * 1024.0 * 1024.0);
    orphan.extend(one("plimsoll_volume_state", &with(VOLUME, r#"state="orphaned""#), 1.0));
    let finding = with(VOLUME, r#"kind="volume_conflict",severity="warning""#);
    vec![
        (
            "volume_near_quota",
            quota("volume", 95.0, "soft_kill", None),
            VOLUME,
            "Volume db/v on ROOT holds 95% of its quota.",
        ),
        (
            "volume_over_quota",
            quota("volume", 110.0, "soft_kill", None),
            VOLUME,
            "Volume db/v on ROOT holds 110% of its quota, and that is enforced.",
        ),
        (
            "volume_orphaned",
            orphan,
            VOLUME,
            "The data of db/v on ROOT (5GiB, as far as it is measured) is claimed by no source of truth.",
        ),
        (
            "volume_conflict",
            one("plimsoll_finding", &finding, 1.0),
            VOLUME,
            "Volume db/v on ROOT is not shared, and several executors use it at once.",
        ),
        (
            "filesystem_full",
            filesystem(2.0, 1.0, None),
            FILESYSTEM,
            "Filesystem /data is 98% full.",
        ),
        (
            "filesystem_fills_now",
            filesystem(50.0, 1.0, Some(9000.0)),
            FILESYSTEM,
            "Filesystem /data is full in 1h 20m 0s, at the pace seen.",
        ),
        (
            "network_storage_unresponsive",
            hung(0.0),
            NETWORK,
            "/vol of filer, mounted at /data, does not answer.",
        ),
        (
            "agent_down",
            one("plimsoll_agent_up", "", 0.0),
            "",
            "The agent of h1:10061 does not answer.",
        ),
    ]
}

#[test]
fn descriptions_have_the_numbers_and_every_alert_its_section_of_the_runbook() {
    const MINUTES: u32 = 70;
    let mut tests = Tests::every(5);
    for (id, samples, subject, description) in cases() {
        let condition = find(id).expect(id);
        let input: Vec<_> = samples
            .iter()
            .map(|(family, own, value)| (series(family, HOST, own), format!("{value}x{MINUTES}")))
            .collect();
        tests.test(id, &input);
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let annotations = format!(
            "{{summary: {}, description: {}, action: {}, runbook_url: {}}}",
            text(&format!("h1:10061: {}", condition.summary)),
            text(description),
            text(condition.next),
            text(&format!("docs/runbook.md#{}", condition.alert.to_lowercase())),
        );
        let fires = (labels(condition.alert, HOST, subject), Some(annotations));
        tests.expect(condition.alert, MINUTES, &[fires]);
    }
    tests.run(&rules());
}
