//! What must not wake anybody. Hosts on which nothing is wrong are in the tests of the findings, which
//! the rules are held against too (`src/expose/rules/same_sets.rs`); maintenance is in `each`, gaps in
//! the scrapes in `stages`.

use crate::promtool::{Tests, bare_rules, labels, series};
use crate::samples::{FILESYSTEM, NETWORK, Samples, VOLUME, filesystem, hung, one, quota, with};

const HOST: &str = r#"job="plimsoll",instance="h""#;

fn scraped(host: &str, samples: &Samples) -> Vec<(String, String)> {
    let own = samples
        .iter()
        .map(|(family, own, value)| (series(family, host, own), format!("{value}x120")));
    std::iter::once((series("up", host, ""), "1x120".to_owned())).chain(own).collect()
}

#[test]
fn what_is_meant_to_take_no_writes_is_neither_full_nor_read_only() {
    let mut tests = Tests::new();
    for facts in [r#"remote="false",fstype="squashfs""#, r#"remote="true",fstype="nfs4""#] {
        let mut samples = filesystem(0.0, 1.0, None);
        samples.extend(one("plimsoll_filesystem_readonly", FILESYSTEM, 1.0));
        samples.extend(one("plimsoll_filesystem_files", FILESYSTEM, 100.0));
        samples.extend(one("plimsoll_filesystem_files_free", FILESYSTEM, 0.0));
        samples.extend(one("plimsoll_filesystem_info", &with(FILESYSTEM, facts), 1.0));
        tests.test(facts, &scraped(HOST, &samples));
        for minute in [1, 30, 120] {
            tests.expect_only(minute, &[]);
        }
    }
    tests.run(&bare_rules());
}

#[test]
fn a_filesystem_without_a_limit_of_inodes_has_enough() {
    let mut tests = Tests::new();
    let mut samples = filesystem(50.0, 1.0, None);
    tests.test("no series", &scraped(HOST, &samples));
    tests.expect_only(120, &[]);
    samples.extend(one("plimsoll_filesystem_files", FILESYSTEM, 0.0));
    samples.extend(one("plimsoll_filesystem_files_free", FILESYSTEM, 0.0));
    tests.test("none in all, none free", &scraped(HOST, &samples));
    tests.expect_only(120, &[]);
    tests.run(&bare_rules());
}

/// The host comes up: for some minutes the agent does not answer, its lists are not whole, nothing
/// was measured and Plimsoll itself cannot be reached.
#[test]
fn the_first_minutes_of_a_host_are_nobodys_trouble() {
    let of = |name: &str, own: &str, values: &str| (series(name, HOST, own), values.to_owned());
    let collector = r#"collector="mesos_api""#;
    let input = [
        of("up", "", "0x3 1x60"),
        of("plimsoll_agent_up", "", "_x4 0 1x60"),
        of("plimsoll_agent_recovering", "", "_x4 0 1x7 0x60"),
        of("plimsoll_collector_success", collector, "_x4 0 1x60"),
        of("plimsoll_usage_debt_seconds", "", "_x4 2000x5 0x60"),
        of("plimsoll_snapshot_timestamp_seconds", "", "_x4 0x4 600+60x60"),
        of("process_start_time_seconds", "", "_x4 200x60"),
        // Counters begin high: what they counted before is no rate.
        of(
            "plimsoll_container_io_pressure_full_seconds_total",
            r#"source="mesos",framework="F",executor="e",container="c""#,
            "_x4 90000x60",
        ),
    ];
    let mut tests = Tests::new();
    tests.test("a host comes up", &input);
    for minute in 0..60 {
        tests.expect_only(minute, &[]);
    }
    tests.run(&bare_rules());
}

/// A store that compacts rises over its threshold again and again, and never for long.
#[test]
fn a_saw_tooth_is_not_near_its_quota() {
    let tooth = "70 80 91 95 96 72 80 91 94 97 71 82 92 95 96 70 80 91 95 96 72 80 91 94 97 71";
    let samples = quota("volume", 0.0, "soft_kill", None);
    let mut input = scraped(HOST, &samples);
    for (series, values) in &mut input {
        if series.starts_with("plimsoll_volume_used_bytes") {
            *values = tooth.to_owned();
        }
    }
    let mut tests = Tests::new();
    tests.test("a store that compacts", &input);
    for minute in 0..26 {
        tests.expect_only(minute, &[]);
    }
    // The test would see one that stays up.
    let flat = input.into_iter().map(|(series, values)| {
        (series, values.replace(tooth, "70 80 91 95 96 92 91 91 94 97 91 92 92"))
    });
    tests.test("a store that does not", &flat.collect::<Vec<_>>());
    let alert = "PlimsollVolumeNearQuota";
    tests.expect_only(10, &[(alert, labels(alert, HOST, VOLUME))]);
    tests.run(&bare_rules());
}

/// A server that is gone is one page: the fleet's alert. Those of the hosts are there for those who
/// look, and kept quiet (see `alertmanager`).
#[test]
fn a_dead_server_is_told_once_for_the_fleet() {
    let mut tests = Tests::new();
    let hosts: Vec<String> =
        (0..50).map(|number| format!(r#"job="plimsoll",instance="h{number}""#)).collect();
    let mut samples = hung(0.0);
    samples.extend(filesystem(50.0, 0.0, None));
    let input: Vec<_> = hosts.iter().flat_map(|host| scraped(host, &samples)).collect();
    tests.test("fifty hosts", &input);
    let many = "PlimsollNetworkStorageManyHosts";
    let single = "PlimsollNetworkStorageUnresponsive";
    let fleet = labels(many, r#"job="plimsoll""#, r#"server="filer",export="/vol""#);
    let mut fires = vec![(many, fleet.clone())];
    fires.extend(hosts.iter().map(|host| (single, labels(single, host, NETWORK))));
    tests.expect_only(10, &fires);

    let mut samples = hung(1.0);
    samples.extend(one("plimsoll_network_filesystem_info", NETWORK, 1.0));
    samples.extend(filesystem(1.0, 1.0, None));
    let input: Vec<_> = hosts.iter().flat_map(|host| scraped(host, &samples)).collect();
    tests.test("the server is full", &input);
    let single = "PlimsollFilesystemFull";
    let mut fires = vec![(many, fleet)];
    fires.extend(hosts.iter().map(|host| (single, labels(single, host, NETWORK))));
    tests.expect_only(10, &fires);
    tests.run(&bare_rules());
}
