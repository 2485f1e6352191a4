//! `usage.assign_project_ids`: which volumes are given a project id, and what is said of it.
//!
//! Only persistent volumes that the agent lists, that are there, and that are a directory of a
//! larger filesystem. Each is looked at until it has an id or something in it, then no more.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::discover::mesos::flags::xfs_project_range;
use crate::host::capabilities::{Capability, missing};
use crate::host::{Guard, Roots, errno};
use crate::measure::usage::quota;
use crate::measure::usage::quota::assign::{Assigned, IdRules, NotAssigned, Place};
use crate::model::{
    Inventory, Presence, SourceError, SourceHealth, SourceKind, SourceReport, Volume, VolumeKind,
};
use crate::text;

/// Ids of the `disk/xfs` isolator where the agent's flags do not tell others (`flags.cpp`).
const ISOLATOR_DEFAULT: (u32, u32) = (5000, 10_000);
const NAME: &str = "project_ids";

/// Gives ids, round after round.
#[derive(Debug, Default)]
pub(super) struct ProjectIds {
    /// Volumes that need no further look.
    settled: BTreeSet<PathBuf>,
    /// Where the search goes on, by filesystem.
    next: HashMap<(u32, u32), u32>,
}

impl ProjectIds {
    /// Gives every volume that may have one an id. The report: only where something is wrong.
    pub(super) fn round(
        &mut self,
        config: &Config,
        inventory: &Inventory,
        guard: &Guard,
        roots: &Roots,
    ) -> Option<SourceReport> {
        if !config.usage.assign_project_ids {
            self.settled.clear();
            return None;
        }
        let mut errors = lacking(config, inventory);
        let paths: BTreeSet<PathBuf> =
            candidates(inventory).map(|path| roots.inside(path)).collect();
        self.settled.retain(|path| paths.contains(path));
        if errors.is_empty() {
            let rules = rules(config, inventory);
            for path in paths {
                if !self.settled.contains(&path) {
                    errors.extend(self.assign(&rules, &path, guard));
                }
            }
        }
        (!errors.is_empty()).then(|| report(config, errors))
    }

    fn assign(&mut self, rules: &IdRules, path: &Path, guard: &Guard) -> Option<SourceError> {
        let place = match Place::find(guard, path) {
            // Not settled: a remount may turn counting on.
            Ok(place) => place?,
            Err(error) => return Some(failed(error.reason(), error.to_string())),
        };
        let resolved = place.path().to_path_buf();
        let device = guard.device(&resolved);
        let from = self.next.get(&device).copied().unwrap_or(0);
        let own_rules = rules.clone();
        let assigned =
            guard.run(&resolved, "assign project id", move || place.assign(&own_rules, from));
        match assigned {
            Ok(Ok(Assigned::Given(id))) => {
                tracing::info!(path = %text::path(path), id, "Volume given a project id, for accounting");
                self.next.insert(device, id.saturating_add(1));
                self.settled.insert(path.to_path_buf());
                None
            }
            Ok(Ok(Assigned::Tagged(id))) => {
                tracing::debug!(path = %text::path(path), id, "Volume has a project id");
                self.settled.insert(path.to_path_buf());
                None
            }
            Ok(Ok(Assigned::NotEmpty)) => {
                tracing::debug!(path = %text::path(path), "Volume is not empty: no project id given");
                self.settled.insert(path.to_path_buf());
                None
            }
            Ok(Err(NotAssigned::NoneFree { .. })) if from > 0 => {
                // From the start again: others may have been freed.
                self.next.remove(&device);
                None
            }
            Ok(Err(error)) => {
                let reason = error
                    .errno()
                    .map_or("io", |raw| errno::reason(&std::io::Error::from_raw_os_error(raw)));
                // A volume that went away meanwhile is nothing to tell.
                (reason != "missing").then(|| failed(reason, error.to_string()))
            }
            Err(error) => Some(failed(error.reason(), error.to_string())),
        }
    }
}

/// What `check` says: what is missing, and which volumes' filesystems count no projects. `None`: not
/// asked for.
pub fn checked(config: &Config, inventory: &Inventory, guard: &Guard) -> Option<SourceReport> {
    if !config.usage.assign_project_ids {
        return None;
    }
    let mut errors = lacking(config, inventory);
    let uncounted: BTreeSet<PathBuf> = candidates(inventory)
        .map(|path| guard.roots().inside(path))
        .filter(|path| !quota::possible(guard, path))
        .filter_map(|path| {
            guard.table().containing(&guard.on_host(&path)).map(|mount| mount.mount_point.clone())
        })
        .collect();
    errors.extend(uncounted.iter().map(|mount_point| {
        SourceError {
            reason: "unsupported",
            message: format!("{}: projects are not counted there", text::path(mount_point)),
            hint: "mount XFS or ext4 (made with -O quota,project) with prjquota; until then its \
               volumes are walked"
                .into(),
        }
    }));
    Some(report(config, errors))
}

fn report(config: &Config, errors: Vec<SourceError>) -> SourceReport {
    let health = if errors.is_empty() { SourceHealth::Ok } else { SourceHealth::Partial };
    let target = format!("ids {} for new volumes", config.usage.project_id_range);
    SourceReport { name: NAME, health, target, errors, duration_seconds: 0.0 }
}

/// Why no volume at all can be given an id.
fn lacking(config: &Config, inventory: &Inventory) -> Vec<SourceError> {
    let mut errors = Vec::new();
    for capability in missing(&[Capability::SysAdmin, Capability::Fowner]) {
        errors.push(SourceError {
            reason: "permission",
            message: format!("usage.assign_project_ids needs {}", capability.name()),
            hint: "give the service the capability, or turn usage.assign_project_ids off".into(),
        });
    }
    if !rules(config, inventory).any() {
        errors.push(SourceError {
            reason: "ambiguous",
            message: format!(
                "usage.project_id_range {} lies within the agent's xfs_project_range",
                config.usage.project_id_range
            ),
            hint: "set usage.project_id_range to ids that the agent does not use".into(),
        });
    }
    errors
}

fn failed(reason: &'static str, message: String) -> SourceError {
    SourceError {
        reason,
        message,
        hint: "the volume is walked as before; EROFS: the service sees the mount read-only, see \
               docs/project-quotas.md"
            .into(),
    }
}

/// The range asked for, without what the `disk/xfs` isolator gives ids from. An agent whose
/// flags are not known counts with the isolator's default.
fn rules(config: &Config, inventory: &Inventory) -> IdRules {
    let range = config.usage.project_id_range;
    let flag = inventory.agent.as_ref().and_then(|agent| agent.flags.get("xfs_project_range"));
    let reserved = flag.and_then(|text| xfs_project_range(text).ok());
    IdRules {
        range: (range.first, range.last),
        reserved: reserved.unwrap_or_else(|| vec![ISOLATOR_DEFAULT]),
    }
}

fn candidates(inventory: &Inventory) -> impl Iterator<Item = &Path> {
    let may = |volume: &&Volume| {
        volume.key.source == SourceKind::Mesos
            && volume.kind == VolumeKind::Persistent
            && volume.presence == Presence::Present
            && volume.claims.claimed()
            && !volume.own_filesystem
    };
    inventory.volumes.iter().filter(may).filter_map(|volume| volume.path.as_deref())
}
