//! What `statfs` on a project's directory shows, and where it does not.
//!
//! XFS (`xfs_qm_statvfs`) and ext4 (`ext4_statfs_project`) answer with the project's limit as the
//! size, the soft one where there is one, and with what is left of it as free, but never less than
//! nothing and, on newer kernels, never more than the filesystem has. So size less free is the use
//! only while 0 < free < the filesystem's own free; anywhere else it merely looks like it.

use rustix::fs::StatVfs;

/// The numbers of one `statfs`, in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) size: u64,
    pub(super) free: u64,
    /// Bytes in a block.
    pub(super) unit: u64,
}

impl From<StatVfs> for Blocks {
    fn from(stat: StatVfs) -> Self {
        Self { size: stat.f_blocks, free: stat.f_bfree, unit: stat.f_frsize }
    }
}

/// Bytes the project uses by the numbers of its directory, `here`, read between two looks at the
/// filesystem itself. `None` outside the bounds.
pub(super) fn used(before: Blocks, here: Blocks, after: Blocks) -> Option<u64> {
    if before.unit != here.unit || after.unit != here.unit {
        return None;
    }
    // Others write meanwhile: what is as good as the filesystem's own free is not told from it.
    let clearly_less = here.free.saturating_add(here.free / 64) < before.free.min(after.free);
    let limited = here.size < before.size.min(after.size);
    if !limited || here.free == 0 || !clearly_less {
        return None;
    }
    here.size.checked_sub(here.free)?.checked_mul(here.unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(size: u64, free: u64) -> Blocks {
        Blocks { size, free, unit: 4096 }
    }

    fn of(filesystem: (u64, u64), project: (u64, u64)) -> Option<u64> {
        let all = blocks(filesystem.0, filesystem.1);
        used(all, blocks(project.0, project.1), all)
    }

    #[test]
    fn exact_within_the_bounds_only() {
        assert_eq!(of((1000, 900), (100, 60)), Some(40 * 4096));
        assert_eq!(of((1000, 900), (100, 100)), Some(0));
        // Past the soft limit: used may be anything from the limit on.
        assert_eq!(of((1000, 900), (100, 0)), None);
        // No limit: the filesystem's own numbers.
        assert_eq!(of((1000, 900), (1000, 900)), None);
        // Free capped by the filesystem's, or as good as it.
        assert_eq!(of((1000, 50), (100, 50)), None);
        assert_eq!(of((1000, 901), (990, 895)), None);
        // A limit above the filesystem's size, as older kernels show it.
        assert_eq!(of((1000, 900), (2000, 500)), None);
        // Nonsense is no number.
        assert_eq!(of((1000, 900), (10, 20)), None);
    }

    #[test]
    fn a_filesystem_that_fills_meanwhile_or_speaks_in_other_blocks() {
        let here = blocks(100, 60);
        assert_eq!(used(blocks(1000, 900), here, blocks(1000, 55)), None);
        assert_eq!(used(blocks(1000, 55), here, blocks(1000, 900)), None);
        let other = Blocks { unit: 512, ..blocks(8000, 7000) };
        assert_eq!(used(other, here, other), None);
    }
}
