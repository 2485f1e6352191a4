//! The wall clock, when somebody sets it.

use super::Timestamp;

/// A difference that is more than an ordinary correction (NTP slews, a leap second), in seconds.
const LEAST: f64 = 5.0;

/// A step of the wall clock, found between two looks at it.
///
/// What lies in the past stays as far in the past as it was: remembered times go along with the
/// clock, so that no age, grace or pace is other than the one that passed. A suspended host looks
/// the same as a clock set forward: the time in which nothing was looked at counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockStep {
    seconds: f64,
    now: Timestamp,
    elapsed: f64,
}

impl ClockStep {
    /// `before` and `now` as the wall clock showed them at two looks, `elapsed` seconds apart by a
    /// clock that nobody sets. `None`: it was not set meanwhile.
    pub fn between(before: Timestamp, now: Timestamp, elapsed: f64) -> Option<Self> {
        let seconds = now - before - elapsed;
        (seconds.abs() > LEAST).then_some(Self { seconds, now, elapsed })
    }

    /// By how many seconds it was set forward; negative: back.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// What the old clock showed at the last look.
    pub fn before(&self) -> Timestamp {
        self.now - self.elapsed - self.seconds
    }

    /// A time by the old clock, by the new one.
    pub fn shift(&self, at: &mut Timestamp) {
        *at += self.seconds;
    }

    /// The same of a time that others may have noted since the last look, before the step or after
    /// it: one within that span by the new clock stays as it is.
    pub fn shift_old(&self, at: &mut Timestamp) {
        let since_last_look = self.now - self.elapsed - 1.0;
        if *at < since_last_look || *at > self.now {
            self.shift(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_is_no_step() {
        for (now, elapsed) in [(1_005.0, 5.0), (1_009.9, 5.0), (1_000.1, 5.0), (1_600.0, 598.0)] {
            assert_eq!(ClockStep::between(1_000.0, now, elapsed), None, "{now} {elapsed}");
        }
        let seconds =
            |now, elapsed| ClockStep::between(1_000.0, now, elapsed).map(|step| step.seconds());
        assert_eq!(seconds(4_602.0, 2.0), Some(3_600.0));
        assert_eq!(seconds(502.0, 2.0), Some(-500.0));
    }

    #[test]
    fn ages_stay_what_they_were() {
        for seconds in [10_800.0, -10_800.0] {
            let now = 50_002.0 + seconds;
            let step = ClockStep::between(50_000.0, now, 2.0).expect("a step");
            // Two minutes before the last look, and noted after it but before the step.
            for (old, age) in [(49_880.0, 122.0), (50_001.0, 1.0)] {
                let (mut at, mut same) = (old, old);
                step.shift(&mut at);
                step.shift_old(&mut same);
                assert_eq!((now - at, now - same), (age, age), "{seconds}");
            }
            // By the new clock already.
            for new in [now - 0.5, now] {
                let mut at = new;
                step.shift_old(&mut at);
                assert_eq!(at, new);
            }
        }
    }

    #[test]
    fn there_and_back_leaves_nothing() {
        let forth = ClockStep::between(1_000.0, 90_000.0, 1.0).expect("a step");
        let back = ClockStep::between(90_000.0, 1_002.0, 1.0).expect("a step");
        let mut at = 100.0;
        forth.shift(&mut at);
        back.shift(&mut at);
        assert_eq!(at, 100.0);
    }
}
