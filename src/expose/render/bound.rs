//! Which subjects get series of their own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;

use crate::judge::conditions;
use crate::model::{
    ContainerIo, Enforcement, FilesystemSample, Measured, SandboxKind, SandboxState, SandboxView,
    Snapshot, VolumeState, VolumeView,
};

/// Series of one volume within its quota, beside those of its holders, when every value is known.
const VOLUME_SERIES: usize = 25;
/// Series of one live sandbox within its quota.
const SANDBOX_SERIES: usize = 16;
/// Series more for a subject that the kernel itself limits.
const LIMIT_SERIES: usize = 2;
/// Series of one nested sandbox.
const NESTED_SERIES: usize = 4;
/// Series of the three subjects named `other`, of one filesystem, and of one sum of finished
/// sandboxes.
const OTHER_SERIES: usize = 16;
const FILESYSTEM_SERIES: usize = 13;
const FINISHED_SERIES: usize = 3;
const COLLECTOR_SERIES: usize = 2;
/// Series of the agent's garbage collection.
const GC_SERIES: usize = 3;
/// Series about the snapshot itself.
const OWN_SERIES: usize = 3;

/// Framework and state by which finished sandboxes are summed.
pub(super) type FinishedKey<'a> = (&'static str, &'a str, &'static str);

/// Sum over finished sandboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) count: u64,
    pub(super) unmeasured: u64,
    pub(super) used_bytes: u64,
}

/// Sum over subjects without series of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) subjects: u64,
    pub(super) used_bytes: u64,
    pub(super) apparent_bytes: u64,
    pub(super) quota_bytes: u64,
    pub(super) files: u64,
    pub(super) holders: u64,
    pub(super) mounts: u64,
}

impl Folded {
    fn add(&mut self, measured: &Measured, quota_bytes: Option<u64>) {
        self.subjects += 1;
        self.quota_bytes = self.quota_bytes.saturating_add(quota_bytes.unwrap_or(0));
        if let Some(sample) = &measured.sample {
            self.used_bytes = self.used_bytes.saturating_add(sample.used_bytes);
            self.apparent_bytes =
                self.apparent_bytes.saturating_add(sample.apparent_bytes.unwrap_or(0));
            self.files = self.files.saturating_add(sample.files.unwrap_or(0));
        }
    }
}

/// What a page will hold.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) volumes: Vec<&'a VolumeView>,
    pub(super) sandboxes: Vec<&'a SandboxView>,
    pub(super) nested: Vec<&'a SandboxView>,
    /// I/O of containers; those without room are left out, for sums of counters of ever other
    /// containers would not be counters.
    pub(super) io: Vec<&'a ContainerIo>,
    pub(super) finished: BTreeMap<FinishedKey<'a>, Finished>,
    pub(super) folded_volumes: Folded,
    pub(super) folded_sandboxes: Folded,
    pub(super) folded_nested: Folded,
    pub(super) network: super::network::Plan<'a>,
    /// How many were folded.
    pub(super) dropped: usize,
}

#[derive(Clone, Copy)]
enum Candidate<'a> {
    Volume(&'a VolumeView),
    Sandbox(&'a SandboxView),
    Nested(&'a SandboxView),
    Io(&'a ContainerIo),
}

impl<'a> Plan<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, max_series: usize) -> Self {
        let mut plan = Self::default();
        let mut candidates = Vec::with_capacity(snapshot.volumes.len() + snapshot.sandboxes.len());
        candidates.extend(snapshot.volumes.iter().map(Candidate::Volume));
        for view in &snapshot.sandboxes {
            let nested = view.sandbox.kind == SandboxKind::Nested;
            match (nested, has_own_series(view)) {
                (true, true) => candidates.push(Candidate::Nested(view)),
                // Its bytes are in its parent's sum.
                (true, false) => {}
                (false, true) => candidates.push(Candidate::Sandbox(view)),
                (false, false) => plan.finish(view),
            }
        }
        // The I/O of a nested container is in its parent's.
        candidates.extend(snapshot.io.iter().filter(|io| !io.nested).map(Candidate::Io));
        plan.fold_frameworks(max_series / 4);
        plan.network = super::network::Plan::new(snapshot, max_series / 4);
        plan.dropped += plan.network.dropped;
        let fixed = snapshot.filesystems.len() * FILESYSTEM_SERIES
            + super::devices::series(snapshot)
            + plan.network.series
            + plan.finished.len() * FINISHED_SERIES
            + snapshot.collectors.len() * COLLECTOR_SERIES
            + snapshot.inventory.agent.as_ref().map_or(0, super::agent::series)
            + conditions::all().count()
            + snapshot.findings.len().min(super::findings::MAX_FINDINGS)
            + GC_SERIES
            + OWN_SERIES;
        let devices = !snapshot.devices.is_empty();
        let wanted: usize = candidates.iter().map(|candidate| candidate.cost(devices)).sum();
        let bounded = fixed + wanted > max_series;
        if bounded {
            candidates.sort_by_cached_key(Candidate::rank);
            let mut room = max_series.saturating_sub(fixed + OTHER_SERIES);
            candidates.retain(|candidate| {
                let cost = candidate.cost(devices);
                if cost <= room {
                    room -= cost;
                    return true;
                }
                plan.dropped += cost;
                plan.fold(candidate);
                false
            });
        }
        for candidate in candidates {
            match candidate {
                Candidate::Volume(view) => plan.volumes.push(view),
                Candidate::Sandbox(view) => plan.sandboxes.push(view),
                Candidate::Nested(view) => plan.nested.push(view),
                Candidate::Io(io) => plan.io.push(io),
            }
        }
        if bounded {
            // Back from the order of importance to that of the keys.
            plan.volumes.sort_by(|a, b| a.volume.key.cmp(&b.volume.key));
            plan.sandboxes.sort_by(|a, b| a.sandbox.key.cmp(&b.sandbox.key));
            plan.nested.sort_by(|a, b| a.sandbox.key.cmp(&b.sandbox.key));
            plan.io.sort_by(|a, b| a.key.cmp(&b.key));
        }
        plan
    }

    fn finish(&mut self, view: &'a SandboxView) {
        let key = &view.sandbox.key;
        let sum = self
            .finished
            .entry((key.source.as_str(), key.framework.as_str(), view.state.as_str()))
            .or_default();
        sum.count += 1;
        match &view.measured.sample {
            Some(sample) => sum.used_bytes = sum.used_bytes.saturating_add(sample.used_bytes),
            None => sum.unmeasured += 1,
        }
    }

    /// Jobs that register a framework each would make the sums per framework a leak of series:
    /// past the room for them the smaller ones are summed under the framework `other`.
    fn fold_frameworks(&mut self, max_series: usize) {
        let keep = max_series / FINISHED_SERIES;
        if self.finished.len() <= keep {
            return;
        }
        let mut sums: Vec<_> = std::mem::take(&mut self.finished).into_iter().collect();
        sums.sort_by_key(|(key, sum)| (Reverse(size_class(sum.used_bytes)), *key));
        for (position, ((source, framework, state), sum)) in sums.into_iter().enumerate() {
            let framework = if position < keep { framework } else { "other" };
            if position >= keep {
                self.dropped += FINISHED_SERIES;
            }
            let total = self.finished.entry((source, framework, state)).or_default();
            total.count += sum.count;
            total.unmeasured += sum.unmeasured;
            total.used_bytes = total.used_bytes.saturating_add(sum.used_bytes);
        }
    }

    fn fold(&mut self, candidate: &Candidate<'_>) {
        match candidate {
            Candidate::Volume(view) => {
                self.folded_volumes.add(&view.measured, view.volume.quota_bytes);
                self.folded_volumes.holders += view.volume.holders.len() as u64;
                self.folded_volumes.mounts += view.volume.mounts.len() as u64;
            }
            Candidate::Sandbox(view) => {
                self.folded_sandboxes.add(&view.measured, view.sandbox.quota_bytes);
            }
            Candidate::Nested(view) => self.folded_nested.add(&view.measured, None),
            Candidate::Io(_) => {}
        }
    }
}

/// Trouble first; then volumes, sandboxes, nested ones; then the larger ones by powers of two, so
/// that a subject does not come and go with every byte; then by key. A stable sort of subjects
/// that are sorted by key keeps those of one rank in that order.
type Rank = (bool, u8, Reverse<u32>);

impl Candidate<'_> {
    /// Its series; `devices`: what lies below filesystems is known.
    fn cost(&self, devices: bool) -> usize {
        let limits = |measured: &Measured| measured.kernel_limit.map_or(0, |_| LIMIT_SERIES);
        match self {
            Self::Volume(view) => {
                let over = usize::from(view.history.over_quota_since.is_some());
                let below = if devices { super::devices::series_of(view) } else { 0 };
                let labels = view.volume.engine.as_ref().map_or(0, |engine| engine.labels.len());
                // Since when it is unused, and when that is told.
                let unused = view.volume.unused_after.map_or(0, |_| 2);
                let more = over + below + labels + unused + limits(&view.measured);
                VOLUME_SERIES + more + view.volume.holders.len()
            }
            Self::Sandbox(view) => {
                let labels = view.sandbox.engine.as_ref().map_or(0, |engine| engine.labels.len());
                SANDBOX_SERIES
                    + labels
                    + limits(&view.measured)
                    + usize::from(view.history.over_quota_since.is_some())
            }
            Self::Nested(_) => NESTED_SERIES,
            Self::Io(io) => super::io::series(io),
        }
    }

    fn rank(&self) -> Rank {
        let (well, sort, measured) = match self {
            Self::Volume(view) => {
                let trouble = matches!(
                    view.state,
                    VolumeState::Orphaned | VolumeState::Unowned | VolumeState::Missing
                ) || over(&view.measured, view.volume.quota_bytes);
                (!trouble, 0, &view.measured)
            }
            Self::Sandbox(view) => {
                let trouble = view.state == SandboxState::Missing
                    || over(&view.measured, view.sandbox.quota_bytes);
                (!trouble, 1, &view.measured)
            }
            Self::Nested(view) => (true, 2, &view.measured),
            Self::Io(io) => {
                let limited = io.devices.iter().any(|device| {
                    device.read.throttled_seconds.is_some()
                        || device.write.throttled_seconds.is_some()
                });
                let bytes = io.devices.iter().fold(0, |sum: u64, device| {
                    let moved = [device.read.bytes, device.write.bytes].into_iter().flatten();
                    moved.fold(sum, u64::saturating_add)
                });
                return (true, if limited { 2 } else { 3 }, Reverse(size_class(bytes)));
            }
        };
        let used = measured.sample.map_or(0, |sample| sample.used_bytes);
        (well, sort, Reverse(size_class(used)))
    }
}

fn size_class(bytes: u64) -> u32 {
    u64::BITS - bytes.leading_zeros()
}

fn over(measured: &Measured, quota_bytes: Option<u64>) -> bool {
    measured.sample.zip(quota_bytes).is_some_and(|(sample, quota)| sample.used_bytes > quota)
}

/// Whether a sandbox has series of its own: its container runs, or may run. Agents list
/// completed runs whose directory is long removed; those are finished, not missing.
pub fn has_own_series(view: &SandboxView) -> bool {
    match view.state {
        SandboxState::Live | SandboxState::Standalone => true,
        SandboxState::Missing => view.sandbox.running == Some(true),
        SandboxState::Unknown => !view.sandbox.completed,
        SandboxState::AwaitingGc
        | SandboxState::Abandoned
        | SandboxState::Leaked
        | SandboxState::Exited => false,
    }
}

/// Filesystems by mount point.
#[derive(Debug)]
pub(super) struct Filesystems<'a>(HashMap<&'a OsStr, &'a FilesystemSample>);

impl<'a> Filesystems<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self(
            snapshot
                .filesystems
                .iter()
                .map(|sample| (sample.mount_point.as_os_str(), sample))
                .collect(),
        )
    }

    pub(super) fn available(&self, view: &VolumeView) -> Option<u64> {
        let mount_point = view.filesystem.as_ref()?;
        available_bytes(view, self.0.get(mount_point.as_os_str()).copied())
    }
}

/// Bytes that can still be written to a volume before its quota is reached, where something
/// enforces the quota, or its filesystem is full, whichever comes first. Absent when the
/// filesystem's numbers are.
pub fn available_bytes(view: &VolumeView, filesystem: Option<&FilesystemSample>) -> Option<u64> {
    let on_filesystem = filesystem?.usage?.available_bytes;
    let enforced = !matches!(view.enforcement, Enforcement::None | Enforcement::Accounting);
    let below_quota = view
        .volume
        .quota_bytes
        .filter(|_| enforced)
        .zip(view.measured.sample)
        .map(|(quota, sample)| quota.saturating_sub(sample.used_bytes));
    Some(below_quota.map_or(on_filesystem, |left| left.min(on_filesystem)))
}
