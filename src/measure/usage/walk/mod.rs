//! An exact, resumable walk of one subject.
//!
//! Counts what `du -s` counts: `st_blocks * 512` and `st_size` of every inode below the root, the
//! root included, hard links once. Each step is relative to a directory descriptor and follows no
//! symbolic link, so nothing a task does to its tree can lead the walk outside. Other mounts are
//! not entered: they are told by mount id (a volume bind-mounted into a sandbox has the *same*
//! device number), before Linux 5.8 by device number and the list of known mount points.
//!
//! Between two slices a walk holds no descriptor (an operator's `umount` must succeed, and five
//! hundred walks may be under way): the way back is found by name, each step checked against the
//! directory that was left. Memory: the names of pending directories, bounded, one small frame a
//! level, and [hard links](super::links) still open. Names of files are never held.
//!
//! Resuming within a directory relies on `d_off` staying valid when the directory is opened
//! again, as NFS servers do; ext4, XFS and btrfs keep that promise, tmpfs from Linux 6.6. For
//! others a directory changed in mid-read may be counted a little off, like any changing tree.

mod descent;
mod error;
mod newest;
mod split;

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, RawDir, SeekFrom, Statx, StatxFlags, seek, statx};
use rustix::io::Errno;

pub use error::WalkError;
pub use newest::Newest;

use super::hot::Recorder;
use super::links::{Links, TooMany};
use super::skip::{SkipTree, Step};

/// What one `getdents64` may return: fewer calls for wide directories.
const BUFFER: usize = 64 * 1024;
/// A slice ends after this long even when the disk is slow and few inodes were seen.
const SLICE_TIME: Duration = Duration::from_millis(50);
/// Levels a walk goes down: a frame takes about 150 bytes.
const MAX_DEPTH: usize = 100_000;
/// Names of pending directories held in all before each directory is read in small steps.
const MANY_PENDING: usize = 65_536;
/// Pending names one directory may add, before and after that.
const PENDING: [usize; 2] = [4096, 64];
/// Steps between two splits of one walk, so that they cost little beside the work they share out.
const SPLIT_STEPS: u64 = 256;
const TOO_MANY_LINKS: &str = "more hard links lead outside than can be told apart";

/// How an inode is looked at: itself, and nothing woken up by that.
pub(super) const LOOK: AtFlags =
    AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT).union(AtFlags::STATX_DONT_SYNC);

/// What a whole pass found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Allocated bytes, as `du -s -B1`.
    pub used_bytes: u64,
    /// Sum of sizes, directories' too, as `du -s --apparent-size -B1` of coreutils 9.1.
    pub apparent_bytes: u64,
    /// Inodes, as `du -s --inodes`.
    pub files: u64,
    /// Newest modification of any inode, directories included.
    pub newest_mtime: Option<Newest>,
}

/// How far a walk is after a slice.
#[derive(Debug)]
pub enum Progress {
    /// There is more: call again.
    More,
    /// Every inode was looked at.
    Done(Totals),
    /// The pass cannot become a total. Start anew later.
    Failed(WalkError),
}

/// A directory as the kernel knows it: what it must still be when the walk comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    /// Absent before Linux 5.8.
    mount: Option<u64>,
}

impl Identity {
    /// `asked`: the mask of the call. The kernel fills in a mount id unasked.
    fn of(stat: &Statx, asked: StatxFlags) -> Self {
        let known = stat.stx_mask & asked.bits() & StatxFlags::MNT_ID.bits() != 0;
        Self {
            device: u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor),
            inode: stat.stx_ino,
            mount: known.then_some(stat.stx_mnt_id),
        }
    }

    fn same_mount(&self, other: &Self) -> bool {
        match (self.mount, other.mount) {
            (Some(a), Some(b)) => a == b,
            _ => self.device == other.device,
        }
    }
}

/// One level of the walk.
#[derive(Debug)]
struct Frame {
    /// Name in the directory above; the whole path for a root.
    name: CString,
    identity: Identity,
    fd: Option<OwnedFd>,
    /// Where to read on (`d_off` of the last entry taken); 0 at the start.
    cookie: u64,
    read_done: bool,
    pending: Vec<CString>,
    skip: Option<usize>,
}

/// See the module.
#[derive(Debug)]
pub struct Walk {
    /// Not begun yet, the next one last, each with what to leave alone below it.
    roots: Vec<(PathBuf, SkipTree)>,
    skip: Arc<SkipTree>,
    /// The first root: the one that has to be there.
    main: bool,
    frames: Vec<Frame>,
    pending: usize,
    /// Shared by the parts of a [split](Self::split) walk.
    links: Arc<Mutex<Links>>,
    /// Levels above its own part of a split walk: nothing is left to do there.
    borrowed: usize,
    totals: Totals,
    /// Entries looked at and directories opened: what a slice is measured by.
    steps: u64,
    mask: StatxFlags,
    noatime: bool,
    recorder: Option<Recorder>,
}

impl Walk {
    /// A walk of `root`, which must be a directory and no symbolic link, and of `extra` directories
    /// that belong to the same subject (one that is gone counts nothing, one within another root
    /// is not counted twice). Paths in `skip` are not looked at, whatever they are: mount points
    /// known from the mount table, which may hang. All paths absolute.
    pub fn new(root: &Path, extra: &[PathBuf], skip: &[PathBuf]) -> Self {
        let mut roots: Vec<&Path> = vec![root];
        for path in extra {
            let within = |other: &&Path| path.starts_with(other);
            if !roots.iter().any(within) {
                roots.push(path);
            }
        }
        // An extra root above the main one would count it twice: the main one is left out of it.
        let main_too = |path: &Path| {
            let mut all = skip.to_vec();
            all.extend(roots.iter().filter(|other| **other != path).map(PathBuf::from));
            SkipTree::new(path, &all)
        };
        let roots = roots.iter().rev().map(|path| (path.to_path_buf(), main_too(path))).collect();
        Self {
            roots,
            skip: Arc::default(),
            main: true,
            frames: Vec::new(),
            pending: 0,
            links: Arc::default(),
            borrowed: 0,
            totals: Totals::default(),
            steps: 0,
            mask: StatxFlags::TYPE
                | StatxFlags::NLINK
                | StatxFlags::INO
                | StatxFlags::SIZE
                | StatxFlags::BLOCKS
                | StatxFlags::MTIME
                | StatxFlags::CTIME
                | StatxFlags::MNT_ID,
            noatime: true,
            recorder: None,
        }
    }

    /// The same walk, with everything it sees told to a recorder.
    pub fn recorded(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self.mask |= StatxFlags::BTIME;
        self
    }

    /// The recorder, after the walk is done.
    pub fn take_recorder(&mut self) -> Option<Recorder> {
        self.recorder.take()
    }

    /// As on a kernel before 5.8, which has no `STATX_MNT_ID`: for tests.
    #[doc(hidden)]
    pub fn without_mount_ids(mut self) -> Self {
        self.mask -= StatxFlags::MNT_ID;
        self
    }

    /// Inodes counted so far.
    pub fn inodes(&self) -> u64 {
        self.totals.files
    }

    /// Descriptors held now: none between slices.
    pub fn open_descriptors(&self) -> usize {
        self.frames.iter().filter(|frame| frame.fd.is_some()).count()
    }

    /// Looks at about `max_inodes` more, a directory that is opened counted as one, but not much longer than 50 ms: more only where the way
    /// back to a very deep place would cost more than the slice itself.
    pub fn advance(&mut self, max_inodes: usize) -> Progress {
        let progress = self.advance_open(max_inodes, None);
        self.close();
        progress
    }

    /// The same, but the directories stay open for the next call: see [`Walk::close`]. Ends early,
    /// with a part that can be [split](Walk::split) off, when `wanted` is not nil.
    pub(in super::super) fn advance_open(
        &mut self,
        max_inodes: usize,
        wanted: Option<&AtomicUsize>,
    ) -> Progress {
        match self.slice(max_inodes, wanted) {
            Ok(true) => Progress::Done(self.totals),
            Ok(false) => Progress::More,
            Err(error) => {
                self.frames.clear();
                self.roots.clear();
                Progress::Failed(error)
            }
        }
    }

    /// Lets every descriptor go.
    pub(in super::super) fn close(&mut self) {
        self.frames.iter_mut().for_each(|frame| frame.fd = None);
    }

    fn slice(
        &mut self,
        max_inodes: usize,
        wanted: Option<&AtomicUsize>,
    ) -> Result<bool, WalkError> {
        let worth_a_split = self.steps + SPLIT_STEPS;
        let limit = Limit {
            steps: self.steps + max_inodes.max(2 * self.frames.len()).max(1) as u64,
            until: Instant::now()
                + SLICE_TIME.max(Duration::from_micros(5) * self.frames.len() as u32),
        };
        self.attach()?;
        let mut buffer = Vec::with_capacity(BUFFER);
        loop {
            if self.frames.is_empty() {
                if !self.next_root()? {
                    return Ok(true);
                }
                continue;
            }
            if limit.reached(self.steps) {
                return Ok(false);
            }
            if self.pending > 1
                && self.steps >= worth_a_split
                && wanted.is_some_and(|wanted| wanted.load(Ordering::Relaxed) > 0)
            {
                return Ok(false);
            }
            let top = self.top();
            if let Some(name) = top.pending.pop() {
                self.pending -= 1;
                self.descend(name)?;
            } else if !top.read_done {
                self.read(buffer.spare_capacity_mut(), &limit)?;
            } else {
                self.ascend()?;
            }
        }
    }

    fn top(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("only called with a frame")
    }

    /// Reads entries of the innermost directory until its end or a limit.
    fn read(&mut self, buffer: &mut [MaybeUninit<u8>], limit: &Limit) -> Result<(), WalkError> {
        let quota = PENDING[usize::from(self.pending >= MANY_PENDING)];
        let root = self.frames[0].identity;
        let depth = self.frames.len() - 1;
        let Self { frames, skip, links, totals, steps, mask, recorder, .. } = self;
        let Frame { fd, cookie, read_done, pending, skip: node, .. } =
            frames.last_mut().expect("only called with a frame");
        let fd = fd.as_ref().expect("the innermost directory is open within a slice");
        let before = pending.len();
        let mut failed = None;
        if *cookie != 0
            && let Err(errno) = seek(fd, SeekFrom::Start(*cookie))
        {
            return Err(self.error("lseek", None, errno));
        }
        let mut entries = RawDir::new(fd, buffer);
        while failed.is_none() {
            let entry = match entries.next() {
                // ENOENT: the directory itself was removed.
                None | Some(Err(Errno::NOENT)) => {
                    *read_done = true;
                    break;
                }
                Some(Err(Errno::INTR)) => continue,
                Some(Err(errno)) => {
                    failed = Some(("getdents64", None, errno));
                    break;
                }
                Some(Ok(entry)) => entry,
            };
            *cookie = entry.next_entry_cookie();
            let name = entry.file_name();
            if is_dot(name) {
                continue;
            }
            if node.is_some_and(|node| skip.step(node, name.to_bytes()) == Step::Skip) {
                continue;
            }
            match rustix::io::retry_on_intr(|| statx(fd, name, LOOK, *mask)) {
                Err(Errno::NOENT) => {}
                Err(errno) => failed = Some(("statx", Some(name.to_owned()), errno)),
                Ok(stat) => {
                    let identity = Identity::of(&stat, *mask);
                    if !identity.same_mount(&root) {
                        // Something is mounted there: not this subject's.
                    } else if FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory {
                        totals.add(&stat);
                        pending.push(name.to_owned());
                    } else {
                        if let Some(recorder) = recorder {
                            recorder.entry(depth, name, &stat);
                        }
                        match first_link(links, &identity, stat.stx_nlink) {
                            Ok(true) => totals.add(&stat),
                            Ok(false) => {}
                            Err(_) => return Err(WalkError::too_large(TOO_MANY_LINKS)),
                        }
                    }
                }
            }
            *steps += 1;
            if pending.len() >= before + quota
                || (steps.is_multiple_of(16) && limit.reached(*steps))
            {
                break;
            }
        }
        self.pending += pending.len() - before;
        match failed {
            Some((op, name, errno)) => Err(self.error(op, name.as_deref(), errno)),
            None => Ok(()),
        }
    }

    /// An error with the place it happened, relative to the subject.
    fn error(&self, op: &'static str, name: Option<&CStr>, errno: Errno) -> WalkError {
        let mut path = PathBuf::new();
        for part in self.frames.iter().skip(1).map(|f| f.name.as_c_str()).chain(name) {
            path.push(std::ffi::OsStr::from_bytes(part.to_bytes()));
        }
        WalkError::at(op, &path, errno)
    }
}

struct Limit {
    steps: u64,
    until: Instant,
}

impl Limit {
    fn reached(&self, steps: u64) -> bool {
        steps >= self.steps || Instant::now() >= self.until
    }
}

impl Totals {
    /// Joins another part of the same pass.
    pub(in super::super) fn merge(&mut self, other: &Self) {
        self.used_bytes += other.used_bytes;
        self.apparent_bytes += other.apparent_bytes;
        self.files += other.files;
        self.newest_mtime = Newest::merged(self.newest_mtime, other.newest_mtime);
    }

    fn add(&mut self, stat: &Statx) {
        self.used_bytes += stat.stx_blocks * 512;
        self.apparent_bytes += stat.stx_size;
        self.files += 1;
        self.newest_mtime = Newest::merged(self.newest_mtime, Some(Newest::of(stat)));
    }
}

/// The lock is for files of several links only: threads never meet there over others.
fn first_link(links: &Mutex<Links>, file: &Identity, count: u32) -> Result<bool, TooMany> {
    if count <= 1 {
        return Ok(true);
    }
    let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
    links.first(file.device, file.inode, count)
}

fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

#[cfg(test)]
mod tests;
