//! What a full pass finds that refreshes could not see.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::records::FileRecord;
use super::tree::{Dir, LIST, Tree};

/// Reconciliations that are remembered.
const REMEMBERED: usize = 8;
/// The bound is never below this part of the value, nor below [`LEAST`].
const FLOOR: f64 = 0.001;
const LEAST: u64 = 4096;
/// Bytes a second that are nothing: within an hour they stay below [`LEAST`].
const NEGLIGIBLE: f64 = 1.0;

/// Refreshes whose changes are remembered.
const REFRESHES: usize = 8;

/// What refreshes did not see between two full passes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Growth and shrinkage of all files, added up.
    pub bytes: u64,
    /// Of it that of files that are followed and were not looked at by the last refresh, because they
    /// rested: no more comes to it the longer a full pass is ago.
    pub resting: u64,
    /// The most of one file.
    pub largest: u64,
}

/// Bytes by which files changed that the last refresh of `old` did not look at: those that are not
/// hot, or rested, in directories that were not read again, as the full pass found them that left
/// `new`.
pub fn drift(old: &Tree, new: &Tree) -> Missed {
    let before: HashMap<u64, _> = old.dirs.iter().flatten().map(|dir| (dir.inode, dir)).collect();
    // One that is under way has not looked at everything yet.
    let last = if old.steps() > 0 { old.refreshed_before } else { old.refreshed };
    let mut missed = Missed::default();
    let mut count = |blocks: u64, rested: bool| {
        let bytes = blocks.saturating_mul(512);
        missed.bytes = missed.bytes.saturating_add(bytes);
        missed.resting = missed.resting.saturating_add(if rested { bytes } else { 0 });
        missed.largest = missed.largest.max(bytes);
    };
    for dir in new.dirs.iter().flatten() {
        let Some(was) = before.get(&dir.inode) else { continue };
        if dir.ctime <= LIST || dir.ctime != was.ctime {
            continue;
        }
        let followed = was.hot.iter().filter(|hot| hot.looked >= last);
        // Those hinted at since are known by name only, and looked at next.
        let mut hot: HashSet<u64> = followed.map(|hot| hot.inode).collect();
        for hint in was.hot.iter().filter(|hot| hot.inode == 0) {
            let named = dir.files.iter().filter(|file| file.is_named(&hint.name));
            hot.extend(named.map(|file| file.inode));
        }
        let rests: HashSet<u64> =
            was.hot.iter().filter(|hot| hot.looked < last).map(|hot| hot.inode).collect();
        let mut compare = |inode: u64, then: u64, now: u64| {
            if !hot.contains(&inode) {
                count(then.abs_diff(now), rests.contains(&inode));
            }
        };
        let inode = |file: &FileRecord| file.inode;
        if was.files.iter().map(inode).eq(dir.files.iter().map(inode)) {
            for (then, now) in was.files.iter().zip(&dir.files) {
                compare(now.inode, then.blocks(), now.blocks());
            }
            continue;
        }
        // The filesystem lists a directory in another order each time, or a file has become one
        // with several links, or is none any more, by a link in another directory.
        let mut then: HashMap<u64, u64> =
            was.files.iter().map(|file| (file.inode, file.blocks())).collect();
        for now in &dir.files {
            let linked = || old.links.get(&now.inode).map(|link| link.blocks);
            if let Some(then) = then.remove(&now.inode).or_else(linked) {
                compare(now.inode, then, now.blocks());
            }
        }
        for (inode, then) in then {
            if let Some(link) = new.links.get(&inode) {
                compare(inode, then, link.blocks);
            }
        }
    }
    for (inode, link) in &new.links {
        count(old.links.get(inode).map_or(0, |was| was.blocks.abs_diff(link.blocks)), false);
    }
    missed
}

/// Whether a full pass found other entries in a directory of a tree whose changes are
/// [told](Tree::is_told) than there were, though nothing was told of that directory.
/// `old` has [caught up](Tree::catch_up).
pub fn untold(old: &Tree, new: &Tree) -> bool {
    let now: HashMap<u64, _> = new.dirs.iter().flatten().map(|dir| (dir.inode, dir)).collect();
    let inodes = |dir: &Dir| {
        let files = dir.files.iter().map(|file| file.inode);
        let mut inodes: Vec<u64> = files.chain(dir.linked.iter().copied()).collect();
        inodes.sort_unstable();
        inodes
    };
    old.dirs.iter().flatten().filter(|was| was.ctime > LIST).any(|was| {
        let Some(dir) = now.get(&was.inode).filter(|dir| dir.key == was.key) else { return false };
        dir.ctime != was.ctime && inodes(dir) != inodes(was)
    })
}

/// How much refreshes of one subject missed, by its last reconciliations.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    /// Bytes a second that files which nobody follows brought, of each.
    rates: VecDeque<f64>,
    /// Bytes that files which rested brought, of each.
    resting: VecDeque<u64>,
    /// The same, of the last ones.
    lately: f64,
    /// The most that one file was missed by, of each.
    largest: VecDeque<u64>,
    /// Bytes that the last refreshes saw change, each since the one before.
    churn: VecDeque<u64>,
    /// There was a refresh since the last reconciliation.
    refreshed: bool,
    /// See [`Drift::proofs`].
    proofs: u32,
}

impl Drift {
    /// A full pass found out what was missed in `passed`.
    pub fn reconciled(&mut self, missed: Missed, passed: Duration) {
        if self.rates.len() == REMEMBERED {
            self.rates.pop_front();
            self.resting.pop_front();
            self.largest.pop_front();
        }
        let rate =
            missed.bytes.saturating_sub(missed.resting) as f64 / passed.as_secs_f64().max(1.0);
        self.lately = if self.known() { f64::midpoint(self.lately, rate) } else { rate };
        // Passes with nothing between them prove nothing of refreshes.
        let more = u32::from(std::mem::take(&mut self.refreshed));
        self.proofs = if rate > 0.0 { 0 } else { self.proofs.saturating_add(more) };
        self.rates.push_back(rate);
        self.resting.push_back(missed.resting);
        self.largest.push_back(missed.largest);
    }

    /// A refresh saw so many bytes change.
    pub fn refreshed(&mut self, churn: u64) {
        if self.churn.len() == REFRESHES {
            self.churn.pop_front();
        }
        self.churn.push_back(churn);
        self.refreshed = true;
    }

    /// Whether anything is known.
    pub fn known(&self) -> bool {
        !self.rates.is_empty()
    }

    /// How many full passes in a row, up to now, found nothing that the refreshes before them had
    /// missed but of files that rest: refreshes see all there is to see.
    pub fn proofs(&self) -> u32 {
        self.proofs
    }

    /// Bytes a second that are likely to be missed: the average of what was, each time with half
    /// the weight of the next, because what a full pass finds is followed from then on. Nothing where
    /// that is less than any bound allows for: what was missed once is forgotten in the end.
    pub fn rate(&self) -> f64 {
        if self.lately < NEGLIGIBLE { 0.0 } else { self.lately }
    }

    /// By how much a value of `used` bytes may be off, `passed` after the last full pass. `None`
    /// before the first reconciliation: nothing is known then of what is missed, and what a start
    /// finds moving says little of what it does not find.
    ///
    /// Changes that are missed come one by one, each as large as the largest one that was. Those of
    /// files that nobody follows add up since the last full pass, at the fastest drift seen; those of
    /// files that rest do not, and were at most so many. With *n* expected in all, *2n + 3√n + 1* of
    /// them; to that the most that one of the last refreshes saw change (the tree goes on moving
    /// while it is looked at), and a thousandth of the value, because that nothing was missed lately
    /// does not prove that nothing is. An estimate: how often it was too small is counted.
    pub fn bound(&self, used: u64, passed: Duration) -> Option<u64> {
        if !self.known() {
            return None;
        }
        let fastest = self.rates.iter().copied().fold(0.0, f64::max);
        let one = self.largest.iter().copied().max().unwrap_or(0);
        let resting = self.resting.iter().copied().max().unwrap_or(0);
        let churn = self.churn.iter().copied().max().unwrap_or(0);
        let expected = fastest * passed.as_secs_f64() + resting as f64;
        let missed = (2.0 * expected + 3.0 * (expected * one as f64).sqrt()).ceil() as u64;
        let floor = ((used as f64 * FLOOR) as u64).max(LEAST);
        Some(missed.saturating_add(one).saturating_add(churn).saturating_add(floor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_follows_the_fastest_drift_that_is_remembered() {
        let mut drift = Drift::default();
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let missed = |bytes, largest| Missed { bytes, resting: 0, largest };
        assert!(!drift.known());
        drift.refreshed(3);
        assert_eq!(drift.bound(0, Duration::ZERO), None, "nothing is known, nothing is claimed");
        drift.reconciled(missed(1000, 100), second * 10);
        assert!(drift.known());
        // 60 changes of 100 bytes are expected: twice as many, 3 × √60, one, the churn, the floor.
        drift.refreshed(5);
        drift.refreshed(0);
        assert_eq!(drift.bound(0, minute), Some(12_000 + 2324 + 100 + 5 + 4096));
        (0..REFRESHES).for_each(|_| drift.refreshed(0));
        assert_eq!(drift.bound(100_000_000, Duration::ZERO), Some(100_100));
        drift.reconciled(missed(3000, 7), second * 10);
        assert_eq!(drift.rate(), 200.0);
        drift.reconciled(Missed::default(), second * 10);
        assert_eq!(drift.proofs(), 0, "there was no refresh between");
        for number in 0..REMEMBERED {
            assert_eq!(drift.proofs(), number as u32);
            drift.refreshed(0);
            drift.reconciled(Missed::default(), second * 10);
        }
        assert_eq!(drift.bound(0, minute), Some(4096));
    }

    #[test]
    fn what_was_missed_once_is_forgotten() {
        let mut drift = Drift::default();
        drift.reconciled(
            Missed { bytes: 100 << 20, resting: 0, largest: 100 << 20 },
            Duration::from_secs(60),
        );
        let passes = (0..).take_while(|_| {
            let forgotten = drift.rate() == 0.0;
            drift.reconciled(Missed::default(), Duration::from_secs(60));
            !forgotten
        });
        // Of 1.7 MB a second half is left each time.
        assert_eq!(passes.count(), 21);
    }

    #[test]
    fn what_rests_is_missed_from_the_first_moment_and_does_not_add_up() {
        let mut drift = Drift::default();
        let seconds = Duration::from_secs;
        let missed = Missed { bytes: 8192, resting: 8192, largest: 4096 };
        drift.reconciled(missed, seconds(100));
        assert_eq!(drift.rate(), 0.0, "a full pass would not help");
        // Two changes of 4 KiB are expected: 2 × 2 + 3 × √2 + 1 of them, and the floor.
        let bound = drift.bound(0, Duration::ZERO);
        assert_eq!(bound, Some(16_384 + 17_378 + 4096 + 4096));
        assert_eq!(drift.bound(0, seconds(1000)), bound);
    }
}
