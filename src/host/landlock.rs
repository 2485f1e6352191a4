//! Landlock: what this process and all it starts may open from now on (`landlock(7)`).
//!
//! A rule names a file or a directory by its inode, with all that is below it, and whatever is
//! mounted below it, then or later. What lies under a mount point is not reached through a rule for
//! that mount point's directory, and a rule goes with its inode: a directory that was removed and
//! made anew, or unmounted and mounted again, is another one. Looking at what is there (`stat`),
//! following links and asking for free space are never bounded; opening is. Nothing can be taken
//! back, and no rule added.
//!
//! Beyond files: processes outside these bounds cannot be looked into (`/proc/PID/fd`, `maps`,
//! `root`, `cwd`, `environ`), whatever the capability.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use ::landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{FileType, fstat};

use super::sys;

/// The newest set of rights that was tested; a newer kernel offers more, which stay unbounded.
const NEWEST: ABI = ABI::V7;

/// What may be done with what a rule names, and all below it. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// Directories are listed.
    List,
    /// Files are read, too.
    Read,
    /// Files are made, written, renamed within their directory and removed, too.
    Write,
}

impl Access {
    fn rights(self, directory: bool) -> BitFlags<AccessFs> {
        let list = BitFlags::from(AccessFs::ReadDir);
        let write = AccessFs::WriteFile | AccessFs::Truncate;
        match (self, directory) {
            (Self::List, _) => list,
            (Self::Read, true) => list | AccessFs::ReadFile,
            (Self::Read, false) => AccessFs::ReadFile.into(),
            (Self::Write, true) => {
                list | AccessFs::ReadFile | write | AccessFs::MakeReg | AccessFs::RemoveFile
            }
            (Self::Write, false) => write | AccessFs::ReadFile,
        }
    }
}

/// Version of Landlock in this kernel. `ENOSYS`: it has none. `EOPNOTSUPP`: it is off. `EPERM`: a
/// filter of system calls takes it away.
pub fn abi() -> io::Result<u32> {
    sys::landlock_abi()
}

/// Why there is none, for a person.
pub fn why_not(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has none (it came with Linux 5.13)".into(),
        Some(libc::EOPNOTSUPP) => "it is off: boot with landlock in the list lsm=".into(),
        Some(libc::EPERM) => "a filter of system calls denies landlock_create_ruleset".into(),
        _ => error.to_string(),
    }
}

/// What a rule may name: open, so that it is this file or directory and no other.
#[derive(Debug)]
pub struct Place {
    /// Where it was opened.
    pub path: PathBuf,
    /// Device and inode.
    pub inode: (u64, u64),
    /// It is a directory.
    pub directory: bool,
    fd: PathFd,
}

impl Place {
    /// Opens a path, links followed, without reading anything (`O_PATH`). May hang as its
    /// filesystem does.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = PathFd::new(path).map_err(|error| match error {
            ::landlock::PathFdError::OpenCall { source, .. } => source,
            other => io::Error::other(other.to_string()),
        })?;
        let stat = fstat(fd.as_fd())?;
        let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        Ok(Self { path: path.into(), inode: (stat.st_dev, stat.st_ino), directory, fd })
    }
}

/// What is left open.
#[derive(Debug, Default)]
pub struct Bounds {
    /// Files and directories.
    pub places: Vec<(Place, Access)>,
    /// Directories may be listed wherever they are. As a rule for the root would say, but the
    /// kernel then has nothing to look up for each directory that is opened.
    pub list_anywhere: bool,
    /// TCP ports that may be listened on, 0 for any that the kernel chooses (Linux 6.7). Connecting
    /// is not bounded.
    pub ports: Vec<u16>,
    /// Abstract Unix sockets of others may be connected to.
    pub abstract_sockets: bool,
}

/// Bounds the calling thread, and those it starts from now on, for good.
///
/// Returns whether the kernel holds it to all that was asked for; an older one knows fewer rights.
///
/// # Errors
/// When nothing is bounded.
pub fn restrict(bounds: Bounds) -> Result<bool, RulesetError> {
    let mut handled = AccessFs::from_all(NEWEST);
    if bounds.list_anywhere {
        handled.remove(AccessFs::ReadDir);
    }
    let mut rules = Ruleset::default().handle_access(handled)?.handle_access(AccessNet::BindTcp)?;
    if !bounds.abstract_sockets {
        rules = rules.scope(Scope::AbstractUnixSocket)?;
    }
    let mut rules = rules.create()?;
    for (place, access) in &bounds.places {
        let rights = access.rights(place.directory) & handled;
        if !rights.is_empty() && (place.directory || *access != Access::List) {
            rules = rules.add_rule(PathBeneath::new(place.fd.as_fd(), rights))?;
        }
    }
    for port in bounds.ports {
        rules = rules.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
    }
    match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Ok(true),
        RulesetStatus::PartiallyEnforced => Ok(false),
        RulesetStatus::NotEnforced => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_access_includes_those_before_it() {
        for directory in [true, false] {
            let [list, read, write] =
                [Access::List, Access::Read, Access::Write].map(|access| access.rights(directory));
            assert!(read.contains(list) || !directory);
            assert!(write.contains(read));
            assert!(!write.contains(AccessFs::Execute) && !write.contains(AccessFs::MakeSym));
        }
        assert!(!Access::List.rights(true).contains(AccessFs::ReadFile));
        assert!(Access::List < Access::Read && Access::Read < Access::Write);
    }

    #[test]
    fn places_are_told_by_their_inode() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::open(dir.path()).unwrap();
        assert!(place.directory);
        std::fs::write(dir.path().join("file"), "x").unwrap();
        let file = Place::open(&dir.path().join("file")).unwrap();
        assert!(!file.directory && file.inode != place.inode);
        let gone = Place::open(&dir.path().join("none")).unwrap_err();
        assert_eq!(gone.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn what_is_missing_is_said() {
        let why = |errno| why_not(&io::Error::from_raw_os_error(errno));
        assert!(why(libc::ENOSYS).contains("5.13"));
        assert!(why(libc::EOPNOTSUPP).contains("lsm="));
        assert!(why(libc::EPERM).contains("filter"));
    }
}
