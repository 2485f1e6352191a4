//! Notices new sandboxes and volumes at once.
//!
//! inotify, by the `notify` crate, on the few directories where they appear (`runs/`,
//! `volumes/roles/<role>/`, `meta/resources/`, …), never on what lies inside a sandbox or volume.
//! A wake-up only says "look again": the listing that follows is the truth, and a periodic listing
//! is the net below it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::ModifyKind;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// A set of watched directories.
pub struct DirectoryWatch {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    added: usize,
    /// Paths that were removed or moved away: an inotify watch goes with its directory, so one made
    /// anew under the same name must be watched anew.
    gone: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// A directory that could not be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {path}: {reason}")]
pub struct WatchError {
    /// The directory.
    pub path: PathBuf,
    /// Why, in words; the kernel's limits are named.
    pub reason: String,
}

impl DirectoryWatch {
    /// Starts with nothing watched. `wake` is called on another thread for each change.
    ///
    /// # Errors
    /// When the kernel gives no inotify instance (`fs.inotify.max_user_instances`).
    pub fn new(wake: impl Fn() + Send + 'static) -> Result<Self, WatchError> {
        let gone: Arc<Mutex<BTreeSet<PathBuf>>> = Arc::default();
        let lost = Arc::clone(&gone);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = &event
                && matters(&event.kind)
                && !event.kind.is_create()
            {
                let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
                lost.extend(event.paths.iter().cloned());
            }
            // An error (a lost queue) is a reason to look again, too.
            if event.map_or(true, |event| matters(&event.kind)) {
                wake();
            }
        })
        .map_err(|error| WatchError { path: PathBuf::new(), reason: words(&error) })?;
        Ok(Self { watcher, watched: BTreeSet::new(), added: 0, gone })
    }

    /// Makes `wanted` the set of watched directories. Returns what could not be watched; a
    /// directory that is gone by now is no error.
    ///
    /// Blocks on each new directory as `inotify_add_watch` does: call it for mounts that answer.
    pub fn set(&mut self, wanted: &BTreeSet<PathBuf>) -> Vec<WatchError> {
        let gone = std::mem::take(&mut *self.gone.lock().unwrap_or_else(PoisonError::into_inner));
        for path in gone {
            if self.watched.remove(&path) {
                // Fails when the watch went with its directory.
                let _ = self.watcher.unwatch(&path);
            }
        }
        let stale: Vec<PathBuf> = self.watched.difference(wanted).cloned().collect();
        for path in stale {
            // Fails when the directory is gone, and the watch with it.
            let _ = self.watcher.unwatch(&path);
            self.watched.remove(&path);
        }
        let fresh: Vec<PathBuf> = wanted.difference(&self.watched).cloned().collect();
        let mut errors = Vec::new();
        self.added = 0;
        for path in fresh {
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path);
                    self.added += 1;
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => errors.push(WatchError { path, reason: words(&error) }),
            }
        }
        errors
    }

    /// How many directories the last [`set`](Self::set) began to watch, those made anew included.
    pub fn added(&self) -> usize {
        self.added
    }

    /// How many directories are watched.
    pub fn len(&self) -> usize {
        self.watched.len()
    }

    /// Nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }
}

fn matters(kind: &EventKind) -> bool {
    match kind {
        EventKind::Create(_) | EventKind::Remove(_) => true,
        EventKind::Modify(ModifyKind::Name(_)) => true,
        // Checkpoints are written aside and renamed; our own listings only open and read.
        EventKind::Modify(_) | EventKind::Access(_) => false,
        EventKind::Any | EventKind::Other => true,
    }
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn words(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the kernel's limit is reached: raise the sysctl fs.inotify.max_user_watches".into()
        }
        notify::ErrorKind::Io(error) if error.raw_os_error() == Some(libc::EMFILE) => {
            "the kernel's limit is reached: raise the sysctl fs.inotify.max_user_instances".into()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_new_directory_wakes_and_reading_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (sender, receiver) = mpsc::channel();
        let mut watch = DirectoryWatch::new(move || {
            let _ = sender.send(());
        })
        .unwrap();
        let wanted = BTreeSet::from([dir.path().to_path_buf(), dir.path().join("not-there")]);
        assert!(watch.set(&wanted).is_empty());
        assert_eq!(watch.len(), 1);

        std::fs::read_dir(dir.path()).unwrap().count();
        assert!(receiver.recv_timeout(Duration::from_millis(200)).is_err());
        std::fs::create_dir(dir.path().join("new")).unwrap();
        receiver.recv_timeout(Duration::from_secs(5)).expect("woken by a new directory");

        watch.set(&BTreeSet::new());
        assert!(watch.is_empty());
    }

    #[test]
    fn a_directory_made_anew_under_the_same_name_is_watched_anew() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("role");
        std::fs::create_dir(&inner).unwrap();
        let (sender, receiver) = mpsc::channel();
        let mut watch = DirectoryWatch::new(move || {
            let _ = sender.send(());
        })
        .unwrap();
        let wanted = BTreeSet::from([dir.path().to_path_buf(), inner.clone()]);
        assert!(watch.set(&wanted).is_empty());
        std::fs::remove_dir(&inner).unwrap();
        std::fs::create_dir(&inner).unwrap();
        let quiet = |limit| while receiver.recv_timeout(limit).is_ok() {};
        quiet(Duration::from_millis(300));
        assert!(watch.set(&wanted).is_empty());
        assert_eq!((watch.len(), watch.added()), (2, 1));
        quiet(Duration::from_millis(300));
        std::fs::create_dir(inner.join("volume")).unwrap();
        receiver.recv_timeout(Duration::from_secs(5)).expect("woken by what is in the new one");
    }
}
