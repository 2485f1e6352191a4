//! The last minutes of one container's counters, for what the findings judge by.

use std::collections::VecDeque;

use super::cgroup::Pressure;
use crate::model::DeviceNumber;

/// How far back.
const WINDOW: f64 = 300.0;
/// Two points are at least this far apart.
const GAP: f64 = 15.0;
/// Nothing is said of less.
const LEAST: f64 = 60.0;

/// Counters of one device at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DevicePoint {
    /// Bytes, both directions.
    pub(super) bytes: u64,
    /// Throttled seconds of reads and writes.
    pub(super) throttled: [Option<f64>; 2],
}

/// Counters of one container at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Point {
    pub(super) pressure: Option<Pressure>,
    /// Seconds its threads waited, added up.
    pub(super) delay: Option<f64>,
    /// Sorted by number.
    pub(super) devices: Vec<(DeviceNumber, DevicePoint)>,
}

impl Point {
    /// Counters of one device.
    pub(super) fn device(&self, number: DeviceNumber) -> Option<&DevicePoint> {
        let at = self.devices.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(&self.devices[at].1)
    }
}

/// Points of the last minutes, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    points: VecDeque<(f64, Point)>,
}

impl History {
    /// Takes the counters at a time of a monotonic clock.
    pub(super) fn push(&mut self, now: f64, point: &Point) {
        if self.points.back().is_some_and(|(at, _)| now - at < GAP) {
            return;
        }
        self.points.push_back((now, point.clone()));
        while self.points.get(1).is_some_and(|(at, _)| now - at >= WINDOW) {
            self.points.pop_front();
        }
    }

    /// The oldest point of the window and the seconds since; `None`: too short a time.
    pub(super) fn since(&self, now: f64) -> Option<(f64, &Point)> {
        let (at, point) = self.points.front()?;
        let seconds = now - at;
        (seconds >= LEAST).then_some((seconds, point))
    }
}

/// Change a second; `None` for a counter that went back.
pub(super) fn rate(now: f64, before: f64, seconds: f64) -> Option<f64> {
    (now >= before && seconds > 0.0).then(|| (now - before) / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_are_kept_and_less_than_one_says_nothing() {
        let mut history = History::default();
        for second in 0..1000 {
            history.push(f64::from(second), &Point::default());
            if second < 60 {
                assert!(history.since(f64::from(second)).is_none());
            }
        }
        let (seconds, _) = history.since(999.0).unwrap();
        assert!((300.0..316.0).contains(&seconds), "{seconds}");
        assert!(history.points.len() <= 22);
        assert_eq!(rate(7.0, 2.0, 2.0), Some(2.5));
        assert_eq!(rate(1.0, 2.0, 2.0), None);
    }
}
