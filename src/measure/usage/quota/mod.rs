//! Project quotas of XFS and ext4: the kernel's own count of what one project holds.
//!
//! [`Probe::read`] says in a few system calls what a walk says in one for each inode, but only for
//! a subject that *is* a project: its root carries an id of its own and hands it down, and so does
//! every directory elsewhere that belongs to it. Whether every inode really carries the id is not
//! to be seen from there: [`verdict`] compares the record with a walk.

pub mod assign;
mod bounds;
mod settled;
mod verdict;

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, StatVfs, fstat, fstatvfs, open, openat};
use rustix::io::{Errno, retry_on_intr};
use thiserror::Error;

pub use settled::{Place, Settled};
pub(super) use verdict::trusted;
pub use verdict::{Distrust, verdict};

use super::pass::Real;
use super::target::Target;
use crate::host::sys::{self, ProjectAttributes, ProjectQuota};
use crate::host::{Guard, MountEntry};
use crate::model::{KernelLimit, Method};

/// What the kernel says of one project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Device number of the filesystem and project id: no two subjects may share them.
    pub project: (u64, u32),
    /// Bytes in use; deleted files that are still open count.
    pub used_bytes: u64,
    /// Inodes in use; unknown by `statfs`.
    pub files: Option<u64>,
    /// [`Method::ProjectQuota`] or [`Method::ProjectQuotaStatfs`].
    pub method: Method,
    /// Limits; unknown by `statfs`, which shows one limit without saying which.
    pub limit: Option<KernelLimit>,
}

/// Why there is no record of a subject.
#[derive(Debug, Error)]
pub enum NoRecord {
    /// Its root has no project id.
    #[error("the directory belongs to no project")]
    Untagged,
    /// What is made in its root does not take over the id.
    #[error("the directory does not hand its project id down")]
    NotInherited,
    /// The directory above has the same id: the record is of more than the subject.
    #[error("the directory is part of a larger project")]
    PartOfLarger,
    /// A directory elsewhere that belongs to the subject is in another project.
    #[error("{}: in another project than the directory it belongs to", .0.display())]
    OtherProject(PathBuf),
    /// Project quotas are not on.
    #[error("project quotas are not on")]
    Off,
    /// Without `CAP_SYS_ADMIN`, and `statfs` is no help: there is no limit, it is reached, or the
    /// filesystem itself is nearly full.
    #[error("CAP_SYS_ADMIN is missing, and statfs does not show the use of the project here")]
    OutOfBounds,
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
}

/// Where to ask for the record of one subject. Made anew for each pass, from the mount table.
#[derive(Clone, Debug)]
pub struct Probe {
    root: PathBuf,
    extra: Vec<PathBuf>,
    mount_point: PathBuf,
    device: PathBuf,
    enforced: bool,
}

impl Probe {
    /// A probe for a target that lies at `real`, where its filesystem is mounted with project
    /// quotas. Touches no path.
    pub(super) fn find(guard: &Guard, target: &Target, real: &Real) -> Option<Self> {
        if target.remote {
            return None;
        }
        let table = guard.table();
        let mount = table.containing(&guard.on_host(&real.root))?;
        let enforced = counts_projects(mount)?;
        for path in &real.extra {
            // A project ends with its filesystem.
            if table.containing(&guard.on_host(path))?.device != mount.device {
                return None;
            }
        }
        Some(Self {
            root: real.root.clone(),
            extra: real.extra.clone(),
            mount_point: guard.roots().inside(&mount.mount_point),
            device: guard.roots().inside(Path::new(&mount.source)),
            enforced,
        })
    }

    /// The same for a target that no symbolic link leads to.
    pub fn at(guard: &Guard, target: &Target) -> Option<Self> {
        let real = Real { root: target.path.clone(), extra: target.extra.clone() };
        Self::find(guard, target, &real)
    }

    /// Reads the record. Opens and closes the subject's root; to be called on a guarded thread.
    pub fn read(&self) -> Result<Record, NoRecord> {
        let (root, id, device) = self.tagged()?;
        match read_quota(&root, &self.device, id) {
            Ok(quota) => Ok(Record {
                project: (device, id),
                used_bytes: quota.bytes,
                files: Some(quota.inodes),
                method: Method::ProjectQuota,
                limit: limits(id, &quota, self.enforced),
            }),
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::PERM | Errno::ACCESS) => Ok(Record {
                    project: (device, id),
                    used_bytes: self.by_statfs(&root)?,
                    files: None,
                    method: Method::ProjectQuotaStatfs,
                    limit: None,
                }),
                Some(Errno::SRCH | Errno::NOENT | Errno::NOSYS | Errno::INVAL) => {
                    Err(NoRecord::Off)
                }
                _ => Err(NoRecord::Io { op: "quotactl", path: self.root.clone(), source: error }),
            },
        }
    }

    /// The root's descriptor, the id and the device number, when the subject's directories make up
    /// one project.
    fn tagged(&self) -> Result<(OwnedFd, u32, u64), NoRecord> {
        let root = directory(&self.root)?;
        let id = handed_down(attributes(&root, &self.root)?)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let parent = retry_on_intr(|| openat(&root, c"..", flags, Mode::empty()))
            .map_err(|e| failed("open parent of", &self.root, e))?;
        let stat = |fd: &OwnedFd| fstat(fd).map_err(|e| failed("fstat", &self.root, e));
        let (above, here) = (stat(&parent)?, stat(&root)?);
        // The root of a filesystem is its own parent.
        if above.st_dev == here.st_dev
            && above.st_ino != here.st_ino
            && attributes(&parent, &self.root)?.id == id
        {
            return Err(NoRecord::PartOfLarger);
        }
        for path in &self.extra {
            let fd = directory(path)?;
            if handed_down(attributes(&fd, path)?)? != id || stat(&fd)?.st_dev != here.st_dev {
                return Err(NoRecord::OtherProject(path.clone()));
            }
        }
        Ok((root, id, here.st_dev))
    }

    fn by_statfs(&self, root: &OwnedFd) -> Result<u64, NoRecord> {
        let top = directory(&self.mount_point)?;
        // A mount of a part of the filesystem may itself lie within a project.
        if attributes(&top, &self.mount_point)?.id != 0 {
            return Err(NoRecord::OutOfBounds);
        }
        let stat = |fd: &OwnedFd, path: &Path| -> Result<StatVfs, NoRecord> {
            fstatvfs(fd).map_err(|e| failed("statfs", path, e))
        };
        let before = stat(&top, &self.mount_point)?;
        let here = stat(root, &self.root)?;
        let after = stat(&top, &self.mount_point)?;
        bounds::used(before.into(), here.into(), after.into()).ok_or(NoRecord::OutOfBounds)
    }
}

/// The record of a project by an open directory; where the kernel has no such call (before 5.14) or
/// a filter denies it, by the block device.
fn read_quota(root: &OwnedFd, device: &Path, id: u32) -> io::Result<ProjectQuota> {
    match sys::project_quota(root.as_fd(), id) {
        Err(error) if denied(&error) => {
            let device = CString::new(device.as_os_str().as_bytes())?;
            sys::project_quota_of_device(&device, id).map_err(|other| {
                let there = || Path::new(OsStr::from_bytes(device.as_bytes())).exists();
                match other.raw_os_error().map(Errno::from_raw_os_error) {
                    Some(Errno::PERM | Errno::ACCESS | Errno::SRCH) => other,
                    // No such project; or no such device, as with `/dev/root`.
                    Some(Errno::NOENT) if there() => other,
                    _ => error,
                }
            })
        }
        result => result,
    }
}

/// Not there, or not allowed: a seccomp filter may say either.
fn denied(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOSYS | Errno::PERM | Errno::ACCESS))
}

/// Whether the mount that holds `path`, its links not followed, counts projects at all.
pub fn possible(guard: &Guard, path: &Path) -> bool {
    guard.table().containing(&guard.on_host(path)).and_then(counts_projects).is_some()
}

/// Whether a mount counts projects, and if so whether it enforces their limits.
fn counts_projects(mount: &MountEntry) -> Option<bool> {
    let has = |names: &[&str]| mount.super_options.split(',').any(|option| names.contains(&option));
    match mount.fstype.as_str() {
        "xfs" | "ext4" if has(&["prjquota", "pquota"]) => Some(true),
        "xfs" if has(&["pqnoenforce"]) => Some(false),
        _ => None,
    }
}

fn limits(project: u32, quota: &ProjectQuota, enforced: bool) -> Option<KernelLimit> {
    let some = |limit: u64| (limit > 0).then_some(limit);
    let limit = KernelLimit {
        project,
        bytes_hard: some(quota.bytes_hard),
        bytes_soft: some(quota.bytes_soft),
        files_hard: some(quota.inodes_hard),
        files_soft: some(quota.inodes_soft),
        enforced,
    };
    let any = [limit.bytes_hard, limit.bytes_soft, limit.files_hard, limit.files_soft];
    any.iter().any(Option::is_some).then_some(limit)
}

fn handed_down(attributes: ProjectAttributes) -> Result<u32, NoRecord> {
    match attributes {
        ProjectAttributes { id: 0, .. } => Err(NoRecord::Untagged),
        ProjectAttributes { inherit: false, .. } => Err(NoRecord::NotInherited),
        ProjectAttributes { id, .. } => Ok(id),
    }
}

fn directory(path: &Path) -> Result<OwnedFd, NoRecord> {
    let flags =
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    retry_on_intr(|| open(path, flags, Mode::empty())).map_err(|e| failed("open", path, e))
}

fn attributes(fd: &OwnedFd, path: &Path) -> Result<ProjectAttributes, NoRecord> {
    sys::project_attributes(fd.as_fd()).map_err(|source| NoRecord::Io {
        op: "FS_IOC_FSGETXATTR",
        path: path.to_path_buf(),
        source,
    })
}

fn failed(op: &'static str, path: &Path, error: Errno) -> NoRecord {
    NoRecord::Io { op, path: path.to_path_buf(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MountTable;

    fn mount(fstype: &str, options: &str) -> MountEntry {
        let line = format!("36 35 8:1 / /m rw shared:1 - {fstype} /dev/sda1 {options}\n");
        MountTable::parse(line.as_bytes()).entries.remove(0)
    }

    #[test]
    fn which_mounts_count_projects() {
        let of = |fstype, options| counts_projects(&mount(fstype, options));
        assert_eq!(of("xfs", "rw,attr2,inode64,prjquota"), Some(true));
        assert_eq!(of("xfs", "rw,usrquota,pqnoenforce"), Some(false));
        assert_eq!(of("ext4", "rw,prjquota"), Some(true));
        assert_eq!(of("xfs", "rw,noquota"), None);
        assert_eq!(of("ext4", "rw,usrquota"), None);
        assert_eq!(of("tmpfs", "rw,prjquota"), None);
        assert_eq!(of("xfs", "rw,noprjquota"), None);
    }

    #[test]
    fn only_an_id_that_is_handed_down_counts() {
        let of = |id, inherit| handed_down(ProjectAttributes { id, inherit });
        assert!(matches!(of(0, true), Err(NoRecord::Untagged)));
        assert!(matches!(of(7, false), Err(NoRecord::NotInherited)));
        assert!(matches!(of(7, true), Ok(7)));
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        assert_eq!(limits(7, &ProjectQuota { bytes: 5, ..ProjectQuota::default() }, true), None);
        let quota = ProjectQuota { bytes_hard: 512, inodes_soft: 3, ..ProjectQuota::default() };
        let expected = KernelLimit {
            project: 7,
            bytes_hard: Some(512),
            files_soft: Some(3),
            ..KernelLimit::default()
        };
        assert_eq!(limits(7, &quota, false), Some(expected));
    }

    #[test]
    fn an_ordinary_directory_has_no_record() {
        let dir = tempfile::tempdir().expect("a directory");
        let probe = Probe {
            root: dir.path().into(),
            extra: Vec::new(),
            mount_point: "/".into(),
            device: "/dev/none".into(),
            enforced: true,
        };
        assert!(matches!(probe.read(), Err(NoRecord::Untagged | NoRecord::Io { .. })));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/", &link).expect("a link");
        let probe = Probe { root: link, ..probe };
        let error = probe.read().expect_err("a link is not followed").to_string();
        assert!(error.starts_with("open /"), "{error}");
    }
}
