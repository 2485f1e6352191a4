//! The remembered tree.

use std::collections::HashMap;
use std::ffi::CStr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Statx, StatxFlags};

use super::super::fanotify::{Key, Listener};
use super::super::skip::{SkipTree, Step};
use super::super::walk::{Newest, Totals};
use super::records::{FileRecord, Hot, LINKED, Past, grew};
use super::refresh::Cursor;

/// The change time of a directory of which each entry has to be looked at again, whatever it says.
pub(super) const UNKNOWN: u64 = 0;
/// The same of one whose entries have to be listed again.
pub(super) const LIST: u64 = 1;
/// Seconds after which the next refresh is reckoned with.
const SOON: i32 = 5;

/// What is asked of each inode.
pub(super) const MASK: StatxFlags = StatxFlags::TYPE
    .union(StatxFlags::NLINK)
    .union(StatxFlags::INO)
    .union(StatxFlags::SIZE)
    .union(StatxFlags::BLOCKS)
    .union(StatxFlags::MTIME)
    .union(StatxFlags::CTIME)
    .union(StatxFlags::BTIME)
    .union(StatxFlags::MNT_ID);

#[derive(Debug)]
pub(super) struct Dir {
    /// In the directory above; the whole path for a root.
    pub(super) name: Box<CStr>,
    pub(super) inode: u64,
    /// When it was last changed as of its last reading, or [`UNKNOWN`] or [`LIST`].
    pub(super) ctime: u64,
    /// Itself for a root.
    pub(super) parent: u32,
    pub(super) children: Vec<u32>,
    pub(super) blocks: u64,
    pub(super) size: u64,
    pub(super) files: Vec<FileRecord>,
    /// Sums over `files`.
    pub(super) file_blocks: u64,
    pub(super) file_sizes: u64,
    pub(super) hot: Vec<Hot>,
    /// Inodes of the entries with several links, and of those too large for a record.
    pub(super) linked: Vec<u64>,
    /// By which its changes are told, where they are.
    pub(super) key: Option<Key>,
}

/// An inode with several links, or one too large for a [`FileRecord`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// Entries of this tree that lead to it.
    pub(super) seen: u32,
    pub(super) links: u32,
    pub(super) blocks: u64,
    pub(super) size: u64,
    /// Its other names, if not among `seen`, are known to lie outside.
    pub(super) searched: bool,
}

/// Where the tree lies: entries elsewhere are not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) device: u64,
    /// Absent before Linux 5.8.
    pub(super) mount: Option<u64>,
}

impl Place {
    pub(super) fn of(stat: &Statx) -> Self {
        let known = stat.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        Self {
            device: u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor),
            mount: known.then_some(stat.stx_mnt_id),
        }
    }
}

/// What is remembered of one subject between two full passes.
#[derive(Debug)]
pub struct Tree {
    pub(super) roots: Vec<(u32, Place, SkipTree)>,
    pub(super) dirs: Vec<Option<Dir>>,
    pub(super) free: Vec<u32>,
    pub(super) links: HashMap<u64, Link>,
    pub(super) hot: usize,
    pub(super) files: usize,
    pub(super) newest_mtime: Option<Newest>,
    /// Paths that were left alone when it was recorded.
    pub(super) skipped: Vec<PathBuf>,
    pub(super) made: Instant,
    pub(super) window: Duration,
    pub(super) cursor: Cursor,
    pub(super) last_steps: u64,
    pub(super) noatime: bool,
    /// Bytes that it may take.
    pub(super) limit: usize,
    /// Hot files that the next refresh is expected to look at.
    pub(super) awake: usize,
    /// When the last refresh began, in seconds after the tree was made.
    pub(super) refreshed: i32,
    /// The same of the one before it.
    pub(super) refreshed_before: i32,
    /// The wall clock, in seconds since 1970.
    pub(super) clock: fn() -> f64,
    /// It cannot be told whether symbolic links are on the way to its roots now.
    pub(super) unsure: bool,
    /// Listings so far.
    pub(super) turn: usize,
    /// Where it hears of its changes.
    pub(super) told: Option<Listener>,
}

impl Tree {
    pub(super) fn new(skipped: &[PathBuf], window: Duration, limit: usize) -> Self {
        let mut skipped = skipped.to_vec();
        skipped.sort_unstable();
        skipped.dedup();
        Self {
            roots: Vec::new(),
            dirs: Vec::new(),
            free: Vec::new(),
            links: HashMap::new(),
            hot: 0,
            files: 0,
            newest_mtime: None,
            skipped,
            made: Instant::now(),
            window,
            cursor: Cursor::default(),
            last_steps: 0,
            noatime: true,
            limit,
            awake: 0,
            refreshed: 0,
            refreshed_before: 0,
            clock,
            unsure: false,
            turn: 0,
            told: None,
        }
    }

    /// Seconds since it was made, which no step of the wall clock changes.
    pub(super) fn seconds(&self) -> i32 {
        i32::try_from(self.made.elapsed().as_secs()).unwrap_or(i32::MAX)
    }

    /// Each refresh finds out by itself when a symbolic link takes the place of a directory on the
    /// way to its roots (from Linux 5.6).
    pub fn sees_links(&self) -> bool {
        !self.unsure
    }

    /// Inodes that a refresh is expected to look at, an opened directory counted twice.
    pub fn looks(&self) -> usize {
        if self.is_told() {
            // Each in another directory.
            return 1 + 3 * self.awake;
        }
        self.awake + 2 * (self.dirs.len() - self.free.len())
    }

    /// Counts the hot files that the next refresh will look at, if it comes soon.
    pub(super) fn count_awake(&mut self) {
        let soon = self.seconds() + SOON;
        let hot = self.dirs.iter().flatten().flat_map(|dir| &dir.hot);
        self.awake = hot.filter(|file| !file.rests(soon)).count();
    }

    /// Part of a full pass that a refresh is expected to cost: what it looks at over what there is.
    pub fn share(&self) -> f64 {
        let (dirs, looks) = (self.dirs.len() - self.free.len(), self.looks());
        looks as f64 / (self.files + self.links.len() + dirs).max(1) as f64
    }

    /// Whether it was recorded with these paths left alone.
    pub fn skipped_the_same(&self, skip: &[PathBuf]) -> bool {
        let mut skip = skip.to_vec();
        skip.sort_unstable();
        skip.dedup();
        skip == self.skipped
    }

    /// When the full pass that it comes from began.
    pub fn made(&self) -> Instant {
        self.made
    }

    /// Files that each refresh looks at.
    pub fn hot_files(&self) -> usize {
        self.hot
    }

    /// Sums over everything remembered.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { newest_mtime: self.newest_mtime, ..Totals::default() };
        let mut blocks = 0;
        for dir in self.dirs.iter().flatten() {
            blocks += dir.blocks + dir.file_blocks;
            totals.apparent_bytes += dir.size + dir.file_sizes;
            totals.files += 1 + dir.files.len() as u64;
        }
        for link in self.links.values() {
            blocks += link.blocks;
            totals.apparent_bytes += link.size;
            totals.files += 1;
        }
        totals.used_bytes = blocks * 512;
        totals
    }

    /// Bytes of memory it takes, the allocator's own share estimated.
    pub fn bytes(&self) -> usize {
        const ALLOCATION: usize = 16;
        let mut bytes = self.dirs.capacity() * size_of::<Option<Dir>>()
            + self.links.capacity() * (size_of::<(u64, Link)>() + 1);
        for dir in self.dirs.iter().flatten() {
            bytes += dir.name.to_bytes().len() + 1 + ALLOCATION;
            bytes += dir.children.capacity() * 4 + dir.linked.capacity() * 8;
            bytes += dir.files.capacity() * size_of::<FileRecord>();
            bytes += dir.hot.capacity() * size_of::<Hot>();
            bytes +=
                dir.hot.iter().map(|hot| hot.name.to_bytes().len() + 1 + ALLOCATION).sum::<usize>();
        }
        bytes
    }

    /// The same, without looking at each directory: never much less.
    pub(super) fn about_bytes(&self) -> usize {
        self.dirs.len() * (size_of::<Option<Dir>>() + 48)
            + self.files * size_of::<FileRecord>()
            + self.hot * (size_of::<Hot>() + 32)
            + self.links.len() * 48
    }

    pub(super) fn dir(&self, index: u32) -> &Dir {
        self.dirs[index as usize].as_ref().expect("an index of a directory that is remembered")
    }

    pub(super) fn dir_mut(&mut self, index: u32) -> &mut Dir {
        self.dirs[index as usize].as_mut().expect("an index of a directory that is remembered")
    }

    /// A directory not read yet; `parent`: none for a root.
    pub(super) fn add_dir(&mut self, parent: Option<u32>, name: &CStr, stat: &Statx) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.dirs.push(None);
            (self.dirs.len() - 1) as u32
        });
        self.dirs[index as usize] = Some(Dir {
            name: name.into(),
            inode: stat.stx_ino,
            ctime: UNKNOWN,
            parent: parent.unwrap_or(index),
            children: Vec::new(),
            blocks: stat.stx_blocks,
            size: stat.stx_size,
            files: Vec::new(),
            file_blocks: 0,
            file_sizes: 0,
            hot: Vec::new(),
            linked: Vec::new(),
            key: None,
        });
        self.look_at(index);
        self.see(stat);
        if let Some(parent) = parent {
            self.dir_mut(parent).children.push(index);
        }
        index
    }

    /// An entry that is no directory. `clock`: now; `known`: what was known of it, if it was hot
    /// already.
    pub(super) fn add_entry(
        &mut self,
        index: u32,
        name: &CStr,
        stat: &Statx,
        clock: f64,
        known: Option<Past>,
    ) {
        let (inode, ctime) = (stat.stx_ino, ctime(stat));
        let age = clock - seconds(stat);
        let looked = self.seconds();
        let changed = (f64::from(looked) - age.max(0.0)) as i32;
        // The wall clock may have been set since it changed.
        let changed = known.map_or(changed, |known| known.changed.max(changed));
        let grows = known.is_some_and(|known| known.grows || known.ctime != ctime) || grew(stat);
        let once = known.is_some_and(|known| known.once);
        let hot = !once && f64::from(looked - changed) < self.window.as_secs_f64();
        let several = stat.stx_nlink > 1 || !FileRecord::fits(stat.stx_blocks);
        let dir = self.dirs[index as usize].as_mut().expect("as above");
        let mut file = LINKED;
        if several {
            dir.linked.push(inode);
            let link = self.links.entry(inode).or_insert(Link {
                seen: 0,
                links: 0,
                blocks: 0,
                size: 0,
                searched: false,
            });
            link.seen += 1;
            link.searched &= link.links == stat.stx_nlink;
            (link.links, link.blocks, link.size) = (stat.stx_nlink, stat.stx_blocks, stat.stx_size);
        } else {
            file = dir.files.len() as u32;
            dir.files.push(FileRecord::new(name, stat));
            dir.file_blocks += stat.stx_blocks;
            dir.file_sizes += stat.stx_size;
            self.files += 1;
        }
        if hot {
            let name = name.into();
            dir.hot.push(Hot { name, inode, ctime, file, changed, looked, grows, once });
            self.hot += 1;
        }
        self.see(stat);
    }

    pub(super) fn see(&mut self, stat: &Statx) {
        self.newest_mtime = Newest::merged(self.newest_mtime, Some(Newest::of(stat)));
    }

    pub(super) fn release_link(&mut self, inode: u64) {
        if let Some(link) = self.links.get_mut(&inode) {
            link.seen -= 1;
            if link.seen == 0 {
                self.links.remove(&inode);
            }
        }
    }

    /// Forgets a directory and all below it. Its parent still lists it.
    pub(super) fn remove(&mut self, index: u32) {
        let mut below = vec![index];
        while let Some(index) = below.pop() {
            let Some(dir) = self.dirs[index as usize].take() else { continue };
            self.free.push(index);
            self.hot -= dir.hot.len();
            self.files -= dir.files.len();
            for inode in dir.linked {
                self.release_link(inode);
            }
            below.extend(dir.children);
        }
    }

    /// The node of a directory in its root's list of paths to leave alone.
    pub(super) fn skip_node(&self, index: u32) -> Option<(usize, usize)> {
        let mut names = Vec::new();
        let mut at = index;
        while self.dir(at).parent != at {
            names.push(self.dir(at).name.to_bytes());
            at = self.dir(at).parent;
        }
        let root = self.roots.iter().position(|(root, ..)| *root == at)?;
        let skip = &self.roots[root].2;
        let mut node = skip.root()?;
        for name in names.iter().rev() {
            match skip.step(node, name) {
                Step::Inner(inner) => node = inner,
                Step::Free | Step::Skip => return None,
            }
        }
        Some((root, node))
    }
}

/// A change time in one number; never [`UNKNOWN`] or [`LIST`].
pub(super) fn ctime(stat: &Statx) -> u64 {
    let seconds = stat.stx_ctime.tv_sec as u64;
    (seconds << 30 | u64::from(stat.stx_ctime.tv_nsec)).max(LIST + 1)
}

fn seconds(stat: &Statx) -> f64 {
    stat.stx_ctime.tv_sec as f64 + f64::from(stat.stx_ctime.tv_nsec) / 1e9
}

/// The wall clock, against which the kernel's change times are set.
pub(super) fn clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The change time to remember of a directory whose reading begins at `clock`: [`LIST`] when a
/// change still to come could bear the same time. The kernel's clock ticks every ten milliseconds
/// at the slowest; ext4 with small inodes keeps whole seconds.
pub(super) fn settled_ctime(stat: &Statx, clock: f64) -> u64 {
    let margin = if stat.stx_ctime.tv_nsec == 0 { 2.0 } else { 0.05 };
    if clock - seconds(stat) < margin { LIST } else { ctime(stat) }
}
