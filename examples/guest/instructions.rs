//! What reading a project quota costs against `du`, in instructions: for a guest under `qemu -icount
//! shift=0`, whose virtual nanoseconds are the instructions it executed, the kernel's included.
//! Nothing there depends on how busy the host is.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::quota::{Probe, Settled};
use plimsoll::measure::usage::{Progress, Walk};

use crate::disks;
use crate::files::{du, limit, made, settle, tag, target};
use crate::report::Report;

const FILES: usize = 500;
const DIRECTORIES: usize = 5;
const REPEATS: usize = 100;
const TOGETHER: usize = 64;

/// The scenario.
pub fn run(report: &mut Report) {
    for (fstype, disk) in [("xfs", disks::XFS), ("ext4", disks::EXT4)] {
        report.name = fstype.to_owned();
        let top = Path::new("/mnt/quota");
        disks::fresh(fstype, disk, top, "prjquota");
        compare(report, fstype, top);
        report.equal("unmounted", disks::unmount(top), Ok(()));
    }
}

fn compare(report: &mut Report, fstype: &str, top: &Path) {
    let (dir, empty) = (sandbox(top), made(top, "empty"));
    let guard = Guard::new(Roots::default(), Duration::from_secs(20));
    let probe = Probe::at(&guard, &target(&dir)).expect("project quotas are on");
    let (bytes, files) = du(&dir);
    let record = probe.read().expect("a record");
    report.equal("the same numbers", (record.used_bytes, record.files), (bytes, Some(files)));

    let quota = median(|| drop(black_box(probe.read())));
    let settled = Settled::read(&probe, f64::MAX).expect("a record").1.expect("settles");
    let again = median_of(|| {
        let mut settled = settled.clone();
        let began = Instant::now();
        let record = black_box(settled.read_again(&mut None));
        let took = began.elapsed();
        assert_eq!(record.expect("still settled").used_bytes, bytes);
        took
    });
    // As the scheduler does it: one directory is opened for up to 64 subjects, and each subject's own is
    // looked at every fourth time.
    let together = median_of(|| {
        let mut all = vec![settled.clone(); TOGETHER];
        let (mut place, began) = (None, Instant::now());
        for settled in &mut all {
            for _ in 0..4 {
                black_box(settled.read_again(&mut place)).expect("still settled");
            }
        }
        began.elapsed() / (4 * TOGETHER as u32)
    });
    let clock = median(|| ());
    let call = median(|| _ = black_box(rustix::process::getppid()));
    let stat = median(|| drop(black_box(fs::symlink_metadata(&dir))));
    let whole = |dir: &Path| median(|| run_du(&["du"], dir));
    let (gnu, start) = (whole(&dir), whole(&empty));
    let busybox = median(|| run_du(&["busybox", "du"], &dir));
    let walk = median(|| match Walk::new(&dir, &[], &[]).advance(usize::MAX) {
        Progress::Done(totals) => assert_eq!(totals.used_bytes, bytes),
        other => panic!("{other:?}"),
    });
    println!("{fstype}: {files} inodes, median of {REPEATS}, in instructions");
    for (what, count) in [
        ("reading the clock, which is in each of these", clock),
        ("getppid, the shortest system call", call),
        ("one stat of the directory", stat),
        ("quota read, settled, alone", again),
        ("quota read, settled, one of 64 together", together),
        ("quota read, the whole look", quota),
        ("GNU du -s, the process", gnu),
        ("GNU du -s of an empty directory", start),
        ("busybox du -s, the process", busybox),
        ("Plimsoll's walk", walk),
    ] {
        println!("{fstype}: {what}: {count}, 1/{:.0}", count as f64 / together as f64);
    }
    let tree = (gnu - start) as f64 / together as f64;
    println!("{fstype}: GNU du -s without its start: {}, 1/{tree:.0}", gnu - start);
}

/// 500 files of up to 6 kB in five directories, a project.
fn sandbox(top: &Path) -> PathBuf {
    let dir = made(top, "sandbox");
    tag(&dir, 4711);
    limit(top, 4711, [0, 1 << 30, 0, 0]);
    for file in 0..FILES {
        let sub = dir.join(format!("dir-{}", file % DIRECTORIES));
        fs::create_dir_all(&sub).expect("room");
        fs::write(sub.join(format!("file-{file}")), vec![7; file * 12]).expect("room");
    }
    settle();
    dir
}

fn run_du(program: &[&str], dir: &Path) {
    let mut run = Command::new(program[0]);
    run.args(&program[1..]).arg("-s").arg(dir).stdout(Stdio::null());
    assert!(run.status().is_ok_and(|status| status.success()));
}

/// Virtual nanoseconds: instructions.
fn median(mut work: impl FnMut()) -> u64 {
    median_of(|| {
        let began = Instant::now();
        work();
        began.elapsed()
    })
}

/// The same of work that takes the time itself.
fn median_of(mut work: impl FnMut() -> Duration) -> u64 {
    let mut took: Vec<u64> = (0..REPEATS).map(|_| work().as_nanos() as u64).collect();
    took.sort_unstable();
    took[REPEATS / 2]
}
