//! What was made of files, as long as they stay as they were.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file that changed so shortly before it was read may change again without showing it: times
/// of files go in steps.
const SETTLED: Duration = Duration::from_secs(2);

/// Device, inode, size, and times of content and inode in nanoseconds. `None`: it is not there.
type Stamp = Option<(u64, u64, u64, i128, i128)>;

/// A value, and the files it was made from.
pub(super) struct Kept<T> {
    files: Vec<(PathBuf, Stamp)>,
    read_at: SystemTime,
    /// What was made.
    pub(super) value: T,
}

impl<T> Kept<T> {
    /// Makes a value from these files.
    pub(super) fn make(files: Vec<PathBuf>, make: impl FnOnce() -> T) -> Self {
        let read_at = SystemTime::now();
        // Before they are read: a change meanwhile is seen the next time.
        let files = files.into_iter().map(|path| (path.clone(), stamp(&path))).collect();
        Self { files, read_at, value: make() }
    }

    /// Whether the files are as they were.
    pub(super) fn is_current(&self) -> bool {
        let read_at = self.read_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let settled = read_at.saturating_sub(SETTLED).as_nanos() as i128;
        self.files.iter().all(|(path, then)| {
            let changed = then.map(|(.., changed)| changed);
            stamp(path) == *then && changed.is_none_or(|changed| changed < settled)
        })
    }
}

fn stamp(path: &PathBuf) -> Stamp {
    let of = std::fs::metadata(path).ok()?;
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let modified = nanoseconds(of.mtime(), of.mtime_nsec());
    let changed = nanoseconds(of.ctime(), of.ctime_nsec());
    Some((of.dev(), of.ino(), of.size(), modified, changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_just_now_is_read_again_and_one_that_is_settled_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let kept = || Kept::make(vec![path.clone()], || std::fs::read(&path).ok());
        let missing = kept();
        assert!(missing.is_current());
        std::fs::write(&path, "a").unwrap();
        assert!(!missing.is_current());
        let fresh = kept();
        assert!(!fresh.is_current(), "it may have changed again");
        let mut settled = kept();
        settled.read_at += Duration::from_secs(10);
        assert!(settled.is_current());
        std::fs::write(&path, "b").unwrap();
        assert!(!settled.is_current());
        std::fs::remove_file(&path).unwrap();
        assert!(!settled.is_current());
    }
}
