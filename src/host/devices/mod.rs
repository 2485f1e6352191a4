//! Block devices: from a filesystem's device number down to the disks, through sysfs.
//!
//! `/sys/dev/block/MAJ:MIN` leads to the directory of a device; `slaves/` names what it is made
//! of, `dm/`, `md/`, `loop/` and `partition` say what it is (kernel:
//! `Documentation/ABI/testing/sysfs-block*`). Filesystems without a device of their own are
//! followed through the mount table: btrfs to its members, an overlay to its upper directory, a
//! loop device to the filesystem its file lies on. No path of a mounted filesystem is touched.

mod names;
mod stack;
mod stat;
mod sysfs;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use names::logical_volume;
pub use stack::below;
pub use stat::parse_stat;
pub use sysfs::Sysfs;
