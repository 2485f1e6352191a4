//! When use stands at a limit.
//!
//! The kernel does not tell how long it held I/O back, so the limiter itself is modelled: what
//! arrives is served at the limit's pace, and what is more waits. Where the kernel counts I/O when
//! it is submitted (v1 since 5.5), the counter runs ahead of the disk by what waits in the queue,
//! and the model has to work that off; where it counts what was let through (v2, v1 before), large
//! requests come as lumps with pauses between them, and the model spreads them. Either way the
//! share of an interval in which something was being served at the limit's pace is the use of the
//! limit, and at nine tenths and more the interval counts as throttled.

/// From this use on an interval counts as spent at the limit: timers and the device itself take
/// the rest.
const AT_LIMIT: f64 = 0.9;
/// Most seconds of waiting I/O that are believed: a limit that is not enforced must not make
/// throttling of the past without end.
const MOST_BACKLOG: f64 = 60.0;

/// One limit over time.
#[derive(Clone, Debug, Default)]
struct Bucket {
    limit: Option<u64>,
    counted: Option<u64>,
    backlog: f64,
}

impl Bucket {
    /// Takes the counter's value after `seconds` more, and tells how much of the limit was used:
    /// 1 for all of it. `None` without a limit, or at the first look.
    fn step(&mut self, counted: u64, limit: Option<u64>, seconds: f64) -> Option<f64> {
        let before = self.counted.replace(counted);
        let changed = self.limit != limit;
        self.limit = limit;
        if changed {
            self.backlog = 0.0;
        }
        let limit = limit.filter(|limit| *limit > 0)? as f64;
        // A counter that went back (`reset_stats`, a device that came anew) says nothing.
        let arrived = before.and_then(|before| counted.checked_sub(before));
        let Some(arrived) = arrived.filter(|_| !changed) else {
            self.backlog = 0.0;
            return None;
        };
        let waiting = arrived as f64 + self.backlog;
        let most = limit * seconds;
        let served = waiting.min(most);
        self.backlog = (waiting - served).min(limit * MOST_BACKLOG);
        (most > 0.0).then(|| served / most)
    }
}

/// Counters and limits of one device and direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Bytes counted.
    pub bytes: u64,
    /// Operations counted.
    pub operations: u64,
    /// Bytes a second.
    pub limit_bytes: Option<u64>,
    /// Operations a second.
    pub limit_operations: Option<u64>,
}

/// The limits of one device and direction of one group, over time.
#[derive(Clone, Debug, Default)]
pub struct Limiter {
    bytes: Bucket,
    operations: Bucket,
    /// When it was last looked at, in seconds of a clock that never goes back.
    at: Option<f64>,
    /// The last interval was spent at the limit.
    standing: bool,
    /// Seconds of the last interval that count if this one is spent at the limit: the part of a
    /// run before its first whole interval.
    started: f64,
    /// Use of the limits in the last interval.
    pub used_bytes: Option<f64>,
    /// The same for operations.
    pub used_operations: Option<f64>,
}

impl Limiter {
    /// Takes the counters at a time (seconds of a monotonic clock) and tells how many more seconds
    /// were spent at a limit.
    pub fn observe(&mut self, now: f64, seen: Use) -> f64 {
        let seconds = self.at.map_or(0.0, |at| (now - at).max(0.0));
        self.at = Some(now);
        self.used_bytes = self.bytes.step(seen.bytes, seen.limit_bytes, seconds);
        self.used_operations =
            self.operations.step(seen.operations, seen.limit_operations, seconds);
        let used = match (self.used_bytes, self.used_operations) {
            (Some(bytes), Some(operations)) => bytes.max(operations),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                (self.standing, self.started) = (false, 0.0);
                return 0.0;
            }
        };
        if used >= AT_LIMIT {
            self.standing = true;
            return seconds + std::mem::take(&mut self.started);
        }
        let part = used * seconds;
        if std::mem::take(&mut self.standing) {
            // The run ended within this interval.
            self.started = 0.0;
            return part;
        }
        self.started = part;
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Throttled seconds seen by one look a second (from `phase` on) at a counter that follows
    /// `bytes_at`, for `looks` seconds.
    fn seen(limit: u64, phase: f64, looks: u32, bytes_at: impl Fn(f64) -> u64) -> f64 {
        let mut limiter = Limiter::default();
        (0..looks)
            .map(|look| {
                let now = phase + f64::from(look);
                let bytes = bytes_at(now);
                limiter.observe(now, Use { bytes, limit_bytes: Some(limit), ..Use::default() })
            })
            .sum()
    }

    #[track_caller]
    fn assert_near(seen: f64, truth: f64) {
        assert!((seen - truth).abs() <= truth * 0.1 + 1.0, "{seen} seconds seen of {truth}");
    }

    #[test]
    fn a_run_at_the_limit_counts_whole_whatever_the_size_of_requests() {
        for request in [4096, 65_536, MIB, 4 * MIB, 16 * MIB] {
            for phase in [0.0, 0.13, 0.5, 0.99] {
                // 40 MiB at 1 MiB/s from second 5 on; counted when submitted, or when let through.
                let total = 40 * MIB;
                let submitted = |now: f64| {
                    let served = ((now - 5.0).max(0.0) * MIB as f64) as u64;
                    if now < 5.0 { 0 } else { ((served / request + 1) * request).min(total) }
                };
                let let_through = |now: f64| {
                    let served = ((now - 5.0).max(0.0) * MIB as f64) as u64;
                    (served / request * request).min(total)
                };
                assert_near(seen(MIB, phase, 90, submitted), 40.0);
                assert_near(seen(MIB, phase, 90, let_through), 40.0);
            }
        }
    }

    #[test]
    fn a_deep_queue_that_was_submitted_at_once_counts_until_it_is_worked_off() {
        assert_near(seen(MIB, 0.5, 60, |now| if now < 3.0 { 0 } else { 30 * MIB }), 30.0);
    }

    #[test]
    fn use_below_the_limit_is_not_throttled() {
        // Steady and in small requests, bound by latency at 80 % of the limit.
        assert_eq!(seen(MIB, 0.3, 60, |now| (now * 0.8 * MIB as f64) as u64), 0.0);
        assert_eq!(seen(MIB, 0.3, 60, |_| 7), 0.0);
        // A large request now and then is held back for as long as it takes.
        let rare = |now: f64| (now / 10.0) as u64 * 4 * MIB;
        let truth = 5.0 * 4.0;
        assert_near(seen(MIB, 0.3, 60, rare), truth);
    }

    #[test]
    fn operations_count_as_bytes_do() {
        let mut limiter = Limiter::default();
        let seconds: f64 = (0..30)
            .map(|second| {
                let seen = Use {
                    operations: second * 100,
                    bytes: second * 409_600,
                    limit_bytes: Some(100 * MIB),
                    limit_operations: Some(100),
                };
                limiter.observe(second as f64, seen)
            })
            .sum();
        assert_eq!(seconds, 29.0);
        assert_eq!(limiter.used_operations, Some(1.0));
        assert!(limiter.used_bytes.is_some_and(|used| used < 0.01));
    }

    #[test]
    fn no_limit_a_new_limit_and_a_counter_that_went_back() {
        let mut limiter = Limiter::default();
        let mut look = |now: f64, bytes, limit_bytes| {
            limiter.observe(now, Use { bytes, limit_bytes, ..Use::default() })
        };
        assert_eq!(look(0.0, 0, None), 0.0);
        assert_eq!(look(1.0, 100 * MIB, None), 0.0);
        // What came before the limit says nothing of it.
        assert_eq!(look(2.0, 200 * MIB, Some(MIB)), 0.0);
        assert_eq!(look(3.0, 201 * MIB, Some(MIB)), 1.0);
        assert_eq!(look(4.0, 0, Some(MIB)), 0.0);
        assert_eq!(look(5.0, 0, Some(MIB)), 0.0);
        assert_eq!(look(6.0, 0, Some(0)), 0.0);
    }
}
