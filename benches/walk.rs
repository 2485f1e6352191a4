//! A full pass against GNU du: CPU time (user and system) and wall time, in interleaved rounds.
//!
//! `cargo bench --bench walk [-- FILES [ROUNDS]]` makes FILES files (100,000 by default) in 500
//! sandboxes below the temporary directory, walks them warm, prints the median of each contender
//! and its ratio to `du -s`, and removes them.
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll::host::sys::{Whose, cpu_seconds};
use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::{How, Progress, Target, Walk, measure_once};
use plimsoll::model::{SandboxKey, SourceKind, Subject};

const SANDBOXES: usize = 500;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let files = numbers.first().copied().unwrap_or(100_000);
    let rounds = numbers.get(1).copied().unwrap_or(15);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let sandboxes = generate(dir.path(), files);
    let root = dir.path();
    let guard = Guard::new(Roots::default(), Duration::from_secs(30));
    let targets: Vec<Target> = sandboxes.iter().map(|path| target(path)).collect();

    type Run<'a> = (&'static str, Whose, Box<dyn Fn() -> u64 + 'a>);
    let contenders: Vec<Run> = vec![
        ("du -s, one process", Whose::Children, Box::new(|| du(root))),
        ("walk, whole tree, one slice", Whose::Process, Box::new(|| walk(root, usize::MAX / 4))),
        ("walk, whole tree, slices of 1000", Whose::Process, Box::new(|| walk(root, 1000))),
        (
            "du -s, one process a sandbox",
            Whose::Children,
            Box::new(|| sandboxes.iter().map(|path| du(path)).sum()),
        ),
        (
            "walk, one a sandbox",
            Whose::Process,
            Box::new(|| sandboxes.iter().map(|path| walk(path, 1000)).sum()),
        ),
        (
            "measure_once, through the guard",
            Whose::Process,
            Box::new(|| {
                let results = measure_once(&guard, &targets, |_| {});
                results.iter().filter_map(|(_, m)| Some(m.sample?.used_bytes)).sum()
            }),
        ),
    ];
    let mut taken: Vec<Vec<(f64, f64)>> = vec![Vec::new(); contenders.len()];
    let mut answers = vec![0; contenders.len()];
    // One round more: the first only warms the caches.
    for round in 0..=rounds {
        for (index, (_, whose, run)) in contenders.iter().enumerate() {
            let (cpu, wall) = (cpu_seconds(*whose).expect("readable"), Instant::now());
            answers[index] = run();
            let wall = wall.elapsed().as_secs_f64();
            let cpu = cpu_seconds(*whose).expect("readable") - cpu;
            if round > 0 {
                taken[index].push((cpu, wall));
            }
        }
    }
    assert_eq!(answers[0], answers[1], "the walk must equal du");
    assert!(answers[3..].windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");

    println!("{files} files in {SANDBOXES} sandboxes, median of {rounds} rounds");
    println!("{:<36} {:>9} {:>7} {:>9} {:>7}", "", "CPU s", "to du", "wall s", "to du");
    let medians: Vec<(f64, f64)> = taken.iter().map(|runs| median(runs)).collect();
    for ((name, ..), (cpu, wall)) in contenders.iter().zip(&medians) {
        let (to_cpu, to_wall) = (cpu / medians[0].0, wall / medians[0].1);
        println!("{name:<36} {cpu:>9.4} {to_cpu:>7.2} {wall:>9.4} {to_wall:>7.2}");
    }
    let against = medians[4].0 / medians[3].0;
    println!("walk a sandbox against du a sandbox: {against:.2} of the CPU time");
}

/// Sandboxes with a few levels and files of mixed sizes, as tasks leave them.
fn generate(root: &Path, files: usize) -> Vec<PathBuf> {
    let sandboxes: Vec<PathBuf> =
        (0..SANDBOXES).map(|i| root.join(format!("box-{i:04}"))).collect();
    for path in &sandboxes {
        for inner in ["data/0", "data/1", "log"] {
            fs::create_dir_all(path.join(inner)).expect("made");
        }
    }
    for i in 0..files {
        let inner = ["", "data/0", "data/1", "log"][i / SANDBOXES % 4];
        let path = sandboxes[i % SANDBOXES].join(inner).join(format!("file-{i:07}"));
        fs::write(path, &[7_u8; 6000][..i % 6000]).expect("written");
    }
    sandboxes
}

fn target(path: &Path) -> Target {
    let subject = Subject::Sandbox(SandboxKey {
        source: SourceKind::Directories,
        framework: String::new(),
        executor: String::new(),
        container: path.display().to_string(),
    });
    let path = path.to_path_buf();
    Target { subject, path, extra: Vec::new(), skip: Vec::new(), how: How::Walk, remote: false }
}

fn walk(root: &Path, slice: usize) -> u64 {
    let mut walk = Walk::new(root, &[], &[]);
    loop {
        match walk.advance(slice) {
            Progress::More => {}
            Progress::Done(totals) => return totals.used_bytes,
            Progress::Failed(error) => panic!("{error}"),
        }
    }
}

fn du(path: &Path) -> u64 {
    let mut command = Command::new("du");
    let output =
        command.args(["-s", "-B1", "--"]).arg(path).stderr(Stdio::inherit()).output().expect("du");
    let digits = output.stdout.split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).expect("a number")
}

fn median(runs: &[(f64, f64)]) -> (f64, f64) {
    let middle = |pick: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    (middle(|run| run.0), middle(|run| run.1))
}
