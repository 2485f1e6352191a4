//! The mount table, kept: read again only when the kernel says that it changed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

use super::MountTable;

/// A table that is not in a proc filesystem (a test, a copy) cannot tell that it changed.
const PLAIN_FILE_AGE: Duration = Duration::from_secs(1);
/// Where it can tell, it is read again now and then all the same.
const PROC_AGE: Duration = Duration::from_secs(60);
/// Where mounts come and go without end, at most a twentieth of the time goes into reading them.
const REST_FACTOR: u32 = 20;

pub(super) struct TableCache {
    path: PathBuf,
    source: Option<Source>,
    table: Arc<MountTable>,
    read_at: Option<Instant>,
    cost: Duration,
    changed: bool,
    pub(super) error: Option<String>,
}

struct Source {
    file: File,
    in_proc: bool,
}

impl TableCache {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            source: None,
            table: Arc::default(),
            read_at: None,
            cost: Duration::ZERO,
            changed: true,
            error: None,
        }
    }

    /// The table as it is now. When it cannot be read, the last one (or an empty one) and `error`.
    pub(super) fn get(&mut self) -> Arc<MountTable> {
        let age = self.read_at.map(|at| at.elapsed());
        let limit = match &self.source {
            Some(source) if source.in_proc => PROC_AGE,
            _ => PLAIN_FILE_AGE,
        };
        self.changed |= self.source.as_ref().is_some_and(Source::changed);
        let due = match age {
            None => true,
            Some(age) => age >= limit || (self.changed && age >= self.cost * REST_FACTOR),
        };
        if due {
            let started = Instant::now();
            self.changed = false;
            match self.read() {
                Ok(text) => {
                    self.table = Arc::new(MountTable::parse(&text));
                    self.error = None;
                }
                Err(error) => {
                    self.source = None;
                    self.error = Some(format!("read {}: {error}", self.path.display()));
                }
            }
            self.cost = started.elapsed();
            self.read_at = Some(Instant::now());
        }
        Arc::clone(&self.table)
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        // Proc gives events to the descriptor that was there before; a plain file may be replaced.
        let source = match self.source.take() {
            Some(source) if source.in_proc => source,
            _ => {
                let file = File::open(&self.path)?;
                let in_proc = fstatfs(&file)?.f_type == PROC_SUPER_MAGIC;
                Source { file, in_proc }
            }
        };
        let source = self.source.insert(source);
        let mut text = Vec::new();
        source.file.rewind()?;
        source.file.read_to_end(&mut text)?;
        Ok(text)
    }
}

impl Source {
    /// `poll(2)` on mountinfo reports a change as an exceptional condition, once.
    fn changed(&self) -> bool {
        if !self.in_proc {
            return false;
        }
        let mut fds = [PollFd::new(&self.file, PollFlags::PRI)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut fds, Some(&now)) {
            Ok(_) => fds[0].revents().intersects(PollFlags::PRI | PollFlags::ERR),
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_real_table_is_read_once() {
        let mut cache = TableCache::new("/proc/self/mountinfo".into());
        let first = cache.get();
        assert!(first.at(Path::new("/")).is_some());
        assert!(cache.source.as_ref().is_some_and(|source| source.in_proc));
        assert!(cache.error.is_none());
    }

    #[test]
    fn a_plain_file_is_read_again_after_a_second() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("mountinfo");
        std::fs::write(&path, "1 0 8:0 / / rw - ext4 d rw\n").expect("written");
        let mut cache = TableCache::new(path.clone());
        assert_eq!(cache.get().entries.len(), 1);
        std::fs::write(&path, "").expect("written");
        assert_eq!(cache.get().entries.len(), 1);
        cache.read_at = Instant::now().checked_sub(Duration::from_secs(2));
        assert_eq!(cache.get().entries.len(), 0);
    }

    #[test]
    fn a_missing_file_is_an_error_and_the_last_table_stays() {
        let mut cache = TableCache::new("/nonexistent/mountinfo".into());
        assert_eq!(cache.get().entries.len(), 0);
        let error = cache.error.expect("says so");
        assert!(error.contains("/nonexistent/mountinfo"), "{error}");
    }
}
