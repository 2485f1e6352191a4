//! Where volumes are mounted, as the host's mount table shows.
//!
//! With `filesystem/linux` the agent bind-mounts each volume at `<sandbox>/<container_path>` in
//! the host's mount namespace. Field 4 of `/proc/PID/mountinfo` (the root of the mount within its
//! filesystem) tells which directory is behind a mount point: an agent-independent witness.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::host::mounts::MountEntry;
use crate::model::MountUse;

use super::{Witnesses, place};

/// Mounts by what is behind them: device and path within the filesystem.
pub(super) struct MountUses<'a> {
    witnesses: &'a Witnesses<'a>,
    by_origin: HashMap<Origin<'a>, Vec<&'a MountEntry>>,
}

/// A directory of a filesystem: device number and path from the filesystem's root.
type Origin<'a> = ((u32, u32), &'a Path);

impl<'a> MountUses<'a> {
    pub(super) fn new(witnesses: &'a Witnesses<'a>) -> Self {
        let mut by_origin: HashMap<_, Vec<_>> = HashMap::new();
        for entry in &witnesses.mounts.entries {
            by_origin.entry((entry.device, entry.root.as_path())).or_default().push(entry);
        }
        Self { witnesses, by_origin }
    }

    /// Mount points of the directory at `path`, other than `path` itself, sorted.
    pub(super) fn of(&self, path: &Path) -> Vec<MountUse> {
        let Some(origin) = self.origin(path) else { return Vec::new() };
        let mut uses: Vec<MountUse> = self
            .by_origin
            .get(&(origin.0, origin.1.as_path()))
            .into_iter()
            .flatten()
            .filter(|entry| entry.mount_point != path)
            .map(|entry| MountUse {
                mount_point: entry.mount_point.clone(),
                container: place::run_of_path(self.witnesses.work_dir, &entry.mount_point)
                    .map(|run| run.container)
                    .unwrap_or_default(),
            })
            .collect();
        uses.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
        uses.dedup();
        uses
    }

    fn origin(&self, path: &Path) -> Option<((u32, u32), PathBuf)> {
        origin(self.witnesses.mounts.containing(path)?, path)
    }
}

/// Path within the filesystem of a path that lies on `entry`.
fn origin(entry: &MountEntry, path: &Path) -> Option<((u32, u32), PathBuf)> {
    let below = path.strip_prefix(&entry.mount_point).ok()?;
    // `join("")` would leave a trailing slash, which compares equal only by components.
    let root =
        if below.as_os_str().is_empty() { entry.root.clone() } else { entry.root.join(below) };
    Some((entry.device, root))
}
