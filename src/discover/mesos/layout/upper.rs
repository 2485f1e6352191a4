//! Upper directories of the overlays that containers with an image write to.

use std::ffi::OsStr;
use std::path::Path;

use super::{MAX_DEPTH, nested_folder, take, too_deep};
use crate::discover::dirs::{Folder, present};
use crate::discover::mesos::facts::LayoutFacts;
use crate::host::names::escape_name;

/// Lists `provisioner/containers/**/backends/overlay/scratch/*/upperdir` of the work directory.
pub(super) fn list(work: &Folder, real: &Path, facts: &mut LayoutFacts) {
    // A missing one only leaves bytes unattributed: no flag says so, the error does.
    let mut partial = false;
    let provisioner = work.child(OsStr::new("provisioner"));
    let Some(provisioner) = take(provisioner, facts, &mut partial) else { return };
    containers(&provisioner, &real.join("provisioner"), "", 1, facts);
}

fn containers(above: &Folder, real: &Path, parent: &str, depth: usize, facts: &mut LayoutFacts) {
    let partial = &mut false;
    let Some(Some(folder)) = take(nested_folder(above), facts, partial) else { return };
    let Some(names) = take(folder.names(), facts, partial) else { return };
    if depth > MAX_DEPTH && !names.directories.is_empty() {
        facts.errors.push(too_deep(&folder));
        return;
    }
    for name in names.directories {
        let Some(container) = take(folder.child(&name), facts, partial) else { continue };
        let real = real.join("containers").join(&name);
        let id = match parent {
            "" => escape_name(&name),
            parent => format!("{parent}.{}", escape_name(&name)),
        };
        scratch(&container, &real, &id, facts);
        containers(&container, &real, &id, depth + 1, facts);
    }
}

fn scratch(container: &Folder, real: &Path, id: &str, facts: &mut LayoutFacts) {
    let partial = &mut false;
    let below = ["backends", "overlay", "scratch"];
    let Some(Some(folder)) = take(container.below(&below), facts, partial) else { return };
    let Some(names) = take(folder.names(), facts, partial) else { return };
    for name in names.directories {
        let Some(one) = take(folder.child(&name), facts, partial) else { continue };
        let found = present(one.child(OsStr::new("upperdir")));
        if let Some(Some(_)) = take(found, facts, partial) {
            let path = below.iter().fold(real.to_owned(), |path, part| path.join(part));
            let paths = facts.upper_dirs.entry(id.to_owned()).or_default();
            paths.push(path.join(&name).join("upperdir"));
        }
    }
}
