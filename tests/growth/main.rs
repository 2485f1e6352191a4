//! Growth and time until full, against known truth, recorded stores and `predict_linear`.

mod comparison;
mod prometheus;
mod series;

use plimsoll::model::Growth;

use series::*;

/// Worst error of the confident rates after `from` seconds, as a part of `rate`.
fn worst_rate(series: &Series, quota: f64, from: f64, rate: f64) -> f64 {
    let rates: Vec<f64> = judged(series, quota)
        .into_iter()
        .filter(|(t, _)| *t >= from)
        .map(|(_, growth)| growth.and_then(|growth| growth.confident_rate()).unwrap_or(f64::NAN))
        .collect();
    assert!(rates.iter().all(|rate| !rate.is_nan()), "no confident rate at some time");
    rates.iter().map(|found| ((found - rate) / rate).abs()).fold(0.0, f64::max)
}

/// Error of each time of fullness told at least `lead` seconds before, as a part of the time left.
fn full_errors(series: &Series, quota: f64, lead: f64) -> Vec<f64> {
    let truth = full_at(series, quota).expect("it is full within the series");
    judged(series, quota)
        .into_iter()
        .filter(|(t, _)| *t <= truth - lead)
        .filter_map(|(t, growth)| Some((t, growth?.full_at? - START)))
        .map(|(t, told)| (told - truth) / (truth - t))
        .collect()
}

fn largest(errors: &[f64]) -> f64 {
    errors.iter().fold(0.0, |worst, error| error.abs().max(worst))
}

#[test]
fn steady_growth_is_found_within_a_few_percent() {
    let rate = 10.0 * GIB / (24.0 * HOUR);
    let steady = made(30.0, |t| 40.0 * GIB + rate * t + 0.01 * GIB * noise(t));
    assert!(worst_rate(&steady, 1e15, HOUR, rate) < 0.1);
    let errors = full_errors(&steady, 50.0 * GIB, 600.0);
    assert!(errors.len() > 600, "told {} minutes before", errors.len());
    assert!(largest(&errors) < 0.15, "{}", largest(&errors));
}

#[test]
fn bursts_grow_at_their_average() {
    // A gibibyte in 5 minutes of each hour.
    let bursty = made(72.0, |t| {
        let hours = (t / HOUR).floor();
        GIB * (20.0 + hours + ((t / HOUR - hours) * 12.0).min(1.0))
    });
    assert!(worst_rate(&bursty, 1e15, 24.0 * HOUR, GIB / HOUR) < 0.15);
    let errors = full_errors(&bursty, 85.0 * GIB, 4.0 * HOUR);
    assert!(errors.len() > 600, "told {} minutes before", errors.len());
    assert!(largest(&errors) < 0.25, "{}", largest(&errors));
}

#[test]
fn a_saw_tooth_grows_as_its_peaks_do() {
    // Teeth of 6 GiB, one each 40 minutes, on 0.25 GiB an hour.
    let teeth = |t: f64| {
        let tooth = t / 2_400.0;
        20.0 * GIB + 0.25 * GIB * t / HOUR + 6.0 * GIB * (tooth - tooth.floor())
    };
    let saw = made(72.0, teeth);
    let late: Vec<f64> = judged(&saw, 1e15)
        .into_iter()
        .filter(|(t, _)| *t >= 24.0 * HOUR)
        .filter_map(|(_, growth)| growth?.confident_rate())
        .collect();
    let mut sorted = late.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    assert!((median / (0.25 * GIB / HOUR) - 1.0).abs() < 0.1, "{median}");
    // The ramp of a tooth would fill these 30 GiB in an hour or two: 100 hours is right.
    let quota = 60.0 * GIB;
    assert!(full_at(&saw, quota).is_none());
    let judged = judged(&saw, quota);
    assert_eq!(told(&judged, 4.0 * HOUR), 0);
    assert_eq!(told(&judged, 24.0 * HOUR), 0);
}

#[test]
fn shrinking_is_negative_and_never_full() {
    let rate = -2.0 * GIB / HOUR;
    let shrinking = made(12.0, |t| 60.0 * GIB + rate * t + 0.01 * GIB * noise(t));
    assert!(worst_rate(&shrinking, 61.0 * GIB, HOUR, rate) < 0.1);
    assert!(
        judged(&shrinking, 61.0 * GIB)
            .iter()
            .all(|(_, growth)| { growth.is_none_or(|growth| growth.full_at.is_none()) })
    );
}

/// Samples at which it is told that the quota is reached within the horizon.
fn told(judged: &[(f64, Option<Growth>)], horizon: f64) -> usize {
    within(judged, horizon).iter().filter(|(_, told)| *told).count()
}

#[test]
fn what_ends_by_itself_stays_silent() {
    for (name, series, quota) in comparison::silent() {
        assert!(full_at(&series, quota).is_none(), "{name} fills: it is no silent case");
        let judged = judged(&series, quota);
        for horizon in [4.0 * HOUR, 24.0 * HOUR] {
            assert_eq!(told(&judged, horizon), 0, "{name} within {horizon} s");
        }
    }
}

#[test]
fn stores_that_fill_are_told_in_time() {
    for (name, series, quota) in comparison::filling() {
        let truth = full_at(&series, quota).unwrap_or_else(|| panic!("{name} does not fill"));
        let lead = comparison::lead(&within(&judged(&series, quota), 4.0 * HOUR), truth);
        assert!(lead >= 15.0 * MINUTE, "{name}: told {} minutes before", lead / MINUTE);
        let errors = full_errors(&series, quota, 10.0 * MINUTE);
        assert!(largest(&errors) < 0.8, "{name}: {}", largest(&errors));
    }
}

fn within(judged: &[(f64, Option<Growth>)], horizon: f64) -> Vec<(f64, bool)> {
    let told = |t: f64, growth: &Growth| growth.fills_within(horizon, START + t);
    judged.iter().map(|(t, growth)| (*t, growth.is_some_and(|growth| told(*t, &growth)))).collect()
}

#[test]
fn a_first_measurement_a_restart_and_a_new_quota_say_nothing() {
    let rate = 2.0 * GIB / HOUR;
    let steady = made(10.0, |t| 40.0 * GIB + rate * t);
    let mut history = plimsoll::judge::growth::History::default();
    let mut shrunk_at = None;
    for (t, bytes) in &steady {
        // The daemon is away for two hours; what it remembers comes back from the state file.
        if (3.0 * HOUR..5.0 * HOUR).contains(t) {
            let text = serde_json::to_string(&history).unwrap();
            history = serde_json::from_str(&text).unwrap();
            continue;
        }
        // At seven hours the volume is shrunk so far that two more hours would fill it.
        let quota = if *t < 7.0 * HOUR { 1_000.0 * GIB } else { 58.0 * GIB };
        history.observe(START + t, *bytes as u64, Some(quota as u64), "walk");
        let growth = history.growth();
        if *t < 150.0 {
            assert_eq!(growth, None, "at {t} s");
        }
        if let Some(rate_told) = growth.and_then(|growth| growth.confident_rate()) {
            assert!((rate_told / rate - 1.0).abs() < 0.05, "{rate_told} at {t} s");
        }
        if *t >= 7.0 * HOUR && growth.is_some_and(|growth| growth.full_at.is_some()) {
            shrunk_at.get_or_insert(t - 7.0 * HOUR);
        }
    }
    // Looking back as far as ahead, from the new quota on.
    let waited = shrunk_at.expect("told in the end");
    assert!((0.9 * HOUR..2.2 * HOUR).contains(&waited), "{waited}");
}
