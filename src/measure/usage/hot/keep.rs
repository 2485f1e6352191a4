//! Which files stay hot.

use std::collections::{HashMap, HashSet};

use super::records::{Hot, LINKED};
use super::tree::{Dir, Tree};

/// Hot files at most: this many, or an eighth of all.
const LEAST_HOT: usize = 32;
const HOT_SHARE: usize = 8;
/// Seconds for which a file that was made was left alone.
const STILL: i32 = 60;

impl Tree {
    /// Keeps hot what was hot in the tree before this one, at whatever time the wall clock says it
    /// changed: it may have been set.
    pub fn inherit(&mut self, old: &Self) {
        let before: HashMap<u64, &Dir> =
            old.dirs.iter().flatten().map(|dir| (dir.inode, dir)).collect();
        let later = old.made.elapsed().saturating_sub(self.made.elapsed()).as_secs() as i32;
        let (now, window) = (self.seconds(), self.window.as_secs() as i32);
        // What a told tree knew to the byte though it was not followed is told of.
        let told = self.is_told() && old.is_told();
        for dir in self.dirs.iter_mut().flatten() {
            let Some(was) = before.get(&dir.inode) else { continue };
            if told {
                self.hot -= dir.forget_told(was);
            }
            if was.hot.is_empty() {
                continue;
            }
            let places: HashMap<u64, u32> =
                (0..).zip(&dir.files).map(|(i, f)| (f.inode, i)).collect();
            let known: HashMap<u64, usize> =
                (0..).zip(&dir.hot).map(|(i, hot)| (hot.inode, i)).collect();
            for hot in was.hot.iter().filter(|hot| hot.inode != 0) {
                if let Some(&again) = known.get(&hot.inode) {
                    let again = &mut dir.hot[again];
                    again.grows |= hot.grows || hot.ctime != again.ctime;
                    continue;
                }
                let changed = hot.changed - later;
                let Some(&file) = places.get(&hot.inode) else { continue };
                if now - changed >= window {
                    continue;
                }
                let name = hot.name.clone();
                dir.hot.push(Hot { name, file, changed, looked: now, ..*hot });
                self.hot += 1;
            }
        }
        self.prune();
    }

    /// Where changes are told, a file that was made and left alone is not followed: who writes to it
    /// next opens it, or has it open, which a minute shows.
    pub(super) fn forget_made(&mut self) {
        if !self.is_told() {
            return;
        }
        let now = self.seconds();
        self.hot = 0;
        for dir in self.dirs.iter_mut().flatten() {
            dir.hot.retain(|hot| hot.grows || now - hot.changed < STILL);
            self.hot += dir.hot.len();
        }
    }

    /// There are about twice as many hot files as there is place for.
    pub(super) fn crowded(&self) -> bool {
        self.hot > 2 * LEAST_HOT.max(self.files / HOT_SHARE)
    }

    /// Keeps no more hot files than there is place for: those that changed last.
    pub(super) fn prune(&mut self) {
        let most = LEAST_HOT.max(self.files / HOT_SHARE);
        if self.hot <= most + most / 4 {
            return;
        }
        let now = self.seconds();
        let hot = self.dirs.iter().flatten().flat_map(|dir| &dir.hot);
        let mut ranks: Vec<i32> = hot.map(|hot| hot.rank(now)).collect();
        let rank = ranks.len() - most;
        let (_, &mut least, _) = ranks.select_nth_unstable(rank);
        // All that rank higher than that one, and of those that rank the same as many as fit.
        let higher = ranks.iter().filter(|&&rank| rank > least).count();
        let mut room = most.saturating_sub(higher);
        self.hot = 0;
        for dir in self.dirs.iter_mut().flatten() {
            dir.hot.retain(|hot| {
                let rank = hot.rank(now);
                let same = rank == least && room > 0;
                room -= usize::from(same);
                rank > least || same
            });
            dir.hot.shrink_to_fit();
            self.hot += dir.hot.len();
        }
    }
}

impl Dir {
    /// Follows no longer what was not followed in the directory before this one and yet is what was
    /// known of it there. How many these are.
    fn forget_told(&mut self, was: &Self) -> usize {
        let sizes = |dir: &Self| -> HashMap<u64, (u64, u64)> {
            dir.files.iter().map(|file| (file.inode, (file.blocks(), file.size))).collect()
        };
        if self.hot.is_empty() {
            return 0;
        }
        let (then, now, before) = (sizes(was), sizes(self), self.hot.len());
        let followed: HashSet<u64> = was.hot.iter().map(|hot| hot.inode).collect();
        self.hot.retain(|hot| {
            followed.contains(&hot.inode)
                || hot.file == LINKED
                || then.get(&hot.inode) != now.get(&hot.inode)
        });
        before - self.hot.len()
    }
}
