//! One case or more for every condition with an expression of its own: a host that it holds for, and
//! one that it does not.

use crate::samples::*;

pub struct Case {
    pub condition: &'static str,
    /// The host that it holds for.
    pub ill: Samples,
    /// One that it does not hold for, with the same names, and whatever could be mixed up with the
    /// first one's.
    pub well: Samples,
    /// Labels of the alert.
    pub labels: &'static str,
}

/// How long each case goes on: longer than any hold time.
pub const MINUTES: u32 = 70;
/// A point in time that stays within a day, and beyond four hours, all that while.
pub const SOON: f64 = 60_000.0;
/// One that is within four hours.
pub const NOW: f64 = 12_000.0;
pub const LATE: f64 = 1e6;

pub fn cases() -> Vec<Case> {
    let case = |condition, ill, well, labels| Case { condition, ill, well, labels };
    let volume = |used, enforcement, full_at| quota("volume", used, enforcement, full_at);
    let sandbox = |used, enforcement, full_at| quota("sandbox", used, enforcement, full_at);
    // A neighbour whose filesystem is full first: there it is the filesystem's alert.
    let by_filesystem = |mut samples: Samples, at: f64| {
        for (family, labels) in [
            ("plimsoll_volume_full_timestamp_seconds", VOLUME),
            ("plimsoll_sandbox_full_timestamp_seconds", SANDBOX),
        ] {
            samples.extend(one(family, labels, at));
        }
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
            ("plimsoll_filesystem_responsive", FILESYSTEM.to_owned(), 1.0),
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
            by_filesystem(volume(50.0, "none", None), SOON),
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
            by_filesystem(volume(50.0, "none", None), NOW),
            VOLUME,
        ),
        case(
            "sandbox_fills_soon",
            beside(sandbox(50.0, "soft_kill", Some(SOON))),
            by_filesystem(sandbox(50.0, "soft_kill", None), SOON),
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
            by_filesystem(sandbox(50.0, "hard_quota", None), NOW),
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
        case(
            "filesystem_filling",
            filesystem(5.0, 1.0, None),
            filesystem(11.0, 1.0, None),
            FILESYSTEM,
        ),
        case(
            // Of one on the network the server is named.
            "filesystem_filling",
            [filesystem(5.0, 1.0, None), one("plimsoll_network_filesystem_info", NETWORK, 1.0)]
                .concat(),
            [filesystem(11.0, 1.0, None), one("plimsoll_network_filesystem_info", NETWORK, 1.0)]
                .concat(),
            NETWORK,
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
            [filesystem(50.0, 1.0, None), one("plimsoll_filesystem_readonly", FILESYSTEM, 1.0)]
                .concat(),
            [filesystem(50.0, 1.0, None), one("plimsoll_filesystem_readonly", FILESYSTEM, 0.0)]
                .concat(),
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

/// What fires on the other host of a case instead, with its labels: that is what tells them apart.
pub fn instead(case: &Case) -> Option<(&'static str, &'static str)> {
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
