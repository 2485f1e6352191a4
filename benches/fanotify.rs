//! What writers pay for `usage.fanotify`: CPU time of one thread at work, with the marks and
//! without, in interleaved pairs, and the CPU time of the thread that reads the events.
//!
//! `cargo bench --bench fanotify -- [PAIRS]`, as root, in a directory on the filesystem to test
//! (`TMPDIR`). Each round runs all variants in turn, in an order that rotates; the figures are
//! medians of the ratios of each round.
#![allow(missing_docs)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plimsoll::host::sys::{fanotify, thread_cpu_seconds};
use plimsoll::measure::usage::fanotify::{MASK, Watcher};

/// `FAN_MODIFY`, which is not asked for: measured to show why.
const MODIFY: u64 = 0x2;

#[derive(Clone, Copy, PartialEq)]
enum Variant {
    Off,
    On,
    WithModify,
}

type Work = fn(&Path);

const WORKS: [(&str, Work); 4] = [
    ("files made, 4 KiB written, closed, removed", churn),
    ("64 bytes appended to one open file", append),
    ("4 KiB written in place in one open file", in_place),
    ("files opened, 4 KiB appended, closed", reopen),
];

fn churn(dir: &Path) {
    let block = [7_u8; 4096];
    for n in 0..4000 {
        let path = dir.join(format!("file-{n}"));
        File::create(&path).unwrap().write_all(&block).unwrap();
        fs::remove_file(&path).unwrap();
    }
}

fn append(dir: &Path) {
    let mut file = File::create(dir.join("log")).unwrap();
    for _ in 0..200_000 {
        file.write_all(&[7; 64]).unwrap();
    }
}

fn in_place(dir: &Path) {
    let file = File::create(dir.join("table")).unwrap();
    let block = [7_u8; 4096];
    for n in 0..100_000_u64 {
        file.write_all_at(&block, n % 256 * 4096).unwrap();
    }
}

fn reopen(dir: &Path) {
    let block = [7_u8; 4096];
    for n in 0..10_000 {
        let path = dir.join(format!("log-{}", n % 50));
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(&block).unwrap();
    }
}

/// CPU seconds of the work, and of reading what was told of it.
fn measured(top: &Path, work: Work, variant: Variant) -> (f64, f64) {
    let dir = tempfile::tempdir_in(top).unwrap();
    let run = || {
        let before = thread_cpu_seconds();
        work(dir.path());
        thread_cpu_seconds() - before
    };
    let path = std::ffi::CString::new(dir.path().as_os_str().as_bytes()).unwrap();
    match variant {
        Variant::Off => (run(), 0.0),
        Variant::On => {
            let own = dir.path().join("own");
            fs::create_dir(&own).unwrap();
            let watcher = Watcher::start(&[own], 1.0).expect("root, on Linux 5.9");
            let watch = watcher.watch();
            let device = fs::metadata(dir.path()).unwrap().dev();
            let _listener = watch.attach(device, &path, false).expect("trusted");
            let spent = run();
            // What is still in the queue.
            std::thread::sleep(Duration::from_millis(250));
            (spent, watch.stats().reader_cpu_seconds)
        }
        Variant::WithModify => {
            let group = fanotify::group().unwrap();
            fanotify::mark_filesystem(group.as_fd(), &path, MASK | MODIFY).unwrap();
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let reader = scope.spawn(|| drain(&group, &stop));
                let spent = run();
                stop.store(true, Ordering::Relaxed);
                (spent, reader.join().unwrap())
            })
        }
    }
}

fn drain(group: &OwnedFd, stop: &AtomicBool) -> f64 {
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        while rustix::io::read(group, &mut buffer[..]).is_ok_and(|length| length > 0) {}
    }
    thread_cpu_seconds()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        (values[middle - 1] + values[middle]) / 2.0
    } else {
        values[middle]
    }
}

fn main() {
    // cargo bench adds --bench.
    let pairs = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(24_usize);
    let top = tempfile::tempdir().unwrap();
    println!("{pairs} rounds in {}", top.path().display());
    println!("| work | CPU without (ms) | with | with FAN_MODIFY | reader (ms) |");
    println!("|---|---|---|---|---|");
    let all = [Variant::Off, Variant::On, Variant::WithModify];
    for (name, work) in WORKS {
        let began = Instant::now();
        for variant in all {
            measured(top.path(), work, variant);
        }
        let (mut off, mut on, mut modify, mut reader) = (vec![], vec![], vec![], vec![]);
        for round in 0..pairs {
            let mut spent = [0.0; 3];
            for turn in 0..all.len() {
                let at = (round + turn) % all.len();
                let (cpu, reading) = measured(top.path(), work, all[at]);
                spent[at] = cpu;
                if all[at] == Variant::On {
                    reader.push(reading);
                }
            }
            off.push(spent[0]);
            on.push(spent[1] / spent[0]);
            modify.push(spent[2] / spent[0]);
        }
        let spread = |values: &[f64]| {
            let least = values.iter().copied().fold(f64::MAX, f64::min);
            format!("{least:.3}–{:.3}", values.iter().copied().fold(0.0, f64::max))
        };
        println!(
            "| {name} | {:.1} | {:.3} ({}) | {:.3} ({}) | {:.1} |",
            1e3 * median(off),
            median(on.clone()),
            spread(&on),
            median(modify.clone()),
            spread(&modify),
            1e3 * median(reader),
        );
        eprintln!("{:.0} s", began.elapsed().as_secs_f64());
    }
}
