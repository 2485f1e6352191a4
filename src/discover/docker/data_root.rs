//! The engine's data without the engine: its data root, and the mount table.
//!
//! Says what lies there, not who refers to it: states stay unknown.
//! Source: moby `volume/local` (`volumes/NAME/_data`, `opts.json`), `layer/filestore.go`
//! (`image/overlay2/layerdb/mounts/ID/mount-id`), `daemon/graphdriver/overlay2`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::discover::dirs::{DirError, Folder, present, reach, resolve};
use crate::host::{MountTable, Roots};

use super::facts::{ContainerFacts, Details, VolumeFacts, is_chosen_name};
use super::options::{self, Meaning};
use super::podman_store;

/// Where Docker keeps its data unless told otherwise.
pub const DEFAULT: &str = "/var/lib/docker";

/// Name of a directory of containerd's, with the snapshotter's after it.
const SNAPSHOTTER: &str = "io.containerd.snapshotter.v1.";

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Volumes of the local driver.
    pub volumes: Vec<VolumeFacts>,
    /// Containers, by id where the path tells one.
    pub containers: Vec<ContainerFacts>,
    /// What could not be read.
    pub errors: Vec<DirError>,
    /// There is such a directory.
    pub there: bool,
    /// It is Podman's.
    pub podman: bool,
}

impl Found {
    /// Also where that could not be read.
    pub fn holds_something(&self) -> bool {
        !(self.volumes.is_empty() && self.containers.is_empty() && self.errors.is_empty())
    }
}

/// A container by its writable layer.
#[derive(Debug)]
pub struct Layer {
    /// Its id.
    pub container: String,
    /// Its name, where the files tell.
    pub name: String,
    /// Directory of the layer.
    pub upper: PathBuf,
}

/// Options that the local driver keeps beside a volume.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Options {
    #[serde(default)]
    mount_type: String,
    #[serde(default)]
    mount_opts: String,
    #[serde(default)]
    mount_device: String,
    #[serde(default)]
    quota: Quota,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Quota {
    #[serde(default)]
    size: u64,
}

/// Reads a data root (a path of the host). Blocks as the filesystem does: run it guarded.
pub fn read(roots: &Roots, root: &Path, mounts: &MountTable) -> Found {
    let mut found = Found::default();
    let real = resolve(roots, root).unwrap_or_else(|_| root.to_owned());
    let opened = reach(roots, root).and_then(|path| Folder::open_root(&path));
    let folder = match present(opened) {
        Ok(Some(folder)) => Some(folder),
        Ok(None) => None,
        Err(error) => {
            found.there = true;
            found.errors.push(error);
            None
        }
    };
    let mut layers = BTreeMap::new();
    if let Some(folder) = folder {
        found.there = true;
        match volumes(&folder, &real) {
            Ok(volumes) => found.volumes = volumes,
            Err(error) => found.errors.push(error),
        }
        found.podman = folder.has(podman_store::CONTAINERS).unwrap_or(false);
        let read = if found.podman { podman_store::layers } else { docker_layers };
        match read(&folder, &real) {
            Ok(read) => layers = read,
            Err(error) => found.errors.push(error),
        }
    }
    // Without the directory whatever is mounted below it is not this host's.
    if found.there {
        found.containers = containers(&real, layers, mounts);
    }
    found
}

fn volumes(root: &Folder, real: &Path) -> Result<Vec<VolumeFacts>, DirError> {
    let Some(folder) = root.below(&["volumes"])? else { return Ok(Vec::new()) };
    let mut volumes = Vec::new();
    for name in folder.names()?.directories {
        let Some(volume) = present(folder.child(&name))? else { continue };
        // Also one whose data is gone: the engine would still list it.
        if !volume.has("_data")? && !volume.has("opts.json")? {
            continue;
        }
        let Some(text) = name.to_str() else { continue };
        volumes.push(VolumeFacts {
            name: text.to_owned(),
            driver: "local".into(),
            path: Some(real.join("volumes").join(&name).join("_data")),
            anonymous: is_chosen_name(text),
            meaning: meaning(&volume),
            labels: Vec::new(),
        });
    }
    Ok(volumes)
}

fn meaning(volume: &Folder) -> Meaning {
    let read = present(volume.read("opts.json", 64 << 10)).ok().flatten();
    let Some(read) = read.and_then(|text| serde_json::from_slice::<Options>(&text).ok()) else {
        return Meaning::default();
    };
    let quota = Some(read.quota.size).filter(|size| *size > 0);
    options::of_mount(&read.mount_type, &read.mount_device, &read.mount_opts, quota)
}

/// Containers by the id of their layer.
fn docker_layers(root: &Folder, real: &Path) -> Result<BTreeMap<String, Layer>, DirError> {
    let mut layers = BTreeMap::new();
    let Some(folder) = root.below(&["image", "overlay2", "layerdb", "mounts"])? else {
        return Ok(layers);
    };
    for name in folder.names()?.directories {
        let Some(mount) = present(folder.child(&name))? else { continue };
        let Some(layer) = present(mount.read("mount-id", 256))? else { continue };
        let layer = String::from_utf8_lossy(&layer).trim().to_owned();
        if let Some(id) = name.to_str()
            && is_layer(&layer)
        {
            let upper = real.join("overlay2").join(&layer).join("diff");
            layers.insert(layer, Layer { container: id.to_owned(), name: String::new(), upper });
        }
    }
    Ok(layers)
}

/// Ids of layers go into paths.
pub fn is_layer(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn containers(
    root: &Path,
    mut layers: BTreeMap<String, Layer>,
    mounts: &MountTable,
) -> Vec<ContainerFacts> {
    let mut containers = Vec::new();
    for (place, upper) in overlays(root, mounts) {
        let known = layers.remove(&place);
        let (container, name) = known.map_or((place, String::new()), |of| (of.container, of.name));
        containers.push((Layer { container, name, upper }, true));
    }
    containers.extend(layers.into_values().map(|layer| (layer, false)));
    containers.sort_by(|(one, _), (other, _)| one.container.cmp(&other.container));
    containers
        .into_iter()
        .map(|(Layer { container, name, upper }, mounted)| ContainerFacts {
            id: container,
            name,
            image: String::new(),
            state: String::new(),
            // An engine that is gone may have left its mounts behind, and lost them all at a boot.
            running: mounted.then_some(true),
            mounts: Vec::new(),
            labels: Vec::new(),
            details: Some(Arc::new(Details { upper: Some(upper), ..Details::default() })),
        })
        .collect()
}

/// Upper directories of the overlays mounted below a data root, by what the mount point tells of
/// the container: its id with containerd's store (`rootfs/overlayfs/ID`), else its layer's
/// (`overlay2/ID/merged`, Podman's `overlay/ID/merged`).
pub fn overlays(root: &Path, mounts: &MountTable) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for entry in mounts.below(root).filter(|entry| entry.fstype == "overlay") {
        let below = entry.mount_point.strip_prefix(root).unwrap_or(&entry.mount_point);
        let parts: Vec<&OsStr> = below.iter().collect();
        let id = match parts[..] {
            [driver, id, merged]
                if (driver == "overlay2" || driver == "overlay") && merged == "merged" =>
            {
                id
            }
            [rootfs, _, id] if rootfs == "rootfs" => id,
            _ => continue,
        };
        if let (Some(id), Some(upper)) = (id.to_str(), upper(&entry.super_options)) {
            found.insert(id.to_owned(), upper);
        }
    }
    found
}

/// Writable layer by the mount table of a container's first process: where the engine tells no path
/// and mounts the container's filesystem out of the host's sight.
///
/// Only what an engine makes is believed: a container with privileges of its own may have another
/// overlay as its root, whose paths mean nothing here.
pub fn upper_of(procfs: &Path, pid: u32, root: &Path) -> Option<PathBuf> {
    let text = std::fs::read(procfs.join(pid.to_string()).join("mountinfo")).ok()?;
    let table = MountTable::parse(&text);
    let entry = table.at(Path::new("/")).filter(|entry| entry.fstype == "overlay")?;
    let path = upper(&entry.super_options)?;
    let parts: Vec<&OsStr> = path.iter().collect();
    let snapshot = matches!(parts[..], [.., store, snapshots, number, fs]
        if store.to_string_lossy().starts_with(SNAPSHOTTER)
            && snapshots == "snapshots"
            && number.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit())
            && fs == "fs");
    let plain = !path.components().any(|part| part == std::path::Component::ParentDir);
    (plain && (snapshot || path.starts_with(root))).then_some(path)
}

/// `upperdir=` of an overlay's options; the kernel writes a comma in it as `\,`.
fn upper(options: &str) -> Option<PathBuf> {
    let start = options.find(",upperdir=").map(|at| at + ",upperdir=".len())?;
    let mut path = String::new();
    let mut characters = options[start..].chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => path.push(characters.next()?),
            ',' => break,
            other => path.push(other),
        }
    }
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_root_is_read_without_an_engine() {
        let host = tempfile::tempdir().unwrap();
        let root = host.path().join("docker");
        let roots = Roots::default();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let chosen = "ab".repeat(32);
        write("volumes/metadata.db", "x");
        write("volumes/pg/_data/f", "x");
        write(&format!("volumes/{chosen}/_data/f"), "x");
        write("volumes/nfs/_data/f", "");
        write(
            "volumes/nfs/opts.json",
            r#"{"MountType":"nfs","MountOpts":"addr=192.0.2.7,password=hunter2",
                "MountDevice":":/export/pg","Quota":{"Size":0}}"#,
        );
        write("volumes/limited/opts.json", r#"{"Quota":{"Size":4096}}"#);
        write("volumes/torn/_data/f", "");
        write("volumes/torn/opts.json", "{\"Mount");
        std::fs::create_dir_all(root.join("volumes/stray")).unwrap();
        write("image/overlay2/layerdb/mounts/c1/mount-id", "l1");
        write("image/overlay2/layerdb/mounts/c2/mount-id", "l2");
        write("image/overlay2/layerdb/mounts/c3/mount-id", "../../../etc");
        let at = root.display();
        let table = MountTable::parse(
            format!(
                "1 0 8:0 / / rw - ext4 d rw\n\
                 2 1 0:9 / {at}/overlay2/l1/merged rw - overlay o rw,lowerdir=/a,upperdir={at}/overlay2/l1/diff,workdir=/w\n\
                 3 1 0:8 / {at}/rootfs/overlayfs/c9 rw - overlay o rw,lowerdir=/a,upperdir=/var/lib/co\\134,n/fs,workdir=/w\n\
                 4 1 0:7 / /else/overlay2/l7/merged rw - overlay o rw,upperdir=/x,workdir=/w\n"
            )
            .as_bytes(),
        );
        let found = read(&roots, &root, &table);
        assert!(found.there && found.errors.is_empty(), "{:?}", found.errors);
        let volumes: Vec<_> = found
            .volumes
            .iter()
            .map(|v| (v.name.as_str(), v.anonymous, v.meaning.remote.as_deref(), v.meaning.size))
            .collect();
        assert_eq!(
            volumes,
            [
                (chosen.as_str(), true, None, None),
                ("limited", false, None, Some(4096)),
                ("nfs", false, Some("192.0.2.7:/export/pg"), None),
                ("pg", false, None, None),
                ("torn", false, None, None),
            ]
        );
        assert!(!format!("{found:?}").contains("hunter2"));
        let containers: Vec<_> = found
            .containers
            .iter()
            .map(|c| (c.id.as_str(), c.running, c.details.as_ref().unwrap().upper.clone().unwrap()))
            .collect();
        assert_eq!(
            containers,
            [
                ("c1", Some(true), root.join("overlay2/l1/diff")),
                ("c2", None, root.join("overlay2/l2/diff")),
                ("c9", Some(true), "/var/lib/co,n/fs".into()),
            ]
        );
    }

    #[test]
    fn podmans_data_root_is_read_too() {
        let host = tempfile::tempdir().unwrap();
        let root = host.path().join("storage");
        let lists = root.join("overlay-containers");
        std::fs::create_dir_all(root.join("volumes/pg/_data")).unwrap();
        std::fs::create_dir_all(&lists).unwrap();
        let list = r#"[{"id":"c1","names":["web","alias"],"layer":"l1","flags":{}},
                       {"id":"c2","names":null,"layer":"l2"},{"id":"c3","layer":"../../etc"}]"#;
        std::fs::write(lists.join("containers.json"), list).unwrap();
        let list = r#"[{"id":"c4","names":["once"],"layer":"l4"}]"#;
        std::fs::write(lists.join("volatile-containers.json"), list).unwrap();
        let at = root.display();
        let table = format!(
            "1 0 8:0 / / rw - ext4 d rw\n\
             2 1 0:9 / {at}/overlay/l1/merged rw - overlay o rw,lowerdir=/a,upperdir={at}/overlay/l1/diff,workdir=/w\n"
        );
        let table = MountTable::parse(table.as_bytes());
        let found = read(&Roots::default(), &root, &table);
        assert!(found.there && found.podman && found.errors.is_empty(), "{:?}", found.errors);
        assert_eq!(found.volumes[0].name, "pg");
        let containers: Vec<_> =
            found.containers.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.running)).collect();
        assert_eq!(containers, [("c1", "web", Some(true)), ("c2", "", None), ("c4", "once", None)]);
        let upper = found.containers[1].details.as_ref().unwrap().upper.clone();
        assert_eq!(upper, Some(root.join("overlay/l2/diff")));

        std::fs::write(lists.join("containers.json"), "[{").unwrap();
        let found = read(&Roots::default(), &root, &table);
        assert_eq!((found.volumes.len(), found.errors.len()), (1, 1));
        let told = found.errors[0].to_string();
        assert!(told.contains("overlay-containers/containers.json"), "{told}");
        // What is mounted is still seen.
        assert_eq!(found.containers.len(), 1);
    }

    #[test]
    fn no_data_root_is_nothing() {
        let table = MountTable::parse(
            b"1 0 8:0 / / rw - ext4 d rw\n\
              2 1 0:9 / /nonexistent/docker/overlay2/l/merged rw - overlay o rw,upperdir=/u,workdir=/w\n",
        );
        let found = read(&Roots::default(), Path::new("/nonexistent/docker"), &table);
        assert!(!found.there && found.volumes.is_empty() && found.errors.is_empty());
        assert!(found.containers.is_empty());
    }
}
