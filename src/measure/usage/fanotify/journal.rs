//! What changed on one filesystem, by directory: bounded, and it says when it does not know.

use std::collections::HashMap;

use super::super::hot::{Changed, Hint};
use super::decode::{Event, Key};
use crate::host::sys::fanotify::mask;

/// Directories that are remembered: less than 100 bytes each, beside the names.
const MOST_DIRECTORIES: usize = 32_768;
/// Names that are remembered of one directory; with more it is read again whole.
const MOST_NAMES: usize = 32;
/// Bytes of all names together; past them directories are read again whole.
const MOST_NAME_BYTES: usize = 2 << 20;
/// Events after which the entries of a directory changed.
const ENTRIES: u64 = mask::CREATE | mask::DELETE | mask::MOVED_FROM | mask::MOVED_TO;
/// Events after which a file is to be looked at.
const NAMED: u64 = mask::CREATE | mask::CLOSE_WRITE | mask::MOVED_TO;

/// See the module. A moment is the number of events until then.
#[derive(Debug, Default)]
pub struct Journal {
    now: u64,
    directories: HashMap<Key, Directory>,
    /// Bytes of the names in it.
    name_bytes: usize,
    /// Before this moment nothing is known.
    known_since: u64,
    /// Times that events were lost.
    pub(super) overflows: u64,
}

/// What happened in a directory since it is in here, and when.
#[derive(Debug, Default)]
struct Directory {
    /// The last event.
    at: u64,
    /// The last time that its entries changed; 0: never.
    entries: u64,
    /// The last time that a file changed for whose name there was no room; 0: never.
    unnamed: u64,
    files: Vec<(u64, Changed)>,
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
        let now = self.now;
        let changed = self.directories.entry(*directory).or_default();
        changed.at = now;
        if what & (ENTRIES | mask::ONDIR) != 0 {
            changed.entries = now;
        }
        // What is gone is not listed any more. What was made may have the inode and the name of one
        // before, and what came back to its name may have changed under another.
        if what & mask::ONDIR != 0 || what & NAMED == 0 {
            return;
        }
        // Who made it may go on writing, of which nothing is told before it is closed.
        let follow = what & (mask::CREATE | mask::MOVED_TO) != 0 && what & mask::CLOSE_WRITE == 0;
        let known = changed.files.iter_mut().find(|(_, file)| Some(&*file.name) == *name);
        if let Some((at, file)) = known {
            (*at, file.follow) = (now, follow);
            return;
        }
        let length = name.map_or(usize::MAX, |name| name.to_bytes().len() + 1);
        let room = MOST_NAME_BYTES.saturating_sub(self.name_bytes);
        match name {
            Some(name) if changed.files.len() < MOST_NAMES && length <= room => {
                self.name_bytes += length;
                changed.files.push((now, Changed { name: (*name).into(), follow }));
            }
            _ => changed.unnamed = now,
        }
    }

    /// Nothing is known of the time until now: events were lost, or there is no mark any more.
    pub fn lose(&mut self) {
        self.directories.clear();
        self.directories.shrink_to_fit();
        self.name_bytes = 0;
        self.known_since = self.now;
    }

    /// Whether everything since that moment is known.
    pub fn knows_since(&self, moment: u64) -> bool {
        moment >= self.known_since
    }

    /// What happened in a directory since that moment.
    pub fn since(&self, moment: u64, directory: Key) -> Option<Hint> {
        let changed = self.directories.get(&directory).filter(|changed| changed.at > moment)?;
        let later = changed.files.iter().filter(|(at, _)| *at > moment);
        Some(Hint {
            entries: changed.entries > moment,
            files: (changed.unnamed <= moment)
                .then(|| later.map(|(_, file)| file.clone()).collect()),
        })
    }

    /// Forgets what nobody will ask for: everything until that moment.
    pub fn forget(&mut self, moment: u64) {
        self.directories.retain(|_, changed| {
            changed.files.retain(|(at, _)| *at > moment);
            changed.at > moment
        });
        let files = self.directories.values().flat_map(|changed| &changed.files);
        self.name_bytes = files.map(|(_, file)| file.name.to_bytes().len() + 1).sum();
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
        let closed = |names: &[&CStr]| {
            let file = |name: &&CStr| Changed { name: (*name).into(), follow: false };
            Some(Hint { entries: false, files: Some(names.iter().map(file).collect()) })
        };
        assert_eq!(journal.since(0, key), closed(&[c"a", c"b"]));
        assert_eq!(journal.since(2, key), closed(&[c"a"]));
        assert_eq!(journal.since(3, key), None);
        for n in 2..MOST_NAMES {
            let name = std::ffi::CString::new(format!("file {n}")).expect("no NUL");
            write(&mut journal, 1, &name);
        }
        let names = |journal: &Journal| Some(journal.since(0, key)?.files?.len());
        assert_eq!(names(&journal), Some(MOST_NAMES));
        let full = journal.now();
        write(&mut journal, 1, c"i");
        assert_eq!(names(&journal), None);
        assert_eq!(journal.since(full, key), Some(Hint { entries: false, files: None }));
        // Room again, once all know what was there.
        journal.forget(full);
        let before = journal.now();
        write(&mut journal, 1, c"j");
        assert_eq!(journal.since(before, key), closed(&[c"j"]));
    }

    #[test]
    fn what_is_made_is_followed_until_it_is_closed() {
        let mut journal = Journal::default();
        let directory = Key::of(1, &[2]);
        let mut tell = |name, what| {
            journal.take(&Event::In { directory, name: Some(name), what });
            journal.since(0, directory).expect("told")
        };
        let made = |follow| Hint {
            entries: true,
            files: Some(vec![Changed { name: c"new".into(), follow }]),
        };
        assert_eq!(tell(c"new", mask::CREATE), made(true));
        assert_eq!(tell(c"old", mask::DELETE), made(true));
        assert_eq!(tell(c"inner", mask::CREATE | mask::ONDIR), made(true));
        assert_eq!(tell(c"new", mask::CLOSE_WRITE), made(false));
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
        // Names as long as they can be, in as many directories as it takes.
        let long = std::ffi::CString::new(vec![b'n'; 255]).expect("no NUL");
        for n in 0..10_000_u32 {
            let directory = Key::of(1, &n.to_ne_bytes());
            let what = mask::CLOSE_WRITE;
            journal.take(&Event::In { directory, name: Some(&long), what });
        }
        assert_eq!(journal.len(), 10_000);
        assert_eq!(journal.name_bytes, MOST_NAME_BYTES);
        assert_eq!(
            journal.since(0, Key::of(1, &9999_u32.to_ne_bytes())),
            Some(Hint { entries: false, files: None })
        );
        journal.forget(journal.now() - 1);
        assert_eq!((journal.len(), journal.name_bytes), (1, 0));
    }
}
