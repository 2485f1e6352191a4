//! Where the data behind host paths, driver volumes and CSI volumes lies on this host.
//!
//! A host path says so itself. Volumes of drivers and CSI plugins are found through the mount
//! table of a container that uses them: the device and root behind its container path, looked up
//! in the host's own table. Without a readable container, a mount point of the host that carries
//! the volume's name as a path component is taken.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::host::Roots;
use crate::host::guard::Guard;
use crate::host::mounts::{MountEntry, MountTable};
use crate::model::Presence;

use super::facts::ExternalSource;
use super::join::{ExternalPlace, ExternalPlaces, identity};

/// A source, and the containers that mount it with their container paths.
type Used = (ExternalSource, Vec<(String, String)>);

/// Looks each source up. What is not a directory of a real filesystem has no place.
pub fn find(
    sources: &[Used],
    pids: &HashMap<String, u32>,
    mounts: &MountTable,
    roots: &Roots,
    guard: &Guard,
) -> ExternalPlaces {
    let mut places = ExternalPlaces::new();
    for (source, containers) in sources {
        let path = match source {
            ExternalSource::HostPath(path) => Some(path.clone()),
            ExternalSource::Docker { name, .. } => {
                through_container(containers, pids, mounts, roots).or_else(|| by_name(name, mounts))
            }
            ExternalSource::Csi { id, .. } => {
                through_container(containers, pids, mounts, roots).or_else(|| by_name(id, mounts))
            }
        };
        let Some(path) = path else {
            let unknown = ExternalPlace {
                path: None,
                presence: Presence::Unknown,
                own_filesystem: false,
                created: None,
                inode: None,
            };
            places.insert(identity(source), unknown);
            continue;
        };
        if let Some(place) = look(path, mounts, roots, guard) {
            places.insert(identity(source), place);
        }
    }
    places
}

/// `None`: a socket, a device, a single file, or something of a pseudo filesystem: no volume.
fn look(path: PathBuf, mounts: &MountTable, roots: &Roots, guard: &Guard) -> Option<ExternalPlace> {
    if mounts.containing(&path).is_some_and(|entry| entry.pseudo()) {
        return None;
    }
    let inside = roots.inside(&path);
    let seen = guard
        .run(&inside.clone(), "look at a host path", move || std::fs::symlink_metadata(&inside));
    let (presence, found) = match seen {
        Ok(Ok(metadata)) if metadata.is_dir() => (Presence::Present, Some(metadata)),
        Ok(Ok(_)) => return None,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => (Presence::Missing, None),
        Ok(Err(_)) | Err(_) => (Presence::Unknown, None),
    };
    let created = found.as_ref().map(|metadata| metadata.mtime() as f64);
    let inode = found.map(|metadata| {
        let device = metadata.dev();
        (rustix::fs::major(device), rustix::fs::minor(device), metadata.ino())
    });
    let own_filesystem = mounts.at(&path).is_some_and(|entry| entry.root == Path::new("/"));
    Some(ExternalPlace { path: Some(path), presence, own_filesystem, created, inode })
}

fn through_container(
    containers: &[(String, String)],
    pids: &HashMap<String, u32>,
    mounts: &MountTable,
    roots: &Roots,
) -> Option<PathBuf> {
    containers.iter().filter(|(_, path)| !path.is_empty()).find_map(|(container, path)| {
        let pid = pids.get(container)?;
        // Reading a mount table never touches what is mounted.
        let text = std::fs::read(roots.procfs.join(pid.to_string()).join("mountinfo")).ok()?;
        let inside = MountTable::parse(&text);
        let mount = inside
            .entries
            .iter()
            .rev()
            .find(|entry| ends_with(&entry.mount_point, Path::new(path)))?;
        on_host(mount, mounts)
    })
}

/// Container paths may be relative to the sandbox: the mount point then ends with them.
fn ends_with(mount_point: &Path, container_path: &Path) -> bool {
    if container_path.is_absolute() {
        return mount_point == container_path
            || mount_point.ends_with(container_path.strip_prefix("/").unwrap_or(container_path));
    }
    mount_point.ends_with(container_path)
}

/// The host's path of what is behind a container's mount.
fn on_host(mount: &MountEntry, mounts: &MountTable) -> Option<PathBuf> {
    mounts
        .entries
        .iter()
        .filter(|entry| entry.device == mount.device)
        .filter_map(|entry| {
            let below = mount.root.strip_prefix(&entry.root).ok()?;
            let empty = below.as_os_str().is_empty();
            let path =
                if empty { entry.mount_point.clone() } else { entry.mount_point.join(below) };
            Some((entry.root.components().count(), path))
        })
        // The mount that shows the least beside it, and of several the shortest path.
        .min_by_key(|(depth, path)| (std::cmp::Reverse(*depth), path.components().count()))
        .map(|(_, path)| path)
}

fn by_name(name: &str, mounts: &MountTable) -> Option<PathBuf> {
    mounts
        .entries
        .iter()
        .filter(|entry| entry.mount_point.iter().any(|part| part == OsStr::new(name)))
        .map(|entry| entry.mount_point.clone())
        .min_by_key(|path| path.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &[u8] = b"27 1 254:0 / / rw - ext4 /dev/vda rw\n\
        60 27 0:50 / /var/lib/rexray/volumes/pg rw - nfs4 filer:/pg rw\n\
        61 27 8:16 / /csi/nvme/mounts/vol-7/target rw - xfs /dev/sdb rw\n";

    #[test]
    fn a_driver_volume_is_found_behind_the_containers_mount() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("77")).unwrap();
        let container = b"90 80 254:0 /var/lib/docker/volumes/pg/_data /mnt/sandbox/data rw - ext4 /dev/vda rw\n";
        std::fs::write(dir.path().join("77/mountinfo"), container).unwrap();
        let roots = Roots { procfs: dir.path().into(), ..Roots::default() };
        let found = through_container(
            &[("c".into(), "data".into())],
            &HashMap::from([("c".to_string(), 77)]),
            &MountTable::parse(HOST),
            &roots,
        );
        assert_eq!(found, Some("/var/lib/docker/volumes/pg/_data".into()));
    }

    #[test]
    fn without_a_container_a_mount_point_with_its_name_is_taken() {
        let mounts = MountTable::parse(HOST);
        assert_eq!(by_name("vol-7", &mounts), Some("/csi/nvme/mounts/vol-7/target".into()));
        assert_eq!(by_name("pg", &mounts), Some("/var/lib/rexray/volumes/pg".into()));
        assert_eq!(by_name("none", &mounts), None);
    }
}
