//! Bringing a remembered tree up to date.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, Statx, openat, statx};
use rustix::io::{Errno, retry_on_intr};

use super::super::skip::Step;
use super::super::walk::{LOOK, Totals};
use super::record::DEEPEST;
use super::tree::{LINKED, MASK, Place, Tree, UNKNOWN, clock, ctime, settled_ctime};

const BUFFER: usize = 64 * 1024;
/// A slice ends after this long, as a walk's does; one directory is always read whole.
const SLICE_TIME: Duration = Duration::from_millis(50);
/// Entries of one directory that is read again: with more a full pass, which can stop in the
/// middle of a directory, is the better means.
const LARGEST: usize = 100_000;
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
    churn: u64,
    steps: u64,
    /// Directories to look at; all, where changes are not told.
    pub(super) only: Option<Vec<bool>>,
}

struct Stale(&'static str);

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
fn gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
}

fn look(at: impl AsFd, name: &CStr) -> Result<Statx, Errno> {
    retry_on_intr(|| statx(at.as_fd(), name, LOOK, MASK))
}

fn look_itself(fd: &OwnedFd) -> Result<Statx, Errno> {
    retry_on_intr(|| statx(fd, c"", LOOK | AtFlags::EMPTY_PATH, MASK))
}

fn is_directory(stat: &Statx) -> bool {
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
        match self.go_on(max_steps.max(1) as u64, until) {
            Ok(false) => Refreshed::More,
            Ok(true) => {
                let Cursor { churn, steps, .. } = std::mem::take(&mut self.cursor);
                self.last_steps = steps;
                self.prune();
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
                    above.ctime = UNKNOWN;
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
        let name = &self.dir(index).name;
        let at = above.map_or(CWD, |fd| fd.as_fd());
        if self.noatime {
            let flags = DIRECTORY | OFlags::NOATIME;
            match retry_on_intr(|| openat(at, &**name, flags, Mode::empty())) {
                Err(Errno::PERM) => {}
                result => return result,
            }
        }
        let fd = retry_on_intr(|| openat(at, &**name, DIRECTORY, Mode::empty()));
        self.noatime = false;
        fd
    }

    fn place(&self) -> Place {
        self.roots[self.cursor.root.saturating_sub(1)].1
    }

    fn visit(&mut self, index: u32, above: Option<&OwnedFd>) -> Result<Visit, Stale> {
        self.cursor.steps += 1;
        let dir = self.dir(index);
        let simple = dir.children.is_empty() && dir.hot.is_empty() && dir.ctime != UNKNOWN;
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
        let now = clock();
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
        if self.dir(index).ctime != ctime(&stat) || !self.follow_hot(index, &fd)? {
            self.dir_mut(index).ctime = settled_ctime(&stat, now);
            self.read_again(index, &fd)?;
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
        let now = self.made.elapsed().as_secs_f64() as i32;
        let window = i32::try_from(self.window.as_secs()).unwrap_or(i32::MAX);
        let mut hot = std::mem::take(&mut self.dir_mut(index).hot);
        let before = hot.len();
        let mut result = Ok(true);
        for file in &mut hot {
            self.cursor.steps += 1;
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
            let linked = file.file == LINKED;
            if stat.stx_ino != file.inode || is_directory(&stat) || (!linked && stat.stx_nlink > 1)
            {
                result = Ok(false);
                break;
            }
            if linked {
                let Some(link) = self.links.get_mut(&file.inode) else {
                    result = Ok(false);
                    break;
                };
                self.cursor.churn += link.blocks.abs_diff(stat.stx_blocks);
                link.searched &= link.links >= stat.stx_nlink;
                link.links = stat.stx_nlink;
                (link.blocks, link.size) = (stat.stx_blocks, stat.stx_size);
            } else {
                let dir = self.dirs[index as usize].as_mut().expect("it is being looked at");
                let record = &mut dir.files[file.file as usize];
                self.cursor.churn += record.blocks.abs_diff(stat.stx_blocks);
                dir.file_blocks = dir.file_blocks - record.blocks + stat.stx_blocks;
                dir.file_sizes = dir.file_sizes - file.size + stat.stx_size;
                record.blocks = stat.stx_blocks;
            }
            if file.ctime != ctime(&stat) || file.size != stat.stx_size {
                file.changed = now;
            }
            (file.size, file.ctime) = (stat.stx_size, ctime(&stat));
            self.see(&stat);
        }
        hot.retain(|file| now.saturating_sub(file.changed) < window);
        self.hot -= before - hot.len();
        self.dir_mut(index).hot = hot;
        result
    }

    /// Reads a directory and looks at each entry. Directories that stay keep what is known of them.
    fn read_again(&mut self, index: u32, fd: &OwnedFd) -> Result<(), Stale> {
        let now = clock();
        let skip = self.skip_node(index);
        let place = self.place();
        let dir = self.dir_mut(index);
        let (linked, hot) = (std::mem::take(&mut dir.linked), std::mem::take(&mut dir.hot));
        let (files, blocks) = (std::mem::take(&mut dir.files), dir.file_blocks);
        (dir.file_blocks, dir.file_sizes) = (0, 0);
        let children = std::mem::take(&mut dir.children);
        self.hot -= hot.len();
        self.files -= files.len();
        drop((hot, files));
        let mut known: HashMap<Box<CStr>, u32> =
            children.iter().map(|&child| (self.dir(child).name.clone(), child)).collect();
        let mut kept = Vec::with_capacity(children.len());
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut entries = RawDir::new(fd, buffer.spare_capacity_mut());
        let mut count = 0;
        let mut failed = None;
        while failed.is_none() {
            let entry = match entries.next() {
                None | Some(Err(Errno::NOENT)) => break,
                Some(Err(Errno::INTR)) => continue,
                Some(Err(errno)) => {
                    failed = Some(errno.into());
                    break;
                }
                Some(Ok(entry)) => entry,
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if skip.is_some_and(|(root, node)| {
                self.roots[root].2.step(node, name.to_bytes()) == Step::Skip
            }) {
                continue;
            }
            count += 1;
            self.cursor.steps += 1;
            if count > LARGEST || (count % 1024 == 0 && self.about_bytes() > self.limit) {
                failed = Some(Stale("too_large"));
                break;
            }
            let stat = match look(fd, name) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(errno) => {
                    failed = Some(errno.into());
                    break;
                }
            };
            let here = Place::of(&stat);
            if here != place {
                // Another mount is not this subject's; another subvolume is more than is
                // remembered.
                if here.mount.is_some() && here.mount == place.mount {
                    failed = Some(Stale("device"));
                }
                continue;
            }
            if is_directory(&stat) {
                let same = known.remove(name).filter(|&dir| self.dir(dir).inode == stat.stx_ino);
                if let Some(dir) = same.filter(|&dir| self.dir(dir).ctime != ctime(&stat)) {
                    // It may be another one of the same inode, told of by another handle.
                    self.dir_mut(dir).key = None;
                    self.dir_mut(dir).ctime = UNKNOWN;
                    self.look_at(dir);
                }
                kept.push(same.unwrap_or_else(|| {
                    self.cursor.churn += stat.stx_blocks;
                    let dir = self.add_dir(None, name, &stat);
                    self.dir_mut(dir).parent = index;
                    dir
                }));
            } else {
                self.add_entry(index, name, &stat, now);
            }
        }
        // Those that are listed no more, or are another directory now.
        let stays: HashSet<u32> = kept.iter().copied().collect();
        for child in children.into_iter().filter(|child| !stays.contains(child)) {
            self.cursor.churn += self.blocks_below(child);
            self.remove(child);
        }
        for inode in linked {
            self.release_link(inode);
        }
        let dir = self.dir_mut(index);
        dir.children = kept;
        dir.files.shrink_to_fit();
        dir.hot.shrink_to_fit();
        let change = dir.file_blocks.abs_diff(blocks);
        self.cursor.churn += change;
        failed.map_or(Ok(()), Err)
    }

    fn blocks_below(&self, index: u32) -> u64 {
        let (mut below, mut blocks) = (vec![index], 0);
        while let Some(dir) = below.pop() {
            let dir = self.dir(dir);
            blocks += dir.blocks + dir.file_blocks;
            below.extend(&dir.children);
        }
        blocks
    }

    /// Hard links with names that were not seen: looks for them among the files that had one link
    /// when they were seen, and has their directories read again. `true`: there are some.
    fn search_links(&mut self) -> bool {
        let mut wanted = HashSet::new();
        for (&inode, link) in &mut self.links {
            if link.seen < link.links && !link.searched {
                link.searched = true;
                wanted.insert(inode);
            }
        }
        let mut found = false;
        if !wanted.is_empty() {
            for dir in self.dirs.iter_mut().flatten() {
                if dir.files.iter().any(|file| wanted.contains(&file.inode)) {
                    dir.ctime = UNKNOWN;
                    found = true;
                }
            }
        }
        found
    }
}
