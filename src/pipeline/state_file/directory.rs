//! The directory that holds the state file, and how the file is replaced.
//!
//! The directory is ours alone: `state`, beside it `state.tmp` while one is written, `lock`, and
//! at most one file each that was put aside, `state.corrupt` and `state.newer`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use super::format::{self, Damage, MAX_BYTES, Sections};

/// Why the state cannot be kept.
#[derive(Debug, Error)]
pub enum StateError {
    /// A system call failed.
    #[error("{op} {}: {source}", path.display())]
    Io {
        /// What was tried.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another daemon has it.
    #[error("{}: another Plimsoll keeps its state there", .0.display())]
    Locked(PathBuf),
    /// There would be too much.
    #[error("the state is {0} bytes long, more than the {MAX_BYTES} that are kept")]
    TooLarge(u64),
}

/// A locked state directory. The lock goes with the value, or with the process.
#[derive(Debug)]
pub struct StateDir {
    dir: PathBuf,
    lock: File,
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // Closing is not enough: a child that this process has just forked shares the lock until it
        // runs its program (`flock(2)`).
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

/// What a state directory held.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Sections of the file; none when there is no file yet.
    pub sections: Sections,
    /// Why history starts anew although there was a file, and where that is now.
    pub started_anew: Option<String>,
}

fn failed(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { op, path, source }
}

/// What the file of that path holds; `None`: there is none. Takes no lock and changes nothing: the
/// file is replaced whole, so whoever reads it sees one of its states.
pub(super) fn read(path: &Path) -> Result<Option<Result<Sections, Damage>>, StateError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(Some(match bytes.len() as u64 > MAX_BYTES {
        true => Err(Damage::Corrupt("it is too long")),
        false => format::decode(&bytes),
    }))
}

impl StateDir {
    /// Locks the directory and reads the file in it. A file that cannot be used is put aside.
    ///
    /// # Errors
    /// When the directory is not there, is locked by another process, or cannot be read or
    /// written. The file stays as it is then.
    pub fn open(dir: &Path) -> Result<(Self, Loaded), StateError> {
        let path = dir.join("lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&path).map_err(failed("open", &path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StateError::Locked(dir.to_owned())),
            Err(errno) => return Err(failed("lock", &path)(errno.into())),
        }
        let state = Self { dir: dir.to_owned(), lock };
        let loaded = state.load()?;
        Ok((state, loaded))
    }

    fn load(&self) -> Result<Loaded, StateError> {
        let path = self.dir.join("state");
        let damage = match read(&path)? {
            None => return Ok(Loaded::default()),
            Some(Ok(sections)) => return Ok(Loaded { sections, started_anew: None }),
            Some(Err(damage)) => damage,
        };
        let aside = self.dir.join(match damage {
            Damage::Corrupt(_) => "state.corrupt",
            Damage::Newer(_) => "state.newer",
        });
        fs::rename(&path, &aside).map_err(failed("put aside", &path))?;
        let (path, aside) = (path.display(), aside.display());
        let why = format!("{path}: {damage}. History starts anew; the file is kept as {aside}");
        Ok(Loaded { sections: Sections::new(), started_anew: Some(why) })
    }

    /// Replaces the file: at every moment there is the old one or the new one, whole. Blocks
    /// until the new one is on the disk.
    ///
    /// # Errors
    /// When a step fails (a full disk): the old file stays.
    pub fn write(&self, sections: &Sections) -> Result<(), StateError> {
        let bytes = format::encode(sections);
        if bytes.len() as u64 > MAX_BYTES {
            return Err(StateError::TooLarge(bytes.len() as u64));
        }
        let temporary = self.dir.join("state.tmp");
        let written = self.write_temporary(&temporary, &bytes);
        if written.is_err() {
            // What a full disk took of it is given back; that it may fail, too, changes nothing.
            let _ = fs::remove_file(&temporary);
            return written;
        }
        let path = self.dir.join("state");
        fs::rename(&temporary, &path).map_err(failed("replace", &path))?;
        let dir = File::open(&self.dir).map_err(failed("open", &self.dir))?;
        dir.sync_all().map_err(failed("sync", &self.dir))
    }

    fn write_temporary(&self, path: &Path, bytes: &[u8]) -> Result<(), StateError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(path).map_err(failed("create", path))?;
        file.write_all(bytes).map_err(failed("write", path))?;
        file.sync_all().map_err(failed("sync", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_a_fork_shares_goes_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (state, _) = StateDir::open(dir.path()).unwrap();
        let shared = state.lock.try_clone().unwrap();
        assert!(matches!(StateDir::open(dir.path()), Err(StateError::Locked(_))));
        drop(state);
        assert!(StateDir::open(dir.path()).is_ok());
        drop(shared);
    }
}
