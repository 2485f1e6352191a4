//! Persistent volumes: those the agent knows, and the directories that lie where one would.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::model::{
    Claims, DiskSource, DiskType, Holder, Presence, Resource, SourceKind, Timestamp, Volume,
    VolumeKey, VolumeKind, Witness,
};

use super::super::facts::{MountRoot, VolumeDir};
use super::mounts::MountUses;
use super::{Witnesses, place};

pub(super) fn key(role: &str, id: &str, source: &DiskSource) -> VolumeKey {
    VolumeKey {
        source: SourceKind::Mesos,
        role: role.to_string(),
        volume: id.to_string(),
        disk: place::disk_label(source),
    }
}

pub(super) fn key_of(resource: &Resource) -> Option<VolumeKey> {
    let id = &resource.persistence()?.id;
    Some(key(resource.role(), id, &resource.disk_source()))
}

/// All persistent volumes, with their holders taken out of `holders`.
pub(super) fn known_and_found(
    witnesses: &Witnesses<'_>,
    mounted: &MountUses<'_>,
    holders: &mut HashMap<VolumeKey, Vec<Holder>>,
) -> Vec<Volume> {
    let found = Found::new(witnesses);
    let mut volumes: BTreeMap<VolumeKey, Volume> = BTreeMap::new();

    let from_api = witnesses.api.resources.as_deref().unwrap_or_default();
    let from_checkpoint = witnesses.checkpoint.resources.as_deref().unwrap_or_default();
    let claimed_by_api: HashSet<VolumeKey> = from_api.iter().filter_map(key_of).collect();
    let claimed_by_checkpoint: HashSet<VolumeKey> =
        from_checkpoint.iter().filter_map(key_of).collect();
    let claims = |key: &VolumeKey| Claims {
        api: witnesses.api_word(claimed_by_api.contains(key), witnesses.api.resources.is_some()),
        checkpoint: match &witnesses.checkpoint.resources {
            Some(_) if claimed_by_checkpoint.contains(key) => Witness::Claims,
            Some(_) => Witness::Denies,
            None => Witness::Silent,
        },
    };

    // The API first: where both know a volume its size is the present one.
    for resource in from_api.iter().chain(from_checkpoint) {
        let Some(key) = key_of(resource) else { continue };
        volumes
            .entry(key.clone())
            .or_insert_with(|| known(witnesses, resource, key.clone(), claims(&key), &found));
    }

    let known_dirs: HashSet<PathBuf> =
        volumes.values().filter_map(|volume| volume.path.clone()).collect();
    for dir in &witnesses.layout.volumes {
        let source = dir.disk_root.as_ref().map_or(DiskSource::Root, |root| DiskSource::Path {
            root: found.configured_root(root),
        });
        let key = key(&dir.role, &dir.id, &source);
        if volumes.contains_key(&key) || known_dirs.contains(&dir.dir.path) {
            continue;
        }
        let claims = claims(&key);
        volumes.insert(key.clone(), unknown(key, VolumeKind::Persistent, dir, &source, claims));
    }
    for disk in &witnesses.layout.mount_roots {
        if known_dirs.contains(&disk.root)
            || disk.has_content != Some(true)
            || !(disk.mounted || mounts_at(witnesses, &disk.root))
        {
            continue;
        }
        let volume = without_volume(witnesses, disk, &found);
        volumes.entry(volume.key.clone()).or_insert(volume);
    }

    let mut volumes: Vec<Volume> = volumes.into_values().collect();
    for volume in &mut volumes {
        volume.holders = holders.remove(&volume.key).unwrap_or_default();
        volume.mounts = volume.path.as_deref().map(|path| mounted.of(path)).unwrap_or_default();
    }
    volumes
}

fn mounts_at(witnesses: &Witnesses<'_>, root: &Path) -> bool {
    witnesses.mounts.at(root).is_some()
}

/// The listed directories, by path.
struct Found<'a> {
    volumes: HashMap<&'a Path, &'a VolumeDir>,
    mount_roots: HashMap<&'a Path, &'a MountRoot>,
    listed: HashSet<Option<&'a Path>>,
    roots: HashMap<PathBuf, String>,
    static_roles: HashMap<String, String>,
    /// Everywhere something is mounted; nothing follows when the table could not be read.
    mounted: HashSet<&'a Path>,
    has_mounts: bool,
}

impl<'a> Found<'a> {
    fn new(witnesses: &'a Witnesses<'_>) -> Self {
        let layout = witnesses.layout;
        let disks = witnesses
            .api
            .agent_resources
            .iter()
            .chain(&witnesses.checkpoint.agent_resources)
            .chain(&witnesses.api.resources)
            .chain(&witnesses.checkpoint.resources)
            .flatten();
        let mut roots = HashMap::new();
        let mut static_roles = HashMap::new();
        for resource in disks {
            let source = resource.disk_source();
            if let DiskSource::Path { root } | DiskSource::Mount { root } = &source {
                if let Some(path) = place::disk_root(witnesses.work_dir, &source) {
                    roots.entry(path).or_insert_with(|| root.clone());
                }
                if let Some(layer) = resource.reservations.last().filter(|layer| !layer.dynamic) {
                    static_roles.entry(root.clone()).or_insert_with(|| layer.role.clone());
                }
            }
        }
        Self {
            volumes: layout.volumes.iter().map(|dir| (dir.dir.path.as_path(), dir)).collect(),
            mount_roots: layout
                .mount_roots
                .iter()
                .map(|disk| (disk.root.as_path(), disk))
                .collect(),
            listed: layout.listed_disks.iter().map(|root| root.as_deref()).collect(),
            roots,
            static_roles,
            mounted: witnesses
                .mounts
                .entries
                .iter()
                .map(|entry| entry.mount_point.as_path())
                .collect(),
            has_mounts: !witnesses.mounts.entries.is_empty(),
        }
    }

    /// Root as the agent's resources spell it, so that the label is the same in both.
    fn configured_root(&self, root: &Path) -> String {
        self.roots.get(root).cloned().unwrap_or_else(|| root.display().to_string())
    }

    /// Neither the directory itself nor the mount table shows a mount there.
    fn is_unmounted(&self, disk: &MountRoot, path: &Path) -> bool {
        let Some(dir) = &disk.dir else { return false };
        let shown = self.mounted.contains(path) || self.mounted.contains(dir.path.as_path());
        self.has_mounts && !disk.mounted && !shown
    }

    fn own_filesystem(&self, source: &DiskSource, work_dir: &Path) -> bool {
        matches!(source, DiskSource::Mount { .. })
            && place::disk_root(work_dir, source)
                .and_then(|root| self.mount_roots.get(root.as_path()))
                .is_some_and(|disk| disk.mounted)
    }

    fn presence(
        &self,
        path: &Path,
        source: &DiskSource,
        work_dir: &Path,
    ) -> (Presence, Option<Timestamp>) {
        if let DiskSource::Mount { .. } = source {
            return match self.mount_roots.get(path) {
                // An empty mount point is not the disk.
                Some(disk) if self.is_unmounted(disk, path) => (Presence::Missing, None),
                Some(MountRoot { dir: Some(dir), .. }) => {
                    (Presence::Present, dir.born.or(Some(dir.modified)))
                }
                Some(MountRoot { dir: None, has_content: Some(false), .. }) => {
                    (Presence::Missing, None)
                }
                _ => (Presence::Unknown, None),
            };
        }
        if let Some(dir) = self.volumes.get(path) {
            return (Presence::Present, dir.dir.born.or(Some(dir.dir.modified)));
        }
        let root = match source {
            DiskSource::Root => None,
            _ => place::disk_root(work_dir, source),
        };
        let listed = self.listed.contains(&root.as_deref());
        (if listed { Presence::Missing } else { Presence::Unknown }, None)
    }
}

fn known(
    witnesses: &Witnesses<'_>,
    resource: &Resource,
    key: VolumeKey,
    claims: Claims,
    found: &Found<'_>,
) -> Volume {
    let source = resource.disk_source();
    let path = place::volume_path(witnesses.work_dir, &source, &key.role, &key.volume);
    let (presence, created) = match &path {
        Some(path) => found.presence(path, &source, witnesses.work_dir),
        None => (Presence::Unknown, None),
    };
    let disk = resource.disk.as_ref();
    Volume {
        kind: VolumeKind::Persistent,
        disk_type: DiskType::from(&source),
        path,
        presence,
        own_filesystem: found.own_filesystem(&source, witnesses.work_dir),
        principal: resource.persistence().and_then(|volume| volume.principal.clone()),
        reservation: Some(resource.reservation_kind()),
        shared: resource.shared,
        container_path: disk.and_then(|disk| Some(disk.volume.as_ref()?.container_path.clone())),
        driver: None,
        quota_bytes: resource.bytes(),
        claims,
        holders: Vec::new(),
        mounts: Vec::new(),
        created,
        unused_after: None,
        remote: None,
        engine: None,
        key,
    }
}

fn unknown(
    key: VolumeKey,
    kind: VolumeKind,
    dir: &VolumeDir,
    source: &DiskSource,
    claims: Claims,
) -> Volume {
    Volume {
        key,
        kind,
        disk_type: DiskType::from(source),
        path: Some(dir.dir.path.clone()),
        presence: Presence::Present,
        own_filesystem: false,
        principal: None,
        reservation: None,
        shared: false,
        container_path: None,
        driver: None,
        quota_bytes: None,
        claims,
        holders: Vec::new(),
        mounts: Vec::new(),
        created: dir.dir.born.or(Some(dir.dir.modified)),
        unused_after: None,
        remote: None,
        engine: None,
    }
}

/// A MOUNT disk with data and no volume. The id of the volume that was there is nowhere on disk.
fn without_volume(witnesses: &Witnesses<'_>, disk: &MountRoot, found: &Found<'_>) -> Volume {
    let root = found.configured_root(&disk.root);
    let role = found.static_roles.get(&root).cloned().unwrap_or_default();
    let denies = |read: bool| if read { Witness::Denies } else { Witness::Silent };
    Volume {
        key: VolumeKey { source: SourceKind::Mesos, role, volume: String::new(), disk: root },
        kind: VolumeKind::Disk,
        disk_type: DiskType::Mount,
        path: Some(disk.root.clone()),
        presence: Presence::Present,
        own_filesystem: disk.mounted,
        principal: None,
        reservation: None,
        shared: false,
        container_path: None,
        driver: None,
        quota_bytes: None,
        claims: Claims {
            api: witnesses.api_word(false, witnesses.api.resources.is_some()),
            checkpoint: denies(witnesses.checkpoint.resources.is_some()),
        },
        holders: Vec::new(),
        mounts: Vec::new(),
        // A root of a filesystem is as old as the filesystem: what counts is its newest change.
        created: disk.dir.as_ref().map(|dir| dir.modified),
        unused_after: None,
        remote: None,
        engine: None,
    }
}
