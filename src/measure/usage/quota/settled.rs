//! Reading the quota of a subject again whose directories did not change since they were looked at.
//!
//! The record is of an id, so somebody has to see that the subject still has it. A directory that
//! is given another id, or is another one, has another inode or change time: one `statx` tells
//! that, and the record itself is read by the block device, which opens nothing. Only entries made
//! in the directory itself, and every [`OFTEN`]th time whatever happened, bring the whole look back
//! ([`Probe::read`]), which sees the directory above too.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, StatxFlags, stat, statx};
use rustix::io::retry_on_intr;

use super::{NoRecord, Probe, Record, limits};
use crate::host::sys;
use crate::measure::usage::walk::LOOK;
use crate::model::Method;

/// Reads between two whole looks.
const OFTEN: u32 = 16;

/// A subject whose directories make up a project, and by what it is seen that they still do.
#[derive(Clone, Debug)]
pub struct Settled {
    project: (u64, u32),
    device: CString,
    /// The subject's directory, then the others.
    directories: Vec<(CString, Stamp)>,
    enforced: bool,
    left: u32,
}

/// What another directory, or another id, would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: (u32, u32),
    inode: u64,
    changed: (i64, u32),
}

impl Stamp {
    /// Of what is there now, the last component not followed.
    fn of(path: &CString) -> Option<Self> {
        let mask = StatxFlags::INO | StatxFlags::CTIME;
        let stat = retry_on_intr(|| statx(CWD, path.as_c_str(), LOOK, mask)).ok()?;
        Some(Self {
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            changed: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
        })
    }

    /// A change still to come could bear the same time; `clock`: now, in seconds since 1970.
    fn young(&self, clock: f64) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let margin = if nanoseconds == 0 { 2.0 } else { 0.05 };
        clock - (seconds as f64 + f64::from(nanoseconds) / 1e9) < margin
    }
}

impl Settled {
    /// Reads the record of a probe, and settles it where the kernel's own record is to be had by
    /// its block device. `clock`: now, in seconds since 1970. To be called on a guarded thread.
    pub fn read(probe: &Probe, clock: f64) -> Result<(Record, Option<Self>), NoRecord> {
        // Before the record: what changes meanwhile is seen the next time.
        let paths = [&probe.root].into_iter().chain(&probe.extra);
        let stamped = |path: &std::path::PathBuf| {
            let path = CString::new(path.as_os_str().as_bytes()).ok()?;
            let stamp = Stamp::of(&path).filter(|stamp| !stamp.young(clock))?;
            Some((path, stamp))
        };
        let directories: Option<Vec<_>> = paths.map(stamped).collect();
        let record = probe.read()?;
        let device = CString::new(probe.device.as_os_str().as_bytes()).ok();
        let settled = directories.zip(device).map(|(directories, device)| Self {
            project: record.project,
            device,
            directories,
            enforced: probe.enforced,
            left: OFTEN,
        });
        let by_device = |settled: &Self| {
            let device = Path::new(&probe.device);
            record.method == Method::ProjectQuota
                && stat(device).is_ok_and(|stat| stat.st_rdev == record.project.0)
                && settled.record().is_some_and(|again| again.project == record.project)
        };
        Ok((record, settled.filter(by_device)))
    }

    /// The record as it is now: a system call for it and one for each directory. `None`: it takes a
    /// whole look again.
    pub fn read_again(&mut self) -> Option<Record> {
        self.left = self.left.checked_sub(1)?;
        // First: what another subject is charged for is not read as this one's.
        let record = self.record()?;
        let same = |(path, stamp): &(CString, Stamp)| Stamp::of(path) == Some(*stamp);
        self.directories.iter().all(same).then_some(record)
    }

    fn record(&self) -> Option<Record> {
        let id = self.project.1;
        let quota = sys::project_quota_of_device(&self.device, id).ok()?;
        Some(Record {
            project: self.project,
            used_bytes: quota.bytes,
            files: Some(quota.inodes),
            method: Method::ProjectQuota,
            limit: limits(id, &quota, self.enforced),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_another_directory_and_another_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("box");
        let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
        assert_eq!(Stamp::of(&name), None);
        std::fs::create_dir(&path).expect("made");
        let first = Stamp::of(&name).expect("there");
        assert_eq!(Stamp::of(&name), Some(first));
        let made = first.changed.0 as f64 + f64::from(first.changed.1) / 1e9;
        assert!(first.young(made + 0.01) && !first.young(made + 3.0));
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::create_dir(path.join("inner")).expect("made");
        assert_ne!(Stamp::of(&name), Some(first));
        std::os::unix::fs::symlink(&path, dir.path().join("link")).expect("a link");
        let link = CString::new(dir.path().join("link").as_os_str().as_bytes()).expect("no NUL");
        assert_ne!(Stamp::of(&link), Stamp::of(&name), "not followed");
    }

    #[test]
    fn what_has_no_project_is_not_settled() {
        let dir = tempfile::tempdir().expect("a directory");
        let probe = Probe {
            root: dir.path().into(),
            extra: Vec::new(),
            mount_point: "/".into(),
            device: "/dev/none".into(),
            enforced: true,
        };
        assert!(Settled::read(&probe, 1e12).is_err());
    }
}
