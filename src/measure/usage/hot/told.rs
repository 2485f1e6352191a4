//! A refresh that looks only where the kernel told of a change ([`fanotify`](super::super::fanotify)),
//! and at the hot files, of whose writers it may not be told.

use std::os::fd::AsFd;

use super::super::fanotify::{Changed, Journal, Key, Listener, key};
use super::tree::{Dir, Tree, UNKNOWN};

/// Notes which directories have to be read again by what was told since the last time. `None`: it
/// is not known.
fn note(listener: &mut Listener, dirs: &mut [Option<Dir>]) -> Option<()> {
    listener.ask(|journal, since| {
        for dir in dirs.iter_mut().flatten() {
            if dir.key.is_some_and(|key| needs_reading(dir, key, journal, since)) {
                dir.ctime = UNKNOWN;
            }
        }
    })
}

/// Files that are hot are looked at anyway; of others only their blocks are known, so that the
/// directory has to be read again.
fn needs_reading(dir: &Dir, key: Key, journal: &Journal, since: u64) -> bool {
    match journal.since(since, key) {
        None => false,
        Some(Changed::Directory) => true,
        Some(Changed::Files(names)) => {
            !names.iter().all(|name| dir.hot.iter().any(|hot| hot.name == *name))
        }
    }
}

impl Tree {
    /// Whether refreshes look only where a change was told of.
    pub fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// At the beginning of a refresh: what is to be looked at. Where changes are not known any
    /// more, everything, until the next full pass.
    pub(super) fn ask(&mut self) {
        let Some(told) = &mut self.told else { return };
        if !told.still_watched() || note(told, &mut self.dirs).is_none() {
            self.told = None;
        }
        self.aim();
    }

    /// The same before a full pass is compared: touches no path. `false`: nothing is told.
    pub fn catch_up(&mut self) -> bool {
        let Some(told) = &mut self.told else { return false };
        if note(told, &mut self.dirs).is_none() {
            self.told = None;
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
        let mut only = vec![false; self.dirs.len()];
        for (index, dir) in self.dirs.iter().enumerate() {
            let wanted = |dir: &Dir| dir.ctime == UNKNOWN || !dir.hot.is_empty();
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
