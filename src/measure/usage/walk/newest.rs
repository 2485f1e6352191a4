//! The newest modification in a tree.

use rustix::fs::Statx;

use crate::model::Timestamp;

/// Newest modification over a number of inodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Newest {
    /// The newest one that can be true: of each inode the earlier of `mtime` and `ctime`. A write
    /// sets both, `utimensat(2)` sets only `mtime` to whatever its owner likes, and `ctime` to the
    /// kernel's time; so an inode cannot have been modified after its `ctime`.
    pub change: Timestamp,
    /// The newest `mtime` as it stands there, which may lie ahead of any clock.
    pub claimed: Timestamp,
}

impl Newest {
    /// Of one inode, looked at with `STATX_MTIME` and `STATX_CTIME`.
    pub(in super::super) fn of(stat: &Statx) -> Self {
        let (m, c) = (&stat.stx_mtime, &stat.stx_ctime);
        Self::from_times(seconds(m.tv_sec, m.tv_nsec), seconds(c.tv_sec, c.tv_nsec))
    }

    fn from_times(mtime: Timestamp, ctime: Timestamp) -> Self {
        Self { change: mtime.min(ctime), claimed: mtime }
    }

    /// Of both.
    pub(in super::super) fn merged(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => {
                let (change, claimed) = (a.change.max(b.change), a.claimed.max(b.claimed));
                Some(Self { change, claimed })
            }
            (one, other) => one.or(other),
        }
    }
}

fn seconds(whole: i64, nanoseconds: u32) -> Timestamp {
    whole as f64 + f64::from(nanoseconds) / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_set_by_hand_counts_only_until_it_was_set() {
        let of = |times: &[(f64, f64)]| {
            let each = times.iter().map(|(m, c)| Some(Newest::from_times(*m, *c)));
            each.fold(None, Newest::merged).map(|newest| (newest.change, newest.claimed))
        };
        assert_eq!(of(&[]), None);
        // Written; unpacked from an archive later; touched into the future.
        assert_eq!(of(&[(100.0, 100.0)]), Some((100.0, 100.0)));
        assert_eq!(of(&[(50.0, 100.0)]), Some((50.0, 50.0)));
        assert_eq!(of(&[(9e9, 100.0)]), Some((100.0, 9e9)));
        assert_eq!(of(&[(50.0, 100.0), (9e9, 70.0), (60.0, 60.0)]), Some((70.0, 9e9)));
    }
}
