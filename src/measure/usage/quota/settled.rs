//! Reading the quota of a subject again whose directories did not change since they were looked at.
//!
//! The record is of an id, so somebody has to see that the subject still has it. A directory that
//! is given another id, or is another one, has another inode or change time: one `statx` tells
//! that, every [`SEEN`]th time. The record itself is one call on any directory of the
//! filesystem, opened once for all subjects that are read together and closed again, for an open
//! one would keep the filesystem from being unmounted. Only entries made in the directory itself,
//! and every [`OFTEN`]th time whatever happened, bring the whole look back ([`Probe::read`]),
//! which sees the directory above too.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, StatxFlags, fstat, statx};
use rustix::io::retry_on_intr;

use super::{NoRecord, Probe, Record, directory, limits};
use crate::host::sys;
use crate::measure::usage::walk::LOOK;
use crate::model::Method;

/// Reads between two whole looks.
const OFTEN: u32 = 16;
/// One in so many looks at the directories, the first one too.
const SEEN: u32 = 4;

/// An open directory of the filesystem that quotas are read on.
#[derive(Debug)]
pub struct Place {
    fd: OwnedFd,
    device: u64,
}

/// A subject whose directories make up a project, and by what it is seen that they still do.
#[derive(Clone, Debug)]
pub struct Settled {
    project: (u64, u32),
    probe: Probe,
    /// The subject's directory, then the others.
    directories: Vec<(CString, Stamp)>,
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
    /// Reads the record of a probe, and settles it where the kernel's own record is to be had by an
    /// open directory (`quotactl_fd`, Linux 5.14). `clock`: now, in seconds since 1970. To be called on a guarded thread.
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
        let settled = directories.map(|directories| Self {
            project: record.project,
            probe: probe.clone(),
            directories,
            left: OFTEN,
        });
        let there = |settled: &Self| {
            let place = || settled.record(settled.open().as_ref()?);
            record.method == Method::ProjectQuota && place().is_some()
        };
        Ok((record, settled.filter(there)))
    }

    /// The record as it is now. `place`: what was opened for another subject read before, or what is
    /// opened now. `None`: it takes a whole look again.
    pub fn read_again(&mut self, place: &mut Option<Place>) -> Option<Record> {
        self.left = self.left.checked_sub(1)?;
        if place.as_ref().is_none_or(|place| place.device != self.project.0) {
            *place = self.open();
        }
        // First: what another subject is charged for is not read as this one's.
        let record = self.record(place.as_ref()?)?;
        let same = |(path, stamp): &(CString, Stamp)| Stamp::of(path) == Some(*stamp);
        let seen = !(self.left + 1).is_multiple_of(SEEN) || self.directories.iter().all(same);
        seen.then_some(record)
    }

    /// The subject's own directory, where it is still on the filesystem that it was on.
    fn open(&self) -> Option<Place> {
        let fd = directory(&self.probe.root).ok()?;
        let device = fstat(&fd).ok()?.st_dev;
        (device == self.project.0).then_some(Place { fd, device })
    }

    fn record(&self, place: &Place) -> Option<Record> {
        let id = self.project.1;
        let quota = sys::project_quota(place.fd.as_fd(), id).ok()?;
        Some(Record {
            project: self.project,
            used_bytes: quota.bytes,
            files: Some(quota.inodes),
            method: Method::ProjectQuota,
            limit: limits(id, &quota, self.probe.enforced),
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
