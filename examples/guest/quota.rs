//! Project quotas on a real kernel: tags, fills and exceeds directories on XFS and ext4, and compares
//! every number with GNU `du`.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::quota::{Probe, Settled};
use plimsoll::measure::usage::{UsageConfig, UsageMeter};
use plimsoll::model::KernelLimit;

use crate::disks;
use crate::files::{
    MIB, NOBODY, du, limit, made, once, set_project, settle, tag, target, words, write,
};
use crate::report::Report;

/// The scenario.
pub fn run(report: &mut Report) {
    for (fstype, disk) in [("xfs", disks::XFS), ("ext4", disks::EXT4)] {
        let top = Path::new("/mnt/quota");
        disks::fresh(fstype, disk, top, "prjquota");
        report.name = fstype.to_owned();
        all_cases(report, top);
        report.equal("unmounted", disks::unmount(top), Ok(()));
    }
}

fn all_cases(report: &mut Report, top: &Path) {
    filled_and_exceeded(report, top);
    part_of_another(report, top);
    untagged_child(report, top);
    shared_id(report, top);
    inodes_at_their_limit(report, top);
    settled(report, top);
    followed_by_the_meter(report, top);
}

/// A project with limits from nearly empty to full, with the capability and without.
fn filled_and_exceeded(report: &mut Report, top: &Path) {
    let plain = made(top, "plain");
    write(&plain.join("file"), 3 * MIB).expect("room");
    report.equal("no project", by_root(&plain), walked(&plain));

    let dir = made(top, "box");
    tag(&dir, 1001);
    limit(top, 1001, [20 * MIB, 32 * MIB, 0, 0]);
    fs::create_dir(dir.join("sub")).expect("room");
    for n in 0..100 {
        write(&dir.join(format!("sub/{n}")), n * 1_333).expect("room");
    }
    fs::hard_link(dir.join("sub/99"), dir.join("again")).expect("linked");
    File::create(dir.join("holes")).and_then(|file| file.set_len(500 * MIB)).expect("sparse");
    let outside = fs::hard_link(plain.join("file"), dir.join("foreign"));
    let exdev = Some(libc::EXDEV);
    report.equal("a foreign link", outside.err().and_then(|e| e.raw_os_error()), exdev);
    settle();
    report.equal("filled", by_root(&dir), quota(&dir));
    report.equal("filled, by statfs", by_nobody(&dir), with_method("project_quota_statfs", &dir));
    let expected = KernelLimit {
        project: 1001,
        bytes_soft: Some(20 * MIB),
        bytes_hard: Some(32 * MIB),
        enforced: true,
        ..KernelLimit::default()
    };
    report.equal("limits", once(&dir).kernel_limit, Some(expected));

    report.equal("writing past soft", written_by_nobody(&dir.join("soft"), 22 * MIB), 0);
    settle();
    report.equal("past soft", by_root(&dir), quota(&dir));
    report.equal("past soft, by statfs", by_nobody(&dir), walked(&dir));

    let errno = written_by_nobody(&dir.join("hard"), 30 * MIB);
    // XFS answers ENOSPC where the hard limit of a project is reached, ext4 EDQUOT.
    let expected = if report.name == "xfs" { libc::ENOSPC } else { libc::EDQUOT };
    report.equal("writing past hard", errno, expected);
    settle();
    report.equal("full", by_root(&dir), quota(&dir));
    report.equal("full, by statfs", by_nobody(&dir), walked(&dir));
    let used = du(&dir).0;
    report.equal("close to hard", used <= 32 * MIB && used > 31 * MIB, true);
}

/// A directory within a project is not the project, and one without inheritance is none.
fn part_of_another(report: &mut Report, top: &Path) {
    let sub = top.join("box/sub");
    report.equal("part of a project", by_root(&sub), walked(&sub));
    let dir = made(top, "bare");
    set_project(&dir, 1002, false);
    write(&dir.join("file"), MIB).expect("room");
    report.equal("not handed down", by_root(&dir), walked(&dir));
}

/// Tagged after it was filled: the quota misses what was there before.
fn untagged_child(report: &mut Report, top: &Path) {
    let dir = made(top, "mixed");
    fs::create_dir(dir.join("old")).expect("room");
    write(&dir.join("old/file"), 2 * MIB).expect("room");
    tag(&dir, 1003);
    limit(top, 1003, [0, 64 * MIB, 0, 0]);
    write(&dir.join("new"), MIB).expect("room");
    settle();
    report.equal("an untagged child", by_root(&dir), walked(&dir));
    report.equal("an untagged child, by statfs", by_nobody(&dir), walked(&dir));
}

/// Two directories of one project: its record is of neither.
fn shared_id(report: &mut Report, top: &Path) {
    let twins = [made(top, "twin-a"), made(top, "twin-b")];
    for dir in &twins {
        tag(dir, 1004);
        write(&dir.join("file"), MIB).expect("room");
    }
    settle();
    report.equal("a shared id", by_root(&twins[0]), walked(&twins[0]));
}

fn inodes_at_their_limit(report: &mut Report, top: &Path) {
    let dir = made(top, "inodes");
    tag(&dir, 1005);
    limit(top, 1005, [0, 0, 0, 10]);
    let made = (0..20).take_while(|n| written_by_nobody(&dir.join(n.to_string()), 10) == 0);
    report.equal("files made", made.count(), 9);
    settle();
    report.equal("inodes full", by_root(&dir), quota(&dir));
    report.equal("inodes full, the number", du(&dir).1, 10);
    let limit = once(&dir).kernel_limit.and_then(|limit| limit.files_hard);
    report.equal("limit of inodes", limit, Some(10));
}

/// Read again in the shortest way, until anything is not what it was.
fn settled(report: &mut Report, top: &Path) {
    let guard = Guard::new(Roots::default(), Duration::from_secs(20));
    let dir = made(top, "settled");
    tag(&dir, 1007);
    fs::create_dir(dir.join("sub")).expect("room");
    write(&dir.join("sub/file"), MIB).expect("room");
    let fresh = || {
        // Longer than a change time is young.
        std::thread::sleep(Duration::from_millis(100));
        let probe = Probe::at(&guard, &target(&dir)).expect("project quotas are on");
        let settled = Settled::read(&probe, f64::MAX).ok().and_then(|(_, settled)| settled);
        settled.expect("the device of the mount is there")
    };
    let numbers = |settled: &mut Settled| {
        let record = settled.read_again(&mut None);
        record.map(|record| (record.used_bytes, record.files.unwrap_or_default()))
    };
    // By the fourth reading at the latest.
    let seen = |one: &mut Settled| (0..4).any(|_| numbers(one).is_none());
    let mut one = fresh();
    write(&dir.join("sub/more"), 3 * MIB).expect("room");
    settle();
    report.equal("settled", numbers(&mut one), Some(du(&dir)));
    write(&dir.join("own entry"), MIB).expect("room");
    report.equal("an entry of its own", seen(&mut one), true);

    let mut one = fresh();
    report.equal("settled again", numbers(&mut one), Some(du(&dir)));
    set_project(&dir, 1008, true);
    report.equal("another id", seen(&mut one), true);
    set_project(&dir, 1007, true);

    let mut one = fresh();
    fs::rename(&dir, top.join("moved")).expect("renamed");
    report.equal("gone", seen(&mut one), true);
    tag(&made(top, "settled"), 1007);
    report.equal("another directory of the same id", seen(&mut one), true);

    let mut one = fresh();
    let often = std::iter::repeat_with(|| numbers(&mut one)).take_while(Option::is_some).count();
    report.equal("a whole look now and then", often, 16);
}

/// The scheduler: a walk finds the quota true, then it alone is read; deleted files that are held
/// open count; without the tag it walks again.
fn followed_by_the_meter(report: &mut Report, top: &Path) {
    let dir = made(top, "followed");
    tag(&dir, 1006);
    for n in 0..200 {
        write(&dir.join(n.to_string()), 5000).expect("room");
    }
    settle();
    let config = UsageConfig {
        max_age: Duration::from_millis(1500),
        cpu_budget: 0.5,
        bootstrap_cpu_budget: 1.0,
        ..UsageConfig::default()
    };
    let guard = Arc::new(Guard::new(Roots::default(), Duration::from_secs(5)));
    let meter = UsageMeter::start(guard, config, || {}).expect("a thread");
    let target = target(&dir);
    meter.set_targets(vec![target.clone()]);
    let seen = || {
        let measured = meter.results().get(&target.subject).cloned().unwrap_or_default();
        words(&measured)
    };
    report.equal("followed", eventually(&seen, &quota(&dir)), quota(&dir));
    // What was spent is told a moment after the value.
    let inodes = || meter.stats().inodes_total.to_string();
    report.equal("one walk", eventually(&inodes, "201"), "201".to_owned());
    write(&dir.join("more"), 3 * MIB).expect("room");
    settle();
    report.equal("followed, grown", eventually(&seen, &quota(&dir)), quota(&dir));
    report.equal("without a walk", inodes(), "201".to_owned());

    let held = File::open(dir.join("more")).expect("there");
    fs::remove_file(dir.join("more")).expect("removed");
    settle();
    let (bytes, files) = du(&dir);
    let held_bytes = held.metadata().expect("open").blocks() * 512;
    let expected = format!("project_quota {} {}", bytes + held_bytes, files + 1);
    report.equal("deleted but open", eventually(&seen, &expected), expected);
    report.equal("deleted but open, once", by_root(&dir), walked(&dir));
    drop(held);
    report.equal("closed", eventually(&seen, &quota(&dir)), quota(&dir));

    set_project(&dir, 0, false);
    report.equal("no longer tagged", eventually(&seen, &walked(&dir)), walked(&dir));
    meter.shutdown();
}

fn eventually(seen: &dyn Fn() -> String, expected: &str) -> String {
    let patience = Instant::now() + Duration::from_secs(20);
    while seen() != expected && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(50));
    }
    seen()
}

fn by_root(path: &Path) -> String {
    words(&once(path))
}

fn nobody(arguments: &[&str]) -> String {
    let program = std::env::current_exe().expect("its own path");
    let run = Command::new(program).args(arguments).uid(NOBODY).gid(NOBODY).output();
    String::from_utf8_lossy(&run.expect("started").stdout).trim().to_owned()
}

fn by_nobody(path: &Path) -> String {
    nobody(&["measure", &path.display().to_string()])
}

fn written_by_nobody(path: &Path, bytes: u64) -> i32 {
    nobody(&["write", &path.display().to_string(), &bytes.to_string()]).parse().unwrap_or(-2)
}

fn quota(path: &Path) -> String {
    with_method("project_quota", path)
}

fn walked(path: &Path) -> String {
    with_method("walk", path)
}

fn with_method(method: &str, path: &Path) -> String {
    let (bytes, files) = du(path);
    format!("{method} {bytes} {files}")
}
