//! What network filesystems did within the last minutes, from counters that only rise.

use std::collections::{HashMap, VecDeque};

use crate::model::{NetworkFilesystem, NetworkKey, OperationStats, Recent, Timestamp};

/// How far back it is looked, in seconds.
pub const WINDOW: f64 = 300.0;
/// Fewest seconds between two kept looks: a window then holds 31 of them.
const APART: f64 = 10.0;

/// Totals of each filesystem at earlier looks. Filesystems that are gone are forgotten.
#[derive(Debug, Default)]
pub struct Windows {
    of: HashMap<((u32, u32), NetworkKey), VecDeque<Look>>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Timestamp,
    age: Option<u64>,
    total: OperationStats,
}

impl Windows {
    /// Takes note of a round and fills in what is [recent](NetworkFilesystem::recent) in it. All
    /// filesystems of the round are handed in.
    pub fn observe(&mut self, filesystems: &mut [NetworkFilesystem], now: Timestamp) {
        let mut kept = HashMap::with_capacity(filesystems.len());
        for filesystem in filesystems {
            let id = (filesystem.device_number, filesystem.key.clone());
            let mut looks = self.of.remove(&id).unwrap_or_default();
            let look = Look { at: now, age: filesystem.age_seconds, total: filesystem.total() };
            // Mounted anew, or the clock was set back: another life.
            if looks.back().is_some_and(|last| !follows(last, &look)) {
                looks.clear();
            }
            while looks.front().is_some_and(|first| now - first.at > WINDOW) {
                looks.pop_front();
            }
            filesystem.recent = looks.front().and_then(|first| recent(first, &look));
            if looks.back().is_none_or(|last| now - last.at >= APART) {
                looks.push_back(look);
            }
            kept.insert(id, looks);
        }
        self.of = kept;
    }
}

fn follows(last: &Look, look: &Look) -> bool {
    let younger = last.age.zip(look.age).is_some_and(|(before, now)| now < before);
    look.at >= last.at && look.total.requests >= last.total.requests && !younger
}

fn recent(first: &Look, last: &Look) -> Option<Recent> {
    let window_seconds = last.at - first.at;
    if window_seconds <= 0.0 {
        return None;
    }
    let since = |of: fn(&OperationStats) -> Option<u64>| {
        let (before, now) = (of(&first.total), of(&last.total));
        now.unwrap_or(0).saturating_sub(before.unwrap_or(0))
    };
    let requests = last.total.requests.saturating_sub(first.total.requests);
    // Times that were not told at first say nothing of this window, but where there was no request.
    let before = first.total.execute_seconds.or((first.total.requests == 0).then_some(0.0));
    let seconds = before.zip(last.total.execute_seconds).filter(|_| requests > 0);
    let mean = seconds.map(|(before, now)| (now - before).max(0.0) / requests as f64);
    Some(Recent {
        window_seconds,
        requests,
        mean_execute_seconds: mean,
        retransmissions: since(|total| total.retransmissions),
        timeouts: since(|total| total.timeouts),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn filesystem(requests: u64, seconds: f64, age: u64) -> NetworkFilesystem {
        let stats = OperationStats {
            requests,
            retransmissions: Some(requests / 10),
            timeouts: Some(requests / 100),
            execute_seconds: Some(seconds),
            ..OperationStats::default()
        };
        // Upkeep is not the filesystem's own.
        let upkeep = OperationStats { requests: 10_000, ..stats };
        NetworkFilesystem {
            operations: BTreeMap::from([("READ".into(), stats), ("SESSION".into(), upkeep)]),
            age_seconds: Some(age),
            ..NetworkFilesystem::default()
        }
    }

    fn look(windows: &mut Windows, found: NetworkFilesystem, now: f64) -> Option<Recent> {
        let mut found = [found];
        windows.observe(&mut found, now);
        let [found] = found;
        found.recent
    }

    #[test]
    fn means_are_of_the_window_alone() {
        let mut windows = Windows::default();
        assert_eq!(look(&mut windows, filesystem(1000, 5.0, 100), 1000.0), None);
        let second = look(&mut windows, filesystem(1100, 55.0, 115), 1015.0).expect("two looks");
        let expected = Recent {
            window_seconds: 15.0,
            requests: 100,
            mean_execute_seconds: Some(0.5),
            retransmissions: 10,
            timeouts: 1,
        };
        assert_eq!(second, expected);
        // Five minutes on, the first look is out of the window.
        let mut last = None;
        for step in 2..=21_u64 {
            let at = 1000.0 + 15.0 * step as f64;
            last = look(&mut windows, filesystem(1100, 55.0, 100 + 15 * step), at);
        }
        let last = last.expect("looks");
        assert_eq!((last.requests, last.mean_execute_seconds), (0, None));
        assert_eq!(last.window_seconds, 300.0);
    }

    #[test]
    fn times_that_are_told_late_are_not_of_the_window() {
        let mut windows = Windows::default();
        let untimed = |requests| {
            let mut found = filesystem(requests, 0.0, 100);
            found.operations.values_mut().for_each(|stats| stats.execute_seconds = None);
            found
        };
        look(&mut windows, untimed(1000), 1000.0);
        let told = look(&mut windows, filesystem(1010, 800.0, 110), 1010.0).expect("two looks");
        assert_eq!((told.requests, told.mean_execute_seconds), (10, None));
        // Where there was no request before, there was no time either.
        let mut windows = Windows::default();
        look(&mut windows, untimed(0), 1000.0);
        let told = look(&mut windows, filesystem(10, 5.0, 110), 1010.0).expect("two looks");
        assert_eq!(told.mean_execute_seconds, Some(0.5));
    }

    #[test]
    fn another_life_starts_anew() {
        let mut windows = Windows::default();
        look(&mut windows, filesystem(1000, 5.0, 100), 1000.0);
        // Fewer requests; younger though it has more; the clock set back.
        assert_eq!(look(&mut windows, filesystem(10, 0.1, 130), 1030.0), None);
        assert_eq!(look(&mut windows, filesystem(20, 0.2, 3), 1045.0), None);
        assert_eq!(look(&mut windows, filesystem(30, 0.3, 20), 900.0), None);
        assert!(look(&mut windows, filesystem(30, 0.3, 40), 920.0).is_some());
        // Gone, and there again.
        windows.observe(&mut [], 935.0);
        assert_eq!(look(&mut windows, filesystem(30, 0.3, 60), 950.0), None);
    }

    #[test]
    fn frequent_looks_are_not_all_kept() {
        let mut windows = Windows::default();
        for step in 0..10_000 {
            look(&mut windows, filesystem(1, 0.0, 1000), 1000.0 + f64::from(step));
        }
        let kept: usize = windows.of.values().map(VecDeque::len).sum();
        assert!(kept <= 32, "{kept}");
    }
}
