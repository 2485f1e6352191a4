//! Block I/O of containers, from their control groups.
//!
//! Three cadences. A *look* (10 s) finds the groups, reads their limits and what their threads
//! waited. A *pass* (`io.interval`) reads what every group counted, through kept descriptors. A
//! *sample* (`io.sample_interval`, about a second) reads the groups that have a limit and adds up
//! the seconds during which their use stood at it.
//!
//! A group is told by its inode, not by its path: one that was made again under the same path is
//! another one, and its counters start anew.

pub mod cgroup;
pub mod delay;
mod entry;
mod history;
pub mod limiter;
mod look;
mod points;
mod shared;
pub mod survey;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Instant;

use crate::host::Roots;
use crate::host::devices::Sysfs;
use crate::model::{ContainerIo, DeviceNumber, Direction, LimitKind, SandboxKey, Timestamp};

use cgroup::{DescriptorRoom, Finder, Hierarchies, LimitFiles, Lost, parse_pressure};
use delay::Accounting;
use entry::{Around, Entry};
use points::{LimitPoint, counted};

/// Seconds between two looks for groups and limits.
pub const LOOK_EVERY: f64 = 10.0;

/// Measures the I/O of containers. Belongs to one thread; nothing in it waits.
pub struct IoMeter {
    roots: Roots,
    room: DescriptorRoom,
    started: Instant,
    finder: Finder,
    hierarchies: Hierarchies,
    entries: BTreeMap<SandboxKey, Entry>,
    /// Limits of every group in any entry's chain.
    limit_files: HashMap<PathBuf, LimitFiles>,
    points: HashMap<PathBuf, LimitPoint>,
    names: HashMap<DeviceNumber, String>,
    accounting: Accounting,
    /// A thread showed that it waited: delays are counted on this kernel.
    delays_seen: bool,
    looks: u64,
    buffer: Vec<u8>,
    errors: Vec<String>,
}

/// What one pass found.
#[derive(Debug, Default)]
pub struct Round {
    /// By container, sorted by key.
    pub io: Vec<ContainerIo>,
    /// What could not be read, since the last pass.
    pub errors: Vec<String>,
    /// A group went away or was replaced: it is worth looking again.
    pub look_again: bool,
}

impl IoMeter {
    /// Reads nothing yet. `room` bounds the descriptors that are kept.
    pub fn new(roots: Roots, room: DescriptorRoom) -> Self {
        Self {
            roots,
            room,
            started: Instant::now(),
            finder: Finder::default(),
            hierarchies: Hierarchies::default(),
            entries: BTreeMap::new(),
            limit_files: HashMap::new(),
            points: HashMap::new(),
            names: HashMap::new(),
            accounting: Accounting::Unknown,
            delays_seen: false,
            looks: 0,
            buffer: vec![0; 64 << 10],
            errors: Vec::new(),
        }
    }

    /// There is a hierarchy that counts I/O.
    pub fn can_count(&self) -> bool {
        self.hierarchies.blkio.is_some() || self.hierarchies.unified_counts()
    }

    /// Some group has a limit: samples are worth taking.
    pub fn has_limits(&self) -> bool {
        !self.points.is_empty()
    }

    /// Groups that are measured.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// None is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads what every group counted.
    pub fn pass(&mut self, now: Timestamp) -> Round {
        let monotonic = self.started.elapsed().as_secs_f64();
        let Self { roots, names, buffer, entries, errors, .. } = self;
        let sysfs = Sysfs::new(&roots.sysfs);
        let mut name = |number: DeviceNumber| {
            let named = || sysfs.name((number.major, number.minor));
            names.entry(number).or_insert_with(|| named().unwrap_or(number.to_string())).clone()
        };
        let mut around = Around {
            points: &self.points,
            name: &mut name,
            delays: match self.accounting {
                Accounting::On => true,
                Accounting::Off => false,
                Accounting::Unknown => self.delays_seen,
            },
            ticks_per_second: rustix::param::clock_ticks_per_second() as f64,
            monotonic,
            now,
        };
        let mut round = Round::default();
        entries.retain(|_, entry| {
            let reading = match entry.files.counters(buffer) {
                Ok(reading) => reading,
                Err(Lost::Gone) => {
                    round.look_again = true;
                    return false;
                }
                Err(Lost::Failed(error)) => {
                    errors.push(error);
                    return true;
                }
            };
            let pressure = entry.pressure.as_mut().and_then(|file| {
                // Switched off for this group, or by the kernel: absent.
                parse_pressure(file.read(buffer, &self.room).ok()?).ok()
            });
            round.io.push(entry.publish(&reading, pressure, &mut around));
            true
        });
        round.errors = std::mem::take(errors);
        round
    }

    /// Samples the groups that have a limit.
    pub fn sample(&mut self) {
        let Self { points, entries, buffer, errors, started, .. } = self;
        let clock = || started.elapsed().as_secs_f64();
        points.retain(|_, point| match point.sample(buffer, clock) {
            Ok(()) => true,
            Err(Lost::Gone) => false,
            Err(Lost::Failed(error)) => {
                point.throttled.clear();
                errors.push(error);
                true
            }
        });
        for entry in entries.values_mut() {
            for (place, seconds) in
                points.get(&entry.group).into_iter().flat_map(|point| &point.throttled)
            {
                *entry.throttled.entry(*place).or_insert(0.0) += seconds;
            }
            let above = above(entry, points);
            if above.is_empty() {
                continue;
            }
            let Ok(reading) = entry.files.counters(buffer) else { continue };
            for (place, above) in above {
                let counted = reading.get(&place.0).map(|device| counted(device, place.1));
                let own = points
                    .get(&entry.group)
                    .and_then(|point| point.throttled.get(&place))
                    .copied()
                    .unwrap_or(0.0);
                let seconds = entry.shared.entry(place).or_default().held_back(
                    counted.unwrap_or_default(),
                    (above.seconds - own).max(0.0),
                    above.limit_bytes,
                );
                *entry.throttled.entry(place).or_insert(0.0) += seconds;
            }
        }
    }
}

/// What the groups above a container's do to it.
#[derive(Clone, Copy, Default)]
struct Above {
    /// Seconds of the last sample that any of them spent at its limit.
    seconds: f64,
    /// The smallest of their limits of bytes.
    limit_bytes: Option<u64>,
}

fn above(
    entry: &Entry,
    points: &HashMap<PathBuf, LimitPoint>,
) -> BTreeMap<(DeviceNumber, Direction), Above> {
    let mut found: BTreeMap<_, Above> = BTreeMap::new();
    for point in entry.chain.iter().skip(1).filter_map(|group| points.get(group)) {
        for (place, seconds) in &point.throttled {
            let above = found.entry(*place).or_default();
            above.seconds = above.seconds.max(*seconds);
            let limit = point.limit(place.0, place.1, LimitKind::Bytes);
            above.limit_bytes = above.limit_bytes.into_iter().chain(limit).min();
        }
    }
    found
}
