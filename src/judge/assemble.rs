//! Facts and measurements, joined and judged into one snapshot.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{
    CollectorRun, ContainerIo, FilesystemSample, GcView, Inventory, Measured, Presence, RoleOwners,
    SandboxKind, SandboxState, SandboxView, Snapshot, Subject, Timestamp, Volume, VolumeKind,
    VolumeView,
};

use super::attribution::{Share, explained};
use super::enforcement::{self, DiskPolicy};
use super::growth::{Histories, first_full};
use super::{Memory, gc, promised, sandbox, volume};

/// All that a snapshot is made from.
pub struct Evidence<'a> {
    /// Newest inventory.
    pub inventory: Arc<Inventory>,
    /// What is remembered of earlier rounds.
    pub memory: &'a Memory,
    /// What the master says of roles, where it was asked and its answer is fresh.
    pub owners: Option<&'a RoleOwners>,
    /// Newest measurements.
    pub usage: &'a HashMap<Subject, Measured>,
    /// Use over time, the newest measurements included.
    pub histories: &'a Histories,
    /// Filesystems, sorted by mount point.
    pub filesystems: Vec<FilesystemSample>,
    /// Mount point of the filesystem that holds a path of a subject.
    pub filesystem_of: &'a HashMap<PathBuf, PathBuf>,
    /// Block I/O of running containers, sorted by key.
    pub io: Arc<Vec<ContainerIo>>,
    /// Last runs of the collectors.
    pub collectors: Vec<CollectorRun>,
    /// The time.
    pub now: Timestamp,
    /// Seconds before unclaimed data is called an orphan.
    pub grace: f64,
    /// Number of the snapshot.
    pub sequence: u64,
}

/// Judges everything.
pub fn assemble(evidence: Evidence<'_>) -> Snapshot {
    let Evidence { inventory, memory, owners, usage, histories, now, grace, .. } = evidence;
    let policy = inventory
        .agent
        .as_ref()
        .map_or(DiskPolicy::Unknown, |agent| DiskPolicy::from_flags(&agent.flags));
    let filesystem_of =
        |path: Option<&Path>| path.and_then(|path| evidence.filesystem_of.get(path)).cloned();
    let measured = |subject: &Subject| usage.get(subject).cloned().unwrap_or_default();

    let growth = |subject: &Subject, filesystem: &Option<PathBuf>| {
        let filesystem = filesystem.as_ref().and_then(|point| histories.of_filesystem(point));
        first_full(histories.of(subject), filesystem.as_ref())
    };

    let gc_delay = inventory.agent.as_ref().map(|agent| {
        let mount_point = agent.work_dir.as_ref().and_then(|dir| evidence.filesystem_of.get(dir));
        let usage = evidence
            .filesystems
            .iter()
            .find(|sample| Some(&sample.mount_point) == mount_point)
            .and_then(|sample| sample.usage.as_ref());
        gc::delay_seconds(&agent.flags, usage)
    });
    let sandboxes: Vec<SandboxView> = inventory
        .sandboxes
        .iter()
        .map(|found| {
            // Its age, should the clock have been set since it was changed.
            let changed = found.modified.map(|at| (at, memory.file_time(at)));
            let set_since = changed.map_or(0.0, |(at, corrected)| corrected - at);
            let (state, reason) = sandbox::judge(found, now - set_since, grace);
            let subject = Subject::Sandbox(found.key.clone());
            let filesystem = filesystem_of(Some(&found.path));
            let measured = measured(&subject);
            let limit = measured.kernel_limit.as_ref();
            let enforcement = enforcement::of_sandbox(found, state, policy);
            SandboxView {
                state,
                reason,
                enforcement: enforcement::with_kernel(enforcement, limit),
                measured,
                growth: growth(&subject, &filesystem),
                history: memory.sandbox(&found.key),
                filesystem,
                expected_removal: gc_delay
                    .zip(changed)
                    .filter(|_| state == SandboxState::AwaitingGc)
                    .map(|(delay, (_, ended))| gc::expected_removal(ended, delay)),
                sandbox: found.clone(),
            }
        })
        .collect();

    let running: HashMap<&str, Option<bool>> = sandboxes
        .iter()
        .map(|view| {
            let running = match view.state {
                SandboxState::Live => Some(true),
                SandboxState::Standalone => view.sandbox.running,
                SandboxState::Unknown | SandboxState::Missing => None,
                SandboxState::AwaitingGc
                | SandboxState::Abandoned
                | SandboxState::Leaked
                | SandboxState::Exited => Some(false),
            };
            (view.sandbox.key.container.as_str(), running)
        })
        .collect();
    let lost: Vec<&Volume> = inventory
        .volumes
        .iter()
        .filter(|found| {
            found.kind == VolumeKind::Persistent
                && found.claims.claimed()
                && found.presence != Presence::Present
        })
        .collect();
    let volumes: Vec<VolumeView> = inventory
        .volumes
        .iter()
        .map(|found| {
            let runs = |container: &str| running.get(container).copied().flatten();
            let verdict = volume::judge(found, runs, memory, now, grace);
            let verdict = volume::with_lost(verdict, found, &lost);
            let verdict = volume::with_owners(verdict, found, owners, memory, now, grace);
            let subject = Subject::Volume(found.key.clone());
            let filesystem = filesystem_of(found.path.as_deref());
            let measured = measured(&subject);
            let limit = measured.kernel_limit.as_ref();
            let enforcement = enforcement::of_volume(found, policy);
            VolumeView {
                state: verdict.state,
                reason: verdict.reason,
                orphan_reason: verdict.orphan_reason,
                enforcement: enforcement::with_kernel(enforcement, limit),
                measured,
                growth: growth(&subject, &filesystem),
                history: memory.volume(&found.key),
                filesystem,
                open_files: None,
                volume: found.clone(),
            }
        })
        .collect();

    let mut filesystems = evidence.filesystems;
    for filesystem in &mut filesystems {
        filesystem.growth = histories.of_filesystem(&filesystem.mount_point);
    }
    attribute(&mut filesystems, &volumes, &sandboxes);
    if let Some(agent) = &inventory.agent {
        let promised = promised::promised_bytes(agent, evidence.filesystem_of);
        for filesystem in &mut filesystems {
            filesystem.promised_bytes = promised.get(&filesystem.mount_point).copied();
        }
    }
    let gc = gc_delay.map(|delay| gc_view(&sandboxes, delay));
    let mut collectors = evidence.collectors;
    collectors.sort_by_key(|run| run.name);
    Snapshot {
        taken_at: now,
        sequence: evidence.sequence,
        ready: inventory.taken_at > 0.0,
        volumes,
        sandboxes,
        filesystems,
        collectors,
        inventory,
        gc,
        io: evidence.io,
        ..Snapshot::default()
    }
}

fn gc_view(sandboxes: &[SandboxView], delay_seconds: f64) -> GcView {
    let waiting = || {
        sandboxes.iter().filter(|view| {
            view.state == SandboxState::AwaitingGc
                && view.sandbox.kind != SandboxKind::Nested
                && view.sandbox.presence == Presence::Present
        })
    };
    GcView {
        delay_seconds,
        pending: waiting().count() as u64,
        pending_bytes: waiting()
            .filter_map(|view| view.measured.sample)
            .fold(0, |sum: u64, sample| sum.saturating_add(sample.used_bytes)),
        next_removal: waiting().filter_map(|view| view.expected_removal).reduce(f64::min),
    }
}

fn attribute(
    filesystems: &mut [FilesystemSample],
    volumes: &[VolumeView],
    sandboxes: &[SandboxView],
) {
    let of_volumes = volumes.iter().filter_map(|view| {
        // A host path may be anything, even `/`: it explains nothing of its own.
        if matches!(view.volume.kind, VolumeKind::HostPath) {
            return None;
        }
        Some(Share {
            path: view.volume.path.as_deref()?,
            filesystem: view.filesystem.as_deref()?,
            measured: &view.measured,
        })
    });
    let of_sandboxes = sandboxes.iter().filter_map(|view| {
        Some(Share {
            path: &view.sandbox.path,
            filesystem: view.filesystem.as_deref()?,
            measured: &view.measured,
        })
    });
    let shares: Vec<Share<'_>> = of_volumes.chain(of_sandboxes).collect();
    let sums = explained(&shares);
    for filesystem in filesystems {
        let explained = match sums.get(&filesystem.mount_point) {
            Some(sum) => *sum,
            None => Some(0),
        };
        filesystem.unattributed_bytes = match (&filesystem.usage, explained) {
            (Some(usage), Some(explained)) => {
                let used = usage.size_bytes.saturating_sub(usage.free_bytes);
                Some(used as i64 - explained as i64)
            }
            _ => None,
        };
    }
}
