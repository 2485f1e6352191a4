//! Groups that have a limit: sampled about once a second.

use std::collections::BTreeMap;

use super::cgroup::{GroupFiles, Limits, Lost, RawDevice};
use super::limiter::{Limiter, Use};
use crate::model::{DeviceNumber, Direction, LimitKind};

/// A group with a limit: a container's own, or (v2) an ancestor of it.
pub(super) struct LimitPoint {
    pub(super) files: GroupFiles,
    pub(super) limits: Limits,
    limiters: BTreeMap<(DeviceNumber, Direction), Limiter>,
    /// Seconds that the last sample found to be spent at the limit.
    pub(super) throttled: BTreeMap<(DeviceNumber, Direction), f64>,
}

impl LimitPoint {
    pub(super) fn new(files: GroupFiles, limits: Limits) -> Self {
        Self { files, limits, limiters: BTreeMap::new(), throttled: BTreeMap::new() }
    }

    /// The limit of a kind.
    pub(super) fn limit(
        &self,
        number: DeviceNumber,
        direction: Direction,
        kind: LimitKind,
    ) -> Option<u64> {
        let max = self.limits.get(&number)?;
        match (direction, kind) {
            (Direction::Read, LimitKind::Bytes) => max.read_bytes,
            (Direction::Write, LimitKind::Bytes) => max.write_bytes,
            (Direction::Read, LimitKind::Operations) => max.read_operations,
            (Direction::Write, LimitKind::Operations) => max.write_operations,
        }
    }

    /// How much of a limit was used in the last interval.
    pub(super) fn used(
        &self,
        number: DeviceNumber,
        direction: Direction,
        kind: LimitKind,
    ) -> Option<f64> {
        let limiter = self.limiters.get(&(number, direction))?;
        match kind {
            LimitKind::Bytes => limiter.used_bytes,
            LimitKind::Operations => limiter.used_operations,
        }
    }

    /// Devices and directions with a limit.
    pub(super) fn limited(&self) -> impl Iterator<Item = (DeviceNumber, Direction)> + '_ {
        self.limits.keys().flat_map(move |number| {
            Direction::ALL.into_iter().filter_map(move |direction| {
                let has = [LimitKind::Bytes, LimitKind::Operations]
                    .into_iter()
                    .any(|kind| self.limit(*number, direction, kind).is_some());
                has.then_some((*number, direction))
            })
        })
    }

    /// Takes one sample. `clock` is read right after the counters.
    pub(super) fn sample(
        &mut self,
        buffer: &mut Vec<u8>,
        clock: impl Fn() -> f64,
    ) -> Result<(), Lost> {
        let reading = self.files.counters(buffer)?;
        let now = clock();
        let limited: Vec<_> = self.limited().collect();
        self.limiters.retain(|place, _| limited.contains(place));
        self.throttled.clear();
        for (number, direction) in limited {
            // A limited device without a row has not been used yet.
            let (bytes, operations) =
                reading.get(&number).map_or((0, 0), |device| counted(device, direction));
            let seen = Use {
                bytes,
                operations,
                limit_bytes: self.limit(number, direction, LimitKind::Bytes),
                limit_operations: self.limit(number, direction, LimitKind::Operations),
            };
            let limiter = self.limiters.entry((number, direction)).or_default();
            self.throttled.insert((number, direction), limiter.observe(now, seen));
        }
        Ok(())
    }
}

/// Bytes and operations of one direction.
pub(super) fn counted(device: &RawDevice, direction: Direction) -> (u64, u64) {
    let raw = match direction {
        Direction::Read => &device.read,
        Direction::Write => &device.write,
    };
    (raw.bytes.unwrap_or(0), raw.operations.unwrap_or(0))
}
