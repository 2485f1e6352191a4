//! Directories that the configuration names: data outside any cluster manager.

mod expand;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::config::DirectoryConfig;
use crate::host::{Guard, MountTable};
use crate::model::{
    Claims, DiskType, Presence, SourceHealth, SourceKind, SourceReport, Volume, VolumeKey,
    VolumeKind, Witness,
};

use super::Round;
use super::dirs::SeenDir;
use expand::expand;

/// Value of the label `disk` of a directory.
pub const DISK: &str = "DIRECTORY";

/// The configured directories as a source of the inventory.
pub struct DirectoriesSource {
    config: Vec<DirectoryConfig>,
    guard: Arc<Guard>,
}

impl DirectoriesSource {
    /// Reads nothing yet.
    pub fn new(config: Vec<DirectoryConfig>, guard: Arc<Guard>) -> Self {
        Self { config, guard }
    }

    /// One round. Never fails: what could not be read is in the report.
    pub fn refresh(&self) -> Round {
        let mut round = Round::default();
        if self.config.is_empty() {
            return round;
        }
        let started = Instant::now();
        let mounts = self.guard.table();
        let mut errors = Vec::new();
        for config in &self.config {
            let matches = expand(&self.guard, &config.path);
            let nothing = matches.found.is_empty() && !config.is_pattern();
            if nothing {
                let presence = if matches.whole { Presence::Missing } else { Presence::Unknown };
                round.volumes.push(volume(config, &config.path, presence, None, &mounts));
            }
            for seen in &matches.found {
                let found = volume(config, &seen.path, Presence::Present, Some(seen), &mounts);
                // The first entry that matches a directory is the one that counts: of two with
                // different names, because `unite` keeps the first.
                if !round.inodes.contains_key(&found.key) {
                    round.inodes.insert(found.key.clone(), seen.inode);
                    round.volumes.push(found);
                }
            }
            errors.extend(matches.errors);
            round.watch.extend(matches.watch);
        }
        let health = if errors.is_empty() { SourceHealth::Ok } else { SourceHealth::Partial };
        round.sources.push(SourceReport {
            name: "directories",
            health,
            target: format!("{} configured, {} found", self.config.len(), round.volumes.len()),
            errors,
            duration_seconds: started.elapsed().as_secs_f64(),
        });
        round
    }
}

fn volume(
    config: &DirectoryConfig,
    path: &Path,
    presence: Presence,
    seen: Option<&SeenDir>,
    mounts: &MountTable,
) -> Volume {
    let named = config.name.clone();
    Volume {
        key: VolumeKey {
            source: SourceKind::Directories,
            role: config.role.clone(),
            volume: named.unwrap_or_else(|| crate::text::path_value(path).into_owned()),
            disk: DISK.into(),
        },
        kind: VolumeKind::Directory,
        disk_type: DiskType::External,
        path: Some(path.to_owned()),
        presence,
        own_filesystem: mounts.at(path).is_some_and(|entry| entry.root == Path::new("/")),
        principal: config.owner.clone(),
        reservation: None,
        shared: false,
        container_path: None,
        driver: None,
        quota_bytes: config.quota.map(|quota| quota.0),
        // The configuration is its own list: it names it, and nothing else would.
        claims: Claims { api: Witness::Claims, checkpoint: Witness::Silent },
        holders: Vec::new(),
        mounts: Vec::new(),
        created: seen.map(|seen| seen.born.unwrap_or(seen.modified)),
        unused_after: Some(config.unused_after.as_secs_f64()),
        remote: None,
        engine: None,
    }
}
