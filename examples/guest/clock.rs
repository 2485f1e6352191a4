//! The wall clock is set forward by hours, and back by more, while the daemon runs: nothing becomes
//! an orphan by that, no finding comes or goes, and every age stays what it was.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::daemon::{Daemon, value};
use crate::disks;
use crate::host::{Host, eventually, volume};
use crate::report::Report;

/// Of a volume that nobody claims.
const ORPHAN: &str = "galera-2";
const HOUR: f64 = 3_600.0;
/// Far more than a snapshot's age and a busy host's delays, far less than a step.
const LITTLE: f64 = 60.0;

/// The scenario.
pub fn run(report: &mut Report) {
    let work = Path::new("/mnt/work");
    disks::fresh("ext4", disks::EXT4, work, "rw");
    // The grace of orphans is ten minutes: longer than all this takes, far shorter than the steps.
    let config = "filesystems:\n  interval: 1s\nusage:\n  cpu_budget: 0.3\n  max_age: 2s\n";
    let began = Instant::now();
    let host = Host::create(work, config);
    let daemon = host.serve();
    let over = eventually(20, || over_quota(&daemon).is_some());
    report.holds("a sandbox over its quota", over, || daemon.json("/api/v1/sandboxes").to_string());

    for (name, hours) in [("forward", 3.0), ("back", -7.0), ("forward again", 4.0)] {
        report.name = name.to_owned();
        step(report, &daemon, hours * HOUR);
    }
    report.name = "after all".to_owned();
    // Ten seconds more than have passed.
    let grace = began.elapsed() + Duration::from_secs(10);
    host.configure(&format!("{config}orphans:\n  grace: {}s\n", grace.as_secs() + 1));
    daemon.signal("HUP");
    let state = || volume(&daemon, ORPHAN)["state"].as_str().map(str::to_owned);
    let becomes = eventually(60, || state().as_deref() == Some("orphaned"));
    let took = began.elapsed();
    report.equal("an orphan in the end", becomes, true);
    report.holds("not before its grace was over", took >= grace, || format!("{took:?}"));
    drop(daemon);
    drop(host);
    report.equal("unmounted", disks::unmount(work), Ok(()));
}

/// Sets the clock, and watches what the daemon says until it measured everything anew.
fn step(report: &mut Report, daemon: &Daemon, seconds: f64) {
    let before = Ages::of(daemon);
    let findings = kinds(daemon);
    let looked = Instant::now();
    set_clock(seconds);
    let mut states = BTreeSet::new();
    let mut came = BTreeSet::new();
    while looked.elapsed() < Duration::from_secs(8) {
        states.insert(volume(daemon, ORPHAN)["state"].to_string());
        came.extend(kinds(daemon).difference(&findings).cloned());
        std::thread::sleep(Duration::from_millis(100));
    }
    report.equal("its state", states, BTreeSet::from(["\"unknown\"".to_owned()]));
    report.equal("findings that came by it", came, BTreeSet::new());
    let after = Ages::of(daemon);
    let passed = looked.elapsed().as_secs_f64();
    let by_new_clock = (unix_time() - after.now).abs();
    report.holds("the snapshot is of now", by_new_clock < LITTLE, || format!("{by_new_clock} s"));
    for (what, before, after) in [
        ("over quota since", before.over_quota, after.over_quota),
        ("first seen", before.first_seen, after.first_seen),
        ("in its state since", before.state, after.state),
    ] {
        let aged = after - before;
        report.holds(what, (aged - passed).abs() < LITTLE, || {
            format!("{aged:.1} s older after {passed:.1} s")
        });
    }
    let fresh = (-0.1..LITTLE).contains(&after.measured);
    report.holds("measured lately", fresh, || format!("{:.1} s ago", after.measured));
}

/// Ages in seconds at the time of one snapshot.
struct Ages {
    now: f64,
    over_quota: f64,
    first_seen: f64,
    state: f64,
    measured: f64,
}

impl Ages {
    fn of(daemon: &Daemon) -> Self {
        // A snapshot may come between two answers: then they are asked for again.
        loop {
            let taken = || {
                let body = daemon.get("/metrics").body;
                value(&body, "plimsoll_snapshot_timestamp_seconds").expect("a snapshot")
            };
            let now = taken();
            let row = volume(daemon, "mysql-0");
            let over = over_quota(daemon).expect("over its quota");
            if taken() != now {
                continue;
            }
            let age = |name: &str| now - row[name].as_f64().expect(name);
            return Self {
                now,
                over_quota: now - over,
                first_seen: age("first_seen_timestamp_seconds"),
                state: age("state_since_timestamp_seconds"),
                measured: age("measured_timestamp_seconds"),
            };
        }
    }
}

/// Since when the sandbox that is over its quota is.
fn over_quota(daemon: &Daemon) -> Option<f64> {
    let since = |row: &Value| row["over_quota_since_timestamp_seconds"].as_f64();
    daemon.json("/api/v1/sandboxes").as_array()?.iter().find_map(since)
}

fn kinds(daemon: &Daemon) -> BTreeSet<String> {
    let findings = daemon.json("/api/v1/findings");
    findings.as_array().into_iter().flatten().map(|row| row["kind"].to_string()).collect()
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

fn set_clock(seconds: f64) {
    let time = libc::timespec { tv_sec: (unix_time() + seconds) as i64, tv_nsec: 0 };
    // SAFETY: the call reads one timespec from the pointer, which is valid.
    let result = unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &time) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
