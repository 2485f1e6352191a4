//! What something outside says has changed, so that it need not be found by looking.

use std::ffi::CStr;

use super::records::{Hot, LINKED};
use super::tree::{Dir, LIST, UNKNOWN};

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
