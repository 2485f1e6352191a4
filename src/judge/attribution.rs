//! Which bytes of a filesystem no subject explains.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::model::Measured;

/// One measured tree on a filesystem.
#[derive(Clone, Debug)]
pub struct Share<'a> {
    /// Where it lies.
    pub path: &'a Path,
    /// Mount point of its filesystem.
    pub filesystem: &'a Path,
    /// What is known of its use; absent while it was never measured.
    pub measured: &'a Measured,
}

/// Sum of the bytes its subjects explain, by mount point; absent for a filesystem with a subject
/// that was not measured yet, where the difference would only look like a number.
///
/// A subject that lies below another one (a nested sandbox, a host path inside a volume) is part
/// of it and not counted again.
pub fn explained(shares: &[Share<'_>]) -> HashMap<PathBuf, Option<u64>> {
    let mut ordered: Vec<&Share<'_>> = shares.iter().collect();
    ordered.sort_by_key(|share| (share.filesystem, share.path));
    let mut sums: HashMap<PathBuf, Option<u64>> = HashMap::new();
    // Within a filesystem, sorted by path components, an ancestor comes right before all below it.
    let mut outer: Option<&Share<'_>> = None;
    for share in ordered {
        let inside = outer.is_some_and(|above| {
            share.path.starts_with(above.path) && share.filesystem == above.filesystem
        });
        if inside {
            continue;
        }
        outer = Some(share);
        let sum = sums.entry(share.filesystem.to_path_buf()).or_insert(Some(0));
        *sum = match (*sum, &share.measured.sample) {
            (Some(so_far), Some(sample)) => Some(so_far.saturating_add(sample.used_bytes)),
            _ => None,
        };
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Method, UsageSample};

    fn measured(bytes: u64) -> Measured {
        Measured {
            sample: Some(UsageSample {
                used_bytes: bytes,
                apparent_bytes: None,
                files: None,
                method: Method::Walk,
                error_bound_bytes: Some(0),
                measured_at: 1.0,
                duration_seconds: 0.1,
            }),
            ..Measured::default()
        }
    }

    fn sums(subjects: &[(&str, &str, &Measured)]) -> HashMap<PathBuf, Option<u64>> {
        let shares: Vec<Share<'_>> = subjects
            .iter()
            .map(|(path, filesystem, measured)| Share {
                path: Path::new(path),
                filesystem: Path::new(filesystem),
                measured,
            })
            .collect();
        explained(&shares)
    }

    #[test]
    fn nested_subjects_count_once() {
        let (ten, four, one) = (measured(10), measured(4), measured(1));
        let sums = sums(&[
            ("/w/a/nested", "/", &four),
            ("/w/a", "/", &ten),
            ("/w/a b", "/", &one),
            ("/w/a/mnt", "/w/a/mnt", &four),
        ]);
        assert_eq!(sums[Path::new("/")], Some(11));
        assert_eq!(sums[Path::new("/w/a/mnt")], Some(4));
    }

    #[test]
    fn one_unmeasured_subject_leaves_the_sum_unknown() {
        let (ten, never) = (measured(10), Measured::default());
        assert_eq!(sums(&[("/a", "/", &ten), ("/b", "/", &never)])[Path::new("/")], None);
    }
}
