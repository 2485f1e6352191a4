//! Values near their threshold, and spikes.

use super::*;

#[test]
fn a_value_at_the_threshold_does_not_flap() {
    let at = |tenths: u64| Host::default().volume(claimed("v"), Some(GIB * tenths / 100));
    let mut memory = FindingMemory::default();
    let mut steps = Vec::new();
    // 10 GiB are the quota: 900 is the threshold, 870 the threshold less the margin.
    for (minutes, hundredths) in [
        (0, 899),
        (1, 900),
        (5, 905),
        (6, 901),
        (7, 899),
        (8, 880),
        (9, 901),
        (10, 869),
        (11, 899),
        (12, 901),
    ] {
        let findings = at(hundredths).look(&mut memory, NOW + f64::from(minutes) * 60.0);
        steps.push(findings.len());
    }
    // Silent below; held for five minutes; stays within the margin; gone below it; waits anew.
    assert_eq!(steps, [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]);
}

#[test]
fn a_spike_shorter_than_the_hold_time_is_never_told() {
    let mut memory = FindingMemory::default();
    let (low, high) = (GIB, GIB * 19 / 2);
    for minute in 0..60 {
        let bytes = if minute % 4 == 0 { low } else { high };
        let host = Host::default().volume(claimed("v"), Some(bytes));
        assert_eq!(host.look(&mut memory, NOW + f64::from(minute) * 60.0), [], "{minute}");
    }
}

#[test]
fn a_prediction_at_the_horizon_does_not_flap_and_one_that_is_over_its_quota_is_told_once() {
    let mut memory = FindingMemory::default();
    let mut look = |minute: f64, hours: f64| {
        let host = Host::default()
            .volume(claimed("v"), Some(5 * GIB))
            .with(|host| host.subjects_full = Some((hours, FullBy::Quota)));
        kinds(&host.look(&mut memory, NOW + minute * 60.0))
    };
    assert_eq!(look(0.0, 24.1), [""; 0]);
    assert_eq!(look(1.0, 23.9), [""; 0]);
    assert_eq!(look(11.0, 23.9), ["volume_fills_soon"]);
    assert_eq!(look(12.0, 26.9), ["volume_fills_soon"], "within the margin");
    assert_eq!(look(13.0, 4.1), ["volume_fills_soon"]);
    assert_eq!(look(14.0, 27.1), [""; 0]);
    let over = Host::default()
        .volume(claimed("v"), Some(11 * GIB))
        .with(|host| host.subjects_full = Some((0.0, FullBy::Quota)));
    assert_eq!(kinds(&over.settled()), ["volume_over_quota"]);
}

#[test]
fn a_threshold_below_its_margin_is_over_at_half_of_it() {
    // A quarter of a second is the margin of a threshold of one second.
    let thresholds = Thresholds { network_storage_slow: 0.1, ..Thresholds::default() };
    let mut memory = FindingMemory::default();
    let mut look = |second: f64, mean: f64| {
        let recent = Recent { mean_execute_seconds: Some(mean), ..busy() };
        let host = Host::default().with(|host| host.network.push(network(true, recent)));
        let findings = memory.update(&Facts {
            snapshot: &host.snapshot(NOW + second),
            thresholds: &thresholds,
            series_dropped: 0,
            debt_seconds: 0.0,
            now: NOW + second,
        });
        kinds(&findings)
    };
    assert_eq!(look(0.0, 0.1), [""; 0]);
    assert_eq!(look(300.0, 0.1), ["network_storage_slow"]);
    assert_eq!(look(310.0, 0.051), ["network_storage_slow"]);
    assert_eq!(look(320.0, 0.05), [""; 0]);
}
