//! What changed on one filesystem, by directory: bounded, and it says when it does not know.

use std::collections::HashMap;

use super::super::hot::Hint;
use super::decode::{Event, Key};
use crate::host::sys::fanotify::mask;

/// Directories that are remembered: about 150 bytes each with their names.
const MOST_DIRECTORIES: usize = 32_768;
/// Names that are remembered of one directory; with more it is read again whole.
const MOST_NAMES: usize = 8;
/// Events after which the entries of a directory changed.
const ENTRIES: u64 = mask::CREATE | mask::DELETE | mask::MOVED_FROM | mask::MOVED_TO;

/// See the module. A moment is the number of events until then.
#[derive(Debug, Default)]
pub struct Journal {
    now: u64,
    /// When each directory last changed, and everything that happened since it is in here.
    directories: HashMap<Key, (u64, Hint)>,
    /// Before this moment nothing is known.
    known_since: u64,
    /// Times that events were lost.
    pub(super) overflows: u64,
}

impl Journal {
    /// The moment after everything taken down so far.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Takes an event down.
    pub fn take(&mut self, event: &Event<'_>) {
        self.now += 1;
        let Event::In { directory, name, what } = event else {
            self.overflows += 1;
            return self.lose();
        };
        if self.directories.len() >= MOST_DIRECTORIES && !self.directories.contains_key(directory) {
            return self.lose();
        }
        let fresh = (0, Hint::Files(Vec::new()));
        let (at, changed) = self.directories.entry(*directory).or_insert(fresh);
        *at = self.now;
        let whole = what & (ENTRIES | mask::ONDIR) != 0;
        match (name, changed) {
            (Some(name), Hint::Files(names)) if !whole && names.len() < MOST_NAMES => {
                if !names.iter().any(|known| **known == **name) {
                    names.push((*name).into());
                }
            }
            (Some(name), Hint::Files(names)) if !whole && names.iter().any(|n| **n == **name) => {}
            (_, changed) => *changed = Hint::Directory,
        }
    }

    /// Nothing is known of the time until now: events were lost, or there is no mark any more.
    pub fn lose(&mut self) {
        self.directories.clear();
        self.directories.shrink_to_fit();
        self.known_since = self.now;
    }

    /// Whether everything since that moment is known.
    pub fn knows_since(&self, moment: u64) -> bool {
        moment >= self.known_since
    }

    /// What happened in a directory since that moment; it may include what happened before.
    pub fn since(&self, moment: u64, directory: Key) -> Option<&Hint> {
        self.directories.get(&directory).filter(|(at, _)| *at > moment).map(|(_, changed)| changed)
    }

    /// Forgets what nobody will ask for: everything until that moment.
    pub fn forget(&mut self, moment: u64) {
        self.directories.retain(|_, (at, _)| *at > moment);
    }

    /// Directories that are remembered.
    pub fn len(&self) -> usize {
        self.directories.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn write(journal: &mut Journal, directory: u8, name: &CStr) {
        let directory = Key::of(1, &[directory]);
        journal.take(&Event::In { directory, name: Some(name), what: mask::CLOSE_WRITE });
    }

    #[test]
    fn files_are_named_until_there_are_too_many() {
        let mut journal = Journal::default();
        let key = Key::of(1, &[1]);
        write(&mut journal, 1, c"a");
        write(&mut journal, 1, c"b");
        write(&mut journal, 1, c"a");
        let files = Hint::Files(vec![c"a".into(), c"b".into()]);
        assert_eq!(journal.since(0, key), Some(&files));
        assert_eq!(journal.since(2, key), Some(&files));
        assert_eq!(journal.since(3, key), None);
        for name in [c"c", c"d", c"e", c"f", c"g", c"h", c"a"] {
            write(&mut journal, 1, name);
        }
        assert!(matches!(journal.since(0, key), Some(Hint::Files(names)) if names.len() == 8));
        write(&mut journal, 1, c"i");
        assert_eq!(journal.since(0, key), Some(&Hint::Directory));
        let directory = Key::of(1, &[2]);
        let made = Event::In { directory, name: Some(c"new"), what: mask::CREATE };
        journal.take(&made);
        write(&mut journal, 2, c"new");
        assert_eq!(journal.since(0, directory), Some(&Hint::Directory));
        journal.forget(journal.now());
        assert!(journal.is_empty() && journal.knows_since(0));
    }

    #[test]
    fn what_was_lost_is_not_known() {
        let mut journal = Journal::default();
        write(&mut journal, 1, c"a");
        let before = journal.now();
        journal.take(&Event::Overflow);
        assert!(!journal.knows_since(before));
        assert!(journal.knows_since(journal.now()));
        assert_eq!((journal.overflows, journal.len()), (1, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut journal = Journal::default();
        for n in 0..MOST_DIRECTORIES as u32 {
            let directory = Key::of(1, &n.to_ne_bytes());
            journal.take(&Event::In { directory, name: None, what: mask::ATTRIB });
        }
        assert!(journal.knows_since(0));
        write(&mut journal, 9, c"one more");
        assert!(!journal.knows_since(0));
        assert!(journal.is_empty());
    }
}
