//! The few directories in which the next sandbox or volume would appear.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::host::Roots;
use crate::model::DiskSource;

use super::facts::LayoutFacts;
use super::join::place;

/// Directories to watch, as seen from this process. Nothing inside a sandbox or volume.
pub fn directories(
    roots: &Roots,
    work_dir: &Path,
    runtime_dir: &Path,
    disks: &[DiskSource],
    present_agent: Option<&str>,
    layout: &LayoutFacts,
) -> BTreeSet<PathBuf> {
    let mut wanted = BTreeSet::new();
    let mut want = |host_path: &Path| {
        wanted.insert(roots.inside(host_path));
    };
    want(work_dir);
    for below in ["slaves", "containers", "volumes", "meta/slaves", "meta/resources"] {
        want(&work_dir.join(below));
    }
    want(&runtime_dir.join("containers"));
    let disk_roots = disks
        .iter()
        .filter(|source| !matches!(source, DiskSource::Mount { .. }))
        .filter_map(|source| place::disk_root(work_dir, source));
    for root in disk_roots.chain([work_dir.to_path_buf()]) {
        want(&root.join("volumes"));
        want(&root.join("volumes/roles"));
    }
    // Every directory between a volume or run that was seen and the root of its tree: siblings of
    // any of them appear there.
    for volume in &layout.volumes {
        if let Some(role) = volume.dir.path.parent() {
            want(role);
        }
    }
    if let Some(agent) = present_agent {
        want(&work_dir.join("slaves").join(agent));
        want(&work_dir.join("slaves").join(agent).join("frameworks"));
    }
    for run in layout.runs.iter().flatten() {
        if present_agent.is_some_and(|agent| agent != run.agent_id) || run.container.contains('.') {
            continue;
        }
        // …/frameworks/<framework>/executors/<executor>/runs/<container>
        run.dir.path.ancestors().skip(1).take(4).for_each(&mut want);
    }
    wanted
}
