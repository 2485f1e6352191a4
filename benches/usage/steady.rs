//! The daemon's way, subjects measured again and again within a budget, while files change.
//!
//! Two loads. `set`: the files that change are always the same ones, as logs and databases are;
//! `any`: each time any file of all, which no memory of past changes can foresee. In both one in
//! twenty changes makes a new file, and one in forty removes one.

use std::collections::{HashMap, VecDeque};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::fanotify::Watcher;
use plimsoll::measure::usage::{How, MeterStats, Target, UsageConfig, UsageMeter, measure_once};
use plimsoll::model::{Method, SandboxKey, SourceKind, Subject};

use super::process::{median, run as run_commands};
use super::tree::{SUBJECTS, Tree};

/// Share of the files that changes in a minute.
const CHANGED_A_MINUTE: f64 = 0.01;
/// What a change appends.
const APPENDED: usize = 4096;
/// How long files change before measuring begins.
const BEFORE: Duration = Duration::from_secs(75);
/// Times the age asked for until the first full passes that tell what refreshes miss, and until all
/// subjects had one.
const FIRST_MAX_AGES: f64 = 3.0;
const ALL_MAX_AGES: f64 = 6.5;
/// How long after a change, and how often, a file is looked at again: blocks come to it when it is
/// written out.
const SETTLES: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often the filesystem itself is looked at, as the daemon does.
const FILESYSTEMS: Duration = Duration::from_secs(15);
/// Seconds after which a change should be in the published value.
const FRESH: f64 = 30.0;
/// Seconds of the past that are kept.
const PAST: f64 = 600.0;

/// Which files change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// The same ones each minute.
    Set,
    /// Any.
    Any,
}

/// Bytes of each subject as they really are.
struct Truth {
    start: Vec<i64>,
    grown: Vec<AtomicI64>,
}

impl Truth {
    fn now(&self) -> Vec<i64> {
        let grown = self.grown.iter().map(|grown| grown.load(Ordering::Relaxed));
        self.start.iter().zip(grown).map(|(start, grown)| start + grown).collect()
    }
}

/// When each subject held how much.
type Past = VecDeque<(f64, Vec<i64>)>;

/// Least and most that a subject held from a moment to another, by the looks at the truth just before,
/// between and just after them. `None` where those are not kept.
fn held(past: &Past, (from, to): (f64, f64), index: usize) -> Option<(i64, i64)> {
    let first = past.partition_point(|(at, _)| *at <= from).checked_sub(1)?;
    let last = past.partition_point(|(at, _)| *at < to);
    let then = past.range(first..=last.min(past.len() - 1)).map(|(_, all)| all[index]);
    Some(then.fold((i64::MAX, i64::MIN), |(low, high), held| (low.min(held), high.max(held))))
}

/// Seconds since the Unix epoch.
fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// What is looked at each second.
#[derive(Default)]
struct Seen {
    /// Error of the sum against what it is now, above zero where too much is told.
    errors: Vec<f64>,
    /// The same against whatever it was within the last [`FRESH`] seconds.
    late: Vec<f64>,
    ages: Vec<f64>,
    /// Values of single subjects; those between full passes with a bound; those that were further off
    /// than it said.
    all: u64,
    values: u64,
    outside: u64,
    incremental: u64,
    bounds: Vec<f64>,
    /// Most that a value was off, in parts of its bound.
    beyond: f64,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub minutes: f64,
    pub load: Load,
    /// With fanotify.
    pub told: bool,
    /// Part of a core; the default for `None`.
    pub budget: Option<f64>,
}

pub fn run(tree: &Tree, options: &Options) {
    let Options { load, told, .. } = *options;
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
    // The first one warms the caches.
    let rounds: Vec<f64> = (0..4).map(|_| run_commands(&du).0.cpu).collect();
    let a_round = median(rounds[1..].to_vec());

    let guard = Arc::new(Guard::new(Roots::default(), Duration::from_secs(5)));
    let targets: Vec<Target> = tree.subjects.iter().map(|path| target(path)).collect();
    let once = measure_once(&guard, &targets, |_| {});
    let start = once.iter().map(|(_, m)| m.sample.expect("measured").used_bytes as i64).collect();
    let truth = Truth { start, grown: (0..SUBJECTS).map(|_| AtomicI64::new(0)).collect() };
    let stop = AtomicBool::new(false);
    let way = if told { "fanotify" } else { "no fanotify" };
    println!(
        "\nsteady state: {} files, {:.0} % change a minute ({load:?}), {way}",
        tree.files,
        CHANGED_A_MINUTE * 100.0
    );
    println!("one du a subject: {a_round:.2} s of CPU a round");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(tree, load, &stop, &truth.grown));
        // What works on a host did so before Plimsoll was started.
        std::thread::sleep(BEFORE);
        measure(tree, options, &guard, &targets, &truth, a_round);
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer ended")
    });
}

fn measure(
    tree: &Tree,
    options: &Options,
    guard: &Arc<Guard>,
    targets: &[Target],
    truth: &Truth,
    a_round: f64,
) {
    let resident = resident_bytes();
    let mut past = Past::from([(wall_clock(), truth.now())]);
    // Others may be at the disk too.
    let mut config = UsageConfig { io_pressure: 0.0, ..UsageConfig::default() };
    config.cpu_budget = options.budget.unwrap_or(config.cpu_budget);
    let own = tree.root().parent().expect("the build directory").to_path_buf();
    let watcher = options.told.then(|| {
        Watcher::start(&[own], config.cpu_budget / 2.0).expect("fanotify is there, for root")
    });
    let ages = |n: f64| Duration::from_secs_f64(n * config.max_age.as_secs_f64());
    let (first, all) = (ages(FIRST_MAX_AGES), ages(ALL_MAX_AGES));
    let meter = UsageMeter::start_told(Arc::clone(guard), config, watcher, || {})
        .expect("a thread for the meter");
    meter.set_targets(targets.to_vec());
    let began = Instant::now();
    while meter.stats().pending > 0 || meter.stats().subjects == 0 {
        std::thread::sleep(Duration::from_millis(50));
        if began.elapsed().as_secs() as usize >= past.len() {
            past.push_back((wall_clock(), truth.now()));
        }
    }
    let bootstrap = (began.elapsed().as_secs_f64(), meter.stats().cpu_seconds_total);
    println!("first pass of all: {:.1} s, {:.2} s of CPU", bootstrap.0, bootstrap.1);
    let whole = Duration::from_secs_f64(options.minutes * 60.0);
    let parts = [
        ("until the first reconciliations", first.min(whole)),
        ("while all have their first one", all.min(whole)),
        ("after that", whole),
    ];
    let mut told_at = Instant::now();
    for (part, until) in parts {
        let mut seen = Seen::default();
        let (before, from) = (meter.stats(), began.elapsed());
        while began.elapsed() < until {
            std::thread::sleep(Duration::from_secs(1));
            if told_at.elapsed() >= FILESYSTEMS {
                told_at = Instant::now();
                meter.filesystems_hold(filesystem(guard, tree.root()));
            }
            look(&meter, targets, truth, &mut past, &mut seen);
        }
        let seconds = (began.elapsed() - from).as_secs_f64();
        if seconds > 1.0 {
            report(part, &seen, &before, &meter.stats(), seconds, a_round);
        }
    }
    let after = meter.stats();
    println!(
        "\nremembered: {:.1} MB of {} subjects, {:.1} bytes a file; resident memory grew by {:.1} MB",
        after.remembered_bytes as f64 / 1e6,
        after.remembered,
        after.remembered_bytes as f64 / tree.files as f64,
        (resident_bytes() - resident) as f64 / 1e6
    );
    if options.told {
        println!("{:?}", after.watch);
    }
    meter.shutdown();
}

/// Bytes used on the filesystem of the tree, by its device.
fn filesystem(guard: &Guard, root: &Path) -> HashMap<(u32, u32), u64> {
    let found = rustix::fs::statvfs(root).expect("statfs");
    HashMap::from([(guard.device(root), (found.f_blocks - found.f_bfree) * found.f_frsize)])
}

fn look(meter: &UsageMeter, targets: &[Target], truth: &Truth, past: &mut Past, seen: &mut Seen) {
    let results = meter.results();
    let now = wall_clock();
    past.push_back((now, truth.now()));
    while past.front().is_some_and(|(at, _)| now - at > PAST) {
        past.pop_front();
    }
    let (mut known, mut age) = (0, 0.0);
    for (index, target) in targets.iter().enumerate() {
        let Some(sample) = results.get(&target.subject).and_then(|m| m.sample) else { continue };
        let used = sample.used_bytes as i64;
        known += used;
        seen.all += 1;
        age += now - sample.measured_at;
        if sample.method != Method::Incremental {
            continue;
        }
        seen.incremental += 1;
        let Some(bound) = sample.error_bound_bytes else { continue };
        let measured = (sample.measured_at - sample.duration_seconds, sample.measured_at);
        let Some((low, high)) = held(past, measured, index) else { continue };
        let off = (low - used).max(used - high).max(0);
        seen.values += 1;
        seen.outside += u64::from(off > bound as i64);
        seen.beyond = seen.beyond.max(off as f64 / bound.max(1) as f64);
        seen.bounds.push(bound as f64 / used as f64);
    }
    seen.ages.push(age / targets.len() as f64);
    let sum = |all: &Vec<i64>| all.iter().sum::<i64>();
    let off = |truth: i64| (known - truth) as f64 / truth as f64;
    seen.errors.push(off(sum(&truth.now())));
    let lately = past.iter().filter(|(at, _)| now - at <= FRESH).map(|(_, all)| sum(all));
    let lately: Vec<i64> = lately.collect();
    let (low, high) = (lately.iter().min().copied(), lately.iter().max().copied());
    let nearest = known.clamp(low.unwrap_or(0), high.unwrap_or(i64::MAX));
    seen.late.push(off(nearest));
}

fn report(
    part: &str,
    seen: &Seen,
    before: &MeterStats,
    after: &MeterStats,
    seconds: f64,
    a_round: f64,
) {
    let spent = after.cpu_seconds_total - before.cpu_seconds_total;
    let mean = |all: &[f64]| all.iter().fold(0.0, |a, b| a + b) / all.len().max(1) as f64;
    let worst = |all: &[f64]| {
        all.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a }) * 100.0
    };
    let size = |all: &[f64]| median(all.iter().map(|error| error.abs()).collect());
    let (age, percent) = (mean(&seen.ages), |part: f64| part * 100.0);
    // Measured every P seconds, values are P/2 old on the average.
    let mesos = a_round / (2.0 * age);
    println!("\n{part}, {seconds:.0} s:");
    println!(
        "Plimsoll: {:.3} % of a core; values {age:.1} s old on the average; {:.0} % incremental",
        percent(spent / seconds),
        percent(seen.incremental as f64 / seen.all.max(1) as f64)
    );
    let passes = |name| {
        let of = |stats: &MeterStats| stats.passes_total.get(name).copied().unwrap_or(0);
        of(after) - of(before)
    };
    println!(
        "{} full passes, {} refreshes, {} stale; {} inodes looked at",
        passes("complete"),
        passes("incremental"),
        passes("stale"),
        after.inodes_total - before.inodes_total
    );
    println!("one du a subject at that age: {:.3} % of a core", percent(mesos));
    println!("ratio: {:.4} (1/{:.1})", spent / seconds / mesos, mesos * seconds / spent.max(1e-9));
    println!("one du a subject every 15 s: 1/{:.1}", a_round / 15.0 * seconds / spent.max(1e-9));
    println!(
        "error of the sum of all bytes: median {:.4} %, worst {:+.4} %; against the last {FRESH} s: \
         median {:.4} %, worst {:+.4} %",
        percent(size(&seen.errors)),
        worst(&seen.errors),
        percent(size(&seen.late)),
        worst(&seen.late)
    );
    println!(
        "published bounds: {:.3} % of the value on the average, by {} of {} values; {} were further \
         off, at most {:.2} times as far; {} of {} reconciliations found one too small",
        percent(mean(&seen.bounds)),
        seen.values,
        seen.all,
        seen.outside,
        seen.beyond,
        after.bound_exceeded_total - before.bound_exceeded_total,
        after.bound_checked_total - before.bound_checked_total
    );
}

/// Resident memory of this process.
fn resident_bytes() -> i64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<i64>().unwrap_or(0) * 1024
}

/// Changes files chosen by a fixed sequence, evenly over time, and adds up by how many bytes the
/// subjects' blocks grew.
fn write(tree: &Tree, load: Load, stop: &AtomicBool, grown: &[AtomicI64]) {
    let a_minute = tree.files as f64 * CHANGED_A_MINUTE;
    let pause = Duration::from_secs_f64(60.0 / a_minute);
    let mut random = 1_usize;
    let mut next = || {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 20
    };
    let blocks = |path: &Path| std::fs::metadata(path).expect("is there").blocks() as i64 * 512;
    let set: Vec<usize> = (0..a_minute as usize).map(|_| next() % tree.files).collect();
    let mut made: VecDeque<(usize, PathBuf)> = VecDeque::new();
    // What each file held when it was last looked at, and when that is due again.
    let mut held: HashMap<usize, i64> = HashMap::new();
    let mut again: VecDeque<(Instant, Instant, usize)> = VecDeque::new();
    let began = Instant::now();
    let mut done = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        while again.front().is_some_and(|(due, ..)| *due <= Instant::now()) {
            let (due, changed, chosen) = again.pop_front().expect("there is one");
            let now = blocks(&tree.file(chosen));
            let was = held.insert(chosen, now).expect("looked at before");
            grown[chosen % SUBJECTS].fetch_add(now - was, Ordering::Relaxed);
            if due < changed + SETTLES {
                again.push_back((due + LOOK_AGAIN, changed, chosen));
            }
        }
        let chosen = match load {
            Load::Set => set[done as usize % set.len()],
            Load::Any => next() % tree.files,
        };
        let path = tree.file(chosen);
        let dir = path.parent().expect("in a directory").to_path_buf();
        let (subject, change) = match done % 40 {
            7 | 27 => {
                let before = blocks(&dir);
                let new = dir.join(format!("new-{done}"));
                std::fs::write(&new, [9; APPENDED]).expect("written");
                let change = blocks(&new) + blocks(&dir) - before;
                made.push_back((chosen % SUBJECTS, new));
                (chosen % SUBJECTS, change)
            }
            37 if !made.is_empty() => {
                let (subject, old) = made.pop_front().expect("there is one");
                let change = -blocks(&old);
                std::fs::remove_file(old).expect("removed");
                (subject, change)
            }
            _ => {
                let before = *held.get(&chosen).unwrap_or(&blocks(&path));
                let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
                file.write_all(&[9; APPENDED]).expect("written");
                let after = blocks(&path);
                held.insert(chosen, after);
                let now = Instant::now();
                again.push_back((now + LOOK_AGAIN, now, chosen));
                (chosen % SUBJECTS, after - before)
            }
        };
        grown[subject].fetch_add(change, Ordering::Relaxed);
        done += 1;
        std::thread::sleep((pause * done).saturating_sub(began.elapsed()));
    }
    // What is left would be found by the next round.
    for (_, path) in made {
        let _ = std::fs::remove_file(path);
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
