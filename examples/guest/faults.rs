//! Devices that fail (dm-error) below ext4 and XFS, and a full filesystem.
//!
//! What is held to: a pass over a device that begins to fail never becomes a total; the failure has
//! its reason and its path; everything else goes on; and what heals is measured again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use plimsoll::measure::usage::{Progress, Walk};

use crate::daemon::{Daemon, value};
use crate::disks::{self, Mapped};
use crate::files::{MIB, du, forest, once, settle, words, write};
use crate::host::{Host, eventually, volume};
use crate::report::Report;

const TOP: &str = "/mnt/failing";
/// The volume of the scene that lies on a disk of its own.
const ON_DISK: &str = "search-index-0";
/// One that lies elsewhere.
const ELSEWHERE: &str = "archive-2025";

/// The scenario.
pub fn run(report: &mut Report) {
    for fstype in ["ext4", "xfs"] {
        report.name = fstype.to_owned();
        walk_broken_off(report, fstype);
    }
    let work = Path::new("/mnt/work");
    disks::fresh("ext4", disks::EXT4, work, "rw");
    report.name = "daemon".to_owned();
    seen_by_the_daemon(report, work);
    report.equal("the work disk unmounted", disks::unmount(work), Ok(()));
}

/// The device fails when a walk is in the middle.
fn walk_broken_off(report: &mut Report, fstype: &str) {
    let disk = Mapped::of("failing", disks::SCRATCH, 320);
    let (top, device) = (Path::new(TOP), disk.device().display().to_string());
    // Reading must not write: an access time that cannot be written ends a filesystem.
    disks::fresh(fstype, &device, top, "noatime");
    let tree = top.join("tree");
    forest(&tree, 60, 50);
    let whole = du(&tree);
    disks::forget_caches();

    let mut walk = Walk::new(&tree, &[], &[]);
    while walk.inodes() < 1_000 {
        let progress = walk.advance(100);
        report.holds("a slice", matches!(progress, Progress::More), || format!("{progress:?}"));
    }
    disk.fail();
    disks::forget_caches();
    let end = loop {
        match walk.advance(100) {
            Progress::More => {}
            end => break end,
        }
    };
    match end {
        Progress::Failed(error) => {
            report.equal("reason", error.reason, "io");
            let text = error.to_string();
            // From the root, or from the directory where it went on.
            let place = error.path == "." || error.path.starts_with("dir-");
            let told = text.contains("Input/output error") && place;
            report.holds("what and where", told, || text);
        }
        other => report.holds("a broken pass fails", false, || format!("{other:?}")),
    }
    let broken = once(&tree);
    let failure = broken.failure.map(|failure| failure.reason);
    report.equal("once: no number", broken.sample, None);
    report.equal("once: the reason", failure, Some("io"));

    disk.heal();
    let expected = format!("walk {} {}", whole.0, whole.1);
    report.equal("healed", words(&once(&tree)), expected);
    report.equal("unmounted", disks::unmount(top), Ok(()));
}

/// The daemon measures again and again while the disk of one volume fails and heals.
fn seen_by_the_daemon(report: &mut Report, work: &Path) {
    let config =
        "filesystems:\n  interval: 1s\nusage:\n  cpu_budget: 0.3\n  max_age: 1s\n  memory: 0\n";
    let host = Host::create(work, config);
    let disk = Mapped::of("failing", disks::SCRATCH, 96);
    let device = disk.device().display().to_string();
    let place = host.scene.home().join("disks/b");
    disks::fresh("ext4", &device, Path::new(TOP), "noatime");
    disks::run(&format!("cp -a {}/. {TOP}", place.display()));
    report.equal("moved", disks::unmount(Path::new(TOP)), Ok(()));
    disks::mount("ext4", &device, &place, "noatime");

    let daemon = host.serve();
    let path = volume(&daemon, ON_DISK)["path"].as_str().expect("a path").to_owned();
    let path = Path::new(&path);
    forest(&path.join("tree"), 40, 50);
    let whole = du(path).0;
    let measured = || volume(&daemon, ON_DISK)["used_bytes"].as_u64();
    report.holds("measured whole", eventually(30, || measured() == Some(whole)), || {
        format!("{:?}, expected {whole}", measured())
    });

    // Passes follow one another: one is under way when the disk fails.
    let passes = |daemon: &Daemon, outcome: &str| {
        let series = format!("plimsoll_usage_passes_total{{outcome=\"{outcome}\"}}");
        value(&daemon.get("/metrics").body, &series).unwrap_or(0.0)
    };
    let mut seen = BTreeSet::new();
    let mut watch = |seconds: f64| {
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < until {
            seen.insert(measured());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let probe = File::create(place.join("probe")).expect("created");
    disks::forget_caches();
    watch(0.3);
    disk.fail();
    disks::forget_caches();
    let others = volume(&daemon, ELSEWHERE)["measured_timestamp_seconds"].as_f64();
    watch(5.0);
    let row = volume(&daemon, ON_DISK);
    report.equal("told as failed", row["measure_failed"].as_bool(), Some(true));
    let error = row["measure_error"].as_str().unwrap_or_default().to_owned();
    let told = error.contains("Input/output error") && error.contains(&place.display().to_string());
    report.holds("what and where", told, || error);
    report.holds("counted", passes(&daemon, "io") >= 1.0, || "no".into());
    let later = volume(&daemon, ELSEWHERE)["measured_timestamp_seconds"].as_f64();
    report.holds("the rest goes on", later > others, || format!("{others:?}, then {later:?}"));
    let began = Instant::now();
    let answers = (0..20).filter(|_| daemon.get("/metrics").status == 200).count();
    report.equal("scrapes", answers, 20);
    report.holds("scrapes stay fast", began.elapsed() < Duration::from_secs(5), || {
        format!("20 took {:?}", began.elapsed())
    });

    // A commit that fails makes ext4 give its journal up. Left to itself it commits every 5 s, and
    // only what has changed.
    let mut size = 0;
    let mut refused = || {
        size += 1;
        let changed = probe.set_len(size);
        let _ = probe.sync_all();
        changed.err().and_then(|error| error.raw_os_error())
    };
    report.equal("journal given up", eventually(30, || refused() == Some(libc::EROFS)), true);
    drop(probe);

    disk.heal();
    let readable = eventually(30, || {
        let row = volume(&daemon, ON_DISK);
        seen.insert(row["used_bytes"].as_u64());
        row["measure_failed"] == false && row["used_bytes"].as_u64() == Some(whole)
    });
    report.holds("measured again", readable, || volume(&daemon, ON_DISK).to_string());
    report.equal("never a part of it", seen, BTreeSet::from([Some(whole)]));

    mounted_anew(report, &daemon, path, &place, &device);
    full(report, &daemon, path);
    drop(daemon);
    drop(host);
    report.equal("nothing holds the disk", disks::unmount(&place), Ok(()));
}

/// ext4 has given up its journal by then and lets nobody write until it is mounted anew: the daemon
/// is in the way of neither unmounting nor mounting. (That it is read-only cannot be told: this
/// kernel says so in its log alone, and shows `rw` in the mount table and in `statfs`.)
fn mounted_anew(report: &mut Report, daemon: &Daemon, path: &Path, place: &Path, device: &str) {
    let refused = write(&path.join("more"), MIB).map_err(|error| error.raw_os_error());
    report.equal("read-only", refused, Err(Some(libc::EROFS)));
    // A slice of a walk that is under way may hold it for some milliseconds.
    let unmounted = eventually(5, || disks::unmount(place).is_ok());
    report.equal("unmounted while the daemon runs", unmounted, true);
    disks::mount("ext4", device, place, "noatime");
    write(&path.join("more"), 3 * MIB).expect("healed");
    settle();
    let whole = du(path).0;
    let again = eventually(30, || {
        let row = volume(daemon, ON_DISK);
        row["measure_failed"] == false && row["used_bytes"].as_u64() == Some(whole)
    });
    report
        .holds("mounted anew", again, || format!("{}, expected {whole}", volume(daemon, ON_DISK)));
}

/// Writers meet ENOSPC: what is there is still counted to the block, and said to be full.
fn full(report: &mut Report, daemon: &Daemon, path: &Path) {
    let error = write(&path.join("everything"), 4_096 * MIB).expect_err("the disk is smaller");
    report.equal("no space", error.raw_os_error(), Some(libc::ENOSPC));
    settle();
    let whole = du(path).0;
    let counted = eventually(30, || volume(daemon, ON_DISK)["used_bytes"].as_u64() == Some(whole));
    report.holds("counted when full", counted, || {
        format!("{}, expected {whole}", volume(daemon, ON_DISK))
    });
    let left = || volume(daemon, ON_DISK)["available_bytes"].as_u64();
    report.equal("no room left", eventually(20, || left() == Some(0)), true);
    fs::remove_file(path.join("everything")).expect("removed");
    settle();
    let room = eventually(20, || left().is_some_and(|bytes| bytes > 30 * MIB));
    report.holds("room again", room, || format!("{:?}", left()));
}
