//! Rules about containers' block I/O.

use std::collections::BTreeMap;

use crate::judge::conditions;
use crate::judge::spoken_bytes;
use crate::model::{
    ContainerIo, DeviceIo, DeviceNumber, Direction, FindingSubject, LimitKind, SubjectKind,
};

use super::{Candidate, Facts, limit, percent, strength, subject};

/// Share of time a neighbour must wait before somebody is blamed for it.
const WAITS: f64 = 0.1;
/// What is moved on a device, in bytes a second, below which nobody takes most of anything.
const IDLE_BYTES: f64 = 1_048_576.0;

pub(super) fn containers(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    for io in facts.snapshot.io.iter() {
        throttled(facts, io, found);
        pressure(facts, io, found);
    }
    neighbours(facts, found);
}

fn throttled(facts: &Facts<'_>, io: &ContainerIo, found: &mut Vec<Candidate>) {
    let most = io
        .devices
        .iter()
        .flat_map(|device| Direction::ALL.map(|direction| (device, direction)))
        .filter_map(|(device, direction)| {
            Some((device.direction(direction).throttled_ratio?, device, direction))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let Some((ratio, device, direction)) = most else { return };
    let condition = &conditions::IO_THROTTLED;
    if let Some((threshold, margin)) = limit(condition, facts.thresholds)
        && let Some(strength) = strength(ratio, threshold, margin)
    {
        let reason = format!(
            "Its {} on {} stood at {} for {} of the last five minutes.",
            direction.as_str(),
            device.name,
            limit_of(device, direction),
            percent(ratio)
        );
        found.push(Candidate { strength, ..Candidate::new(condition, of_container(io), reason) });
    }
}

/// The limit that is used most, for a sentence.
fn limit_of(device: &DeviceIo, direction: Direction) -> String {
    let io = device.direction(direction);
    let limits =
        [(&io.limit_bytes, LimitKind::Bytes), (&io.limit_operations, LimitKind::Operations)];
    let used = limits
        .into_iter()
        .filter_map(|(limit, kind)| Some((limit.as_ref()?, kind)))
        .max_by(|a, b| a.0.used_ratio.unwrap_or(0.0).total_cmp(&b.0.used_ratio.unwrap_or(0.0)));
    match used {
        Some((limit, LimitKind::Bytes)) => {
            format!("the limit of {}/s of {}", spoken_bytes(limit.per_second), limit.group)
        }
        Some((limit, LimitKind::Operations)) => {
            format!("the limit of {} operations/s of {}", limit.per_second, limit.group)
        }
        None => "a limit that is gone by now".to_string(),
    }
}

fn pressure(facts: &Facts<'_>, io: &ContainerIo, found: &mut Vec<Candidate>) {
    let condition = &conditions::IO_PRESSURE;
    if let Some(ratio) = io.pressure.and_then(|pressure| pressure.full_ratio)
        && let Some((threshold, margin)) = limit(condition, facts.thresholds)
        && let Some(strength) = strength(ratio, threshold, margin)
    {
        let reason = format!(
            "All its tasks that were not idle waited for I/O in {} of the last five minutes.",
            percent(ratio)
        );
        found.push(Candidate { strength, ..Candidate::new(condition, of_container(io), reason) });
    }
}

fn neighbours(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    let condition = &conditions::IO_NEIGHBOUR;
    let Some((threshold, margin)) = limit(condition, facts.thresholds) else { return };
    let mut devices: BTreeMap<DeviceNumber, Vec<(&ContainerIo, &DeviceIo, f64)>> = BTreeMap::new();
    for io in facts.snapshot.io.iter().filter(|io| !io.nested) {
        for device in &io.devices {
            if let Some(rate) = device.bytes_per_second.filter(|rate| *rate > 0.0) {
                devices.entry(device.number).or_default().push((io, device, rate));
            }
        }
    }
    for users in devices.values() {
        let all: f64 = users.iter().map(|(.., rate)| rate).sum();
        let Some((greedy, device, rate)) = users.iter().max_by(|a, b| a.2.total_cmp(&b.2)) else {
            continue;
        };
        if all < IDLE_BYTES {
            continue;
        }
        let waiting = users
            .iter()
            .filter(|(io, ..)| io.key != greedy.key)
            .filter_map(|(io, device, _)| Some((waits(io, device)?, *io)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((waits, neighbour)) = waiting.filter(|(waits, _)| *waits >= WAITS) else {
            continue;
        };
        if let Some(strength) = strength(rate / all, threshold, margin) {
            let reason = format!(
                "It moves {}/s on {}, {} of what all containers move there, while {} waits for \
                 I/O in {} of the time.",
                spoken_bytes(*rate as u64),
                device.name,
                percent(rate / all),
                of_container(neighbour).display,
                percent(waits)
            );
            let candidate = Candidate::new(condition, of_container(greedy), reason);
            found.push(Candidate { strength, ..candidate });
        }
    }
}

/// Share of time in which a container waited for I/O that no limit of its own explains. Where there
/// is no pressure to go by (cgroup v1 alone), what its threads waited stands for it, which is more
/// where several waited at once.
fn waits(io: &ContainerIo, device: &DeviceIo) -> Option<f64> {
    let by_pressure = io.pressure.and_then(|pressure| pressure.some_ratio);
    let waited = by_pressure.or(io.delay_ratio.map(|ratio| ratio.min(1.0)))?;
    let own = Direction::ALL
        .into_iter()
        .filter_map(|direction| device.direction(direction).throttled_ratio)
        .fold(0.0, f64::max);
    Some(waited - own)
}

fn of_container(io: &ContainerIo) -> FindingSubject {
    let key = &io.key;
    let values = [
        key.source.as_str().to_string(),
        key.framework.clone(),
        key.executor.clone(),
        key.container.clone(),
    ];
    let display = if key.executor.is_empty() { &key.container } else { &key.executor };
    subject(SubjectKind::Sandbox, values, display.clone())
}
