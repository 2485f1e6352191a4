//! Giving an empty directory a project of its own, so that the kernel counts what it will hold.
//!
//! The one thing that Plimsoll ever writes to a volume, and only where `usage.assign_project_ids`
//! asks for it: the project id and the flag that hands it down, on the directory itself, and never a
//! limit. A directory that has an id, or anything in it, is left alone. Nothing is remembered:
//! after a restart the id is found on the directory, and which ids are in use the kernel knows.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{RawDir, fstat};
use rustix::io::Errno;
use thiserror::Error;

use super::super::pass::resolve;
use super::{NoRecord, attributes, counts_projects, directory, read_quota};
use crate::host::sys::{self, ProjectAttributes, ProjectQuota};
use crate::host::{Guard, GuardError, MountEntry};

/// Ids that are looked at for one directory before it is left for the next round.
const TRIES: usize = 100_000;

/// Inclusive ranges of project ids to choose from, and to leave alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdRules {
    /// First and last id that may be given.
    pub range: (u32, u32),
    /// What others give ids from.
    pub reserved: Vec<(u32, u32)>,
}

impl IdRules {
    /// The ids that may be given, in order, from `from` on. 0 means no project and is never one.
    fn ids(&self, from: u32) -> impl Iterator<Item = u32> {
        let (first, last) = self.range;
        let free = |id: &u32| !self.reserved.iter().any(|(low, high)| (low..=high).contains(&id));
        (from.max(first).max(1)..=last).filter(free)
    }

    /// Whether there is any id to give.
    pub fn any(&self) -> bool {
        self.ids(0).next().is_some()
    }
}

/// What became of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// It has this id now.
    Given(u32),
    /// It had this id already, or hands none down.
    Tagged(u32),
    /// There is something in it, or there was before the id was in force.
    NotEmpty,
}

/// Why a directory got no id.
#[derive(Debug, Error)]
pub enum NotAssigned {
    /// It could not be looked at.
    #[error(transparent)]
    Unread(#[from] NoRecord),
    /// A call failed.
    #[error("{op} {}: {source}", path.display())]
    Io {
        /// What was called.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No id of the range is free.
    #[error("{}: no project id is free from {from} on", path.display())]
    NoneFree {
        /// The directory that got none.
        path: PathBuf,
        /// Where the search began.
        from: u32,
    },
}

impl NotAssigned {
    /// The error number below it, if there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Io { source, .. } | Self::Unread(NoRecord::Io { source, .. }) => {
                source.raw_os_error()
            }
            _ => None,
        }
    }
}

/// A directory, and what is needed to ask for quotas there.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    device: PathBuf,
}

impl Place {
    /// For a directory (its path as this process sees it) on a filesystem that counts projects;
    /// `None`: it does not, or the directory is where a filesystem is mounted. Symbolic links on the
    /// way to it are followed; one in its place is not, and is no directory.
    pub fn find(guard: &Guard, path: &Path) -> Result<Option<Self>, GuardError> {
        let path = resolve(guard, path)?;
        let (table, on_host) = (guard.table(), guard.on_host(&path));
        let counted =
            |mount: &&MountEntry| counts_projects(mount).is_some() && mount.mount_point != on_host;
        Ok(table.containing(&on_host).filter(counted).map(|mount| Self {
            device: guard.roots().inside(Path::new(&mount.source)),
            path: path.clone(),
        }))
    }

    /// The directory, its path resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the directory the first free id, from `from` on. To be called on a guarded thread.
    pub fn assign(&self, rules: &IdRules, from: u32) -> Result<Assigned, NotAssigned> {
        let dir = directory(&self.path)?;
        let before = attributes(&dir, &self.path)?;
        if before.id != 0 || before.inherit {
            return Ok(Assigned::Tagged(before.id));
        }
        if !self.empty(&dir)? {
            return Ok(Assigned::NotEmpty);
        }
        for id in rules.ids(from).take(TRIES) {
            if !self.free(&dir, id)? {
                continue;
            }
            self.set(&dir, ProjectAttributes { id, inherit: true })?;
            // What came in between has no id and would be missing from the count for ever. And
            // should another program have given the same id just now, neither may keep it.
            let empty = self.empty(&dir)?;
            let alone = empty && self.record(&dir, id)?.is_some_and(|quota| quota.inodes <= 1);
            if alone {
                return Ok(Assigned::Given(id));
            }
            self.set(&dir, before)?;
            if !empty {
                return Ok(Assigned::NotEmpty);
            }
        }
        Err(NotAssigned::NoneFree { path: self.path.clone(), from })
    }

    fn set(&self, dir: &OwnedFd, project: ProjectAttributes) -> Result<(), NotAssigned> {
        sys::set_project_attributes(dir.as_fd(), project)
            .map_err(|source| self.failed("FS_IOC_FSSETXATTR", source))
    }

    /// Nobody's: the kernel has no record of it, or one of nothing.
    fn free(&self, dir: &OwnedFd, id: u32) -> Result<bool, NotAssigned> {
        let record = self.record(dir, id)?;
        Ok(record.is_none_or(|quota| quota == ProjectQuota::default()))
    }

    fn record(&self, dir: &OwnedFd, id: u32) -> Result<Option<ProjectQuota>, NotAssigned> {
        match read_quota(dir, &self.device, id) {
            Ok(quota) => Ok(Some(quota)),
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => Ok(None),
            Err(error) => Err(self.failed("quotactl", error)),
        }
    }

    fn empty(&self, dir: &OwnedFd) -> Result<bool, NotAssigned> {
        // A descriptor of its own: one that was read to its end says nothing the second time.
        let again = directory(&self.path)?;
        let same = |fd: &OwnedFd| fstat(fd).map(|stat| (stat.st_dev, stat.st_ino));
        if same(&again).map_err(|e| self.failed("fstat", e.into()))?
            != same(dir).map_err(|e| self.failed("fstat", e.into()))?
        {
            // Another directory is there now.
            return Ok(false);
        }
        let mut buffer = Vec::with_capacity(4096);
        let mut entries = RawDir::new(again, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                Ok(_) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed("getdents64", errno.into())),
            }
        }
        Ok(true)
    }

    fn failed(&self, op: &'static str, source: io::Error) -> NotAssigned {
        NotAssigned::Io { op, path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_others_are_left_out() {
        let rules = IdRules { range: (8, 14), reserved: vec![(1, 9), (12, 12)] };
        assert_eq!(rules.ids(0).collect::<Vec<_>>(), [10, 11, 13, 14]);
        assert_eq!(rules.ids(11).collect::<Vec<_>>(), [11, 13, 14]);
        let none = IdRules { range: (5000, 6000), reserved: vec![(5000, 10_000)] };
        assert!(!none.any());
        let zero = IdRules { range: (0, 1), reserved: Vec::new() };
        assert_eq!(zero.ids(0).collect::<Vec<_>>(), [1]);
        let last = IdRules { range: (u32::MAX, u32::MAX), reserved: Vec::new() };
        assert_eq!(last.ids(0).collect::<Vec<_>>(), [u32::MAX]);
    }

    #[test]
    fn what_is_not_empty_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = Place { path: dir.path().into(), device: "/dev/none".into() };
        let fd = directory(dir.path()).expect("opens");
        assert!(place.empty(&fd).expect("read"));
        std::fs::write(dir.path().join("file"), "x").expect("written");
        assert!(!place.empty(&fd).expect("read"));
        let rules = IdRules { range: (8, 14), reserved: Vec::new() };
        match place.assign(&rules, 0) {
            Ok(Assigned::NotEmpty) => {}
            // A filesystem without such attributes.
            Err(NotAssigned::Unread(_)) => {}
            other => panic!("{other:?}"),
        }
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/", &link).expect("a link");
        let place = Place { path: link, ..place };
        assert!(place.assign(&rules, 0).is_err(), "a link is not followed");
    }
}
