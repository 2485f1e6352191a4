//! Filesystems of their own, that hang, that fail, and that are mounted meanwhile.

use super::*;

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
    let until = Instant::now() + Duration::from_secs(60);
    while meter.stats().inodes_total == 0 {
        assert!(Instant::now() < until, "the walk never begins");
        std::thread::sleep(Duration::from_millis(5));
    }
    let until = Instant::now() + Duration::from_secs(60);
    while !mounted.umount() {
        assert!(Instant::now() < until, "measuring keeps the disk busy");
        std::thread::sleep(Duration::from_millis(1));
    }
    // Whoever keeps it busy lets go of it when the walk is over, and then the files are known.
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
        let until = Instant::now() + Duration::from_secs(60);
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
fn what_fails_is_not_late() {
    let dir = tempfile::tempdir().unwrap();
    let failing = HungFs::mount(dir.path());
    failing.set(Mood::Fail(rustix::io::Errno::IO.raw_os_error()));
    let meter = start(&guard(), quick());
    meter.set_targets(vec![target("fuse", dir.path())]);
    // Tried again after longer and longer times: a second is over, ten times the age asked for.
    let until = Instant::now() + Duration::from_secs(60);
    while meter.stats().passes_total.get("io").is_none_or(|times| *times < 8) {
        assert!(Instant::now() < until, "{:?}", meter.stats());
        std::thread::sleep(Duration::from_millis(10));
    }
    let stats = meter.stats();
    assert_eq!((stats.debt_seconds, stats.pending), (0.0, 1));
}

/// A subject below a mount that hangs: the way to it cannot be followed. Meanwhile the values of
/// another one never get as old as one call on a hung mount may take.
#[test]
fn a_hung_way_to_a_subject_holds_nobody_up() {
    const PATIENCE: Duration = Duration::from_secs(6);
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
    eventually(&meter, "box", "measured", |m| m.sample.is_some());
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
    assert!(longest < PATIENCE / 2, "{longest:?}");
    eventually(&meter, "below", "unresponsive", |m| reason(m) == "unresponsive");
    eventually(&meter, "behind a link", "unresponsive", |m| reason(m) == "unresponsive");
}
