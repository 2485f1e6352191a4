//! The parts of a refresh that go beyond what is known to be hot.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::fs::RawDir;
use rustix::io::Errno;

use super::super::skip::Step;
use super::refresh::{Stale, is_directory, look};
use super::tree::{Place, Tree, UNKNOWN};

const BUFFER: usize = 64 * 1024;
/// Entries of one directory that is read again: with more a full pass, which can stop in the
/// middle of a directory, is the better means.
const LARGEST: usize = 100_000;

impl Tree {
    /// Reads a directory and looks at each entry. Directories that stay keep what is known of them.
    pub(super) fn read_again(&mut self, index: u32, fd: &OwnedFd) -> Result<(), Stale> {
        let now = (self.clock)();
        let skip = self.skip_node(index);
        let place = self.place();
        let dir = self.dir_mut(index);
        let (linked, hot) = (std::mem::take(&mut dir.linked), std::mem::take(&mut dir.hot));
        let (files, blocks) = (std::mem::take(&mut dir.files), dir.file_blocks);
        (dir.file_blocks, dir.file_sizes) = (0, 0);
        let children = std::mem::take(&mut dir.children);
        self.hot -= hot.len();
        self.files -= files.len();
        let was_hot: HashMap<u64, i32> = hot.iter().map(|hot| (hot.inode, hot.changed)).collect();
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
                kept.push(same.unwrap_or_else(|| {
                    self.cursor.churn += stat.stx_blocks;
                    let dir = self.add_dir(None, name, &stat);
                    self.dir_mut(dir).parent = index;
                    dir
                }));
            } else {
                let known = was_hot.get(&stat.stx_ino).copied();
                self.add_entry(index, name, &stat, now, known);
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
