//! What something outside says has changed, so that it need not be found by looking.

use std::collections::HashMap;
use std::ffi::CStr;

use super::tree::{Hot, LINKED, Tree, UNKNOWN};

/// Names that are remembered of one directory; with more it is read again whole.
const MOST_NAMES: usize = 64;

/// What happened in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Entries came, went or were renamed, or more files changed than are worth naming.
    Directory,
    /// Only these files changed.
    Files(Vec<Box<CStr>>),
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

    /// The entries of a directory changed.
    pub fn directory(&mut self, inode: u64) {
        self.directories.insert(inode, Hint::Directory);
    }

    /// A file in a directory changed in place.
    pub fn file(&mut self, directory: u64, name: &CStr) {
        let hint = self.directories.entry(directory).or_insert(Hint::Files(Vec::new()));
        match hint {
            Hint::Files(names) if names.iter().any(|known| **known == *name) => {}
            Hint::Files(names) if names.len() < MOST_NAMES => names.push(name.into()),
            hint => *hint = Hint::Directory,
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
        for dir in self.dirs.iter_mut().flatten() {
            match hints.directories.get(&dir.inode) {
                None => {}
                Some(Hint::Directory) => dir.ctime = UNKNOWN,
                Some(Hint::Files(names)) => {
                    for name in names {
                        let known = dir.hot.iter_mut().find(|hot| hot.name == *name);
                        if let Some(hot) = known {
                            hot.changed = now;
                            continue;
                        }
                        // Which file it is, is found with the first look.
                        dir.hot.push(Hot {
                            name: name.clone(),
                            inode: 0,
                            ctime: 0,
                            file: LINKED,
                            changed: now,
                            looked: now,
                        });
                        self.hot += 1;
                    }
                }
            }
        }
    }
}
