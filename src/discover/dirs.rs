//! Reading a tree that others write to: every step relative to the descriptor of a directory, no
//! symbolic link followed, every listing and every file bounded.
//!
//! Only the root is reached by path, because operators do put a work directory behind a link;
//! [`resolve`] follows those links below `--path.rootfs`.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use crate::host::Roots;
use crate::model::{SourceError, Timestamp};

/// Entries looked at in one directory, at most. A directory with more is an error.
pub const MAX_ENTRIES: usize = 1_000_000;

/// Links followed when the root itself is looked up (the kernel's own bound).
const MAX_LINKS: usize = 40;

/// A file or directory that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {path:?}: {cause}")]
pub struct DirError {
    /// What was tried.
    pub operation: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub cause: Cause,
}

/// Why a file or directory could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The kernel refused.
    #[error("{0}")]
    Errno(#[from] Errno),
    /// Something else than what belongs there: a link, a pipe, …
    #[error("{0}")]
    Odd(&'static str),
    /// More than the bound, in entries or bytes.
    #[error("more than {limit} {unit}")]
    TooLarge {
        /// The bound.
        limit: usize,
        /// `entries` or `bytes`.
        unit: &'static str,
    },
    /// A filesystem is mounted there that is not to be touched, because it does not answer.
    #[error("the filesystem mounted there does not answer")]
    Unresponsive,
}

impl DirError {
    /// The system's part of it.
    pub fn into_io(self) -> io::Error {
        match self.cause {
            Cause::Errno(errno) => errno.into(),
            other => io::Error::other(other.to_string()),
        }
    }

    /// It is not there (any more), which is normal in a live tree.
    pub fn gone(&self) -> bool {
        matches!(&self.cause, Cause::Errno(Errno::NOENT | Errno::SRCH | Errno::NODEV))
    }

    /// The same as the error of a source.
    pub fn to_source_error(&self) -> SourceError {
        let (reason, hint) = match &self.cause {
            Cause::Errno(Errno::NOENT | Errno::SRCH | Errno::NODEV) => {
                ("missing", "check that the path is right and its filesystem mounted")
            }
            Cause::Errno(Errno::ACCESS | Errno::PERM) => {
                ("permission", "run as root, or with CAP_DAC_READ_SEARCH")
            }
            Cause::Errno(Errno::NOTDIR | Errno::LOOP) | Cause::Odd(_) => (
                "malformed",
                "links below a watched directory are not followed: put the real thing there, or \
                 bind-mount it",
            ),
            Cause::Unresponsive => (
                "unresponsive",
                "see `mount` and `dmesg` on the host; it is looked at again when it answers",
            ),
            Cause::TooLarge { .. } => ("too_large", "find out who filled it, and clean it up"),
            Cause::Errno(_) => ("io", "look at the kernel's log for errors of that filesystem"),
        };
        SourceError { reason, message: self.to_string(), hint: hint.to_owned() }
    }
}

/// A directory seen, with what its inode tells.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenDir {
    /// Where.
    pub path: PathBuf,
    /// `stx_btime` where the filesystem keeps it.
    pub born: Option<Timestamp>,
    /// `stx_mtime`.
    pub modified: Timestamp,
    /// Device (major, minor) and inode.
    pub inode: (u32, u32, u64),
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

/// Names in a directory, sorted; everything that is neither is left out.
#[derive(Debug, Default)]
pub struct Names {
    /// Directories.
    pub directories: Vec<OsString>,
    /// Symbolic links.
    pub links: Vec<OsString>,
}

/// Mount points, as this process sees them, that must not be touched: a look-up there would hang.
pub type Avoid = std::sync::Arc<std::collections::BTreeSet<PathBuf>>;

/// An open directory.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    avoid: Avoid,
}

const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a root; the only place where links are followed.
    pub fn open_root(path: &Path) -> Result<Self, DirError> {
        Self::open_root_avoiding(path, &Avoid::default())
    }

    /// The same; in it and below it no path of `avoid` is touched.
    pub fn open_root_avoiding(path: &Path, avoid: &Avoid) -> Result<Self, DirError> {
        let fd = rustix::fs::openat(CWD, path, OPEN_DIR, Mode::empty())
            .map_err(|errno| failed("open directory", path.to_owned(), errno))?;
        Ok(Self { fd, path: path.to_owned(), avoid: avoid.clone() })
    }

    /// Opens a directory in this one.
    pub fn child(&self, name: &OsStr) -> Result<Self, DirError> {
        self.may_touch("open directory", name)?;
        let path = self.path.join(name);
        match rustix::fs::openat(&self.fd, name, OPEN_DIR | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path, avoid: self.avoid.clone() }),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(DirError {
                operation: "open directory",
                path,
                cause: Cause::Odd("a symbolic link or a file, where a directory belongs"),
            }),
            Err(errno) => Err(failed("open directory", path, errno)),
        }
    }

    /// Opens a directory some levels below this one; absent when one of them is not there.
    pub fn below(&self, names: &[&str]) -> Result<Option<Self>, DirError> {
        let mut reached: Option<Self> = None;
        for name in names {
            match present(reached.as_ref().unwrap_or(self).child(OsStr::new(name)))? {
                Some(next) => reached = Some(next),
                None => return Ok(None),
            }
        }
        Ok(reached)
    }

    /// Nothing in it may be touched under that name.
    pub fn avoids(&self, name: &OsStr) -> bool {
        !self.avoid.is_empty() && self.avoid.contains(&self.path.join(name))
    }

    fn may_touch(&self, operation: &'static str, name: &OsStr) -> Result<(), DirError> {
        if self.avoids(name) {
            let path = self.path.join(name);
            return Err(DirError { operation, path, cause: Cause::Unresponsive });
        }
        Ok(())
    }

    /// Path under which it was opened, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shows each entry (but `.` and `..`) until told to stop.
    pub fn scan(
        &self,
        mut show: impl FnMut(&OsStr, Kind) -> ControlFlow<()>,
    ) -> Result<(), DirError> {
        let fail = |errno| failed("list directory", self.path.clone(), errno);
        let mut listed = 0;
        for entry in Dir::read_from(&self.fd).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            listed += 1;
            if listed > MAX_ENTRIES {
                let cause = Cause::TooLarge { limit: MAX_ENTRIES, unit: "entries" };
                return Err(DirError {
                    operation: "list directory",
                    path: self.path.clone(),
                    cause,
                });
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match present(self.stat(name))? {
                    Some(stat) => FileType::from_raw_mode(stat.stx_mode.into()),
                    None => continue,
                },
                known => known,
            };
            let kind = match kind {
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            };
            if show(name, kind).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Names of the directories and links in it.
    pub fn names(&self) -> Result<Names, DirError> {
        let mut names = Names::default();
        self.scan(|name, kind| {
            match kind {
                Kind::Directory => names.directories.push(name.to_owned()),
                Kind::Link => names.links.push(name.to_owned()),
                Kind::Other => {}
            }
            ControlFlow::Continue(())
        })?;
        names.directories.sort();
        names.links.sort();
        Ok(names)
    }

    /// Whether it has an entry of that name, of whatever kind.
    pub fn has(&self, name: &str) -> Result<bool, DirError> {
        Ok(present(self.stat(OsStr::new(name)))?.is_some())
    }

    /// Reads a regular file of at most `limit` bytes.
    pub fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, DirError> {
        let path = self.path.join(name);
        // NONBLOCK: a pipe put there must not hold us.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(errno) => return Err(failed("open", path, errno)),
        };
        let stat = match rustix::fs::fstat(&fd) {
            Ok(stat) => stat,
            Err(errno) => return Err(failed("stat", path, errno)),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            let cause = Cause::Odd("not a regular file");
            return Err(DirError { operation: "read", path, cause });
        }
        let mut bytes = Vec::new();
        if let Err(error) = std::fs::File::from(fd).take(limit as u64 + 1).read_to_end(&mut bytes) {
            return Err(failed("read", path, errno_of(&error)));
        }
        if bytes.len() > limit {
            let cause = Cause::TooLarge { limit, unit: "bytes" };
            return Err(DirError { operation: "read", path, cause });
        }
        Ok(bytes)
    }

    /// Target of a symbolic link.
    pub fn read_link(&self, name: &OsStr) -> Result<PathBuf, DirError> {
        let target = rustix::fs::readlinkat(&self.fd, name, Vec::new())
            .map_err(|errno| failed("read link", self.path.join(name), errno))?;
        Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// What the inode of an entry tells, without opening it. `path` is what the fact will say.
    pub fn look(&self, name: &OsStr, path: PathBuf) -> Result<SeenDir, DirError> {
        Ok(seen(&self.stat(name)?, path))
    }

    /// What the inode of the directory itself tells. `path` is what the fact will say.
    pub fn look_at_self(&self, path: PathBuf) -> Result<SeenDir, DirError> {
        Ok(seen(&self.stat(OsStr::new("."))?, path))
    }

    /// Whether a filesystem is mounted exactly here. Kernels before 5.8 cannot tell a bind mount
    /// from the same filesystem: there the device number decides.
    pub fn is_mount_root(&self) -> Result<bool, DirError> {
        let own = self.stat(OsStr::new("."))?;
        if own.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
            return Ok(own.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
        }
        let above = self.stat(OsStr::new(".."))?;
        let device = |stat: &Statx| (stat.stx_dev_major, stat.stx_dev_minor);
        Ok(device(&own) != device(&above) || own.stx_ino == above.stx_ino)
    }

    fn stat(&self, name: &OsStr) -> Result<Statx, DirError> {
        self.may_touch("stat", name)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        rustix::fs::statx(&self.fd, name, flags, wanted)
            .map_err(|errno| failed("stat", self.path.join(name), errno))
    }
}

/// `Ok(None)` for what is not there, so that only true errors are left.
pub fn present<T>(result: Result<T, DirError>) -> Result<Option<T>, DirError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.gone() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The real path of a path of the host: its links followed as the host would follow them, even
/// when the host's root is only seen below `--path.rootfs`.
pub fn resolve(roots: &Roots, host_path: &Path) -> Result<PathBuf, DirError> {
    let mut real = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = parts(host_path).collect();
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&part);
        match rustix::fs::readlinkat(CWD, roots.inside(&next), Vec::new()) {
            Ok(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(failed("resolve", host_path.to_owned(), Errno::LOOP));
                }
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    real = PathBuf::from("/");
                }
                for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                    rest.push_front(part);
                }
            }
            // Not a link.
            Err(Errno::INVAL) => real = next,
            Err(errno) => return Err(failed("resolve", next, errno)),
        }
    }
    Ok(real)
}

/// Where a path of the host is reached from this process, its links followed as the host would.
///
/// Not the same as [`Roots::inside`] where a link is absolute: below a `--path.rootfs`,
/// `/var/run -> /run` would lead the kernel to our own `/run`.
pub fn reach(roots: &Roots, host_path: &Path) -> Result<PathBuf, DirError> {
    Ok(roots.inside(&resolve(roots, host_path)?))
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    })
}

fn seen(stat: &Statx, path: PathBuf) -> SeenDir {
    let seconds = |time: rustix::fs::StatxTimestamp| {
        time.tv_sec as f64 + f64::from(time.tv_nsec) / 1_000_000_000.0
    };
    let has_birth = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    SeenDir {
        path,
        born: has_birth.then(|| seconds(stat.stx_btime)),
        modified: seconds(stat.stx_mtime),
        inode: (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino),
    }
}

fn failed(operation: &'static str, path: PathBuf, errno: Errno) -> DirError {
    DirError { operation, path, cause: errno.into() }
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_below_the_root_of_the_host_and_nowhere_else() {
        let host = tempfile::tempdir().unwrap();
        let roots = Roots { rootfs: host.path().to_owned(), ..Roots::default() };
        std::fs::create_dir_all(host.path().join("data/mesos")).unwrap();
        std::fs::create_dir_all(host.path().join("var")).unwrap();
        symlink("/data", host.path().join("var/lib")).unwrap();
        symlink("../../etc/../data/mesos", host.path().join("data/again")).unwrap();
        let resolved = |path: &str| resolve(&roots, Path::new(path));
        assert_eq!(resolved("/var/lib/mesos").unwrap(), Path::new("/data/mesos"));
        assert_eq!(resolved("/").unwrap(), Path::new("/"));
        let reached = reach(&roots, Path::new("/var/lib/mesos")).unwrap();
        assert_eq!(reached, host.path().join("data/mesos"));
        // `..` above the root stays there, and a missing part says which.
        let missing = resolved("/data/again").unwrap_err();
        assert_eq!(missing.path, Path::new("/etc"));
        assert!(missing.gone());
    }

    #[test]
    fn a_loop_of_links_ends() {
        let host = tempfile::tempdir().unwrap();
        let roots = Roots { rootfs: host.path().to_owned(), ..Roots::default() };
        symlink("/b", host.path().join("a")).unwrap();
        symlink("/a", host.path().join("b")).unwrap();
        let error = resolve(&roots, Path::new("/a")).unwrap_err();
        assert_eq!(error.to_source_error().reason, "malformed");
    }

    #[test]
    fn a_child_that_is_a_link_is_refused_and_a_pipe_does_not_hold_us() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/", dir.path().join("link")).unwrap();
        std::fs::write(dir.path().join("target"), "x").unwrap();
        symlink("target", dir.path().join("file")).unwrap();
        rustix::fs::mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, 0o600.into(), 0).unwrap();
        let folder = Folder::open_root(dir.path()).unwrap();
        let error = folder.child(OsStr::new("link")).unwrap_err();
        assert!(!error.gone());
        assert_eq!(error.to_source_error().reason, "malformed");
        assert_eq!(folder.read("file", 10).unwrap_err().to_source_error().reason, "malformed");
        assert_eq!(folder.read("pipe", 10).unwrap_err().to_source_error().reason, "malformed");
        assert!(folder.read("none", 10).unwrap_err().gone());
        assert_eq!(folder.read("target", 1).unwrap(), b"x");
        assert_eq!(folder.read("target", 0).unwrap_err().to_source_error().reason, "too_large");
    }
}
