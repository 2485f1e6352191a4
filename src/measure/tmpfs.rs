//! Memory mounted into containers (`--tmpfs`): what a `tmpfs` in another mount namespace holds.
//!
//! It is reached by `/proc/PID/root`, which takes CAP_SYS_PTRACE for containers of other users. The
//! tree there belongs to the container: no link of it is followed, nothing in it is opened for more
//! than its place (`O_PATH`), and what is found counts only if it is the very filesystem that the
//! container's mount table names. A path that leads over the network or through user space, which
//! may hang, is not gone.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, fstatfs, fstatvfs, openat, statx};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::host::MountTable;
use crate::model::{
    Inventory, MeasureFailure, Measured, Method, Subject, Timestamp, UsageSample, VolumeKind,
};

/// `TMPFS_MAGIC` of `linux/magic.h`.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose use it is.
    pub subject: Subject,
    /// First process of the container, as the proc filesystem names it.
    pub pid: u32,
    /// Where it is mounted in the container.
    pub path: PathBuf,
}

/// Every memory mount of a running container whose process is known.
pub fn places(inventory: &Inventory) -> Vec<Place> {
    let memory = |kind: &VolumeKind| *kind == VolumeKind::Tmpfs;
    if !inventory.volumes.iter().any(|volume| memory(&volume.kind)) {
        return Vec::new();
    }
    let pids: std::collections::HashMap<&str, u32> = inventory
        .containers
        .iter()
        .filter_map(|one| Some((one.key.container.as_str(), one.pid?)))
        .collect();
    let found = inventory.volumes.iter().filter(|volume| memory(&volume.kind));
    found
        .filter_map(|volume| {
            let holder = volume.holders.first()?;
            Some(Place {
                subject: Subject::Volume(volume.key.clone()),
                pid: *pids.get(holder.container.as_str())?,
                path: PathBuf::from(&holder.container_path),
            })
        })
        .collect()
}

/// What is asked about one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// First process of the container, as the proc filesystem names it.
    pub pid: u32,
    /// Where it is mounted in the container.
    pub path: OsString,
}

impl From<&Place> for Spot {
    fn from(place: &Place) -> Self {
        Self { pid: place.pid, path: place.path.clone().into() }
    }
}

/// What one of them holds: bytes, and inodes where it counts them. An error: a word for metrics,
/// and why.
pub type Used = Result<(u64, Option<u64>), (String, String)>;

/// The words that an error of [`used`] has.
const REASONS: [&str; 4] = ["permission", "missing", "replaced", "remote"];

/// What is known of one of them after it was looked at for so many seconds. Nothing is said where it
/// may not be looked into others: that is an optional capability, which `check` tells of.
pub fn measured(place: &Place, used: Used, seconds: f64, now: Timestamp) -> Measured {
    match used {
        Ok((used_bytes, files)) => Measured {
            sample: Some(UsageSample {
                used_bytes,
                apparent_bytes: None,
                files,
                method: Method::Statfs,
                error_bound_bytes: Some(0),
                measured_at: now,
                duration_seconds: seconds,
            }),
            ..Measured::default()
        },
        Err((reason, _)) if reason == "permission" => Measured::default(),
        Err((reason, why)) => {
            let reason = REASONS.into_iter().find(|known| *known == reason).unwrap_or("io");
            let message = format!("{} in the container: {why}", place.path.display());
            let failure = Some(MeasureFailure { reason, message, at: now });
            Measured { failure, ..Measured::default() }
        }
    }
}

/// Looks at one of them from this process.
pub fn look(procfs: &Path, place: &Place, now: impl Fn() -> Timestamp) -> Measured {
    let began = Instant::now();
    let used = used(procfs, &place.into());
    measured(place, used, began.elapsed().as_secs_f64(), now())
}

/// What it holds.
///
/// # Errors
/// When nothing is mounted there, it may not be looked at, or it is not to be relied on.
pub fn used(procfs: &Path, spot: &Spot) -> Used {
    let place = Path::new(&spot.path);
    look_into(procfs, spot.pid, place).map_err(|(reason, why)| (reason.to_owned(), why))
}

type Failure = (&'static str, String);

/// Bytes, and inodes where it counts them.
fn look_into(procfs: &Path, pid: u32, path: &Path) -> Result<(u64, Option<u64>), Failure> {
    let process = procfs.join(pid.to_string());
    let text = std::fs::read(process.join("mountinfo"))
        .map_err(|error| (reason(&error), format!("read its mount table: {error}")))?;
    let table = MountTable::parse(&text);
    let Some(entry) = table.at(path).filter(|entry| entry.fstype == "tmpfs") else {
        return Err(("missing", "no memory is mounted there".into()));
    };
    if table.chain(path).iter().any(|entry| entry.remote()) {
        return Err(("remote", "it lies below a network or user-space filesystem".into()));
    }
    let fd = reach(&process.join("root"), path).map_err(|errno| {
        let error = std::io::Error::from(errno);
        let why = match errno {
            Errno::LOOP | Errno::NOTDIR => "a link or a file is in the way".to_owned(),
            _ => format!("open: {error}"),
        };
        (reason(&error), why)
    })?;
    let failed = |errno: Errno| {
        let error = std::io::Error::from(errno);
        (reason(&error), format!("statfs: {error}"))
    };
    let device = statx(&fd, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE).map_err(failed)?;
    let same = (device.stx_dev_major, device.stx_dev_minor) == entry.device;
    if !same || fstatfs(&fd).map_err(failed)?.f_type as u64 != TMPFS_MAGIC {
        return Err(("replaced", "something else is mounted there now".into()));
    }
    let fs = fstatvfs(&fd).map_err(failed)?;
    let used = fs.f_blocks.saturating_sub(fs.f_bfree).saturating_mul(fs.f_frsize);
    let files = (fs.f_files > 0).then(|| fs.f_files.saturating_sub(fs.f_ffree));
    Ok((used, files))
}

/// The directory `path` below a container's root, without following a link.
fn reach(root: &Path, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut fd = openat(CWD, root, flags, Mode::empty())?;
    for part in path.components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => {
                fd = openat(&fd, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
            }
            _ => return Err(Errno::INVAL),
        }
    }
    Ok(fd)
}

fn reason(error: &std::io::Error) -> &'static str {
    crate::host::errno::reason(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SourceKind, VolumeKey};

    fn place(path: &str) -> Place {
        let key = VolumeKey {
            source: SourceKind::Docker,
            role: String::new(),
            volume: format!("c:{path}"),
            disk: "TMPFS".into(),
        };
        Place { subject: Subject::Volume(key), pid: 7, path: path.into() }
    }

    /// A made-up process whose root is a directory, with this mount table.
    fn process(table: &str) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(proc.path().join("7/root/t")).unwrap();
        std::os::unix::fs::symlink("/dev/shm", proc.path().join("7/root/link")).unwrap();
        std::fs::write(proc.path().join("7/mountinfo"), table).unwrap();
        proc
    }

    fn failure(table: &str, path: &str) -> &'static str {
        let proc = process(table);
        let looked = look(proc.path(), &place(path), || 1.0);
        assert_eq!(looked.sample, None);
        looked.failure.unwrap().reason
    }

    #[test]
    fn only_what_the_containers_own_table_names_counts() {
        let root = "1 0 8:0 / / rw - overlay o rw\n";
        assert_eq!(failure(root, "/t"), "missing");
        // The table says so, but what lies there is another filesystem.
        let told = format!("{root}2 1 0:99 / /t rw - tmpfs t rw\n");
        assert_eq!(failure(&told, "/t"), "replaced");
        // A link leads out of the container.
        let link = format!("{root}2 1 0:99 / /link rw - tmpfs t rw\n");
        let proc = process(&link);
        let looked = look(proc.path(), &place("/link"), || 1.0).failure.unwrap();
        assert!(looked.message.contains("a link or a file is in the way"), "{looked:?}");
        let far =
            format!("{root}2 1 0:98 / /f rw - fuse.x x rw\n3 2 0:99 / /f/t rw - tmpfs t rw\n");
        assert_eq!(failure(&far, "/f/t"), "remote");
        let gone = tempfile::tempdir().unwrap();
        let looked = look(gone.path(), &place("/t"), || 1.0);
        assert_eq!(looked.failure.unwrap().reason, "missing");
    }

    #[test]
    fn memory_of_this_very_process() {
        let shm = MountTable::parse(&std::fs::read("/proc/self/mountinfo").unwrap());
        if shm.at(Path::new("/dev/shm")).is_none_or(|entry| entry.fstype != "tmpfs") {
            println!("SKIPPED: no memory is mounted at /dev/shm");
            return;
        }
        let own = Place { pid: std::process::id(), ..place("/dev/shm") };
        let before = look(Path::new("/proc"), &own, || 1.0).sample.expect("its use");
        assert_eq!((before.method, before.measured_at), (Method::Statfs, 1.0));
    }
}
