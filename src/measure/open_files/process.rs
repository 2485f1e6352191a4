//! One process: what it holds of each place.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::ProcessUse;
use super::maps;
use super::namespace::{Namespace, Namespaces};
use crate::host::errno::{Outcome, outcome_of};

/// Bytes of one process' `maps` that are read.
const MOST_MAPS: u64 = 16 << 20;
/// Different files of one process and place that are told apart; more are not counted.
const MOST_FILES: usize = 100_000;
/// Bytes of `cgroup` and the like that are read.
const MOST_SMALL: u64 = 64 << 10;

/// It may not be looked into.
pub(super) struct Denied;

type Uses = HashMap<usize, ProcessUse>;

/// Every process, by id.
pub(super) fn list(procfs: &Path) -> io::Result<Vec<u32>> {
    let mut pids: Vec<u32> = fs::read_dir(procfs)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    Ok(pids)
}

/// What a process holds. `None`: it ended meanwhile, or has nothing that could be held.
pub(super) fn look(
    procfs: &Path,
    pid: u32,
    namespaces: &mut Namespaces<'_>,
    left: &mut u64,
) -> Option<Result<Uses, Denied>> {
    let here = procfs.join(pid.to_string());
    let found = held(&here, pid, namespaces, left);
    match found {
        Ok(mut uses) => {
            for (_, found) in uses.iter_mut() {
                found.pid = pid;
                found.command = command(&here);
                found.cgroups = cgroups(&here);
            }
            Some(Ok(uses))
        }
        // One that could not be read for another reason may hold anything as well.
        Err(error) => match outcome_of(&error) {
            Outcome::Gone if !lives_on(&here) => None,
            _ if holds_nothing(&here) => None,
            _ => Some(Err(Denied)),
        },
    }
}

fn held(
    here: &Path,
    pid: u32,
    namespaces: &mut Namespaces<'_>,
    left: &mut u64,
) -> io::Result<Uses> {
    let namespace = namespaces.of(pid)?;
    let mut uses = Uses::new();
    for (place, at) in &namespace.mounted {
        uses.entry(*place).or_default().mounted_at.get_or_insert_with(|| at.clone());
    }
    if namespace.is_irrelevant() {
        return Ok(uses);
    }
    let at = |path: &Path| {
        let found = namespace.candidates(path);
        if found.is_empty() { Vec::new() } else { namespace.settle(path, found, None) }
    };
    for place in at(&fs::read_link(here.join("cwd"))?) {
        uses.entry(place).or_default().working_directory = true;
    }
    for place in at(&fs::read_link(here.join("root"))?) {
        uses.entry(place).or_default().root_directory = true;
    }
    let mut files = Files::default();
    descriptors(here, &namespace, &mut files, left)?;
    mapped(here, &namespace, &mut files)?;
    for (place, paths) in files.0 {
        let found = uses.entry(place).or_default();
        found.files = paths.len() as u64;
        found.deleted = paths.iter().filter(|path| removed(path)).count() as u64;
    }
    Ok(uses)
}

/// Files of each place, by the path the kernel shows: a descriptor and a mapping of one file are
/// one.
#[derive(Default)]
struct Files(HashMap<usize, HashSet<PathBuf>>);

impl Files {
    fn add(&mut self, places: Vec<usize>, path: &Path) {
        for place in places {
            let paths = self.0.entry(place).or_default();
            if paths.len() < MOST_FILES {
                paths.insert(path.to_path_buf());
            }
        }
    }
}

fn descriptors(
    here: &Path,
    namespace: &Namespace<'_>,
    files: &mut Files,
    left: &mut u64,
) -> io::Result<()> {
    for entry in fs::read_dir(here.join("fd"))? {
        let entry = entry?;
        *left = left.saturating_sub(1);
        if *left == 0 {
            return Ok(());
        }
        let path = match fs::read_link(entry.path()) {
            Ok(path) => path,
            // Closed meanwhile.
            Err(error) if outcome_of(&error) == Outcome::Gone => continue,
            Err(error) => return Err(error),
        };
        let found = namespace.candidates(&path);
        if !found.is_empty() {
            let id = mount_id(&here.join("fdinfo").join(entry.file_name()));
            files.add(namespace.settle(&path, found, id), &path);
        }
    }
    Ok(())
}

/// `mnt_id:\t29` of a descriptor.
fn mount_id(fdinfo: &Path) -> Option<u64> {
    let text = String::from_utf8(small(fdinfo).ok()?).ok()?;
    text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

fn mapped(here: &Path, namespace: &Namespace<'_>, files: &mut Files) -> io::Result<()> {
    let maps = match File::open(here.join("maps")) {
        Ok(maps) => maps,
        Err(error) if outcome_of(&error) == Outcome::Gone => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut maps = BufReader::with_capacity(64 << 10, maps.take(MOST_MAPS));
    let (mut line, mut last) = (Vec::new(), None);
    loop {
        line.clear();
        match maps.read_until(b'\n', &mut line) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Its memory went while it was read.
            Err(error) if outcome_of(&error) == Outcome::Gone => return Ok(()),
            Err(error) => return Err(error),
        }
        let Some(file) = maps::parse(line.trim_ascii_end()) else { continue };
        let identity = (file.device, file.inode);
        // Parts of one file follow each other.
        if last == Some(identity) || !namespace.has_device(file.device) {
            continue;
        }
        last = Some(identity);
        let found = namespace.candidates(&file.path);
        if !found.is_empty() {
            files.add(namespace.settle(&file.path, found, None), &file.path);
        }
    }
}

/// The kernel adds this to the name of what is removed. A file that is really called so is taken
/// for one; it is counted as open either way.
fn removed(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b" (deleted)")
}

fn command(here: &Path) -> String {
    let name = small(&here.join("comm")).unwrap_or_default();
    let name = OsString::from_vec(name.trim_ascii_end().to_vec());
    crate::host::names::escape_name(&name)
}

/// The paths of `/proc/PID/cgroup`, each once.
fn cgroups(here: &Path) -> Vec<String> {
    let text = small(&here.join("cgroup")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut paths: Vec<String> = text
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .filter(|path| *path != "/")
        .map(str::to_owned)
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// A process whose first thread has ended while others go on: it shows nothing under its own id.
fn lives_on(here: &Path) -> bool {
    small(&here.join("stat"))
        .is_ok_and(|stat| Stat::parse(&stat).is_some_and(|stat| stat.ended && stat.threads > 1))
}

/// A thread of the kernel or a process that has ended: whatever keeps us from looking, there is
/// nothing.
fn holds_nothing(here: &Path) -> bool {
    let Ok(stat) = small(&here.join("stat")) else { return true };
    Stat::parse(&stat).is_some_and(|stat| stat.kernel || (stat.ended && stat.threads <= 1))
}

/// What of `/proc/PID/stat` tells whether there is anything to look at. Source: `proc_pid_stat(5)`.
#[derive(Debug, PartialEq, Eq)]
pub struct Stat {
    /// A zombie, or dead.
    pub ended: bool,
    /// A thread of the kernel (`PF_KTHREAD` of `linux/sched.h`).
    pub kernel: bool,
    /// Threads of the process.
    pub threads: u64,
}

impl Stat {
    /// `None`: not such a line.
    pub fn parse(stat: &[u8]) -> Option<Self> {
        const KERNEL_THREAD: u64 = 0x0020_0000;
        // The name before may hold anything, a parenthesis too.
        let end = stat.iter().rposition(|&byte| byte == b')')?;
        let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            ended: matches!(*fields.first()?, "Z" | "X"),
            kernel: number(6)? & KERNEL_THREAD != 0,
            threads: number(17)?,
        })
    }
}

fn small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_SMALL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_nothing_to_look_at() {
        let stat = |text: &str| Stat::parse(text.as_bytes());
        let rest = "0 0 0 0 0 0 0 20 0";
        let kernel = format!("2 (kthreadd) S 0 0 0 0 -1 2129984 0 {rest} 1 0 9");
        let expected = Stat { ended: false, kernel: true, threads: 1 };
        assert_eq!(stat(&kernel), Some(expected));
        let odd = format!("7 (a) S 1) Z 1 7 7 0 -1 4227084 0 {rest} 3 0 9");
        assert_eq!(stat(&odd), Some(Stat { ended: true, kernel: false, threads: 3 }));
        for malformed in ["", "7 (a", "7 (a) S", "7 (a) S 1 7 7 0 -1 x", &odd[..40]] {
            assert_eq!(stat(malformed), None, "{malformed}");
        }
        // Ourselves, as the kernel says it.
        let own = Stat::parse(&fs::read("/proc/self/stat").expect("read")).expect("it reads");
        assert!(!own.ended && !own.kernel && own.threads >= 1);
        assert!(!lives_on(Path::new("/proc/self")) && !holds_nothing(Path::new("/proc/self")));
        assert!(holds_nothing(Path::new("/proc/self/none")));
    }
}
