//! The test of project quotas on a real kernel: `scripts/guest-test` runs it inside a guest.
//!
//! `guest_quota NAME=MOUNT…` tags, fills and exceeds directories on each filesystem and compares
//! every number with GNU `du`. Prints `GUEST ok N checks`, or what failed, and exits with 1.
//! As `guest_quota measure PATH` and `guest_quota write PATH BYTES` it is its own helper, run as
//! an ordinary user: without `CAP_SYS_ADMIN`, and bound by hard limits (root is not, on ext4).
#![allow(unsafe_code)] // Plimsoll only reads: tagging and limits are set here, by raw calls.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::{How, Target, UsageConfig, UsageMeter, measure_once};
use plimsoll::model::{KernelLimit, Measured, SourceKind, Subject, VolumeKey};

const MIB: u64 = 1 << 20;
const NOBODY: u32 = 65_534;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["measure", path] => {
            let measured = once(Path::new(path));
            let sample = measured.sample.expect("measured");
            let files = sample.files.map_or("-".into(), |files| files.to_string());
            println!("{} {} {files}", sample.method.as_str(), sample.used_bytes);
            ExitCode::SUCCESS
        }
        ["write", path, bytes] => {
            let written = write(Path::new(path), bytes.parse().expect("a number"));
            println!("{}", written.map_or_else(|e| e.raw_os_error().unwrap_or(-1), |()| 0));
            ExitCode::SUCCESS
        }
        mounts => {
            let mut report = Report::default();
            for mount in mounts {
                let (name, path) = mount.split_once('=').expect("NAME=MOUNT");
                report.name = name.to_owned();
                all_cases(&mut report, Path::new(path));
            }
            if report.failed == 0 {
                println!("GUEST ok {} checks", report.checks);
                return ExitCode::SUCCESS;
            }
            println!("GUEST failed {} of {} checks", report.failed, report.checks);
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Report {
    name: String,
    checks: u32,
    failed: u32,
}

impl Report {
    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        self.checks += 1;
        if found != expected {
            self.failed += 1;
            println!("FAILED {}: {what}: {found:?}, expected {expected:?}", self.name);
        }
    }
}

fn all_cases(report: &mut Report, top: &Path) {
    filled_and_exceeded(report, top);
    part_of_another(report, top);
    untagged_child(report, top);
    shared_id(report, top);
    inodes_at_their_limit(report, top);
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
    let inodes = meter.stats().inodes_total;
    write(&dir.join("more"), 3 * MIB).expect("room");
    settle();
    report.equal("followed, grown", eventually(&seen, &quota(&dir)), quota(&dir));
    report.equal("without a walk", meter.stats().inodes_total, inodes);

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

fn target(path: &Path) -> Target {
    Target {
        subject: Subject::Volume(VolumeKey {
            source: SourceKind::Directories,
            role: String::new(),
            volume: path.display().to_string(),
            disk: String::new(),
        }),
        path: path.into(),
        extra: Vec::new(),
        skip: Vec::new(),
        how: How::Walk,
        remote: false,
    }
}

fn once(path: &Path) -> Measured {
    let guard = Guard::new(Roots::default(), Duration::from_secs(20));
    measure_once(&guard, &[target(path)], |_| {}).remove(0).1
}

/// `METHOD BYTES FILES`.
fn words(measured: &Measured) -> String {
    let Some(sample) = measured.sample else { return format!("{:?}", measured.failure) };
    let files = sample.files.map_or("-".into(), |files| files.to_string());
    format!("{} {} {files}", sample.method.as_str(), sample.used_bytes)
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

/// What GNU du says: bytes and inodes.
fn du(path: &Path) -> (u64, u64) {
    let of = |option: &str| {
        let run = Command::new("du").args(["-s", option]).arg(path).output().expect("du runs");
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
    };
    (of("--block-size=1"), of("--inodes"))
}

/// A new directory that the ordinary user owns.
fn made(top: &Path, name: &str) -> PathBuf {
    let path = top.join(name);
    fs::create_dir(&path).expect("a new directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own");
    chown(&path, Some(NOBODY), Some(NOBODY)).expect("root");
    path
}

fn write(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let block = vec![7_u8; 65_536];
    let mut left = bytes as usize;
    while left > 0 {
        left -= file.write(&block[..left.min(block.len())])?;
    }
    file.sync_all()
}

/// Everything on disk, so that nothing is in reserve.
fn settle() {
    // SAFETY: sync takes nothing and cannot fail.
    unsafe { libc::sync() };
}

fn tag(path: &Path, id: u32) {
    set_project(path, id, true);
}

/// `FS_IOC_FSSETXATTR` with a `struct fsxattr`: flags, extent size, extents, project, and 12 more.
fn set_project(path: &Path, id: u32, inherit: bool) {
    let file = File::open(path).expect("a directory");
    let mut attributes = [0_u32; 7];
    attributes[0] = if inherit { 0x200 } else { 0 };
    attributes[3] = id;
    // SAFETY: the call reads 28 bytes from the pointer, which is valid for as many.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), 0x401c_5820, attributes.as_ptr()) };
    assert_eq!(result, 0, "{}: {}", path.display(), std::io::Error::last_os_error());
}

/// `Q_XSETQLIM` with a `struct fs_disk_quota`: soft and hard bytes, soft and hard inodes.
fn limit(top: &Path, id: u32, [bsoft, bhard, isoft, ihard]: [u64; 4]) {
    let file = File::open(top).expect("a mount point");
    let mut record = [0_u64; 14];
    // Version 1, FS_PROJ_QUOTA, all four limits; little-endian, as the guest is.
    record[0] = 1 | 2 << 8 | 0xf << 16 | u64::from(id) << 32;
    record[1..5].copy_from_slice(&[bhard / 512, bsoft / 512, ihard, isoft]);
    let set = (0x5804_i64 << 8) | 2;
    // SAFETY: the call reads 112 bytes from the pointer, which is valid for as many.
    let result = unsafe {
        libc::syscall(443, i64::from(file.as_raw_fd()), set, i64::from(id), record.as_ptr())
    };
    assert_eq!(result, 0, "limits of {id}: {}", std::io::Error::last_os_error());
}
