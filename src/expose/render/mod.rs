//! Writes the families of the catalogue from a snapshot.

mod agent;
mod bound;
mod devices;
mod filesystems;
mod findings;
mod io;
mod network;
mod sandboxes;
mod subjects;
mod volumes;

use super::catalogue::{own, volume};
use bytes::Bytes;

use super::exposition::{Arena, Encoder, Format, Labels};
use crate::model::Snapshot;
use bound::Plan;

pub use bound::{available_bytes, has_own_series};

/// Series that one page may have unless the configuration says otherwise.
pub const DEFAULT_MAX_SERIES: usize = 100_000;

/// What came of rendering a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The families, without those of [`Telemetry`](super::Telemetry) and the format's end, in
    /// chunks that follow each other: UTF-8, though one chunk need not be.
    pub chunks: Vec<Bytes>,
    /// Series in it.
    pub series: usize,
    /// Series folded into the subjects named `other`.
    pub dropped: usize,
}

/// Renders every family that comes from the snapshot. At most about `max_series` series: past
/// that the smaller subjects that are well are summed into `other`.
pub fn render(snapshot: &Snapshot, format: Format, max_series: usize) -> Page {
    render_into(snapshot, format, max_series, Vec::new())
}

/// The same, written into the memory that [`recycle`](super::exposition::recycle) took from an
/// older page.
pub fn render_into(
    snapshot: &Snapshot,
    format: Format,
    max_series: usize,
    spare: Vec<Vec<u8>>,
) -> Page {
    let plan = Plan::new(snapshot, max_series);
    let mut encoder = Encoder::new(format, &volume::USED_BYTES, spare);
    volumes::write(&mut encoder, snapshot, &plan);
    sandboxes::write(&mut encoder, &plan);
    filesystems::write(&mut encoder, snapshot);
    devices::write(&mut encoder, snapshot, &plan);
    network::write(&mut encoder, &plan.network);
    io::write(&mut encoder, &plan.io);
    if let Some(found) = &snapshot.inventory.agent {
        agent::write(&mut encoder, found);
    }
    if let Some(gc) = &snapshot.gc {
        agent::write_gc(&mut encoder, gc);
    }
    findings::write(&mut encoder, snapshot);
    own(&mut encoder, snapshot, plan.dropped);
    let (chunks, series) = encoder.finish();
    Page { chunks, series, dropped: plan.dropped }
}

/// Series that a page of this snapshot folds into the subjects named `other`.
pub fn series_dropped(snapshot: &Snapshot, max_series: usize) -> usize {
    Plan::new(snapshot, max_series).dropped
}

fn own(encoder: &mut Encoder, snapshot: &Snapshot, dropped: usize) {
    let mut labels = Arena::default();
    let runs: Vec<_> =
        snapshot.collectors.iter().filter(|run| labels.push(&[("collector", run.name)])).collect();
    encoder.family(&own::COLLECTOR_SUCCESS);
    for (index, run) in runs.iter().enumerate() {
        encoder.bool(labels.get(index), run.success);
    }
    encoder.family(&own::COLLECTOR_DURATION);
    for (index, run) in runs.iter().enumerate() {
        encoder.f64(labels.get(index), run.duration_seconds);
    }
    encoder.family(&own::DISAGREEMENTS);
    encoder.u64(Labels::NONE, snapshot.inventory.disagreements.len() as u64);
    encoder.family(&own::SNAPSHOT_TIMESTAMP);
    encoder.timestamp(Labels::NONE, snapshot.taken_at);
    encoder.family(&own::SERIES_DROPPED);
    encoder.u64(Labels::NONE, dropped as u64);
}
