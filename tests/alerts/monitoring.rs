//! Alerts that only Prometheus can tell.

use std::collections::BTreeSet;

use plimsoll::judge::conditions::MONITORING;

use crate::promtool::{Tests, bare_rules, labels, series};

const HOST: &str = r#"job="plimsoll",instance="h1""#;
const FLEET: &str = r#"job="plimsoll""#;

fn host(number: usize) -> String {
    format!(r#"job="plimsoll",instance="h{number}""#)
}

/// `up` of so many hosts, of which the first ones are down.
fn hosts(down: usize, all: usize) -> Vec<(String, String)> {
    let up = |number| if number < down { "0x60" } else { "1x60" };
    (0..all).map(|number| (series("up", &host(number), ""), up(number).to_owned())).collect()
}

fn one(name: &str, values: &str) -> Vec<(String, String)> {
    vec![(series("up", HOST, ""), "1x60".into()), (series(name, HOST, ""), values.into())]
}

#[test]
fn each_fires_and_stays_silent() {
    let mut seen = BTreeSet::new();
    let mut tests = Tests::new();
    // Input, minutes with the hosts or the fleet that an alert fires for.
    let mut case =
        |name: &str, input: Vec<(String, String)>, told: &[(u32, &'static str, &[String])]| {
            tests.test(name, &input);
            for (minute, alert, who) in told {
                seen.insert(*alert);
                let fires: Vec<_> = who.iter().map(|who| (labels(alert, who, ""), None)).collect();
                tests.expect(alert, *minute, &fires);
            }
        };
    case(
        "one of twenty is down",
        hosts(1, 20),
        &[
            (4, "PlimsollDown", &[]),
            (5, "PlimsollDown", &[host(0)]),
            (60, "PlimsollManyDown", &[]),
            (60, "PlimsollAbsent", &[]),
        ],
    );
    case(
        "a quarter is down",
        hosts(5, 20),
        &[
            (4, "PlimsollManyDown", &[]),
            (5, "PlimsollManyDown", &[FLEET.into()]),
            (5, "PlimsollDown", &[host(0), host(1), host(2), host(3), host(4)]),
        ],
    );
    case("two of two are no fleet", hosts(2, 2), &[(60, "PlimsollManyDown", &[])]);
    case(
        "none is known",
        vec![],
        &[(9, "PlimsollAbsent", &[]), (10, "PlimsollAbsent", &[FLEET.into()])],
    );
    case(
        "the snapshot stands still",
        one("plimsoll_snapshot_timestamp_seconds", "0x60"),
        &[(14, "PlimsollSnapshotStale", &[]), (15, "PlimsollSnapshotStale", &[HOST.into()])],
    );
    case(
        "it is made anew",
        one("plimsoll_snapshot_timestamp_seconds", "0+60x60"),
        &[(60, "PlimsollSnapshotStale", &[])],
    );
    case(
        "it starts again and again",
        one("process_start_time_seconds", "0x9 600x4 900x4 1200x40"),
        &[
            (15, "PlimsollRestarting", &[]),
            (20, "PlimsollRestarting", &[HOST.into()]),
            // Half an hour after the last start, and what alerts are kept for.
            (60, "PlimsollRestarting", &[]),
        ],
    );
    case(
        "two upgrades in a row",
        one("process_start_time_seconds", "0x9 600x4 900x50"),
        &[(25, "PlimsollRestarting", &[])],
    );
    case(
        "a configuration is refused",
        one("plimsoll_config_last_reload_successful", "1x9 0x50"),
        &[
            (19, "PlimsollConfigReloadFailed", &[]),
            (20, "PlimsollConfigReloadFailed", &[HOST.into()]),
        ],
    );
    case(
        "a refused configuration is mended",
        one("plimsoll_config_last_reload_successful", "1x9 0x9 1x40"),
        &[(20, "PlimsollConfigReloadFailed", &[])],
    );
    for (alert, severity) in [
        ("PlimsollNetworkStorageManyHosts", "critical"),
        ("PlimsollNetworkStorageManyHostsDegraded", "warning"),
    ] {
        let family = |severity| match severity {
            "critical" => vec![("plimsoll_network_filesystem_responsive", "", "0x60")],
            _ => vec![
                (
                    "plimsoll_network_filesystem_operations_total",
                    r#",operation="READ""#,
                    "0+600x60",
                ),
                (
                    "plimsoll_network_filesystem_operation_execute_seconds_total",
                    r#",operation="READ""#,
                    "0+1800x60",
                ),
            ],
        };
        let mounts = |hosts: usize, server: &str| -> Vec<(String, String)> {
            let each = (0..hosts).flat_map(|number| {
                let own = format!(r#"server="{server}",export="/vol",mount_point="/m{number}""#);
                family(severity).into_iter().map(move |(name, more, values)| {
                    (series(name, &host(number), &format!("{own}{more}")), values.to_owned())
                })
            });
            each.collect()
        };
        let fleet = format!(r#"{FLEET},server="filer",export="/vol""#);
        let told = [(20, alert, &[fleet][..])];
        case(&format!("{severity}: one server, three hosts"), mounts(3, "filer"), &told);
        let told = [(20, alert, &[][..])];
        case(&format!("{severity}: one server, one host"), mounts(1, "filer"), &told);
        // A process of each host serves it: nothing of one is the other's.
        case(&format!("{severity}: no server, three hosts"), mounts(3, ""), &told);
    }
    tests.run(&bare_rules());
    let all: BTreeSet<&str> = MONITORING.iter().map(|one| one.alert).collect();
    assert_eq!(seen, all, "an alert has no case");
}
