//! The scheduler on real trees, real mounts and a filesystem that does not answer.
#![allow(missing_docs)]

mod budget;
mod filesystems;
#[path = "../support/mod.rs"]
mod support;

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::filesystems::FilesystemMeter;
use plimsoll::measure::usage::{How, MeterStats, Target, UsageConfig, UsageMeter, measure_once};
use plimsoll::model::{Measured, Method, SandboxKey, SourceKind, Subject};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::du::{Du, du};
use support::hungfs::{HungFs, Mood};
use support::mounts::Mounted;

fn subject(name: &str) -> Subject {
    Subject::Sandbox(SandboxKey {
        source: SourceKind::Mesos,
        framework: "f".into(),
        executor: "e".into(),
        container: name.into(),
    })
}

fn target(name: &str, path: &Path) -> Target {
    Target {
        subject: subject(name),
        path: path.into(),
        extra: Vec::new(),
        skip: Vec::new(),
        how: How::Walk,
        remote: false,
    }
}

fn guard() -> Arc<Guard> {
    // Long enough for a busy machine to answer where nothing hangs.
    Arc::new(Guard::new(Roots::default(), Duration::from_millis(1500)))
}

/// Fast enough for a test.
fn quick() -> UsageConfig {
    UsageConfig {
        cpu_budget: 0.5,
        bootstrap_cpu_budget: 1.0,
        max_age: Duration::from_millis(100),
        slice_inodes: 50,
        slice_limit: Duration::from_millis(300),
        memory: 0,
        io_pressure: 0.0,
        ..UsageConfig::default()
    }
}

fn start(guard: &Arc<Guard>, config: UsageConfig) -> UsageMeter {
    UsageMeter::start(Arc::clone(guard), config, || {}).unwrap()
}

fn eventually(
    meter: &UsageMeter,
    name: &str,
    what: &str,
    holds: impl Fn(&Measured) -> bool,
) -> Measured {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let measured = meter.results().get(&subject(name)).cloned().unwrap_or_default();
        if holds(&measured) {
            return measured;
        }
        assert!(Instant::now() < until, "{name}: never {what}: {measured:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn reason(measured: &Measured) -> &'static str {
    measured.failure.as_ref().map_or("", |failure| failure.reason)
}

fn tree(at: &Path, files: usize) {
    for i in 0..files {
        let dir = at.join(format!("dir {}", i / 100));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("file {i}")), vec![1; i % 3000]).unwrap();
    }
}

fn equals_du(measured: &Measured, path: &Path) -> bool {
    measured.sample.is_some_and(|sample| {
        let now = du(path);
        let files = sample.files.unwrap_or(0);
        let apparent = sample.apparent_bytes.unwrap_or(0);
        // Later coreutils leave directories' own sizes out.
        let apparent = if support::du::counts_directory_sizes() { apparent } else { now.apparent };
        Du { used: sample.used_bytes, apparent, inodes: files } == now
    })
}

#[test]
fn every_subject_is_measured_and_followed() {
    let dir = tempfile::tempdir().unwrap();
    for (name, files) in [("small", 3), ("middle", 300), ("large", 3000)] {
        tree(&dir.path().join(name), files);
    }
    std::os::unix::fs::symlink(dir.path(), dir.path().join("way")).unwrap();
    let updates = Arc::new(AtomicU32::new(0));
    let told = Arc::clone(&updates);
    let count = move || {
        told.fetch_add(1, Ordering::Relaxed);
    };
    let meter = UsageMeter::start(guard(), quick(), count).unwrap();
    let names = ["small", "middle", "large"];
    let mut targets: Vec<Target> = names.map(|name| target(name, &dir.path().join(name))).into();
    // A symbolic link on the way is followed, a subject that is one is not.
    targets.push(target("way", &dir.path().join("way/small")));
    targets.push(target("link", &dir.path().join("way")));
    meter.set_targets(targets.clone());
    for name in names {
        let path = dir.path().join(name);
        let measured = eventually(&meter, name, "exact", |m| equals_du(m, &path));
        let sample = measured.sample.unwrap();
        assert_eq!((sample.method, measured.failure), (Method::Walk, None));
        assert!(sample.measured_at > 1.7e9 && sample.duration_seconds >= 0.0);
    }
    let small = dir.path().join("small");
    eventually(&meter, "way", "exact", |m| equals_du(m, &small));
    assert_eq!(reason(&eventually(&meter, "link", "refused", |m| m.failure.is_some())), "replaced");

    // Growth is followed; a subject that goes keeps its last value and says why.
    fs::write(dir.path().join("middle/more"), vec![1; 100_000]).unwrap();
    let middle = dir.path().join("middle");
    eventually(&meter, "middle", "followed", |m| equals_du(m, &middle));
    fs::remove_dir_all(&small).unwrap();
    let gone = eventually(&meter, "small", "missing", |m| reason(m) == "missing");
    assert!(gone.sample.is_some());
    assert!(gone.failure.unwrap().message.contains("small"));

    // What is not asked for any more is forgotten; what stays keeps its value.
    targets.retain(|target| target.subject == subject("large"));
    meter.set_targets(targets);
    eventually(&meter, "middle", "forgotten", |m| *m == Measured::default());
    assert_eq!(meter.results().len(), 1);
    let until = Instant::now() + Duration::from_secs(60);
    // The counters are told every now and then.
    let stats = loop {
        let stats = meter.stats();
        let passes = stats.passes_total.get("complete").copied().unwrap_or(0);
        if passes >= 4 && stats.inodes_total >= 3000 && stats.cpu_seconds_total > 0.0 {
            break stats;
        }
        assert!(Instant::now() < until, "{stats:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((stats.subjects, stats.pending), (1, 0));
    assert!(updates.load(Ordering::Relaxed) > 1);
    let began = Instant::now();
    meter.shutdown();
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn once_reports_progress_and_keeps_the_order() {
    let dir = tempfile::tempdir().unwrap();
    let upper = dir.path().join("upper");
    tree(&dir.path().join("a"), 500);
    tree(&dir.path().join("b"), 10);
    tree(&upper, 5);
    let mut targets = vec![
        target("a", &dir.path().join("a")),
        target("none", &dir.path().join("none")),
        target("b", &dir.path().join("b")),
    ];
    targets[2].extra.push(upper);
    let mut last = Default::default();
    let results = measure_once(&guard(), &targets, |progress| last = progress);
    let names: Vec<Subject> = results.iter().map(|(subject, _)| subject.clone()).collect();
    assert_eq!(names, [subject("a"), subject("none"), subject("b")]);
    let files: Vec<_> = results.iter().map(|(_, m)| m.sample.and_then(|s| s.files)).collect();
    assert_eq!(files, [Some(1 + 5 + 500), None, Some(2 + 10 + 2 + 5)]);
    assert_eq!(reason(&results[1].1), "missing");
    assert_eq!((last.subjects, last.inodes), (3, 506 + 19));
}

/// Refreshes as often as full passes are asked for, of trees that are worth it.
fn remembering() -> UsageConfig {
    UsageConfig { memory: 16 << 20, slice_inodes: 500, ..quick() }
}

fn by(method: Method) -> impl Fn(&Measured) -> bool {
    move |m| m.sample.is_some_and(|sample| sample.method == method)
}

#[test]
fn refreshes_go_between_full_passes_whatever_the_budget() {
    for cpu_budget in [0.5, 0.02] {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path(), 3000);
        let config = UsageConfig { cpu_budget, ..remembering() };
        let meter = start(&guard(), config.clone());
        meter.set_targets(vec![target("one", dir.path())]);
        eventually(&meter, "one", "incremental", by(Method::Incremental));
        fs::write(dir.path().join("dir 7/more"), vec![1; 100_000]).unwrap();
        let measured = eventually(&meter, "one", "incremental and followed", |m| {
            by(Method::Incremental)(m) && equals_du(m, dir.path())
        });
        assert!(measured.sample.unwrap().error_bound_bytes.is_none_or(|bound| bound >= 4096));
        // The next full pass is exact and says so: refreshes do not keep it from its turn.
        let full = eventually(&meter, "one", "reconciled", by(Method::Walk));
        assert_eq!(full.sample.unwrap().error_bound_bytes, Some(0));
        assert!(equals_du(&full, dir.path()));
        // Before the first one nothing is claimed; the second one compares.
        let until = Instant::now() + Duration::from_secs(60);
        while meter.stats().bound_checked_total == 0 {
            assert!(Instant::now() < until, "{:?}", meter.stats());
            std::thread::sleep(Duration::from_millis(20));
        }
        let stats = meter.stats();
        assert!(stats.passes_total["incremental"] > 0, "{stats:?}");
        assert_eq!((stats.remembered, stats.unremembered), (1, 0));
        assert!((72_000..400_000).contains(&stats.remembered_bytes), "{stats:?}");

        // Without room it is full passes only, and that is said: after the next one, which a small
        // budget puts off while the machine is busy.
        meter.configure(UsageConfig { memory: 10_000, ..config });
        let until = Instant::now() + Duration::from_secs(60);
        while meter.stats().unremembered == 0 {
            assert!(Instant::now() < until, "{:?}", meter.stats());
            std::thread::sleep(Duration::from_millis(20));
        }
        eventually(&meter, "one", "walked", by(Method::Walk));
        // It stays so: a tree is not tried again while there is no room for it.
        let passes = |stats: &MeterStats| stats.passes_total["complete"];
        let before = passes(&meter.stats());
        while passes(&meter.stats()) < before + 4 {
            let stats = meter.stats();
            assert_eq!((stats.unremembered, stats.remembered_bytes), (1, 0), "{stats:?}");
            assert!(Instant::now() < until + Duration::from_secs(60), "{stats:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
