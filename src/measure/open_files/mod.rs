//! Which processes hold something below given directories: open files, mapped files, the working
//! or root directory, or a mount of their own.
//!
//! A function from plain values to plain values ([`look`]): it reads the proc filesystem and
//! nothing else, so no watched filesystem is touched and none can hang it, and it can run in
//! another process. Names in `/proc/PID/fd` are those of that process' mount namespace and say
//! nothing by themselves; a file is told by the filesystem's device number and its path within
//! that filesystem, by way of the process' own mount table and, for a descriptor, the mount id in
//! `fdinfo`. Nothing is followed, only read.
//!
//! Needs CAP_SYS_PTRACE for processes of other users (`PTRACE_MODE_READ_FSCREDS`, `proc(5)`) and
//! CAP_DAC_READ_SEARCH to list `/proc/PID/fd`. Processes that may not be looked into are counted:
//! nobody found then means not known.
//!
//! Not seen: a file on a mount that was detached (`umount -l`), which has no path any more; files
//! handed over within a socket and not received yet.

mod maps;
mod namespace;
mod process;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::host::MountTable;
use namespace::Namespaces;

// For the fuzz targets.
#[doc(hidden)]
pub use {maps::Mapped, maps::parse as parse_mapped, process::Stat};

/// Descriptors that one look reads in all; past it the answer is cut short.
const MOST_DESCRIPTORS: u64 = 1_000_000;
/// Processes that are told of each directory; the rest is counted.
const MOST_TOLD: usize = 50;

/// The first pid namespace, `PROC_PID_INIT_INO` of `linux/proc_ns.h`.
const INITIAL_NAMESPACE: &str = "pid:[4026531836]";

/// A directory as the kernel knows it, whatever it is called from where.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Major and minor device number of its filesystem, as mount tables give it.
    pub device: (u32, u32),
    /// Its path within that filesystem.
    pub path: OsString,
}

impl Place {
    /// The place of an absolute path of the host, free of symbolic links. `None`: nothing in the
    /// table holds it.
    pub fn find(table: &MountTable, path: &Path) -> Option<Self> {
        let entry = table.containing(path)?;
        let below = path.strip_prefix(&entry.mount_point).ok()?;
        Some(Self { device: entry.device, path: joined(&entry.root, below).into() })
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The proc filesystem.
    pub procfs: OsString,
    /// Our own mount table.
    pub mountinfo: OsString,
    /// The directories.
    pub places: Vec<Place>,
    /// Processes that do not count: our own, which walk those directories.
    pub ignore: Vec<u32>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Who holds each place, in the order of [`Request::places`].
    pub places: Vec<Held>,
    /// Processes looked into.
    pub processes: u64,
    /// Processes that may not be looked into.
    pub denied: u64,
    /// The proc filesystem is that of a container: processes of the host are not in it. Not known
    /// (`false`) where its first process may not be looked into.
    pub of_a_container: bool,
    /// There were more descriptors than one look reads.
    pub cut_short: bool,
    /// Why there are no processes to look at, if so.
    pub error: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Who holds one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Those that hold most first, at most 50.
    pub by: Vec<ProcessUse>,
    /// All of them, those that are not in the list too.
    pub processes: u64,
    /// Where our own table shows something strictly below the place mounted.
    pub mounted_below: Vec<OsString>,
    /// Open and mapped files of all of them.
    pub files: u64,
}

/// What one process holds of one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessUse {
    /// Process id, as the proc filesystem names it.
    pub pid: u32,
    /// Its name (`/proc/PID/comm`), as text.
    pub command: String,
    /// Its cgroups, without duplicates.
    pub cgroups: Vec<String>,
    /// Files and directories it has open or mapped, each once.
    pub files: u64,
    /// How many of them are removed already: their bytes stay until they are closed.
    pub deleted: u64,
    /// Its working directory is below the place.
    pub working_directory: bool,
    /// Its root directory is.
    pub root_directory: bool,
    /// Where it sees the place, or something below it, mounted, when its mount table is another
    /// than ours and has a mount of it that ours has not.
    pub mounted_at: Option<OsString>,
}

/// Looks through all processes. Reads `/proc/PID/{ns/mnt,root,mountinfo,fd,fdinfo,maps,cwd}`.
pub fn look(request: &Request) -> Answer {
    let began = Instant::now();
    let procfs = PathBuf::from(&request.procfs);
    let mut answer =
        Answer { places: vec![Held::default(); request.places.len()], ..Answer::default() };
    let pids = match process::list(&procfs) {
        Ok(pids) => pids,
        Err(error) => {
            answer.error = Some(format!("read {}: {error}", procfs.display()));
            return answer;
        }
    };
    let mut namespaces = Namespaces::new(&procfs, Path::new(&request.mountinfo), &request.places);
    for (place, at) in namespaces.mounted_below() {
        answer.places[place].mounted_below.push(at);
    }
    let mut left = MOST_DESCRIPTORS;
    for pid in pids {
        if request.ignore.contains(&pid) {
            continue;
        }
        let Some(look) = process::look(&procfs, pid, &mut namespaces, &mut left) else {
            continue;
        };
        match look {
            Ok(uses) => {
                answer.processes += 1;
                note(&mut answer.places, uses);
            }
            Err(process::Denied) => answer.denied += 1,
        }
    }
    answer.of_a_container = std::fs::read_link(procfs.join("1/ns/pid"))
        .is_ok_and(|namespace| namespace != Path::new(INITIAL_NAMESPACE));
    answer.cut_short = left == 0;
    for held in &mut answer.places {
        held.by.sort_by_key(|by| (std::cmp::Reverse(by.files), by.pid));
        held.by.truncate(MOST_TOLD);
    }
    answer.seconds = began.elapsed().as_secs_f64();
    answer
}

fn note(places: &mut [Held], uses: HashMap<usize, ProcessUse>) {
    for (place, by) in uses {
        let held = &mut places[place];
        held.processes += 1;
        held.files += by.files;
        held.by.push(by);
    }
}

/// The process id under which a proc filesystem knows this process.
pub fn own_pid(procfs: &Path) -> Option<u32> {
    std::fs::read_link(procfs.join("self")).ok()?.to_str()?.parse().ok()
}

/// `root` alone where nothing is below it: joining an empty path would add a slash.
fn joined(root: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { root.to_path_buf() } else { root.join(below) }
}
