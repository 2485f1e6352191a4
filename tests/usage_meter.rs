//! The scheduler on real trees, real mounts and a filesystem that does not answer.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::filesystems::FilesystemMeter;
use plimsoll::measure::usage::{How, Target, UsageConfig, UsageMeter, measure_once};
use plimsoll::model::{Measured, Method, SandboxKey, SourceKind, Subject};
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
    Arc::new(Guard::new(Roots::default(), Duration::from_millis(300)))
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
    let until = Instant::now() + Duration::from_secs(20);
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
    std::thread::sleep(Duration::from_millis(500));
    let stats = meter.stats();
    assert!(stats.passes_total["complete"] >= 4, "{stats:?}");
    assert!(stats.inodes_total >= 3000 && stats.cpu_seconds_total > 0.0, "{stats:?}");
    assert_eq!((stats.subjects, stats.pending), (1, 0));
    assert!(updates.load(Ordering::Relaxed) > 1);
    let began = Instant::now();
    meter.shutdown();
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn the_budget_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path(), 5000);
    let config = UsageConfig { cpu_budget: 0.02, slice_inodes: 200, ..quick() };
    let meter = start(&guard(), config);
    meter.set_targets(vec![target("one", dir.path())]);
    eventually(&meter, "one", "measured", |m| m.sample.is_some());
    std::thread::sleep(Duration::from_millis(300));
    let (before, began) = (meter.stats(), Instant::now());
    std::thread::sleep(Duration::from_secs(4));
    let (after, seconds) = (meter.stats(), began.elapsed().as_secs_f64());
    let spent = after.cpu_seconds_total - before.cpu_seconds_total;
    // Some is left of what was saved up, and a slice may overdraw.
    assert!(spent < 0.02 * seconds + 0.04, "{spent} CPU seconds in {seconds} s");
    assert!(spent > 0.3 * 0.02 * seconds, "{spent} CPU seconds in {seconds} s: it idles");
    assert!(after.inodes_total > before.inodes_total);
}

#[test]
fn a_budget_of_almost_nothing_publishes_nothing_partial() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path(), 3000);
    let config = UsageConfig {
        cpu_budget: 0.0,
        bootstrap_cpu_budget: 0.0,
        slice_inodes: 10,
        max_age: Duration::from_millis(10),
        ..quick()
    };
    let meter = start(&guard(), config);
    meter.set_targets(vec![target("one", dir.path())]);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(meter.results().get(&subject("one")).cloned().unwrap_or_default().sample, None);
    let stats = meter.stats();
    assert!(stats.debt_seconds > 0.5 && stats.pending == 1, "{stats:?}");
}

#[test]
fn a_disk_of_its_own_is_measured_by_statfs_and_can_be_unmounted() {
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Mounted::tmpfs(&disk, "64m");
    tree(&disk, 2000);
    let meter = start(&guard(), quick());
    let own = Target { how: How::OwnFilesystem, ..target("disk", &disk) };
    meter.set_targets(vec![own.clone()]);
    let output =
        std::process::Command::new("df").args(["-B1", "--output=used"]).arg(&disk).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let used: u64 = text.lines().nth(1).unwrap().trim().parse().unwrap();
    let measured = eventually(&meter, "disk", "walked too", |m| {
        m.sample.is_some_and(|sample| sample.files.is_some())
    });
    let sample = measured.sample.unwrap();
    assert_eq!((sample.used_bytes, sample.method), (used, Method::Statfs));
    assert_eq!(sample.files, Some(1 + 20 + 2000));
    let once = measure_once(&guard(), &[own], |_| {});
    assert_eq!(once[0].1.sample.unwrap().used_bytes, used);
    assert_eq!(once[0].1.sample.unwrap().files, sample.files);

    meter.shutdown();

    // Unmounted in the midst of a slow walk: no descriptor is kept between slices. One that is
    // under way for a few milliseconds may be in the way of a first try.
    let slow = UsageConfig { bootstrap_cpu_budget: 0.002, slice_inodes: 10, ..quick() };
    let meter = start(&guard(), slow);
    meter.set_targets(vec![Target { how: How::OwnFilesystem, ..target("disk", &disk) }]);
    let until = Instant::now() + Duration::from_secs(20);
    while meter.stats().inodes_total == 0 {
        assert!(Instant::now() < until, "the walk never begins");
        std::thread::sleep(Duration::from_millis(5));
    }
    let tries = (0..50).take_while(|_| {
        let failed = !mounted.umount();
        std::thread::sleep(Duration::from_millis(if failed { 10 } else { 0 }));
        failed
    });
    assert!(tries.count() < 5, "measuring keeps the disk busy");
    assert_eq!(meter.results()[&subject("disk")].sample.unwrap().files, None, "was under way");
    let gone = eventually(&meter, "disk", "missing", |m| reason(m) == "missing");
    assert_eq!(gone.sample.unwrap().used_bytes, used);
    assert!(gone.failure.unwrap().message.contains("no filesystem is mounted there"));
}

#[test]
fn a_hung_filesystem_delays_no_other_subject() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, hung_at) = (dir.path().join("box"), dir.path().join("hung"));
    fs::create_dir(&hung_at).unwrap();
    tree(&sandbox, 100);
    fs::create_dir(sandbox.join("volume")).unwrap();
    let inside = HungFs::mount(&sandbox.join("volume"));
    let fs_alone = HungFs::mount(&hung_at);
    let guard = guard();
    let meter = start(&guard, quick());
    let remote = Target { remote: true, ..target("remote", &hung_at) };
    let all = [target("box", &sandbox), target("hung", &hung_at), remote.clone()];
    meter.set_targets(all.to_vec());
    let sample = |m: &Measured| m.sample.map(|sample| sample.files);
    eventually(&meter, "hung", "walked", |m| sample(m) == Some(Some(4)));
    assert_eq!(reason(&eventually(&meter, "remote", "refused", |m| m.failure.is_some())), "remote");
    // A filesystem mounted in a sandbox is not the sandbox's.
    let boxed = eventually(&meter, "box", "walked", |m| m.sample.is_some());
    assert_eq!(sample(&boxed), Some(Some(1 + 1 + 100)));
    let mut filesystems = FilesystemMeter::default();
    let paths = [sandbox.clone(), hung_at.join("dir")];
    let report = filesystems.measure(&guard, &paths);
    assert_eq!(report.mount_points[&paths[1]], hung_at);
    let hung = |report: &plimsoll::measure::filesystems::FilesystemReport| {
        report.samples.iter().find(|sample| sample.mount_point == hung_at).unwrap().clone()
    };
    let answered = hung(&report);
    assert!(answered.responsive && answered.remote);
    assert_eq!(answered.fstype, "fuse");
    let usage = answered.usage.unwrap();
    assert_eq!((usage.size_bytes, usage.free_bytes), (4_096_000, 400 * 4096));
    assert_eq!(
        (usage.available_bytes, usage.files, usage.files_free),
        (300 * 4096, Some(100), Some(50))
    );

    inside.set(Mood::Hang);
    fs_alone.set(Mood::Hang);
    let failed = eventually(&meter, "hung", "unresponsive", |m| reason(m) == "unresponsive");
    assert_eq!(sample(&failed), Some(Some(4)));
    // Others go on, the sandbox with a hung mount inside too: it is not even looked at.
    for round in 0..3 {
        fs::write(sandbox.join(format!("new {round}")), "x").unwrap();
        let files = Some(Some(1 + 1 + 100 + round + 1));
        let boxed = eventually(&meter, "box", "followed", |m| sample(m) == files);
        assert_eq!(boxed.failure, None);
    }
    assert_eq!(guard.unresponsive().len(), 1);
    assert_eq!(guard.unresponsive()[0].mount_point, hung_at);
    assert_eq!(guard.threads(), 2);
    let silent = hung(&filesystems.measure(&guard, &paths));
    assert!(!silent.responsive);
    assert_eq!(silent.usage, Some(usage));
    let once = measure_once(&guard, &all, |_| {});
    assert_eq!(
        once.iter().map(|(_, m)| reason(m)).collect::<Vec<_>>(),
        ["", "unresponsive", "remote"]
    );

    fs_alone.set(Mood::Answer);
    eventually(&meter, "hung", "recovered", |m| m.failure.is_none());
    for (errno, word) in [(rustix::io::Errno::IO, "io"), (rustix::io::Errno::ACCESS, "permission")]
    {
        fs_alone.set(Mood::Fail(errno.raw_os_error()));
        let failed = eventually(&meter, "hung", word, |m| reason(m) == word);
        assert_eq!(sample(&failed), Some(Some(4)));
        fs_alone.set(Mood::Answer);
        eventually(&meter, "hung", "recovered", |m| m.failure.is_none());
    }
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
        assert_eq!(meter.stats().remembered_bytes, 0);
    }
}

#[test]
fn what_is_remembered_is_left_when_the_subject_lies_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().join("parent");
    let (subject, other) = (parent.join("box"), dir.path().join("other"));
    tree(&subject, 1000);
    tree(&other.join("box"), 30);
    let meter = start(&guard(), remembering());
    meter.set_targets(vec![target("one", &subject)]);
    let incremental_and_exact = || {
        eventually(&meter, "one", "incremental and exact", |m| {
            by(Method::Incremental)(m) && equals_du(m, &subject)
        })
    };
    incremental_and_exact();
    // Something is mounted on it, and taken away again.
    let mounted = Mounted::tmpfs(&subject, "16m");
    tree(&subject, 1100);
    eventually(&meter, "one", "that of the mount", |m| equals_du(m, &subject));
    incremental_and_exact();
    while !mounted.umount() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(incremental_and_exact().sample.unwrap().files, Some(1 + 10 + 1000));
    // Something is mounted in it: its files are not the subject's.
    let inner = Mounted::tmpfs(&subject.join("dir 3"), "16m");
    eventually(&meter, "one", "without the mount", |m| {
        m.sample.is_some_and(|sample| sample.files == Some(1 + 9 + 900))
    });
    drop(inner);
    incremental_and_exact();
    // A symbolic link takes the place of a directory on the way to it.
    fs::rename(&parent, dir.path().join("before")).unwrap();
    std::os::unix::fs::symlink(&other, &parent).unwrap();
    let there = |m: &Measured| m.sample.is_some_and(|s| s.files == Some(1 + 1 + 30));
    eventually(&meter, "one", "where the link leads", there);
}

#[test]
fn a_filesystem_that_fails_changes_no_value_and_delays_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, fuse) = (dir.path().join("box"), dir.path().join("fuse"));
    fs::create_dir(&fuse).unwrap();
    tree(&sandbox, 1000);
    let failing = HungFs::with_files(&fuse, 1000);
    // The kernel asks for a FUSE root's blocks only when somebody wants them fresh.
    fuse.metadata().unwrap();
    let meter = start(&guard(), remembering());
    meter.set_targets(vec![target("box", &sandbox), target("fuse", &fuse)]);
    let right = (1004 * 4096, Some(1004));
    let value = |m: &Measured| m.sample.map(|sample| (sample.used_bytes, sample.files));
    for round in 0..3 {
        eventually(&meter, "fuse", "incremental", by(Method::Incremental));
        failing.set(Mood::Fail(rustix::io::Errno::IO.raw_os_error()));
        let until = Instant::now() + Duration::from_secs(20);
        let failed = loop {
            let measured = meter.results()[&subject("fuse")].clone();
            assert_eq!(value(&measured), Some(right), "{measured:?}");
            assert!(Instant::now() < until, "never fails: {measured:?}");
            if measured.failure.is_some() {
                break measured;
            }
        };
        assert_eq!(reason(&failed), "io");
        fs::write(sandbox.join(format!("new {round}")), vec![1; 50_000]).unwrap();
        eventually(&meter, "box", "followed", |m| equals_du(m, &sandbox));
        failing.set(Mood::Answer);
        let well = eventually(&meter, "fuse", "recovered", |m| m.failure.is_none());
        assert_eq!(value(&well), Some(right));
    }
}

#[test]
fn with_almost_no_budget_left_values_age_and_stay_right() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path(), 3000);
    let meter = start(&guard(), remembering());
    meter.set_targets(vec![target("one", dir.path())]);
    eventually(&meter, "one", "incremental", by(Method::Incremental));
    meter.configure(UsageConfig { cpu_budget: 0.0, ..remembering() });
    // What was saved up is spent first. What is spent is told every two seconds.
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let spent = meter.stats().cpu_seconds_total;
        std::thread::sleep(Duration::from_secs(3));
        if meter.stats().cpu_seconds_total - spent < 0.005 {
            break;
        }
        assert!(Instant::now() < until, "it goes on spending: {:?}", meter.stats());
    }
    let (before, known) = (meter.stats(), meter.results()[&subject("one")].sample.unwrap());
    fs::write(dir.path().join("dir 3/more"), vec![1; 1_000_000]).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let (after, sample) = (meter.stats(), meter.results()[&subject("one")].sample.unwrap());
    let spent = after.cpu_seconds_total - before.cpu_seconds_total;
    assert!(spent < 0.02, "{spent} CPU seconds");
    // Of before or of after the change, never of a part.
    let grown = sample.used_bytes - known.used_bytes;
    assert!(grown == 0 || grown == 1_003_520, "{grown}");
    // What is owed grows, and is told.
    let until = Instant::now() + Duration::from_secs(30);
    while meter.stats().debt_seconds <= 0.5 {
        assert!(Instant::now() < until, "{:?}", meter.stats());
        std::thread::sleep(Duration::from_millis(50));
    }
    meter.configure(remembering());
    eventually(&meter, "one", "followed", |m| equals_du(m, dir.path()));
}

/// A subject below a mount that hangs: the way to it cannot be followed. Meanwhile the values of
/// another one never get as old as one call on a hung mount may take.
#[test]
fn a_hung_way_to_a_subject_holds_nobody_up() {
    const PATIENCE: Duration = Duration::from_secs(3);
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, hung_at) = (dir.path().join("box"), dir.path().join("hung"));
    fs::create_dir(&hung_at).unwrap();
    tree(&sandbox, 100);
    let hung = HungFs::mount(&hung_at);
    std::os::unix::fs::symlink(&hung_at, dir.path().join("link")).unwrap();
    let meter = start(&Arc::new(Guard::new(Roots::default(), PATIENCE)), quick());
    meter.set_targets(vec![
        target("box", &sandbox),
        target("below", &hung_at.join("dir/inner")),
        target("behind a link", &dir.path().join("link/dir/inner")),
    ]);
    // It is a file, which is refused: that much is known of it.
    eventually(&meter, "below", "refused", |m| m.failure.is_some());
    hung.set(Mood::Hang);
    hung.wait_stuck();
    let (began, mut last) = (Instant::now(), 0.0);
    let (mut seen, mut longest) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < PATIENCE * 2 {
        let at = meter.results()[&subject("box")].sample.unwrap().measured_at;
        if at > last {
            (last, seen) = (at, Instant::now());
        }
        longest = longest.max(seen.elapsed());
        std::thread::sleep(Duration::from_millis(2));
    }
    eprintln!("the longest time without a value of the other subject: {longest:?}");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    eventually(&meter, "below", "unresponsive", |m| reason(m) == "unresponsive");
    eventually(&meter, "behind a link", "unresponsive", |m| reason(m) == "unresponsive");
}

#[test]
fn system_calls_are_bounded_beside_cpu() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path(), 3000);
    let config = UsageConfig { syscall_budget: 1000, slice_inodes: 100, ..quick() };
    let meter = start(&guard(), config);
    meter.set_targets(vec![target("one", dir.path())]);
    std::thread::sleep(Duration::from_millis(1500));
    // What may be saved up, what one and a half seconds give, and a slice or two.
    let inodes = meter.stats().inodes_total;
    assert!(inodes as f64 * 1.25 <= 1000.0 * 2.6 + 500.0, "{inodes}");
    assert!(inodes >= 1000, "{inodes}");
}
