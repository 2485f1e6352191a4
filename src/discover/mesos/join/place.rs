//! Where things lie: Mesos' rules from names to paths and back.
//!
//! Source: `src/slave/paths.cpp` (`getPersistentVolumePath`, `getExecutorRunPath`).

use std::path::{Component, Path, PathBuf};

use crate::model::DiskSource;

/// Value of the identity label `disk` of a persistent volume.
pub fn disk_label(source: &DiskSource) -> String {
    match source {
        DiskSource::Root => "ROOT".into(),
        DiskSource::Path { root } | DiskSource::Mount { root } => root.clone(),
        DiskSource::Block { id } => format!("BLOCK:{id}"),
        DiskSource::Raw { id } => format!("RAW:{id}"),
    }
}

/// Root of a disk as an absolute path of the host; a relative one is below the work directory.
pub fn disk_root(work_dir: &Path, source: &DiskSource) -> Option<PathBuf> {
    match source {
        DiskSource::Root => Some(work_dir.to_path_buf()),
        DiskSource::Path { root } | DiskSource::Mount { root } => Some(work_dir.join(root)),
        DiskSource::Block { .. } | DiskSource::Raw { .. } => None,
    }
}

/// Directory of a persistent volume. `None` when it has none (a block device), or when its role
/// or id could lead elsewhere (`..`, a slash in the id): such names come from a hostile file,
/// Mesos refuses them.
pub fn volume_path(work_dir: &Path, source: &DiskSource, role: &str, id: &str) -> Option<PathBuf> {
    let root = disk_root(work_dir, source)?;
    if matches!(source, DiskSource::Mount { .. }) {
        return Some(root);
    }
    // One flat level: `eng/storage` is the directory `eng storage`.
    let role = role.replace('/', " ");
    (is_one_name(&role) && is_one_name(id))
        .then(|| root.join("volumes").join("roles").join(role).join(id))
}

fn is_one_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.contains(['/', '\0'])
        && matches!(parts.next(), Some(Component::Normal(_)))
        && parts.next().is_none()
}

/// A run that a path of the work directory lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOfPath {
    /// Framework id; empty for a standalone container.
    pub framework: String,
    /// Executor id; empty for a standalone container.
    pub executor: String,
    /// Top container.
    pub container: String,
    /// Path below the sandbox.
    pub below: PathBuf,
}

/// Reads the run out of a path, such as a mount point, below the work directory.
pub fn run_of_path(work_dir: &Path, path: &Path) -> Option<RunOfPath> {
    let inside = path.strip_prefix(work_dir).ok()?;
    let parts: Vec<&str> = inside.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    match parts.as_slice() {
        [
            "slaves",
            _,
            "frameworks",
            framework,
            "executors",
            executor,
            "runs",
            container,
            below @ ..,
        ] if *container != "latest" => Some(RunOfPath {
            framework: framework.to_string(),
            executor: executor.to_string(),
            container: container.to_string(),
            below: below.iter().collect(),
        }),
        ["containers", container, below @ ..] => Some(RunOfPath {
            framework: String::new(),
            executor: String::new(),
            container: container.to_string(),
            below: below.iter().collect(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: &str = "/var/lib/mesos";

    #[test]
    fn volume_paths_of_every_disk() {
        let path = |source: DiskSource, role: &str, id: &str| {
            volume_path(Path::new(WORK), &source, role, id)
        };
        assert_eq!(
            path(DiskSource::Root, "eng/storage", "v1"),
            Some("/var/lib/mesos/volumes/roles/eng storage/v1".into())
        );
        let disk = |root: &str| DiskSource::Path { root: root.into() };
        assert_eq!(path(disk("/mnt/d"), "r", "v"), Some("/mnt/d/volumes/roles/r/v".into()));
        assert_eq!(
            path(disk("disks/0"), "r", "v"),
            Some("/var/lib/mesos/disks/0/volumes/roles/r/v".into())
        );
        let mount = DiskSource::Mount { root: "/mnt/m".into() };
        assert_eq!(path(mount, "r", "v"), Some("/mnt/m".into()));
        assert_eq!(path(DiskSource::Raw { id: "x".into() }, "r", "v"), None);
    }

    #[test]
    fn names_that_lead_elsewhere_have_no_path() {
        for (role, id) in
            [("r", ".."), ("r", "../x"), ("..", "v"), ("r", ""), ("", "v"), ("r", ".")]
        {
            assert_eq!(
                volume_path(Path::new(WORK), &DiskSource::Root, role, id),
                None,
                "{role} {id}"
            );
        }
    }

    #[test]
    fn runs_of_mount_points() {
        let of = |path: &str| run_of_path(Path::new(WORK), Path::new(path));
        let run = of("/var/lib/mesos/slaves/S0/frameworks/F/executors/E/runs/C/data/x");
        assert_eq!(
            run,
            Some(RunOfPath {
                framework: "F".into(),
                executor: "E".into(),
                container: "C".into(),
                below: "data/x".into()
            })
        );
        assert_eq!(of("/var/lib/mesos/containers/M/x").map(|run| run.container), Some("M".into()));
        assert_eq!(of("/var/lib/mesos/slaves/S0/frameworks/F/executors/E/runs/latest/x"), None);
        assert_eq!(of("/var/lib/other"), None);
    }
}
