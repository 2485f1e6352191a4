//! What is remembered of one subject's use: dense for the last minutes, thinner the older.

use crate::model::{ClockStep, Growth, Timestamp};

use super::predict;

/// Width in seconds and number of buckets of each rung: 5 minutes, half an hour, 2 hours, half a
/// day and 3 days. 126 buckets of 16 bytes: 2 KiB a subject.
pub(super) const RUNGS: [(u32, usize); 5] =
    [(10, 30), (60, 30), (300, 24), (1_800, 24), (14_400, 18)];

/// A clock that steps back by less (NTP) only delays the next sample.
const SMALL_STEP: f64 = 10.0;

/// Everything seen within one width of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// When its first sample was taken, in seconds since the Unix epoch.
    pub first: u32,
    /// When its last sample was taken.
    pub last: u32,
    /// Fewest bytes. 24 bits of precision: 64 KiB in a TiB.
    pub low: f32,
    /// Most bytes.
    pub high: f32,
}

/// Use of one subject over time. Every sample goes into every rung; a rung forgets its oldest
/// bucket when it is full, so that the whole is bounded whatever the pace of samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub(super) rungs: [Vec<Bucket>; RUNGS.len()],
    /// Time and bytes of the newest sample.
    pub(super) newest: Option<(Timestamp, u64)>,
    /// Bytes at which it is full.
    pub(super) limit: Option<u64>,
    /// Since when the limit is what it is: predictions look back no further.
    pub(super) limit_since: Timestamp,
    /// How the values were obtained; another way counts differently, and nothing can be compared.
    pub(super) method: String,
    pub(super) growth: Option<Growth>,
}

impl History {
    /// Takes note of one measurement: when, how many bytes, at how many bytes it is full, and how
    /// it was measured. The same one again changes nothing.
    pub fn observe(&mut self, at: Timestamp, bytes: u64, limit: Option<u64>, method: &str) {
        let Some(seconds) = whole_seconds(at) else { return };
        if let Some((newest, _)) = self.newest {
            if at <= newest - SMALL_STEP || self.method != method {
                // The clock was set back, or apples became pears.
                *self = Self::default();
            } else if at <= newest {
                if limit != self.limit {
                    self.change_limit(newest, limit);
                }
                return;
            }
        }
        if self.newest.is_none() {
            method.clone_into(&mut self.method);
            self.limit = limit;
            self.limit_since = at;
        } else if limit != self.limit {
            self.change_limit(at, limit);
        }
        self.newest = Some((at, bytes));
        for (rung, (width, capacity)) in self.rungs.iter_mut().zip(RUNGS) {
            add(rung, width, capacity, seconds, bytes as f32);
        }
        self.growth = predict::growth(self);
    }

    /// All of it goes along with a clock that was set.
    pub fn clock_stepped(&mut self, step: &ClockStep) {
        let Some((newest, _)) = &mut self.newest else { return };
        step.shift(newest);
        step.shift(&mut self.limit_since);
        let seconds = |at: u32| (f64::from(at) + step.seconds()).max(0.0) as u32;
        for bucket in self.rungs.iter_mut().flatten() {
            (bucket.first, bucket.last) = (seconds(bucket.first), seconds(bucket.last));
        }
        self.growth = predict::growth(self);
    }

    fn change_limit(&mut self, at: Timestamp, limit: Option<u64>) {
        self.limit = limit;
        self.limit_since = at;
        self.growth = predict::growth(self);
    }

    /// Growth as of the newest sample; absent until there is enough to tell.
    pub fn growth(&self) -> Option<Growth> {
        self.growth
    }

    /// When the newest sample was taken.
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.newest.map(|(at, _)| at)
    }

    /// Buckets in all: at most 126.
    pub fn len(&self) -> usize {
        self.rungs.iter().map(Vec::len).sum()
    }

    /// Nothing was observed yet.
    pub fn is_empty(&self) -> bool {
        self.newest.is_none()
    }
}

fn whole_seconds(at: Timestamp) -> Option<u32> {
    (at.is_finite() && at >= 0.0 && at < f64::from(u32::MAX)).then_some(at as u32)
}

fn add(rung: &mut Vec<Bucket>, width: u32, capacity: usize, at: u32, bytes: f32) {
    if let Some(bucket) = rung.last_mut()
        && bucket.first / width == at / width
    {
        bucket.last = at;
        bucket.low = bucket.low.min(bytes);
        bucket.high = bucket.high.max(bytes);
        return;
    }
    if rung.len() >= capacity {
        rung.remove(0);
    }
    rung.push(Bucket { first: at, last: at, low: bytes, high: bytes });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_every_rung_reaches_back_its_span() {
        let mut history = History::default();
        for step in 0..6_000_u32 {
            history.observe(1e9 + f64::from(step) * 60.0, u64::from(step) * 4_096, None, "walk");
        }
        assert_eq!(history.len(), 126);
        assert!(size_of::<Bucket>() * history.len() <= 2_048);
        let span = |rung: &Vec<Bucket>| rung[rung.len() - 1].last - rung[0].first;
        let spans: Vec<u32> = history.rungs.iter().map(span).collect();
        for (span, (width, capacity)) in spans.iter().zip(RUNGS) {
            assert!(*span >= width * (capacity as u32 - 1), "{spans:?}");
        }
    }

    #[test]
    fn a_bucket_keeps_both_ends() {
        let mut history = History::default();
        for (at, bytes) in [(1_000.0, 50), (1_003.0, 90), (1_007.5, 10), (1_010.0, 60)] {
            history.observe(at, bytes, None, "walk");
        }
        assert_eq!(
            history.rungs[0],
            [
                Bucket { first: 1_000, last: 1_007, low: 10.0, high: 90.0 },
                Bucket { first: 1_010, last: 1_010, low: 60.0, high: 60.0 },
            ]
        );
        assert_eq!(history.rungs[4].len(), 1);
    }

    #[test]
    fn the_same_sample_and_a_small_step_back_change_nothing() {
        let mut history = History::default();
        history.observe(1_000.0, 50, Some(100), "walk");
        let before = history.clone();
        history.observe(1_000.0, 50, Some(100), "walk");
        history.observe(995.0, 70, Some(100), "walk");
        history.observe(f64::NAN, 70, Some(100), "walk");
        history.observe(-1.0, 70, Some(100), "walk");
        assert_eq!(history, before);
    }

    #[test]
    fn a_clock_set_back_and_another_method_start_anew() {
        let mut history = History::default();
        history.observe(5_000.0, 50, None, "walk");
        history.observe(1_000.0, 60, None, "walk");
        assert_eq!(history.newest, Some((1_000.0, 60)));
        assert_eq!(history.len(), 5);
        history.observe(2_000.0, 70, None, "statfs");
        assert_eq!((history.len(), history.method.as_str()), (5, "statfs"));
    }

    #[test]
    fn a_clock_that_was_set_leaves_the_pace() {
        for seconds in [7_200.0, -7_200.0] {
            let mut history = History::default();
            let at = |from: f64, steps: std::ops::Range<u32>, history: &mut History| {
                for step in steps {
                    let bytes = 500_000_000 + u64::from(step) * 1_000_000;
                    history.observe(
                        from + f64::from(step) * 10.0,
                        bytes,
                        Some(650_000_000),
                        "walk",
                    );
                }
            };
            at(1e9, 0..120, &mut history);
            let before = history.growth().expect("two thousand seconds tell");
            let (looked, now) = (1e9 + 1_190.0, 1e9 + 1_192.0 + seconds);
            let step = ClockStep::between(looked, now, 2.0).expect("it was set");
            history.clock_stepped(&step);
            let after = history.growth().expect("still");
            assert_eq!(after.bytes_per_second, before.bytes_per_second);
            let full = |growth: Growth| growth.full_at.expect("it will be full");
            assert!((full(after) - full(before) - seconds).abs() < 1.0);
            at(1e9 + seconds, 120..130, &mut history);
            let later = history.growth().expect("still");
            assert!((later.bytes_per_second / before.bytes_per_second - 1.0).abs() < 0.05);
            assert!((full(later) - full(after)).abs() < 60.0);
        }
    }

    #[test]
    fn a_new_limit_is_a_new_reckoning_of_predictions_only() {
        let mut history = History::default();
        history.observe(1_000.0, 50, Some(100), "walk");
        history.observe(1_060.0, 60, Some(100), "walk");
        assert_eq!(history.limit_since, 1_000.0);
        history.observe(1_120.0, 70, Some(200), "walk");
        assert_eq!((history.limit_since, history.rungs[0].len()), (1_120.0, 3));
    }
}
