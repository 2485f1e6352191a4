//! What the scheduler knows of each subject, and what is published of it.

mod book;
mod due;

use std::sync::Arc;
use std::time::Instant;

pub(super) use book::Book;

use super::hot::{Drift, Tree};
use super::pass::Real;
use super::quota::{Probe, Record as ProjectRecord, Settled};
use super::target::{How, Target};
use super::walk::Walk;
use crate::host::MountTable;

/// A kind of pass. A subject with a filesystem of its own has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Gives all numbers.
    Walk,
    /// Gives the used bytes of an own filesystem.
    Statfs,
    /// Adds files and apparent size to them, ten times more seldom.
    OwnWalk,
    /// Gives used bytes and files from the project quota, once a walk found that it tells the
    /// truth; the walks themselves are then a reconciliation, much more seldom.
    Quota,
}

impl Kind {
    /// Adds to another pass of the same subject.
    pub(super) fn secondary(self) -> bool {
        matches!(self, Self::OwnWalk | Self::Quota)
    }

    pub(super) fn of(target: &Target) -> &'static [Self] {
        match (target.how, target.remote) {
            (How::Walk, false) => &[Self::Walk],
            (How::Walk, true) => &[],
            (How::OwnFilesystem, false) => &[Self::Statfs, Self::OwnWalk],
            (How::OwnFilesystem, true) => &[Self::Statfs],
        }
    }
}

/// A pass under way.
pub(super) struct Active {
    /// Away on a worker thread while a slice runs.
    pub(super) walk: Option<Box<Walk>>,
    pub(super) real: Real,
    pub(super) inodes: u64,
    pub(super) started: Instant,
    pub(super) cpu: f64,
    /// Where the project quota can be read, if there may be one.
    pub(super) probe: Option<Probe>,
    /// What it said before the walk.
    pub(super) before: Option<ProjectRecord>,
}

pub(super) struct Entry {
    pub(super) target: Arc<Target>,
    pub(super) kind: Kind,
    /// Device number of the filesystem it lies on, as far as known.
    pub(super) device: (u32, u32),
    pub(super) known_since: Instant,
    pub(super) last_good: Option<Instant>,
    pub(super) cost: f64,
    pub(super) weight: f64,
    pub(super) not_before: Option<Instant>,
    pub(super) failures: u32,
    pub(super) in_flight: bool,
    pub(super) active: Option<Active>,
    /// How many times the age asked for this pass may be old.
    pub(super) stretch: u32,
    /// The project its subject makes up, as the last walk found it.
    pub(super) project: Option<(u64, u32)>,
    pub(super) hot: HotState,
    /// How its project quota is read in the shortest way, and the mount table and the target for
    /// which that was found out. Away on a worker thread while it is read.
    pub(super) settled: Option<(Box<Settled>, Arc<MountTable>, Arc<Target>)>,
}

/// What an entry knows beside its values to bring them up to date between full passes.
#[derive(Default)]
pub(super) struct HotState {
    /// Away on a worker thread while a slice of a refresh runs.
    pub(super) tree: Option<Box<Tree>>,
    /// Where the tree lies.
    pub(super) real: Option<Real>,
    /// The mount table and the target for which it was last found to lie there.
    pub(super) checked: Option<(Arc<MountTable>, Arc<Target>)>,
    /// A refresh is under way, since then.
    pub(super) began: Option<Instant>,
    pub(super) spent: f64,
    /// CPU seconds of the last refresh.
    pub(super) cost: Option<f64>,
    /// Bytes by which refreshes saw parts change since the last full pass.
    pub(super) seen: u64,
    /// The same in a second, as of the last full pass that refreshes went before.
    pub(super) pace: f64,
    pub(super) drift: Drift,
    /// What the last published value said it may be off.
    pub(super) bound: Option<u64>,
    /// The bytes it said are used.
    pub(super) used: u64,
    /// Since the last full pass began, its filesystem changed in a way that no subject explains: when.
    pub(super) doubted: Option<Instant>,
    /// When the last full pass ended.
    pub(super) full: Option<Instant>,
    /// Bytes its tree takes (or took, when it was given up for want of memory).
    pub(super) bytes: usize,
    /// It was given up for want of memory.
    pub(super) given_up: bool,
}

/// A walk that only checks a project quota: an hour apart where a minute is asked for.
pub(super) const RECONCILE: u32 = 60;

impl Entry {
    pub(super) fn new(target: Arc<Target>, kind: Kind, device: (u32, u32), now: Instant) -> Self {
        Self {
            target,
            kind,
            device,
            known_since: now,
            last_good: None,
            cost: 0.0,
            weight: 1.0,
            not_before: None,
            failures: 0,
            in_flight: false,
            active: None,
            stretch: if kind == Kind::OwnWalk { 10 } else { 1 },
            project: None,
            hot: HotState::default(),
            settled: None,
        }
    }
}
