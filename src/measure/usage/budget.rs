//! A token bucket: of CPU seconds, or of system calls.

use std::time::{Duration, Instant};

/// Fills at a steady rate up to a small burst; work is charged after it was done, so that the
/// bucket may go below empty, and then nothing is done until it is above again.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    worth: f64,
    filled: Instant,
}

/// CPU seconds that may be saved up.
const BURST: f64 = 0.25;
/// CPU seconds that are waited for: with less, the scheduler would spend them on waking up.
const WORTH: f64 = 0.002;

fn usable(rate: f64) -> f64 {
    if rate.is_finite() { rate.max(1e-4) } else { 1e-4 }
}

impl Bucket {
    /// `rate` in CPU seconds a second; nothing is ever free: a rate of nil counts as a
    /// ten-thousandth, so that no subject starves.
    pub(super) fn new(rate: f64, now: Instant) -> Self {
        let rate = usable(rate);
        Self { rate, burst: BURST, tokens: BURST.min(rate), worth: WORTH, filled: now }
    }

    /// A bucket of system calls, `rate` a second; a second's worth may be saved up. No bound for 0.
    pub(super) fn of_calls(rate: u64, now: Instant) -> Self {
        let rate = if rate == 0 { f64::MAX } else { rate as f64 };
        Self { rate, burst: rate, tokens: rate, worth: 1.0, filled: now }
    }

    /// Another rate from now on; what was saved up or is owed stays.
    pub(super) fn set_rate(&mut self, rate: f64) {
        self.rate = usable(rate);
    }

    pub(super) fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.filled = now;
    }

    pub(super) fn take(&mut self, seconds: f64) {
        self.tokens -= seconds;
    }

    pub(super) fn open(&self) -> bool {
        self.tokens > 0.0
    }

    /// How long until there is something again that is worth to wake up for.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_secs_f64(((self.worth - self.tokens) / self.rate).clamp(0.0, 3600.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_time_no_more_than_the_rate_and_one_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(0.01, start);
        let mut spent = 0.0;
        for millis in 0..600_000_u64 {
            bucket.fill(start + Duration::from_millis(millis));
            if bucket.open() {
                bucket.take(0.002);
                spent += 0.002;
            }
        }
        assert!((5.9..=6.3).contains(&spent), "{spent}");
    }

    #[test]
    fn a_debt_is_waited_out_and_idleness_saves_little() {
        let start = Instant::now();
        let mut bucket = Bucket::new(0.5, start);
        bucket.fill(start + Duration::from_secs(3600));
        assert!((bucket.tokens - BURST).abs() < 1e-9);
        bucket.take(1.25);
        assert!(!bucket.open());
        assert_eq!(bucket.wait().as_secs_f64().round(), 2.0);
        bucket.fill(start + Duration::from_millis(3_602_001));
        assert!(bucket.open());
    }

    #[test]
    fn a_rate_of_nil_still_moves() {
        let start = Instant::now();
        for rate in [0.0, -1.0, f64::NAN] {
            let mut bucket = Bucket::new(rate, start);
            bucket.take(0.001);
            assert!(!bucket.open());
            bucket.fill(start + Duration::from_secs(60));
            assert!(bucket.open());
        }
    }
}
