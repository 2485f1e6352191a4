//! What lies on disk below an agent's work directory and on its other disks.
//!
//! ```text
//! <work>/slaves/<agent>/frameworks/<fw>/executors/<exec>/runs/<container>   sandboxes
//! …/<container>/containers/<nested>/…                                       of task groups
//! <work>/containers/<container>                                             standalone ones
//! <work>/volumes/roles/<role>/<id>, <PATH disk>/volumes/roles/<role>/<id>   volumes
//! <work>/provisioner/containers/<container>/…/backends/overlay/scratch/<id>/upperdir
//! ```
//! Source: `src/slave/paths.hpp` and `src/slave/containerizer/mesos/provisioner/paths.hpp` of
//! Mesos.
//!
//! Each disk is a filesystem of its own that may hang on its own, so each has its own function:
//! [`list_work_dir`], [`list_path_disk`] and [`look_at_mount_disk`]. [`list`] calls them all.

mod sandboxes;
#[cfg(test)]
mod tests;
mod upper;
mod volumes;

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::facts::{LayoutFacts, MountRoot};
use crate::discover::dirs::{Avoid, DirError, Folder, present, resolve};
use crate::host::Roots;
use crate::host::names::escape_name;
use crate::model::SourceError;

/// Nested containers deeper than this are an error. The kernel allows 32 pid namespaces within
/// each other, so no agent gets deeper.
pub(super) const MAX_DEPTH: usize = 32;

/// Where to look.
#[derive(Clone, Debug)]
pub struct LayoutOptions<'a> {
    /// How paths of the host are reached.
    pub roots: &'a Roots,
    /// The agent's `--work_dir`, a path of the host.
    pub work_dir: &'a Path,
    /// Roots of PATH disks, as the agent names them.
    pub path_disks: &'a [PathBuf],
    /// Roots of MOUNT disks, as the agent names them.
    pub mount_disks: &'a [PathBuf],
    /// Look for the links of the posix isolators. It lists every sandbox and the directories in
    /// it, so ask for it only where the agent has no `filesystem/linux`.
    pub look_for_links: bool,
    /// Mount points that must not be touched: those in sandboxes, which are other subjects or
    /// none, and those that do not answer.
    pub avoid: Avoid,
}

impl LayoutOptions<'_> {
    /// A disk root as a path of the host: relative ones are below the work directory.
    fn disk(&self, root: &Path) -> PathBuf {
        self.work_dir.join(root)
    }
}

/// Lists the work directory and every disk. It blocks as long as the slowest of them: call the
/// parts on their own where one that hangs must not hide the others.
pub fn list(options: &LayoutOptions<'_>) -> LayoutFacts {
    let mut facts = list_work_dir(options);
    for root in options.path_disks {
        merge(&mut facts, list_path_disk(options, root));
    }
    for root in options.mount_disks {
        merge(&mut facts, look_at_mount_disk(options, root));
    }
    facts
}

/// Adds what another part found.
pub fn merge(facts: &mut LayoutFacts, part: LayoutFacts) {
    let LayoutFacts {
        work_dir,
        agent_ids,
        runs,
        standalone,
        runs_partial,
        volumes,
        listed_disks,
        mount_roots,
        upper_dirs,
        errors,
        duration_seconds,
    } = part;
    facts.work_dir = facts.work_dir.take().or(work_dir);
    facts.agent_ids = facts.agent_ids.take().or(agent_ids);
    facts.runs = facts.runs.take().or(runs);
    facts.standalone = facts.standalone.take().or(standalone);
    facts.runs_partial |= runs_partial;
    facts.volumes.extend(volumes);
    facts.listed_disks.extend(listed_disks);
    facts.mount_roots.extend(mount_roots);
    facts.upper_dirs.extend(upper_dirs);
    facts.errors.extend(errors);
    facts.duration_seconds += duration_seconds;
}

/// Lists sandboxes, root-disk volumes and upper directories of the work directory.
pub fn list_work_dir(options: &LayoutOptions<'_>) -> LayoutFacts {
    timed(|facts| {
        let (real, work) = open(options, options.work_dir)?;
        facts.work_dir = Some(real.clone());
        sandboxes::list(&work, &real, options, facts);
        volumes::list(&work, &real, None, facts);
        upper::list(&work, &real, facts);
        Ok(())
    })
}

/// Lists the volumes of a PATH disk.
pub fn list_path_disk(options: &LayoutOptions<'_>, root: &Path) -> LayoutFacts {
    timed(|facts| {
        let (real, disk) = open(options, &options.disk(root))?;
        volumes::list(&disk, &real, Some(root), facts);
        Ok(())
    })
}

/// Looks at the root of a MOUNT disk: the volume is the whole filesystem.
pub fn look_at_mount_disk(options: &LayoutOptions<'_>, root: &Path) -> LayoutFacts {
    timed(|facts| {
        let mut found =
            MountRoot { root: root.to_owned(), dir: None, has_content: None, mounted: false };
        let result = look_at_mount(options, root, &mut found);
        facts.mount_roots.push(found);
        result
    })
}

fn look_at_mount(
    options: &LayoutOptions<'_>,
    root: &Path,
    found: &mut MountRoot,
) -> Result<(), DirError> {
    let (real, folder) = open(options, &options.disk(root))?;
    found.dir = Some(folder.look_at_self(real)?);
    found.mounted = folder.is_mount_root()?;
    let mut has_content = false;
    folder.scan(|name, _| {
        has_content = name != "lost+found";
        if has_content { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    found.has_content = Some(has_content);
    Ok(())
}

fn open(options: &LayoutOptions<'_>, host_path: &Path) -> Result<(PathBuf, Folder), DirError> {
    let real = resolve(options.roots, host_path)?;
    let folder = Folder::open_root_avoiding(&options.roots.inside(&real), &options.avoid)?;
    Ok((real, folder))
}

fn timed(work: impl FnOnce(&mut LayoutFacts) -> Result<(), DirError>) -> LayoutFacts {
    let start = Instant::now();
    let mut facts = LayoutFacts::default();
    if let Err(error) = work(&mut facts) {
        facts.errors.push(error.to_source_error());
    }
    facts.duration_seconds = start.elapsed().as_secs_f64();
    facts
}

/// A directory of the agent in which only other directories belong. A link there hides what it
/// leads to, because it is not followed: that is an error, but for `latest`.
fn subfolders(
    folder: &Folder,
    errors: &mut Vec<SourceError>,
) -> Result<(Vec<std::ffi::OsString>, bool), DirError> {
    let names = folder.names()?;
    let mut whole = true;
    for name in names.links.iter().filter(|name| *name != "latest") {
        whole = false;
        errors.push(SourceError {
            reason: "malformed",
            message: format!(
                "list directory {:?}: {:?} is a symbolic link, and is not followed",
                folder.path(),
                escape_name(name)
            ),
            hint: "put the real directory there, or bind-mount it".to_owned(),
        });
    }
    Ok((names.directories, whole))
}

/// Takes the value of what is there, and notes an error.
fn take<T>(result: Result<T, DirError>, facts: &mut LayoutFacts, partial: &mut bool) -> Option<T> {
    match present(result) {
        Ok(value) => value,
        Err(error) => {
            *partial = true;
            facts.errors.push(error.to_source_error());
            None
        }
    }
}

/// `containers` below a container: the folder, unless something is mounted over it.
fn nested_folder(folder: &Folder) -> Result<Option<Folder>, DirError> {
    let Some(nested) = present(folder.child(OsStr::new("containers")))? else { return Ok(None) };
    Ok((!nested.is_mount_root()?).then_some(nested))
}

/// An error that says that containers are nested too deeply.
pub(super) fn too_deep(folder: &Folder) -> SourceError {
    SourceError {
        reason: "too_large",
        message: format!(
            "list directory {:?}: containers nested more than {MAX_DEPTH} deep",
            folder.path()
        ),
        hint: "no agent makes these: find out who did".to_owned(),
    }
}
