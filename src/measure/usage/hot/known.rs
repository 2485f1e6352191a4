//! What was known of the files of a directory that is being listed again.
//!
//! A listing names each entry and its inode. An inode under the name that it had is taken to be the
//! file that it was, and not looked at. That may be wrong: a filesystem gives the inode of a file
//! that is gone to the next that is made, and who removes a file and makes it anew may get the same
//! one under the same name. So a few are looked at all the same, each time others; when one of them
//! is not what it was, or when there is nothing in the listing that explains why the directory
//! changed, every entry is looked at.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;

use super::records::{FileRecord, Hot, LINKED, Past};

/// Files that are looked at whatever the listing says.
const PROBES: usize = 8;
/// Entries that may be gone before the next one that is known, in a listing whose order is what it was.
const AHEAD: usize = 8;
/// Entries that were not found there before each one is looked for.
const STRANGE: usize = 16;
/// Directories with fewer files are looked at whole: that costs no more than to think about it.
const SMALL: usize = 4 * PROBES;

pub(super) struct Known {
    /// None where each entry is to be looked at.
    files: Vec<FileRecord>,
    hot: HashMap<u64, Hot>,
    /// Files of which only the name is known to have changed, and what was known of them.
    named: Vec<(Box<CStr>, Past)>,
    /// Inodes that are no part of `files`, and no news.
    linked: HashSet<u64>,
    /// Where the next one is, if the order is what it was.
    next: usize,
    /// Entries that were not found where they would be then.
    strange: usize,
    /// Where each one is; made when the order is not.
    places: Option<HashMap<u64, usize>>,
    /// One in so many is a probe, this one the first.
    stride: usize,
    first: usize,
    /// Entries that were not there, or under another name.
    pub(super) fresh: usize,
    /// Files that were.
    kept: usize,
    /// A probe was not what it was.
    pub(super) wrong: bool,
}

/// What is known of an entry.
pub(super) enum Entry {
    /// It has to be looked at. What was known of it, if it was hot.
    Look(Option<Past>),
    /// The same, to see whether the listing tells the truth.
    Probe(FileRecord),
    /// It is what it was; the hot file that it is.
    Same(FileRecord, Option<Hot>),
}

impl Known {
    /// `whole`: each entry is to be looked at. `turn`: which ones are probes.
    pub(super) fn new(
        files: Vec<FileRecord>,
        hot: Vec<Hot>,
        linked: &[u64],
        whole: bool,
        turn: usize,
    ) -> Self {
        let files = if whole || files.len() < SMALL { Vec::new() } else { files };
        let stride = (files.len() / PROBES).max(1);
        let named = hot
            .iter()
            .filter(|hot| hot.inode == 0)
            .map(|hot| (hot.name.clone(), hot.past()))
            .collect();
        Self {
            named,
            linked: linked.iter().copied().collect(),
            hot: hot.into_iter().filter(|hot| hot.inode != 0).map(|hot| (hot.inode, hot)).collect(),
            next: 0,
            strange: 0,
            places: None,
            stride,
            first: turn % stride,
            fresh: 0,
            kept: 0,
            wrong: false,
            files,
        }
    }

    /// What is known of the entry `name` that the directory lists with `inode`. `now`: in seconds after the
    /// tree was made.
    pub(super) fn entry(&mut self, name: &CStr, inode: u64, now: i32) -> Entry {
        let named = self.named.iter().find(|(named, _)| **named == *name).map(|(_, past)| *past);
        let past = named.or(self.past(inode));
        let Some(place) = self.place(inode) else {
            self.fresh += usize::from(!self.linked.contains(&inode));
            return Entry::Look(past);
        };
        let record = self.files[place];
        self.next = place + 1;
        if !record.is_named(name) {
            self.fresh += 1;
            return Entry::Look(past);
        }
        self.kept += 1;
        let awake = self.hot.get(&inode).is_some_and(|hot| !hot.rests(now));
        if awake || named.is_some() {
            return Entry::Look(past);
        }
        if place % self.stride == self.first && past.is_none() {
            return Entry::Probe(record);
        }
        Entry::Same(record, self.hot.remove(&inode).filter(|hot| hot.file != LINKED))
    }

    /// What was known of a file, if it was hot.
    pub(super) fn past(&self, inode: u64) -> Option<Past> {
        self.hot.get(&inode).map(Hot::past)
    }

    fn place(&mut self, inode: u64) -> Option<usize> {
        let next = self.files.iter().skip(self.next).take(AHEAD);
        if let Some(ahead) = next.into_iter().position(|file| file.inode == inode) {
            return Some(self.next + ahead);
        }
        // A few new ones; many where the filesystem lists a directory in another order each time.
        self.strange += 1;
        if self.strange < STRANGE {
            return None;
        }
        let files = &self.files;
        let places = || files.iter().enumerate().map(|(place, file)| (file.inode, place)).collect();
        self.places.get_or_insert_with(places).get(&inode).copied()
    }

    /// The listing was taken to be true, and need not be: every entry is to be looked at.
    pub(super) fn doubtful(&self) -> bool {
        let nothing_new = self.fresh == 0 && self.kept == self.files.len();
        !self.files.is_empty() && (self.wrong || nothing_new)
    }
}
