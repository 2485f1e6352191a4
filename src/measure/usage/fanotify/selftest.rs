//! Whether fanotify tells the truth here: of the kernel, once, by writing in a directory of our own;
//! of each watched filesystem, by opening a directory and listening. Watched trees are only read.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, open, openat, statfs};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use super::{BUFFER, Event, Key, MASK, MOST_READS, events, key};
use crate::host::sys::fanotify::{group, mark_filesystem, mask};

/// Events are in the queue before the call that causes them returns.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where much happens meanwhile, events of others may fill the queue: then it is tried again.
const ATTEMPTS: u32 = 10;
/// Local filesystems: all that happens on them happens on this host. `linux/magic.h`.
const LOCAL: [(i64, &str); 5] = [
    (0xEF53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683E, "btrfs"),
    (0xF2F5_2010, "f2fs"),
    (0x0102_1994, "tmpfs"),
];

/// What the test of the kernel found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What is written through an overlay is told of on the filesystem of its upper directory, as
    /// it was for one made here; `None`: none could be made, or too much else happened there.
    pub overlay: Option<bool>,
}

/// Tests the kernel in the first of `directories` where that can be done at all. An error: what
/// was not told, or why nothing can be.
pub fn prove(directories: &[PathBuf]) -> Result<Proof, String> {
    let mut reason = "no directory of its own to test in".to_owned();
    for directory in directories {
        match prove_in(directory) {
            Ok(proof) => return Ok(proof),
            Err(why) => reason = format!("{}: {why}", crate::text::path(directory)),
        }
    }
    Err(reason)
}

fn prove_in(directory: &Path) -> Result<Proof, String> {
    for _ in 0..ATTEMPTS {
        // A directory of its own each time: nothing of one attempt is heard in the next.
        let scratch = Scratch::new(directory)?;
        let mut listener = Ear::on(&scratch.0, MASK)?;
        if tells_all(&scratch.0, &mut listener)? {
            return Ok(Proof { overlay: overlay(&scratch.0) });
        }
        if !listener.lost {
            return Err("the kernel did not tell all that happened".to_owned());
        }
    }
    Err(format!("so much happens there that events were lost in each of {ATTEMPTS} attempts"))
}

/// Whether the listener hears of everything that is done in the directory.
fn tells_all(scratch: &Path, listener: &mut Ear) -> Result<bool, String> {
    let here = handle_of(scratch)?;
    let failed = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    let (one, two, sub) = (scratch.join("one"), scratch.join("two"), scratch.join("directory"));
    File::create(&one).and_then(|mut file| file.write_all(b"x")).map_err(failed("write"))?;
    fs::rename(&one, &two).map_err(failed("rename"))?;
    fs::create_dir(&sub).map_err(failed("mkdir"))?;
    fs::remove_dir(&sub).map_err(failed("rmdir"))?;
    fs::remove_file(&two).map_err(failed("unlink"))?;
    let wanted = [
        (c"one", mask::CREATE | mask::CLOSE_WRITE | mask::MOVED_FROM),
        (c"two", mask::MOVED_TO | mask::DELETE),
        (c"directory", mask::CREATE | mask::DELETE | mask::ONDIR),
    ];
    Ok(wanted.into_iter().all(|(name, what)| listener.hears(here, name, what)))
}

/// Writes through an overlay that nobody else sees, and listens on its upper directory.
fn overlay(scratch: &Path) -> Option<bool> {
    for n in 0..ATTEMPTS {
        let within = scratch.join(format!("overlay-{n}"));
        fs::create_dir(&within).ok()?;
        match tells_of_overlay(&within)? {
            (false, true) => {}
            (told, _) => return Some(told),
        }
    }
    None
}

/// Whether it was told of what is written through an overlay, and whether events were lost.
fn tells_of_overlay(scratch: &Path) -> Option<(bool, bool)> {
    let at = |name: &str| scratch.join(name);
    for name in ["lower", "upper", "work"] {
        fs::create_dir(at(name)).ok()?;
    }
    fs::write(at("upper").join("file"), "x").ok()?;
    let mount = overlay_mount(&at("lower"), &at("upper"), &at("work"))?;
    let upper = handle_of(&at("upper")).ok()?;
    let mut listener = Ear::on(scratch, MASK).ok()?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
    let file = retry_on_intr(|| openat(&mount, c"file", flags, Mode::empty())).ok()?;
    retry_on_intr(|| rustix::io::write(&file, b"more")).ok()?;
    drop(file);
    Some((listener.hears(upper, c"file", mask::CLOSE_WRITE), listener.lost))
}

/// A mount that is attached nowhere, and gone when it is closed.
fn overlay_mount(lower: &Path, upper: &Path, work: &Path) -> Option<OwnedFd> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).ok()?;
    for (name, path) in [("lowerdir", lower), ("upperdir", upper), ("workdir", work)] {
        fsconfig_set_string(context.as_fd(), name, path).ok()?;
    }
    fsconfig_create(context.as_fd()).ok()?;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    fsmount(context.as_fd(), flags, MountAttrFlags::empty()).ok()
}

/// Whether the filesystem of a watched directory tells of it: this process opens it, and listens. To
/// be called on a guarded thread.
pub fn heard(path: &CStr) -> Result<(), String> {
    let told = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    let kind = statfs(path).map_err(told("statfs"))?.f_type as i64;
    if !LOCAL.iter().any(|(local, _)| *local == kind) {
        let names: Vec<&str> = LOCAL.iter().map(|(_, name)| *name).collect();
        return Err(format!("a filesystem of type {kind:#x}, none of {}", names.join(", ")));
    }
    for _ in 0..ATTEMPTS {
        let mut ear = Ear::on_path(path, mask::OPEN | mask::ONDIR)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| open(path, flags, Mode::empty())).map_err(told("open"))?;
        let here = key(&fd).ok_or("it has no file handles")?;
        if ear.hears(here, c".", mask::OPEN) {
            return Ok(());
        }
        if !ear.lost {
            return Err("it did not tell of a directory that was opened".to_owned());
        }
    }
    Err(format!("so much is opened there that events were lost in each of {ATTEMPTS} attempts"))
}

fn handle_of(path: &Path) -> Result<Key, String> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = openat(CWD, path, flags, Mode::empty()).map_err(|errno| format!("open: {errno}"))?;
    key(&fd).ok_or_else(|| "its filesystem has no file handles".to_owned())
}

/// A group for the length of a test.
struct Ear {
    group: OwnedFd,
    heard: HashMap<(Key, Option<CString>), u64>,
    /// The queue was full once: what is not heard may have happened.
    lost: bool,
}

impl Ear {
    fn on(path: &Path, what: u64) -> Result<Self, String> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
        Self::on_path(&path, what)
    }

    fn on_path(path: &CStr, what: u64) -> Result<Self, String> {
        let group = group().map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => "fanotify_init: the kernel is older than 5.9".to_owned(),
            Some(libc::EPERM) => "fanotify_init: CAP_SYS_ADMIN is missing".to_owned(),
            _ => format!("fanotify_init: {error}"),
        })?;
        mark_filesystem(group.as_fd(), path, what)
            .map_err(|error| format!("fanotify_mark: {error}"))?;
        Ok(Self { group, heard: HashMap::new(), lost: false })
    }

    /// Whether all of `what` was told of an entry, if need be in several events.
    fn hears(&mut self, directory: Key, name: &CStr, what: u64) -> bool {
        let entry = (directory, Some(name.to_owned()));
        let until = Instant::now() + PATIENCE;
        loop {
            if !self.drain() {
                return false;
            }
            if self.heard.get(&entry).is_some_and(|heard| heard & what == what) {
                return true;
            }
            if self.lost || Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// `false`: the queue cannot be read, or events are not understood.
    fn drain(&mut self) -> bool {
        let mut buffer = vec![0_u8; BUFFER];
        for _ in 0..MOST_READS {
            let length = match retry_on_intr(|| read(&self.group, &mut buffer[..])) {
                Ok(0) | Err(Errno::AGAIN) => return true,
                Ok(length) => length,
                Err(_) => return false,
            };
            for event in events(&buffer[..length]) {
                match event {
                    Ok(Event::In { directory, name, what }) => {
                        let entry = (directory, name.map(CStr::to_owned));
                        *self.heard.entry(entry).or_default() |= what;
                    }
                    Ok(Event::Overflow) => self.lost = true,
                    Err(_) => return false,
                }
            }
        }
        true
    }
}

/// A directory that is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(directory: &Path) -> Result<Self, String> {
        let mut last = None;
        // Another one of this process may be at work there.
        for n in 0..32 {
            let path = directory.join(format!(".plimsoll-fanotify-{}-{n}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    last = Some(error);
                }
                Err(error) => return Err(format!("mkdir: {error}")),
            }
        }
        Err(last.map_or_else(String::new, |error| format!("mkdir: {error}")))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind_and_a_deaf_ear_hears_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let proof = prove(&[dir.path().into()]);
        assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 0);
        if let Err(reason) = proof {
            eprintln!("SKIPPED: fanotify is not allowed here: {reason}");
            return;
        }
        // Asked for too little, the test of the kernel would not pass.
        let mut ear = Ear::on(dir.path(), MASK & !mask::CLOSE_WRITE).expect("a mark");
        let here = handle_of(dir.path()).expect("a handle");
        fs::write(dir.path().join("one"), "x").expect("written");
        assert!(ear.hears(here, c"one", mask::CREATE));
        assert!(!ear.hears(here, c"one", mask::CLOSE_WRITE));
        let path = CString::new(dir.path().as_os_str().as_bytes()).expect("no NUL");
        assert_eq!(heard(&path), Ok(()));
        assert!(!ear.lost);
        // A flood that nobody reads: what comes after it is lost, and that is known.
        let limit = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events");
        let limit: usize = limit.map_or(16_384, |text| text.trim().parse().expect("a number"));
        for n in 0..limit {
            File::create(dir.path().join(format!("flood-{n}"))).expect("made");
        }
        fs::write(dir.path().join("last"), "x").expect("written");
        assert!(!ear.hears(here, c"last", mask::CREATE));
        assert!(ear.lost);
        assert!(heard(c"/proc").expect_err("not local").starts_with("a filesystem of type 0x9fa0"));
    }
}
