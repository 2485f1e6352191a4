//! How much measuring may take.

use super::*;

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
    // What was spent is told every two seconds, so that of up to two more may be among it; some is
    // left of what was saved up, and a slice may overdraw.
    assert!(spent < 0.02 * (seconds + 2.0) + 0.08, "{spent} CPU seconds in {seconds} s");
    // It does not idle either.
    let until = Instant::now() + Duration::from_secs(60);
    while meter.stats().cpu_seconds_total - before.cpu_seconds_total < 0.024 {
        assert!(Instant::now() < until, "it idles: {:?}", meter.stats());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(meter.stats().inodes_total > before.inodes_total);
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
    let until = Instant::now() + Duration::from_secs(60);
    while meter.stats().debt_seconds <= 0.5 {
        assert!(Instant::now() < until, "{:?}", meter.stats());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(meter.results().get(&subject("one")).cloned().unwrap_or_default().sample, None);
    assert_eq!(meter.stats().pending, 1);
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

#[test]
fn system_calls_are_bounded_beside_cpu() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path(), 3000);
    let config = UsageConfig { syscall_budget: 1000, slice_inodes: 100, ..quick() };
    let began = Instant::now();
    let meter = start(&guard(), config);
    meter.set_targets(vec![target("one", dir.path())]);
    std::thread::sleep(Duration::from_millis(1500));
    let until = Instant::now() + Duration::from_secs(60);
    let inodes = loop {
        let inodes = meter.stats().inodes_total;
        if inodes >= 1000 {
            break inodes;
        }
        assert!(Instant::now() < until, "it idles: {:?}", meter.stats());
        std::thread::sleep(Duration::from_millis(20));
    };
    // What may be saved up, what the time since the start gives, and a slice or two.
    let seconds = began.elapsed().as_secs_f64();
    let most = 1000.0 * (seconds + 1.1) + 500.0;
    assert!(inodes as f64 * 1.25 <= most, "{inodes} inodes in {seconds} s");
}
