//! Which subjects are measured, and how: from the inventory and the mount table.

use std::path::{Path, PathBuf};

use crate::host::Roots;
use crate::host::mounts::MountTable;
use crate::model::{Inventory, Presence, Subject};

use super::usage::{How, Target};

/// One target for each subject that is there.
///
/// Mounts below a subject are never entered: they are other subjects, or none.
/// With `walk_network` those on a network filesystem are walked like all others.
pub fn plan(
    inventory: &Inventory,
    mounts: &MountTable,
    roots: &Roots,
    walk_network: bool,
) -> Vec<Target> {
    let target = |subject: Subject, path: &Path, extra: &[PathBuf], own_filesystem: bool| Target {
        subject,
        path: roots.inside(path),
        extra: extra.iter().map(|path| roots.inside(path)).collect(),
        skip: mounts.below(path).map(|entry| roots.inside(&entry.mount_point)).collect(),
        how: if own_filesystem { How::OwnFilesystem } else { How::Walk },
        remote: !walk_network && mounts.containing(path).is_some_and(|entry| entry.remote()),
    };
    let volumes = inventory.volumes.iter().filter_map(|volume| {
        let path = volume.to_measure()?;
        let subject = Subject::Volume(volume.key.clone());
        Some(target(subject, path, &[], volume.own_filesystem))
    });
    let sandboxes =
        inventory.sandboxes.iter().filter(|sandbox| sandbox.presence == Presence::Present).map(
            |sandbox| {
                let subject = Subject::Sandbox(sandbox.key.clone());
                target(subject, &sandbox.path, &sandbox.extra_paths, false)
            },
        );
    volumes.chain(sandboxes).collect()
}
