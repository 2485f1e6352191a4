//! Alerts over time, as findings do it: a warning fires until the graver alert does, what fires
//! lingers by its margin, and a gap in the scrapes ends nothing.

use plimsoll::judge::conditions::{Condition, find};

use crate::promtool::{Tests, bare_rules, labels, series};
use crate::samples::{FILESYSTEM, SANDBOX, Samples, VOLUME, filesystem, one, quota};

const HOST: &str = r#"job="plimsoll",instance="h""#;

/// Scrapes of a host, where one family's values change as told.
fn scraped(samples: Samples, changing: &[&str], values: &str) -> Vec<(String, String)> {
    let up = (series("up", HOST, ""), "1x200".to_owned());
    let own = samples.into_iter().map(|(family, labels, value)| {
        let constant = format!("{value}x200");
        let values = if changing.contains(&family) { values.to_owned() } else { constant };
        (series(family, HOST, &labels), values)
    });
    std::iter::once(up).chain(own).collect()
}

fn expect(tests: &mut Tests, condition: &Condition, minute: u32, subject: Option<&str>) {
    let fires = subject.map(|subject| (labels(condition.alert, HOST, subject), None));
    tests.expect(condition.alert, minute, &Vec::from_iter(fires));
}

const FREE: [&str; 2] = ["plimsoll_filesystem_free_bytes", "plimsoll_filesystem_available_bytes"];

#[test]
fn a_warning_fires_until_the_graver_alert_does() {
    // Ten minutes with a little room left, then next to none.
    let used = ["plimsoll_volume_used_bytes"];
    let stories: [(_, _, Samples, &[&str], _, &str); 2] = [
        (
            "filesystem_filling",
            "filesystem_full",
            filesystem(8.0, 1.0, None),
            &FREE,
            FILESYSTEM,
            "8x9 1x20",
        ),
        (
            "volume_near_quota",
            "volume_over_quota_unenforced",
            quota("volume", 95.0, "none", None),
            &used,
            VOLUME,
            "95x9 110x20",
        ),
    ];
    let mut tests = Tests::new();
    for (warning, graver, samples, changing, subject, values) in stories {
        let [warning, graver] = [warning, graver].map(|id| find(id).expect(id));
        tests.test(warning.id, &scraped(samples, changing, values));
        let fires_from = 10 + (graver.hold_seconds / 60.0) as u32;
        for minute in 6..25 {
            let told = minute >= fires_from;
            expect(&mut tests, warning, minute, (!told).then_some(subject));
            expect(&mut tests, graver, minute, told.then_some(subject));
        }
    }
    tests.run(&bare_rules());
}

#[test]
fn what_fires_lingers_by_its_margin() {
    let mut tests = Tests::new();
    let near = find("sandbox_near_quota").expect("it is there");
    // Never above the threshold: within the margin nothing begins. Then above it, back within the
    // margin, below it, and within it again.
    let values = "88x9 91x9 88x9 86x4 88x20";
    let samples = quota("sandbox", 0.0, "soft_kill", None);
    tests.test("a sandbox", &scraped(samples, &["plimsoll_sandbox_used_bytes"], values));
    for minute in 0..50 {
        // It gives way to another, so it is not kept on.
        let fires = (12..30).contains(&minute);
        expect(&mut tests, near, minute, fires.then_some(SANDBOX));
    }
    let full = find("filesystem_full").expect("it is there");
    // Full from 97 % on, and until it is below 96 %; then five minutes more.
    let values = "2x9 3.5x9 4.5x20";
    tests.test("a filesystem", &scraped(filesystem(2.0, 1.0, None), &FREE, values));
    for minute in 0..35 {
        let fires = (1..25).contains(&minute);
        expect(&mut tests, full, minute, fires.then_some(FILESYSTEM));
    }
    // Time ahead lingers the other way round: within a day, and then three hours more than a day.
    let soon = find("filesystem_fills_soon").expect("it is there");
    let full_at = "plimsoll_filesystem_full_timestamp_seconds";
    let values = "86000x19 97000x9 120000x9";
    tests.test("a prediction", &scraped(filesystem(50.0, 1.0, Some(0.0)), &[full_at], values));
    for minute in [9, 10, 19, 20, 28, 29, 30, 38] {
        let fires = (10..30).contains(&minute);
        expect(&mut tests, soon, minute, fires.then_some(FILESYSTEM));
    }
    tests.run(&bare_rules());
}

#[test]
fn a_gap_in_the_scrapes_is_no_end() {
    let orphaned = find("volume_orphaned").expect("it is there");
    let state = format!(r#"{VOLUME},state="orphaned""#);
    let mut tests = Tests::new();
    // The daemon is restarted: its series are marked stale, and come back.
    let samples = one("plimsoll_volume_state", &state, 1.0);
    let values = "1x9 stale _x2 1x9 stale _x20";
    tests.test("restart", &scraped(samples, &["plimsoll_volume_state"], values));
    for minute in 0..40 {
        // The last time it is over for good: five minutes later that is believed.
        let fires = minute < 28;
        expect(&mut tests, orphaned, minute, fires.then_some(VOLUME));
    }
    tests.run(&bare_rules());
}
