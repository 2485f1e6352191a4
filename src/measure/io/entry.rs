//! One container: its group, and what is added up over time.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::cgroup::{
    Found, GroupFiles, GroupSettings, KeptFile, Pressure, RawDevice, RawDirection, Reading,
};
use super::delay::DelayMeter;
use super::history::{DevicePoint, History, Point, rate};
use super::points::LimitPoint;
use super::shared::Shared;
use crate::model::{
    CgroupVersion, ContainerIo, ContainerRef, DeviceIo, DeviceNumber, Direction, DirectionIo,
    IoLimit, IoPressure, LimitKind, Timestamp,
};

/// A container that is measured.
pub(super) struct Entry {
    pub(super) container: ContainerRef,
    pub(super) found: Found,
    pub(super) version: CgroupVersion,
    /// Its group below the root of the hierarchy that counts.
    pub(super) group: PathBuf,
    /// The same for a person.
    pub(super) group_name: String,
    pub(super) files: GroupFiles,
    pub(super) pressure: Option<KeptFile>,
    pub(super) settings: GroupSettings,
    /// Groups whose limits hold for it, its own first.
    pub(super) chain: Vec<PathBuf>,
    pub(super) throttled: BTreeMap<(DeviceNumber, Direction), f64>,
    /// What the sampler saw of it; only where a group above has a limit.
    pub(super) shared: BTreeMap<(DeviceNumber, Direction), Shared>,
    pub(super) delay: DelayMeter,
    /// [`DelayMeter`] could be brought up to date in the last round.
    pub(super) delay_known: bool,
    pub(super) history: History,
}

/// What a round knows beside the entry itself.
pub(super) struct Around<'a> {
    pub(super) points: &'a HashMap<PathBuf, LimitPoint>,
    pub(super) name: &'a mut dyn FnMut(DeviceNumber) -> String,
    /// Delay accounting is on.
    pub(super) delays: bool,
    pub(super) ticks_per_second: f64,
    pub(super) monotonic: f64,
    pub(super) now: Timestamp,
}

impl Entry {
    /// Puts together what was read.
    pub(super) fn publish(
        &mut self,
        reading: &Reading,
        pressure: Option<Pressure>,
        around: &mut Around<'_>,
    ) -> ContainerIo {
        // Looked up once: most groups have no limit, and no ancestor with one.
        let limits: Limits<'_> = self
            .chain
            .iter()
            .filter_map(|group| Some((group, around.points.get(group)?)))
            .collect();
        let limited = limited_devices(&limits);
        let mut numbers: Vec<DeviceNumber> = reading.keys().copied().collect();
        numbers.extend(limited.iter().filter(|number| !reading.contains_key(number)));
        numbers.sort_unstable();
        let delay_seconds = (around.delays && self.delay_known)
            .then(|| self.delay.ticks() as f64 / around.ticks_per_second);
        let mut point = Point { pressure, delay: delay_seconds, devices: Vec::new() };
        let nothing = RawDevice::default();
        let mut devices: Vec<DeviceIo> = numbers
            .into_iter()
            .map(|number| {
                let raw = reading.get(&number).unwrap_or(&nothing);
                let device = self.device(number, raw, &limits, around);
                let bytes = |direction: &DirectionIo| direction.bytes.unwrap_or(0);
                let place = DevicePoint {
                    bytes: bytes(&device.read).saturating_add(bytes(&device.write)),
                    throttled: [device.read.throttled_seconds, device.write.throttled_seconds],
                };
                point.devices.push((number, place));
                device
            })
            .collect();
        self.history.push(around.monotonic, &point);
        let pressure = self.add_rates(&mut devices, &point, around.monotonic);
        ContainerIo {
            key: self.container.key.clone(),
            nested: self.container.nested,
            version: self.version,
            group: self.group_name.clone(),
            devices,
            weight: self.settings.weight,
            pressure,
            delay_seconds,
            delay_ratio: self.delay_ratio(&point, around.monotonic),
            measured_at: around.now,
        }
    }

    fn device(
        &self,
        number: DeviceNumber,
        raw: &RawDevice,
        limits: &Limits<'_>,
        around: &mut Around<'_>,
    ) -> DeviceIo {
        let direction = |raw: &RawDirection, which| DirectionIo {
            bytes: raw.bytes,
            operations: raw.operations,
            limit_bytes: limit(limits, number, which, LimitKind::Bytes),
            limit_operations: limit(limits, number, which, LimitKind::Operations),
            throttled_seconds: self.throttled.get(&(number, which)).copied(),
            throttled_ratio: None,
            wait_seconds: raw.wait_ns.map(|ns| ns as f64 / 1e9),
            service_seconds: raw.service_ns.map(|ns| ns as f64 / 1e9),
            merged: raw.merged,
            queued: raw.queued,
        };
        DeviceIo {
            number,
            read: direction(&raw.read, Direction::Read),
            write: direction(&raw.write, Direction::Write),
            name: (around.name)(number),
            discard_bytes: raw.discard_bytes,
            discard_operations: raw.discard_operations,
            weight: self.settings.weights.get(&number).copied(),
            latency_target_seconds: self
                .settings
                .latency
                .get(&number)
                .map(|microseconds| *microseconds as f64 / 1e6),
            stat: raw.other.clone(),
            bytes_per_second: None,
        }
    }

    /// Seconds its threads waited in a second of the last minutes.
    fn delay_ratio(&self, now: &Point, monotonic: f64) -> Option<f64> {
        let (seconds, before) = self.history.since(monotonic)?;
        rate(now.delay?, before.delay?, seconds)
    }

    /// Adds the shares and rates of the last minutes.
    fn add_rates(
        &self,
        devices: &mut [DeviceIo],
        now: &Point,
        monotonic: f64,
    ) -> Option<IoPressure> {
        let before = self.history.since(monotonic);
        for device in devices {
            let Some((seconds, before)) = before else { continue };
            let (Some(new), Some(old)) = (now.device(device.number), before.device(device.number))
            else {
                continue;
            };
            device.bytes_per_second = rate(new.bytes as f64, old.bytes as f64, seconds);
            for (index, direction) in [&mut device.read, &mut device.write].into_iter().enumerate()
            {
                direction.throttled_ratio = new.throttled[index]
                    .and_then(|new| rate(new, old.throttled[index].unwrap_or(0.0), seconds))
                    .map(|ratio| ratio.min(1.0));
            }
        }
        let Pressure { some_seconds, full_seconds } = now.pressure?;
        let ratio = |new: f64, field: fn(&Pressure) -> f64| {
            let (seconds, before) = before?;
            rate(new, field(before.pressure.as_ref()?), seconds).map(|ratio| ratio.min(1.0))
        };
        Some(IoPressure {
            some_seconds,
            full_seconds,
            some_ratio: ratio(some_seconds, |pressure| pressure.some_seconds),
            full_ratio: ratio(full_seconds, |pressure| pressure.full_seconds),
        })
    }
}

/// Groups of a chain that have a limit.
type Limits<'a> = Vec<(&'a PathBuf, &'a LimitPoint)>;

fn limited_devices(limits: &Limits<'_>) -> Vec<DeviceNumber> {
    let mut numbers: Vec<DeviceNumber> =
        limits.iter().flat_map(|(_, point)| point.limits.keys().copied()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The tightest limit of the chain, and the greatest use of any of its limits.
fn limit(
    limits: &Limits<'_>,
    number: DeviceNumber,
    direction: Direction,
    kind: LimitKind,
) -> Option<IoLimit> {
    let name = |group: &PathBuf| crate::host::names::escape_name(group.as_os_str());
    let mut tightest: Option<(u64, &PathBuf)> = None;
    let mut used: Option<(f64, &PathBuf)> = None;
    for (group, point) in limits {
        let Some(limit) = point.limit(number, direction, kind) else { continue };
        if tightest.is_none_or(|(least, _)| limit < least) {
            tightest = Some((limit, group));
        }
        if let Some(share) = point.used(number, direction, kind)
            && used.is_none_or(|(most, _)| share > most)
        {
            used = Some((share, group));
        }
    }
    tightest.map(|(per_second, group)| IoLimit {
        per_second,
        group: name(group),
        used_ratio: used.map(|(share, _)| share),
        used_group: name(used.map_or(group, |(_, group)| group)),
    })
}
