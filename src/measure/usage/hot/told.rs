//! A refresh that looks only where the kernel told of a change ([`fanotify`](super::super::fanotify)),
//! and at the hot files, of whose writers it may not be told.

use std::os::fd::AsFd;

use super::super::fanotify::{Listener, key};
use super::tree::{Dir, LIST, Tree};

/// Hints the tree at everything that was told since the last time. `None`: it is not known.
fn note(listener: &mut Listener, dirs: &mut [Option<Dir>], now: i32) -> Option<usize> {
    listener.ask(|journal, since| {
        let mut hot = 0;
        for dir in dirs.iter_mut().flatten() {
            if let Some(hint) = dir.key.and_then(|key| journal.since(since, key)) {
                hot += dir.hint(&hint, now);
            }
        }
        hot
    })
}

impl Tree {
    /// Whether refreshes look only where a change was told of.
    pub fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// At the beginning of a refresh: what is to be looked at. Where changes are not known any
    /// more, everything, until the next full pass.
    pub(super) fn ask(&mut self) {
        if self.told.as_ref().is_some_and(|told| !told.still_watched()) {
            self.told = None;
        }
        self.catch_up();
        self.aim();
    }

    /// The same, only for what is known, as before a full pass is compared: touches no path. `false`: nothing is told.
    pub fn catch_up(&mut self) -> bool {
        let now = self.seconds();
        let Some(told) = &mut self.told else { return false };
        match note(told, &mut self.dirs, now) {
            Some(hot) => self.hot += hot,
            None => self.told = None,
        }
        self.is_told()
    }

    /// The filesystem is found not to tell of all changes.
    pub fn distrust(&self) {
        if let Some(told) = &self.told {
            told.distrust();
        }
    }

    /// Marks the directories to look at, and the way to them.
    pub(super) fn aim(&mut self) {
        self.cursor.only = None;
        if self.told.is_none() {
            return;
        }
        let now = self.seconds();
        let mut only = vec![false; self.dirs.len()];
        for (index, dir) in self.dirs.iter().enumerate() {
            let awake = |dir: &Dir| dir.hot.iter().any(|hot| !hot.rests(now));
            let wanted = |dir: &Dir| dir.ctime <= LIST || awake(dir);
            if !dir.as_ref().is_some_and(wanted) {
                continue;
            }
            let mut at = index as u32;
            while !std::mem::replace(&mut only[at as usize], true) {
                at = self.dir(at).parent;
            }
        }
        self.cursor.only = Some(only);
    }

    /// Nothing was told of this directory or what is below it.
    pub(super) fn passes_by(&self, index: u32) -> bool {
        let only = self.cursor.only.as_ref();
        only.is_some_and(|only| !only.get(index as usize).copied().unwrap_or(true))
    }

    /// A directory that has to be looked at, whatever was told.
    pub(super) fn look_at(&mut self, index: u32) {
        if let Some(only) = &mut self.cursor.only {
            if only.len() <= index as usize {
                only.resize(index as usize + 1, false);
            }
            only[index as usize] = true;
        }
    }

    /// Learns by which handle changes of an open directory are told, before it is read.
    pub(super) fn learn_key(&mut self, index: u32, fd: impl AsFd) {
        if self.told.is_none() || self.dir(index).key.is_some() {
            return;
        }
        match key(fd) {
            Some(key) => self.dir_mut(index).key = Some(key),
            // One that could never be told of: then all are looked at.
            None => (self.told, self.cursor.only) = (None, None),
        }
    }
}
