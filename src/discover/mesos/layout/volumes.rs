//! Directories of volumes on one disk.

use std::ffi::OsStr;
use std::path::Path;

use super::{subfolders, take};
use crate::discover::dirs::{DirError, Folder};
use crate::discover::mesos::facts::{LayoutFacts, VolumeDir};
use crate::host::names::escape_name;

/// Lists `volumes/roles/<role>/<id>` of a disk, and says that it was listed whole if it was.
///
/// `root` is the disk as the agent names it, `None` for the work directory; `real` is where it
/// really is.
pub(super) fn list(disk: &Folder, real: &Path, root: Option<&Path>, facts: &mut LayoutFacts) {
    let mut partial = false;
    match disk.below(&["volumes", "roles"]) {
        Ok(Some(roles)) => {
            let listed = list_roles(&roles, real, root, facts, &mut partial);
            take(listed, facts, &mut partial);
        }
        Ok(None) => {}
        Err(error) => {
            partial = true;
            facts.errors.push(error.to_source_error());
        }
    }
    if !partial {
        facts.listed_disks.push(root.map(Path::to_owned));
    }
}

fn list_roles(
    roles: &Folder,
    real: &Path,
    root: Option<&Path>,
    facts: &mut LayoutFacts,
    partial: &mut bool,
) -> Result<(), DirError> {
    let (names, whole) = subfolders(roles, &mut facts.errors)?;
    *partial |= !whole;
    for role in names {
        let Some(folder) = take(roles.child(&role), facts, partial) else { continue };
        let listed = subfolders(&folder, &mut facts.errors);
        let Some((ids, whole)) = take(listed, facts, partial) else { continue };
        *partial |= !whole;
        for id in ids {
            let path = real.join("volumes/roles").join(&role).join(&id);
            if let Some(dir) = take(folder.look(&id, path), facts, partial) {
                facts.volumes.push(VolumeDir {
                    disk_root: root.map(Path::to_owned),
                    role: unescape_role(&role),
                    id: escape_name(&id),
                    dir,
                });
            }
        }
    }
    Ok(())
}

/// Mesos writes the `/` of a hierarchical role as a space, which no role contains.
fn unescape_role(name: &OsStr) -> String {
    escape_name(name).replace(' ', "/")
}
