//! What something outside says has changed, so that it need not be found by looking.

use std::collections::HashMap;
use std::ffi::CStr;

use super::records::{Hot, LINKED};
use super::tree::{Dir, LIST, Tree, UNKNOWN};

/// Names that are remembered of one directory; with more it is read again whole.
const MOST_NAMES: usize = 64;

/// What happened in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Entries came, went or were renamed.
    pub entries: bool,
    /// Files that changed; absent: more than are worth naming.
    pub files: Option<Vec<Changed>>,
}

/// A file that is hinted at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its name in the directory.
    pub name: Box<CStr>,
    /// Its next change may go untold: it is looked at again and again. Otherwise once.
    pub follow: bool,
}

impl Hint {
    /// Nothing yet.
    pub fn nothing() -> Self {
        Self { entries: false, files: Some(Vec::new()) }
    }

    /// Anything may have happened.
    pub fn anything() -> Self {
        Self { entries: true, files: None }
    }
}

/// Directories, by inode on one filesystem, in which something changed.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    directories: HashMap<u64, Hint>,
}

impl Hints {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }

    /// Anything changed in a directory.
    pub fn directory(&mut self, inode: u64) {
        self.directories.insert(inode, Hint::anything());
    }

    /// A file in a directory changed in place.
    pub fn file(&mut self, directory: u64, name: &CStr) {
        let hint = self.directories.entry(directory).or_insert_with(Hint::nothing);
        match &mut hint.files {
            Some(names) if names.iter().any(|known| *known.name == *name) => {}
            Some(names) if names.len() < MOST_NAMES => {
                names.push(Changed { name: name.into(), follow: true });
            }
            files => *files = None,
        }
    }
}

impl Tree {
    /// Has the next refresh look at what is hinted at, where it is a part of this tree: at files
    /// that are still as well. A hint that is wrong or comes twice costs a look.
    pub fn hint(&mut self, hints: &Hints) {
        if hints.is_empty() {
            return;
        }
        let now = self.seconds();
        let mut more = 0;
        for dir in self.dirs.iter_mut().flatten() {
            if let Some(hint) = hints.directories.get(&dir.inode) {
                more += dir.hint(hint, now);
            }
        }
        self.hot += more;
    }
}

impl Dir {
    /// Takes one hint; how many files are hot by that which were not.
    pub(super) fn hint(&mut self, hint: &Hint, now: i32) -> usize {
        if hint.entries {
            self.ctime = self.ctime.min(LIST);
        }
        let Some(names) = &hint.files else {
            self.ctime = UNKNOWN;
            return 0;
        };
        let before = self.hot.len();
        for Changed { name, follow } in names {
            if let Some(hot) = self.hot.iter_mut().find(|hot| hot.name == *name) {
                (hot.changed, hot.grows, hot.once) = (now, true, !follow);
                continue;
            }
            // Which file it is, is found with the first look.
            self.hot.push(Hot {
                name: name.clone(),
                inode: 0,
                ctime: 0,
                file: LINKED,
                changed: now,
                looked: now,
                grows: true,
                once: !follow,
            });
        }
        self.hot.len() - before
    }
}
