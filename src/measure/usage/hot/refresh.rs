//! Bringing a remembered tree up to date.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Statx, openat, openat2, statx,
};
use rustix::io::{Errno, retry_on_intr};

use super::super::walk::{LOOK, Totals};
use super::record::DEEPEST;
use super::records::{FileRecord, Hot, LINKED};
use super::tree::{LIST, MASK, Place, Tree, UNKNOWN, ctime, settled_ctime};

/// A slice ends after this long, as a walk's does; one directory is always read whole.
const SLICE_TIME: Duration = Duration::from_millis(50);
/// Times the tree is gone through anew, because it was moved about or hard links were found.
const ROUNDS: u8 = 4;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

/// How far a refresh is.
#[derive(Debug, PartialEq)]
pub enum Refreshed {
    /// There is more: call again.
    More,
    /// Everything likely to have moved was looked at.
    Done {
        /// Sums over what is known now.
        totals: Totals,
        /// Bytes by which parts changed against the last refresh, growth and shrinkage added up.
        churn: u64,
    },
    /// The tree cannot be followed this way: forget it and walk.
    Stale(&'static str),
}

/// Where a refresh is.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    root: usize,
    /// Directories gone into, each with the child that is next.
    stack: Vec<(u32, usize)>,
    round: u8,
    pub(super) churn: u64,
    pub(super) steps: u64,
    /// Directories to look at; all, where changes are not told.
    pub(super) only: Option<Vec<bool>>,
}

pub(super) struct Stale(pub(super) &'static str);

impl From<Errno> for Stale {
    fn from(_: Errno) -> Self {
        // The full pass meets the same error and says what and where.
        Self("error")
    }
}

enum Visit {
    Leaf,
    Inside(OwnedFd),
    Gone,
}

/// Not there any more, or something else by now.
pub(super) fn gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}

pub(super) fn look(at: impl AsFd, name: &CStr) -> Result<Statx, Errno> {
    retry_on_intr(|| statx(at.as_fd(), name, LOOK, MASK))
}

pub(super) fn look_itself(fd: &OwnedFd) -> Result<Statx, Errno> {
    retry_on_intr(|| statx(fd, c"", LOOK | AtFlags::EMPTY_PATH, MASK))
}

pub(super) fn is_directory(stat: &Statx) -> bool {
    FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory
}

impl Tree {
    /// Inodes looked at by the refresh under way, 0 when there is none.
    pub fn steps(&self) -> u64 {
        self.cursor.steps
    }

    /// Inodes looked at by the refresh under way, or by the last one when there is none.
    pub fn looked_at(&self) -> u64 {
        if self.cursor.steps > 0 { self.cursor.steps } else { self.last_steps }
    }

    /// Looks at about `max_steps` more inodes. Holds no descriptor afterwards.
    pub fn refresh(&mut self, max_steps: usize) -> Refreshed {
        let until = Instant::now() + SLICE_TIME;
        if self.cursor.steps == 0 {
            (self.refreshed_before, self.refreshed) = (self.refreshed, self.seconds());
        }
        match self.go_on(max_steps.max(1) as u64, until) {
            Ok(false) => Refreshed::More,
            Ok(true) => {
                let Cursor { churn, steps, .. } = std::mem::take(&mut self.cursor);
                self.last_steps = steps;
                self.prune();
                self.count_awake();
                Refreshed::Done { totals: self.totals(), churn: churn * 512 }
            }
            Err(Stale(why)) => Refreshed::Stale(why),
        }
    }

    fn go_on(&mut self, max_steps: u64, until: Instant) -> Result<bool, Stale> {
        let most = self.cursor.steps + max_steps;
        if self.cursor.steps == 0 {
            self.ask();
        }
        let mut open = self.come_back()?;
        loop {
            if self.cursor.steps >= most || Instant::now() >= until {
                return Ok(false);
            }
            let Some((dir, next)) = self.cursor.stack.last_mut() else {
                if let Some((root, ..)) = self.roots.get(self.cursor.root) {
                    let root = *root;
                    self.cursor.root += 1;
                    match self.visit(root, None)? {
                        Visit::Gone => return Err(Stale("moved")),
                        Visit::Leaf => {}
                        Visit::Inside(fd) => {
                            self.cursor.stack.push((root, 0));
                            open.push(fd);
                        }
                    }
                    continue;
                }
                if self.search_links() {
                    self.again()?;
                    continue;
                }
                return Ok(true);
            };
            let (dir, at) = (*dir, *next);
            let Some(&child) = self.dir(dir).children.get(at) else {
                self.cursor.stack.pop();
                open.pop();
                continue;
            };
            if self.passes_by(child) {
                if let Some((_, next)) = self.cursor.stack.last_mut() {
                    *next += 1;
                }
                continue;
            }
            match self.visit(child, open.last())? {
                Visit::Gone => {
                    // Its directory moved on meanwhile and is read again next time.
                    self.cursor.churn += self.blocks_below(child);
                    self.remove(child);
                    let above = self.dir_mut(dir);
                    above.children.remove(at);
                    above.ctime = above.ctime.min(LIST);
                    continue;
                }
                Visit::Leaf => {}
                Visit::Inside(fd) => {
                    if self.cursor.stack.len() >= DEEPEST {
                        return Err(Stale("deep"));
                    }
                    self.cursor.stack.push((child, 0));
                    open.push(fd);
                }
            }
            if let Some((_, next)) = self.cursor.stack.iter_mut().rev().find(|(at, _)| *at == dir) {
                *next += 1;
            }
        }
    }

    /// Goes through the whole tree once more.
    fn again(&mut self) -> Result<(), Stale> {
        self.cursor.round += 1;
        if self.cursor.round >= ROUNDS {
            return Err(Stale("disturbed"));
        }
        self.cursor.stack.clear();
        self.cursor.root = 0;
        self.aim();
        Ok(())
    }

    /// Opens the directories of the stack again, each one checked to be what it was.
    fn come_back(&mut self) -> Result<Vec<OwnedFd>, Stale> {
        let mut open: Vec<OwnedFd> = Vec::new();
        for level in 0..self.cursor.stack.len() {
            let index = self.cursor.stack[level].0;
            let opened = self.open(open.last(), index).and_then(|fd| Ok((look_itself(&fd)?, fd)));
            match opened {
                Ok((stat, fd)) if stat.stx_ino == self.dir(index).inode => open.push(fd),
                Err(errno) if !gone(errno) => return Err(errno.into()),
                // Moved away under the refresh.
                _ => {
                    self.again()?;
                    return Ok(Vec::new());
                }
            }
        }
        Ok(open)
    }

    fn open(&mut self, above: Option<&OwnedFd>, index: u32) -> Result<OwnedFd, Errno> {
        if self.noatime {
            match self.open_with(above, index, DIRECTORY | OFlags::NOATIME) {
                Err(Errno::PERM) => {}
                result => return result,
            }
        }
        let fd = self.open_with(above, index, DIRECTORY);
        self.noatime = false;
        fd
    }

    fn open_with(
        &mut self,
        above: Option<&OwnedFd>,
        index: u32,
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        let at = above.map_or(CWD, |fd| fd.as_fd());
        if above.is_none() && !self.unsure {
            // The path was free of symbolic links when it was recorded.
            let name = &*self.dir(index).name;
            let links = ResolveFlags::NO_SYMLINKS;
            match retry_on_intr(|| openat2(at, name, flags, Mode::empty(), links)) {
                // Before Linux 5.6; a filter of system calls that does not know it.
                Err(Errno::NOSYS | Errno::PERM) => {}
                result => return result,
            }
        }
        let name = &*self.dir(index).name;
        let fd = retry_on_intr(|| openat(at, name, flags, Mode::empty()))?;
        self.unsure |= above.is_none();
        Ok(fd)
    }

    pub(super) fn place(&self) -> Place {
        self.roots[self.cursor.root.saturating_sub(1)].1
    }

    fn visit(&mut self, index: u32, above: Option<&OwnedFd>) -> Result<Visit, Stale> {
        self.cursor.steps += 1;
        let dir = self.dir(index);
        let now = self.seconds();
        let simple = dir.children.is_empty()
            && dir.ctime > LIST
            && dir.hot.iter().all(|file| file.rests(now));
        if let Some(above) = above.filter(|_| simple) {
            let stat = match look(above, &dir.name) {
                Ok(stat) => stat,
                Err(errno) if gone(errno) => return Ok(Visit::Gone),
                Err(errno) => return Err(errno.into()),
            };
            if Place::of(&stat) != self.place() {
                return Err(Stale("mounted"));
            }
            if !is_directory(&stat) || stat.stx_ino != dir.inode {
                return Ok(Visit::Gone);
            }
            if ctime(&stat) == dir.ctime {
                self.own(index, &stat);
                return Ok(Visit::Leaf);
            }
        }
        let now = (self.clock)();
        let fd = match self.open(above, index) {
            Ok(fd) => fd,
            Err(errno) if gone(errno) => return Ok(Visit::Gone),
            Err(errno) => return Err(errno.into()),
        };
        let stat = look_itself(&fd)?;
        if Place::of(&stat) != self.place() {
            return Err(Stale("mounted"));
        }
        if stat.stx_ino != self.dir(index).inode {
            return Ok(Visit::Gone);
        }
        self.own(index, &stat);
        self.learn_key(index, &fd);
        let known = self.dir(index).ctime;
        let moved = known != ctime(&stat);
        if moved || !self.follow_hot(index, &fd)? {
            self.dir_mut(index).ctime = settled_ctime(&stat, now);
            self.read_again(index, &fd, !moved || known == UNKNOWN)?;
        }
        let inside = !self.dir(index).children.is_empty();
        Ok(if inside { Visit::Inside(fd) } else { Visit::Leaf })
    }

    /// The directory's own blocks and size.
    fn own(&mut self, index: u32, stat: &Statx) {
        self.see(stat);
        let dir = self.dir_mut(index);
        let change = dir.blocks.abs_diff(stat.stx_blocks);
        (dir.blocks, dir.size) = (stat.stx_blocks, stat.stx_size);
        self.cursor.churn += change;
    }

    /// Looks at the hot files of a directory; `false`: they are not what they were, it has to be
    /// read again.
    fn follow_hot(&mut self, index: u32, fd: &OwnedFd) -> Result<bool, Stale> {
        let now = self.seconds();
        let window = i32::try_from(self.window.as_secs()).unwrap_or(i32::MAX);
        let mut hot = std::mem::take(&mut self.dir_mut(index).hot);
        let before = hot.len();
        let mut result = Ok(true);
        for file in &mut hot {
            if file.rests(now) {
                continue;
            }
            self.cursor.steps += 1;
            file.looked = now;
            let stat = match look(fd, &file.name) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => {
                    result = Ok(false);
                    break;
                }
                Err(errno) => {
                    result = Err(errno.into());
                    break;
                }
            };
            if file.inode == 0 && !self.identify(index, file, &stat) {
                result = Ok(false);
                break;
            }
            let linked = file.file == LINKED;
            let fits = stat.stx_nlink <= 1 && FileRecord::fits(stat.stx_blocks);
            if stat.stx_ino != file.inode || is_directory(&stat) || !(linked || fits) {
                result = Ok(false);
                break;
            }
            if linked {
                let Some(link) = self.links.get_mut(&file.inode) else {
                    result = Ok(false);
                    break;
                };
                self.cursor.churn += link.blocks.abs_diff(stat.stx_blocks);
                if link.size != stat.stx_size {
                    (file.changed, file.grows) = (now, true);
                }
                link.searched &= link.links >= stat.stx_nlink;
                link.links = stat.stx_nlink;
                (link.blocks, link.size) = (stat.stx_blocks, stat.stx_size);
            } else {
                let dir = self.dirs[index as usize].as_mut().expect("it is being looked at");
                let record = &mut dir.files[file.file as usize];
                self.cursor.churn += record.blocks().abs_diff(stat.stx_blocks);
                dir.file_blocks = dir.file_blocks - record.blocks() + stat.stx_blocks;
                dir.file_sizes = dir.file_sizes - record.size + stat.stx_size;
                if (record.size, record.blocks()) != (stat.stx_size, stat.stx_blocks) {
                    (file.changed, file.grows) = (now, true);
                }
                record.size = stat.stx_size;
                record.set_blocks(stat.stx_blocks);
            }
            if file.ctime != ctime(&stat) {
                (file.changed, file.grows) = (now, true);
            }
            file.ctime = ctime(&stat);
            self.see(&stat);
        }
        hot.retain(|file| {
            let seen = file.once && file.looked == now && file.inode != 0;
            !seen && now.saturating_sub(file.changed) < window
        });
        self.hot -= before - hot.len();
        self.dir_mut(index).hot = hot;
        result
    }

    /// Which file it is that so far only its name is known of; `false`: none that is remembered.
    fn identify(&self, index: u32, file: &mut Hot, stat: &Statx) -> bool {
        file.inode = stat.stx_ino;
        if self.links.contains_key(&file.inode) {
            return true;
        }
        let at = self.dir(index).files.iter().position(|known| known.inode == file.inode);
        file.file = at.map_or(LINKED, |at| at as u32);
        at.is_some()
    }
}
