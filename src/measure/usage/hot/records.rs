//! What is remembered of a file.

use std::ffi::CStr;

use rustix::fs::{Statx, StatxFlags};

/// A hot file is looked at again after this part of the time since it changed: one that was seen to
/// change, and one that was only made.
const REST_SHARE: i32 = 8;
const REST_SHARE_ONCE: i32 = 2;
/// Seconds after it was made from which on a change of a file is one of its own.
const MADE_WITHIN: i64 = 10;
/// A place in no list of files.
pub(super) const LINKED: u32 = u32::MAX;

/// A file with one link: 24 bytes each.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileRecord {
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Blocks of 512 bytes, and the [tag](FileRecord::tag) of its name in the lowest bits.
    packed: u64,
}

/// Bits of a name's tag.
const TAG: u32 = 24;

impl FileRecord {
    /// Of a file that [fits](Self::fits).
    pub(super) fn new(name: &CStr, stat: &Statx) -> Self {
        let packed = stat.stx_blocks << TAG | Self::tag(name);
        Self { inode: stat.stx_ino, size: stat.stx_size, packed }
    }

    /// Half a pebibyte is the most that a record holds.
    pub(super) fn fits(blocks: u64) -> bool {
        blocks >> (u64::BITS - TAG) == 0
    }

    /// Of 512 bytes.
    pub(super) fn blocks(&self) -> u64 {
        self.packed >> TAG
    }

    /// Another number of blocks that [fits](Self::fits).
    pub(super) fn set_blocks(&mut self, blocks: u64) {
        self.packed = blocks << TAG | self.packed & ((1 << TAG) - 1);
    }

    /// Tells the names apart that an inode may have had: two that differ have the same one in 16
    /// million. Whoever makes names that collide gains no more than by using one name twice.
    fn tag(name: &CStr) -> u64 {
        let mut hash = 0_u64;
        for word in name.to_bytes().chunks(8) {
            let mut eight = [0; 8];
            eight[..word.len()].copy_from_slice(word);
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(eight))
                .wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        hash >> (u64::BITS - TAG)
    }

    /// It has this name, as far as is known.
    pub(super) fn is_named(&self, name: &CStr) -> bool {
        self.packed & ((1 << TAG) - 1) == Self::tag(name)
    }
}

/// A file that refreshes look at: each one while it changes, then more and more seldom.
#[derive(Debug)]
pub(super) struct Hot {
    pub(super) name: Box<CStr>,
    /// 0: only its name is known yet.
    pub(super) inode: u64,
    pub(super) ctime: u64,
    /// Its place in [`Dir::files`](super::tree::Dir::files); [`LINKED`] for one among [`Dir::linked`](super::tree::Dir::linked).
    pub(super) file: u32,
    /// When it was last seen to change, in seconds after the tree was made.
    pub(super) changed: i32,
    /// When it was last looked at, likewise.
    pub(super) looked: i32,
    /// It changed after it was made, or it is not known when that was.
    pub(super) grows: bool,
    /// It is hot for one look: its next change will be told of.
    pub(super) once: bool,
}

/// What was known of a hot file before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    pub(super) changed: i32,
    pub(super) ctime: u64,
    pub(super) grows: bool,
    pub(super) once: bool,
}

impl Hot {
    /// It was still for so long that this refresh need not look at it: what changes in it now is
    /// seen within an eighth of that time; within half of it in a file that never changed since it
    /// was made, as most never do.
    pub(super) fn rests(&self, now: i32) -> bool {
        let share = if self.grows { REST_SHARE } else { REST_SHARE_ONCE };
        now - self.looked < (now - self.changed) / share
    }

    /// Of two, the one with the higher rank is followed: the one that changed last, one that was
    /// only made counting as four times as long ago.
    pub(super) fn rank(&self, now: i32) -> i32 {
        let age = now.saturating_sub(self.changed);
        let times = if self.grows { 1 } else { REST_SHARE / REST_SHARE_ONCE };
        age.saturating_mul(times).saturating_neg()
    }

    pub(super) fn past(&self) -> Past {
        Past { changed: self.changed, ctime: self.ctime, grows: self.grows, once: self.once }
    }
}

/// Whether it changed after it was made; `true` too where that is not told.
pub(super) fn grew(stat: &Statx) -> bool {
    let told = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    !told || stat.stx_ctime.tv_sec - stat.stx_btime.tv_sec > MADE_WITHIN
}
