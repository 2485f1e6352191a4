//! The parts of a refresh that go beyond what is known to be hot.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, RawDir, SeekFrom, seek};
use rustix::io::Errno;

use super::super::skip::Step;
use super::known::Entry::{Look, Probe, Same};
use super::known::Known;
use super::records::{FileRecord, Hot};
use super::refresh::{Stale, is_directory, look};
use super::tree::{Place, Tree, UNKNOWN, ctime};

const BUFFER: usize = 64 * 1024;
/// Entries of one directory that is read again: with more a full pass, which can stop in the
/// middle of a directory, is the better means.
const LARGEST: usize = 100_000;

impl Tree {
    /// Lists a directory again and looks at what is new in it, or at each entry (`whole`).
    /// Directories that stay keep what is known of them.
    pub(super) fn read_again(
        &mut self,
        index: u32,
        fd: &OwnedFd,
        whole: bool,
    ) -> Result<(), Stale> {
        if self.list(index, fd, whole)? {
            seek(fd, SeekFrom::Start(0))?;
            self.list(index, fd, true)?;
        }
        Ok(())
    }

    /// One listing; `true`: it is not to be relied on that what looks the same is.
    fn list(&mut self, index: u32, fd: &OwnedFd, whole: bool) -> Result<bool, Stale> {
        let (clock, now) = ((self.clock)(), self.seconds());
        let skip = self.skip_node(index);
        let place = self.place();
        let turn = self.turn;
        self.turn = self.turn.wrapping_add(1);
        let dir = self.dir_mut(index);
        let (linked, hot) = (std::mem::take(&mut dir.linked), std::mem::take(&mut dir.hot));
        let (files, blocks) = (std::mem::take(&mut dir.files), dir.file_blocks);
        (dir.file_blocks, dir.file_sizes) = (0, 0);
        let children = std::mem::take(&mut dir.children);
        dir.files.reserve(files.len());
        self.hot -= hot.len();
        self.files -= files.len();
        let mut files = Known::new(files, hot, &linked, whole, turn);
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
            if count > LARGEST || (count % 1024 == 0 && self.about_bytes() > self.limit) {
                failed = Some(Stale("too_large"));
                break;
            }
            let mut probed = None;
            let mut was_hot = None;
            if !matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
                match files.entry(name, entry.ino(), now) {
                    Same(record, hot) => {
                        self.keep_entry(index, record, hot);
                        continue;
                    }
                    Look(past) => was_hot = past,
                    Probe(record) => probed = Some(record),
                }
            }
            self.cursor.steps += 1;
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
                files.fresh += usize::from(same.is_none());
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
                files.wrong |= probed.is_some_and(|record| {
                    (record.inode, record.blocks(), record.size)
                        != (stat.stx_ino, stat.stx_blocks, stat.stx_size)
                        || stat.stx_nlink > 1
                });
                let known = was_hot.or(files.past(stat.stx_ino));
                self.add_entry(index, name, &stat, clock, known);
            }
        }
        // Those that are listed no more, or are another directory now.
        let stays: HashSet<u32> = kept.iter().copied().collect();
        for child in children.into_iter().filter(|child| !stays.contains(child)) {
            self.cursor.churn += self.blocks_below(child);
            self.remove(child);
            files.fresh += 1;
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
        failed.map_or(Ok(files.doubtful()), Err)
    }

    /// An entry that is what it was.
    fn keep_entry(&mut self, index: u32, record: FileRecord, hot: Option<Hot>) {
        let dir = self.dir_mut(index);
        let file = dir.files.len() as u32;
        dir.files.push(record);
        dir.file_blocks += record.blocks();
        dir.file_sizes += record.size;
        let followed = usize::from(hot.is_some());
        dir.hot.extend(hot.map(|hot| Hot { file, ..hot }));
        self.files += 1;
        self.hot += followed;
    }

    pub(super) fn blocks_below(&self, index: u32) -> u64 {
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
    pub(super) fn search_links(&mut self) -> bool {
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
