//! Series of (seconds, bytes): made with a known truth, and recorded from stores at work.

use plimsoll::judge::growth::History;
use plimsoll::model::Growth;

pub const GIB: f64 = 1_073_741_824.0;
pub const HOUR: f64 = 3_600.0;
/// A sample a minute: what Plimsoll takes by default.
pub const MINUTE: f64 = 60.0;
/// Some day in 2026.
pub const START: f64 = 1_780_000_000.0;

pub type Series = Vec<(f64, f64)>;

/// Samples of `bytes(seconds)` over so many hours, one a minute.
pub fn made(hours: f64, bytes: impl Fn(f64) -> f64) -> Series {
    let samples = (hours * HOUR / MINUTE) as u32;
    (0..samples).map(|n| f64::from(n) * MINUTE).map(|t| (t, bytes(t).max(0.0))).collect()
}

/// From -1 to 1, the same for the same time: noise that can be replayed.
pub fn noise(t: f64) -> f64 {
    let mixed = (t as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A recorded trace; each of its seconds stands for a minute.
pub fn trace(name: &str) -> Series {
    let path = format!("{}/tests/fixtures/traces/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("seconds"))
        .map(|line| {
            let (seconds, bytes) = line.split_once(',').expect("two columns");
            // Recorded to a tenth of a second: whole seconds, as the range's ends are.
            let tenths = (seconds.parse::<f64>().unwrap() * 10.0).round();
            (tenths * (MINUTE / 10.0), bytes.parse().unwrap())
        })
        .collect()
}

/// What Plimsoll says after each sample.
pub fn judged(series: &[(f64, f64)], quota: f64) -> Vec<(f64, Option<Growth>)> {
    let mut history = History::default();
    series
        .iter()
        .map(|(t, bytes)| {
            history.observe(START + t, *bytes as u64, Some(quota as u64), "walk");
            (*t, history.growth())
        })
        .collect()
}

/// When the quota is first reached.
pub fn full_at(series: &[(f64, f64)], quota: f64) -> Option<f64> {
    series.iter().find(|(_, bytes)| *bytes >= quota).map(|(t, _)| *t)
}

/// `predict_linear(bytes[range], horizon)` after each sample: least squares, the value at the
/// evaluation's time, as in Prometheus' promql/functions.go (`linearRegression`,
/// `funcPredictLinear`). As there, two samples are enough. `left_open`: without the sample at the
/// range's left end, as from Prometheus 3 on.
pub fn predict_linear(
    series: &[(f64, f64)],
    range: f64,
    horizon: f64,
    left_open: bool,
) -> Vec<Option<f64>> {
    (0..series.len())
        .map(|end| {
            let now = series[end].0;
            let begin = now - range;
            let inside: Vec<(f64, f64)> = series[..=end]
                .iter()
                .filter(|(t, _)| *t > begin || !left_open && *t == begin)
                .map(|(t, bytes)| (t - now, *bytes))
                .collect();
            if inside.len() < 2 {
                return None;
            }
            let n = inside.len() as f64;
            let sum = |value: fn(&(f64, f64)) -> f64| inside.iter().map(value).sum::<f64>();
            let (x, y) = (sum(|p| p.0), sum(|p| p.1));
            let covariance = sum(|p| p.0 * p.1) - x * y / n;
            let variance = sum(|p| p.0 * p.0) - x * x / n;
            let slope = covariance / variance;
            Some(slope * horizon + (y / n - slope * x / n))
        })
        .collect()
}
