//! The daemon's way, subjects measured again and again within a budget, while files change.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::{How, Target, UsageConfig, UsageMeter, measure_once};
use plimsoll::model::{SandboxKey, SourceKind, Subject};

use super::process::{median, run as run_commands};
use super::tree::Tree;

/// Share of the files that changes in a minute.
const CHANGED_A_MINUTE: f64 = 0.01;

pub fn run(tree: &Tree, minutes: f64) {
    let du: Vec<Vec<String>> = tree
        .subjects
        .iter()
        .map(|path| {
            ["du", "-s", "-B1"]
                .map(str::to_owned)
                .into_iter()
                .chain([path.display().to_string()])
                .collect()
        })
        .collect();
    let a_round = median((0..3).map(|_| run_commands(&du).0.cpu).collect());

    let guard = Arc::new(Guard::new(Roots::default(), Duration::from_secs(5)));
    let targets: Vec<Target> = tree.subjects.iter().map(|path| target(path)).collect();
    let once = measure_once(&guard, &targets, |_| {});
    let start: u64 = once.iter().filter_map(|(_, m)| Some(m.sample?.used_bytes)).sum();
    let meter = UsageMeter::start(Arc::clone(&guard), UsageConfig::default(), || {})
        .expect("a thread for the meter");
    meter.set_targets(targets);
    let began = Instant::now();
    while meter.stats().pending > 0 || meter.stats().subjects == 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let bootstrap = (began.elapsed().as_secs_f64(), meter.stats().cpu_seconds_total);

    let (stop, grown) = (AtomicBool::new(false), AtomicI64::new(0));
    let (mut errors, mut ages) = (Vec::new(), Vec::new());
    let (cpu, began) = (meter.stats().cpu_seconds_total, Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| write(tree, &stop, &grown));
        while began.elapsed().as_secs_f64() < minutes * 60.0 {
            std::thread::sleep(Duration::from_secs(1));
            let results = meter.results();
            let samples = || results.values().filter_map(|m| m.sample);
            let known: u64 = samples().map(|sample| sample.used_bytes).sum();
            let truth = start as i64 + grown.load(Ordering::Relaxed);
            errors.push((known as i64 - truth).unsigned_abs() as f64 / truth as f64);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
            let count = samples().count().max(1) as f64;
            ages.push(samples().map(|sample| now - sample.measured_at).sum::<f64>() / count);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let seconds = began.elapsed().as_secs_f64();
    let spent = meter.stats().cpu_seconds_total - cpu;
    meter.shutdown();

    let age = ages.iter().sum::<f64>() / ages.len().max(1) as f64;
    // Measured every P seconds, values are P/2 old on the average.
    let mesos = a_round / (2.0 * age);
    let worst = errors.iter().copied().fold(0.0, f64::max);
    println!(
        "\nsteady state: {} files, {:.0} % of them grow a minute, {seconds:.0} s",
        tree.files,
        CHANGED_A_MINUTE * 100.0
    );
    println!("first pass of all: {:.1} s, {:.2} s of CPU", bootstrap.0, bootstrap.1);
    println!(
        "Plimsoll: {:.3} % of a core; values {age:.1} s old on the average",
        spent / seconds * 100.0
    );
    println!(
        "one du a subject at that age: {:.3} % of a core ({a_round:.2} s a round)",
        mesos * 100.0
    );
    println!("ratio: {:.3} (1/{:.1})", spent / seconds / mesos, mesos * seconds / spent.max(1e-9));
    println!(
        "error of the sum of all bytes: median {:.4} %, worst {:.4} %",
        median(errors) * 100.0,
        worst * 100.0
    );
}

/// Appends to files chosen by a fixed sequence, evenly over time, and adds up by how many bytes
/// their blocks grew.
fn write(tree: &Tree, stop: &AtomicBool, grown: &AtomicI64) {
    let pause = Duration::from_secs_f64(60.0 / (tree.files as f64 * CHANGED_A_MINUTE));
    let mut chosen = 1_usize;
    let began = Instant::now();
    let mut done = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        chosen =
            chosen.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let path = tree.file((chosen >> 20) % tree.files);
        let blocks = |path: &Path| std::fs::metadata(path).expect("is there").blocks() as i64 * 512;
        let before = blocks(&path);
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(&[9; 8192]).expect("written");
        grown.fetch_add(blocks(&path) - before, Ordering::Relaxed);
        done += 1;
        std::thread::sleep((pause * done).saturating_sub(began.elapsed()));
    }
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
