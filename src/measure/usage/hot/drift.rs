//! What a full pass finds that refreshes could not see.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::tree::{FileRecord, Tree, UNKNOWN};

/// Reconciliations that are remembered.
const REMEMBERED: usize = 8;
/// The bound is never below this part of the value, nor below [`LEAST`].
const FLOOR: f64 = 0.001;
const LEAST: u64 = 4096;

/// Bytes by which files changed that the last refresh of `old` did not look at: those that are not
/// hot, or rested, in directories that were not read again, as the full pass found them that left
/// `new`.
pub fn drift(old: &Tree, new: &Tree) -> u64 {
    let before: HashMap<u64, _> = old.dirs.iter().flatten().map(|dir| (dir.inode, dir)).collect();
    let mut blocks = 0;
    for dir in new.dirs.iter().flatten() {
        let Some(was) = before.get(&dir.inode) else { continue };
        if dir.ctime == UNKNOWN || dir.ctime != was.ctime {
            continue;
        }
        let followed = was.hot.iter().filter(|hot| hot.looked >= old.refreshed);
        let hot: HashSet<u64> = followed.map(|hot| hot.inode).collect();
        let (mut then, mut now) = (was.files.clone(), dir.files.clone());
        // The same order, unless the filesystem lists a directory anew each time.
        if then.iter().zip(&now).any(|(then, now)| then.inode != now.inode) {
            then.sort_unstable_by_key(|file: &FileRecord| file.inode);
            now.sort_unstable_by_key(|file: &FileRecord| file.inode);
        }
        for (then, now) in then.iter().zip(&now) {
            if then.inode == now.inode && !hot.contains(&then.inode) {
                blocks += then.blocks.abs_diff(now.blocks);
            }
        }
    }
    for (inode, link) in &new.links {
        blocks += old.links.get(inode).map_or(0, |was| was.blocks.abs_diff(link.blocks));
    }
    blocks * 512
}

/// How much refreshes of one subject missed, by its last reconciliations.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    /// Bytes a second, of each.
    rates: VecDeque<f64>,
    /// The same, of the last ones.
    lately: f64,
}

impl Drift {
    /// A full pass found that `bytes` were missed in `passed`.
    pub fn reconciled(&mut self, bytes: u64, passed: Duration) {
        if self.rates.len() == REMEMBERED {
            self.rates.pop_front();
        }
        let rate = bytes as f64 / passed.as_secs_f64().max(1.0);
        self.lately = if self.known() { f64::midpoint(self.lately, rate) } else { rate };
        self.rates.push_back(rate);
    }

    /// Whether anything is known.
    pub fn known(&self) -> bool {
        !self.rates.is_empty()
    }

    /// Bytes a second that are likely to be missed: the average of what was, each time with half
    /// the weight of the next, because what a full pass finds is followed from then on.
    pub fn rate(&self) -> f64 {
        self.lately
    }

    /// By how much a value of `used` bytes may be off, `passed` after the last full pass: twice the
    /// fastest drift seen, what moved since the last look (`churn`: the tree goes on moving
    /// while it is looked at), and a thousandth of the value, because that nothing was missed
    /// lately does not prove that nothing is. Before the first reconciliation as much may have been
    /// missed as was `unseen`, by what the caller makes of it. An estimate: how often it was too small
    /// is counted.
    pub fn bound(&self, used: u64, churn: u64, unseen: u64, passed: Duration) -> u64 {
        let fastest = self.rates.iter().copied().fold(0.0, f64::max);
        let missed = (2.0 * fastest * passed.as_secs_f64()).ceil() as u64;
        let missed = if self.known() { missed } else { unseen };
        let floor = ((used as f64 * FLOOR) as u64).max(LEAST);
        missed.saturating_add(churn).saturating_add(floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_follows_the_fastest_drift_that_is_remembered() {
        let mut drift = Drift::default();
        assert!(!drift.known());
        assert_eq!(drift.bound(0, 5, 7000, Duration::ZERO), 7000 + 5 + 4096);
        drift.reconciled(1000, Duration::from_secs(10));
        assert!(drift.known());
        // 2 × 100 bytes a second × 60 s, and the churn, and the floor.
        assert_eq!(drift.bound(0, 5, 9, Duration::from_secs(60)), 12_000 + 5 + 4096);
        assert_eq!(drift.bound(100_000_000, 0, 9, Duration::ZERO), 100_000);
        drift.reconciled(3000, Duration::from_secs(10));
        assert_eq!(drift.rate(), 200.0);
        for _ in 0..REMEMBERED {
            drift.reconciled(0, Duration::from_secs(10));
        }
        assert_eq!(drift.bound(0, 0, 9, Duration::from_secs(60)), 4096);
    }
}
