//! Families of the agent.

use crate::expose::agent_resources::{Amounts, by_reservation, persistent_disk};
use crate::expose::catalogue::agent::{
    CPUS, CPUS_ALLOCATED, DISK_ALLOCATED_BYTES, DISK_BYTES, GC_DELAY, GC_NEXT_REMOVAL,
    GC_PATH_REMOVALS_PENDING, GC_PENDING_BYTES, INFO, MEMORY_ALLOCATED_BYTES, MEMORY_BYTES,
    PERSISTENT_DISK_BYTES, PORTS, PORTS_ALLOCATED, RECOVERING, UP,
};
use crate::expose::exposition::{Arena, Encoder, Labels};
use crate::expose::paths::display_or_empty;
use crate::model::{Agent, GcView};

pub(super) fn write(encoder: &mut Encoder, agent: &Agent) {
    encoder.family(&UP);
    encoder.bool(Labels::NONE, agent.up);
    encoder.family(&RECOVERING);
    encoder.bool(Labels::NONE, agent.recovering);
    encoder.family(&INFO);
    encoder.info(
        Labels::NONE,
        &[
            ("id", agent.id.as_deref().unwrap_or("")),
            ("hostname", agent.hostname.as_deref().unwrap_or("")),
            ("version", agent.version.as_deref().unwrap_or("")),
            ("url", agent.url.as_deref().unwrap_or("")),
            ("work_dir", &display_or_empty(agent.work_dir.as_deref())),
            ("runtime_dir", &display_or_empty(agent.runtime_dir.as_deref())),
        ],
    );
    resources(encoder, agent);
    encoder.family(&PERSISTENT_DISK_BYTES);
    let sums = persistent_disk(agent);
    let mut labels = Arena::default();
    for (index, sum) in sums.iter().enumerate() {
        labels.push(&[("role", sum.role), ("disk", &sum.disk)]);
        encoder.u64(labels.get(index), sum.bytes);
    }
    encoder.family(&GC_PATH_REMOVALS_PENDING);
    if let Some(paths) = agent.gc_path_removals_pending {
        encoder.u64(Labels::NONE, paths);
    }
}

/// Families of the agent's garbage collection.
pub(super) fn write_gc(encoder: &mut Encoder, gc: &GcView) {
    encoder.family(&GC_DELAY);
    encoder.f64(Labels::NONE, gc.delay_seconds);
    encoder.family(&GC_PENDING_BYTES);
    encoder.u64(Labels::NONE, gc.pending_bytes);
    encoder.family(&GC_NEXT_REMOVAL);
    if let Some(at) = gc.next_removal {
        encoder.timestamp(Labels::NONE, at);
    }
}

/// One of the summed resources.
type Value = fn(&Amounts) -> Option<f64>;

/// The most series that [`write`] makes.
pub(super) fn series(agent: &Agent) -> usize {
    4 + by_reservation(agent).len() * 8 + persistent_disk(agent).len()
}

fn resources(encoder: &mut Encoder, agent: &Agent) {
    let groups = by_reservation(agent);
    let mut labels = Arena::default();
    for group in &groups {
        labels.push(&[("role", group.role), ("reservation", group.reservation)]);
    }
    let numbers: [(_, _, Value); 4] = [
        (&CPUS, &CPUS_ALLOCATED, |amounts| amounts.cpus),
        (&MEMORY_BYTES, &MEMORY_ALLOCATED_BYTES, |amounts| {
            amounts.memory_bytes.map(|bytes| bytes as f64)
        }),
        (&DISK_BYTES, &DISK_ALLOCATED_BYTES, |amounts| {
            amounts.disk_bytes.map(|bytes| bytes as f64)
        }),
        (&PORTS, &PORTS_ALLOCATED, |amounts| amounts.ports.map(|ports| ports as f64)),
    ];
    for (total, allocated, value) in numbers {
        encoder.family(total);
        for (index, group) in groups.iter().enumerate() {
            if let Some(number) = value(&group.total) {
                encoder.f64(labels.get(index), number);
            }
        }
        encoder.family(allocated);
        for (index, group) in groups.iter().enumerate() {
            if let Some(number) = group.allocated.as_ref().and_then(value) {
                encoder.f64(labels.get(index), number);
            }
        }
    }
}
