//! What to measure, and how much it may cost.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::fanotify::WatchStats;
use crate::model::Subject;

/// Which exact means a subject's filesystem allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Walk its tree.
    Walk,
    /// It is the root of a filesystem of its own (a MOUNT disk): `statfs` says what is used; a walk
    /// adds files and apparent size.
    OwnFilesystem,
}

/// One subject to measure. Paths are as this process sees them
/// ([`crate::host::Roots::inside`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose use it is.
    pub subject: Subject,
    /// Its directory. A symbolic link on the way to it is followed, it itself must be a directory.
    pub path: PathBuf,
    /// Directories elsewhere that belong to it (upper directories of overlays).
    pub extra: Vec<PathBuf>,
    /// Mount points below it that are known; what the mount table shows joins them.
    pub skip: Vec<PathBuf>,
    /// By which means.
    pub how: How,
    /// On the network or in user space: not walked.
    pub remote: bool,
}

/// How much measuring may cost.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageConfig {
    /// CPU seconds a second, over all subjects (`usage.cpu_budget`).
    pub cpu_budget: f64,
    /// The same for the first pass of subjects never measured yet, so that a start is not blind.
    pub bootstrap_cpu_budget: f64,
    /// Age asked for (`usage.max_age`).
    pub max_age: Duration,
    /// Inodes looked at between two looks at the budget.
    pub slice_inodes: usize,
    /// How long one slice may take before its filesystem counts as unresponsive. Longer than the
    /// guard's own limit: under the idle I/O class a busy disk may let one call wait ten seconds.
    pub slice_limit: Duration,
    /// Bytes of memory for what is remembered of trees between two full passes (`usage.memory`); 0:
    /// every value comes from a full pass.
    pub memory: usize,
    /// System calls a second, over all subjects (`usage.syscall_budget`); 0: no bound.
    pub syscall_budget: u64,
    /// Share of the time in which something waits for I/O, in percent over the last ten seconds,
    /// above which measuring steps aside (`usage.io_pressure`); 0: never.
    pub io_pressure: f64,
}

impl Default for UsageConfig {
    fn default() -> Self {
        Self {
            cpu_budget: 0.01,
            bootstrap_cpu_budget: 0.25,
            max_age: Duration::from_secs(60),
            slice_inodes: 1000,
            slice_limit: Duration::from_secs(15),
            memory: 64 << 20,
            syscall_budget: 0,
            io_pressure: 40.0,
        }
    }
}

/// What the meter did and owes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeterStats {
    /// CPU time of walks, `statfs` and the scheduler itself since the start.
    pub cpu_seconds_total: f64,
    /// Passes by outcome: `complete`, or the reason of the failure.
    pub passes_total: BTreeMap<&'static str, u64>,
    /// Inodes looked at since the start.
    pub inodes_total: u64,
    /// How far the oldest subject is past the age asked for, in seconds.
    pub debt_seconds: f64,
    /// Subjects never measured yet, failing ones included.
    pub pending: usize,
    /// Subjects.
    pub subjects: usize,
    /// Passes under way.
    pub active: usize,
    /// Bytes that remembered trees take.
    pub remembered_bytes: usize,
    /// Subjects whose tree is remembered.
    pub remembered: usize,
    /// Subjects that would have been remembered but for want of memory: full passes only.
    pub unremembered: usize,
    /// Reconciliations that found out by how much a published value was off.
    pub bound_checked_total: u64,
    /// Those of them that found more missed than the published error bound said.
    pub bound_exceeded_total: u64,
    /// Measuring steps aside for I/O.
    pub throttled: bool,
    /// What the kernel tells of changes; absent where it is not asked.
    pub watch: Option<WatchStats>,
}
