//! One inventory of what several sources found: a directory is one subject, whoever reports it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use crate::model::{Holder, Sees, SourceKind, Volume, VolumeKind, Witness};
use crate::text;

use super::{Inode, Round};

/// Puts the rounds of all sources together. The same directory (by device and inode) is kept once:
/// as what manages it says, with every holder and mount that any of them knows, and with the quota
/// and owner of another where it has none of its own.
pub fn unite(rounds: impl IntoIterator<Item = Round>) -> Round {
    let mut united = Round::default();
    let mut volumes: Vec<(Volume, Option<Inode>)> = Vec::new();
    for mut round in rounds {
        united.agent = united.agent.or(round.agent);
        united.sandboxes.append(&mut round.sandboxes);
        united.containers.append(&mut round.containers);
        united.sources.append(&mut round.sources);
        united.disagreements.append(&mut round.disagreements);
        united.watch.append(&mut round.watch);
        for volume in round.volumes {
            let inode = round.inodes.get(&volume.key).copied();
            volumes.push((volume, inode));
        }
    }
    // Stable: of equals the first source's stays first.
    volumes.sort_by_key(|(volume, _)| rank(volume));
    let mut by_inode: HashMap<Inode, usize> = HashMap::new();
    for (volume, inode) in volumes {
        match inode.and_then(|inode| by_inode.get(&inode)) {
            Some(known) => merge(&mut united.volumes[*known], volume),
            None => {
                if let Some(inode) = inode {
                    by_inode.insert(inode, united.volumes.len());
                    united.inodes.insert(volume.key.clone(), inode);
                }
                united.volumes.push(volume);
            }
        }
    }
    around(&mut united.volumes);
    united.volumes.sort_by(|a, b| a.key.cmp(&b.key));
    united.volumes.dedup_by(|a, b| a.key == b.key);
    united.sandboxes.sort_by(|a, b| a.key.cmp(&b.key));
    united
}

/// Who knows a directory best: what manages it, then what was told of it, then what merely
/// mounts it.
fn rank(volume: &Volume) -> u8 {
    match (&volume.kind, volume.key.source) {
        (VolumeKind::Persistent | VolumeKind::Disk, _) => 0,
        (VolumeKind::DockerVolume, SourceKind::Docker) => 1,
        (VolumeKind::Directory, _) => 2,
        (
            VolumeKind::DockerVolume
            | VolumeKind::Csi
            | VolumeKind::Tmpfs
            | VolumeKind::ContainerLog,
            _,
        ) => 3,
        (VolumeKind::HostPath, _) => 4,
    }
}

/// Makes whoever has a directory below or above a configured one mounted a holder of that, too.
fn around(volumes: &mut [Volume]) {
    let directories: BTreeMap<PathBuf, usize> = volumes
        .iter()
        .enumerate()
        .filter(|(_, volume)| volume.kind == VolumeKind::Directory)
        .filter_map(|(index, volume)| Some((volume.path.clone()?, index)))
        .collect();
    if directories.is_empty() {
        return;
    }
    let mut found: Vec<(usize, Holder)> = Vec::new();
    for volume in volumes.iter().filter(|volume| !volume.holders.is_empty()) {
        let Some(path) = &volume.path else { continue };
        for above in path.ancestors().skip(1) {
            let Some(directory) = directories.get(above) else { continue };
            let part = |holder: &Holder| Holder { sees: Sees::Part, ..holder.clone() };
            found.extend(volume.holders.iter().map(|holder| (*directory, part(holder))));
        }
        let from = (Bound::Excluded(path.as_path()), Bound::Unbounded);
        let below = directories.range::<Path, _>(from);
        for (directory, index) in below.take_while(|(directory, _)| directory.starts_with(path)) {
            let Ok(rest) = directory.strip_prefix(path) else { continue };
            let within = |holder: &Holder| Holder {
                container_path: format!(
                    "{}/{}",
                    holder.container_path.trim_end_matches('/'),
                    text::path_value(rest)
                ),
                sees: Sees::Within,
                ..holder.clone()
            };
            found.extend(volume.holders.iter().map(|holder| (*index, within(holder))));
        }
    }
    for (index, holder) in found {
        let holders = &mut volumes[index].holders;
        if !holders.contains(&holder) {
            holders.push(holder);
            holders.sort();
        }
    }
}

fn merge(kept: &mut Volume, other: Volume) {
    for holder in other.holders {
        let known = kept.holders.iter().any(|known| {
            !holder.container.is_empty()
                && known.container == holder.container
                && (known.container_path == holder.container_path
                    || holder.container_path.is_empty())
        });
        if !known && !kept.holders.contains(&holder) {
            kept.holders.push(holder);
        }
    }
    kept.holders.sort();
    for mount in other.mounts {
        if !kept.mounts.contains(&mount) {
            kept.mounts.push(mount);
        }
    }
    kept.mounts.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
    kept.quota_bytes = kept.quota_bytes.or(other.quota_bytes);
    kept.principal = kept.principal.take().or(other.principal);
    kept.driver = kept.driver.take().or(other.driver);
    // What somebody named in the configuration is nobody's leftover.
    if kept.engine.is_some() && other.claims.claimed() {
        kept.claims.api = Witness::Claims;
    }
    kept.remote = kept.remote.take().or(other.remote);
    kept.engine = kept.engine.take().or(other.engine);
    kept.unused_after = kept.unused_after.or(other.unused_after);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::memory::sample_volume;
    use crate::model::{Holder, MountUse, VolumeKey};

    fn holder(container: &str) -> Holder {
        Holder {
            framework: String::new(),
            framework_name: String::new(),
            executor: String::new(),
            task: String::new(),
            container: container.into(),
            container_path: "/data".into(),
            read_only: false,
            sees: Default::default(),
        }
    }

    fn volume(source: SourceKind, kind: VolumeKind, name: &str) -> Volume {
        let key =
            VolumeKey { source, role: String::new(), volume: name.into(), disk: String::new() };
        Volume { key, kind, quota_bytes: None, holders: vec![], ..sample_volume(name) }
    }

    fn round(volumes: Vec<(Volume, Inode)>) -> Round {
        Round {
            inodes: volumes.iter().map(|(volume, inode)| (volume.key.clone(), *inode)).collect(),
            volumes: volumes.into_iter().map(|(volume, _)| volume).collect(),
            ..Round::default()
        }
    }

    #[test]
    fn a_directory_that_three_sources_report_is_one_with_every_holder() {
        let at = (8, 1, 42);
        let mut path = volume(SourceKind::Mesos, VolumeKind::HostPath, "/data/a");
        path.holders = vec![holder("task")];
        let mut docker = volume(SourceKind::Docker, VolumeKind::HostPath, "/data/a");
        docker.holders = vec![holder("box"), holder("task")];
        docker.mounts = vec![MountUse { mount_point: "/m".into(), container: "box".into() }];
        let mut named = volume(SourceKind::Directories, VolumeKind::Directory, "db");
        named.quota_bytes = Some(7);
        let other = volume(SourceKind::Directories, VolumeKind::Directory, "else");
        let rounds = [
            round(vec![(path, at)]),
            round(vec![(docker, at)]),
            round(vec![(named, at), (other, (8, 1, 43))]),
        ];
        let united = unite(rounds);
        let names: Vec<&str> = united.volumes.iter().map(|v| v.key.volume.as_str()).collect();
        assert_eq!(names, ["db", "else"]);
        let db = &united.volumes[0];
        let containers: Vec<&str> = db.holders.iter().map(|h| h.container.as_str()).collect();
        assert_eq!(containers, ["box", "task"]);
        assert_eq!((db.quota_bytes, db.mounts.len()), (Some(7), 1));
        assert_eq!(united.inodes[&db.key], at);
    }

    #[test]
    fn what_manages_a_directory_names_it_and_lends_a_quota_it_has_not() {
        let at = (8, 1, 42);
        let mut persistent = volume(SourceKind::Mesos, VolumeKind::Persistent, "id");
        persistent.quota_bytes = Some(100);
        let mut configured = volume(SourceKind::Directories, VolumeKind::Directory, "/w/v");
        configured.quota_bytes = Some(7);
        configured.principal = Some("team".into());
        persistent.principal = None;
        let united = unite([round(vec![(configured, at)]), round(vec![(persistent, at)])]);
        assert_eq!(united.volumes.len(), 1);
        let kept = &united.volumes[0];
        assert_eq!((kept.key.volume.as_str(), kept.quota_bytes), ("id", Some(100)));
        assert_eq!(kept.principal.as_deref(), Some("team"));
    }

    #[test]
    fn whoever_mounts_a_part_of_a_directory_or_what_it_lies_in_is_told_with_how() {
        let at = |kind, path: &str, container: &str, read_only| {
            let mut found = volume(SourceKind::Docker, kind, path);
            found.path = Some(path.into());
            found.holders = vec![Holder { read_only, ..holder(container) }];
            found
        };
        let mut watched = at(VolumeKind::Directory, "/data/a", "", false);
        watched.holders.clear();
        watched.key.source = SourceKind::Directories;
        let others = [
            at(VolumeKind::HostPath, "/data/a/sub/deep", "below", false),
            at(VolumeKind::HostPath, "/data", "above", false),
            at(VolumeKind::HostPath, "/data/ab", "beside", false),
            at(VolumeKind::HostPath, "/", "backup", true),
        ];
        let mut volumes = vec![watched];
        volumes.extend(others);
        let united = unite([Round { volumes, ..Round::default() }]);
        let found = united.volumes.iter().find(|v| v.kind == VolumeKind::Directory).unwrap();
        let told: Vec<_> = found
            .holders
            .iter()
            .map(|h| (h.container.as_str(), h.container_path.as_str(), h.sees, h.uses()))
            .collect();
        assert_eq!(
            told,
            [
                ("above", "/data/a", Sees::Within, true),
                ("backup", "/data/data/a", Sees::Within, false),
                ("below", "/data", Sees::Part, true),
            ]
        );
        let judged = |volume: &Volume| {
            let memory = crate::judge::Memory::default();
            crate::judge::volume::judge(volume, |_| Some(true), &memory, 2e9, 0.0)
        };
        let told = judged(found).reason;
        assert!(told.contains("a directory below it is mounted"), "{told}");
        // Who can only read what lies far above it does not use it.
        let mut only = found.clone();
        only.presence = crate::model::Presence::Present;
        only.holders.retain(|holder| holder.container == "backup");
        assert_eq!(judged(&only).state, crate::model::VolumeState::Idle);
    }

    #[test]
    fn without_an_inode_nothing_is_taken_for_the_same() {
        let missing = |source| volume(source, VolumeKind::HostPath, "/gone");
        let rounds = [SourceKind::Mesos, SourceKind::Docker]
            .map(|source| Round { volumes: vec![missing(source)], ..Round::default() });
        assert_eq!(unite(rounds).volumes.len(), 2);
    }
}
