//! The publisher's thread: judges what the others found, and swaps the snapshot.

use std::sync::Arc;
use std::time::Duration;

use crate::expose::render::series_dropped;
use crate::expose::telemetry::{Telemetry, Told};
use crate::judge::findings::Facts;
use crate::judge::{Evidence, assemble, open_files, storage};
use crate::measure::usage::MeterStats;
use crate::model::Snapshot;

use super::Shared;

/// Two snapshots are at least this far apart.
const LEAST_PUBLISH_GAP: Duration = Duration::from_millis(100);
/// A snapshot is made at least this often, so that ages and grace periods move on.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);

impl Shared {
    pub(super) fn publish_for_ever(&self) {
        let mut sequence = 0;
        let mut counted = MeterStats::default();
        while !self.stopping() {
            let stats = self.meter.stats();
            count(&self.telemetry, &counted, &stats);
            counted = stats;
            sequence += 1;
            let mut made = self.assemble(sequence);
            let config = self.config.load();
            let mut state = self.state();
            made.findings = state.findings.update(&Facts {
                snapshot: &made,
                thresholds: &config.conditions,
                series_dropped: series_dropped(&made, config.metrics.max_series),
                debt_seconds: counted.debt_seconds,
                now: made.taken_at,
            });
            let awaited = state.findings.awaited().map(str::to_owned).collect();
            drop(state);
            let made = Arc::new(made);
            self.snapshot.store(Arc::clone(&made));
            self.want_open_files(&made);
            self.alerts.observe(&made, &awaited);
            // What is raised during the least gap is seen after it.
            std::thread::sleep(LEAST_PUBLISH_GAP);
            self.publish.wait(PUBLISH_EVERY);
        }
    }

    fn assemble(&self, sequence: u64) -> Snapshot {
        let config = self.config.load();
        let mut state = self.state();
        let now = self.look_at_clock(&mut state);
        let mut usage = self.meter.results();
        if !state.tmpfs.is_empty() {
            let tmpfs = state.tmpfs.iter().map(|(subject, found)| (subject.clone(), found.clone()));
            Arc::make_mut(&mut usage).extend(tmpfs);
        }
        let owners = self.fresh_owners(&state);
        let state = &mut *state;
        state.histories.observe(&state.inventory, &usage, &state.filesystems);
        state.memory.observe_usage(&usage, now);
        let evidence = Evidence {
            inventory: Arc::clone(&state.inventory),
            memory: &state.memory,
            owners: owners.as_ref(),
            usage: &usage,
            histories: &state.histories,
            filesystems: state.filesystems.clone(),
            filesystem_of: &state.filesystem_of,
            io: Arc::clone(&state.io),
            collectors: state.collectors.values().cloned().collect(),
            now,
            grace: config.orphans.grace.as_secs_f64(),
            sequence,
        };
        let mut snapshot = assemble(evidence);
        open_files::attach(&mut snapshot, &state.open_files);
        storage::attach(&mut snapshot, state.below.clone());
        state.memory.observe_states(&snapshot);
        snapshot
    }
}

/// Adds to the counters what the meter did since the last time.
fn count(telemetry: &Telemetry, before: &MeterStats, now: &MeterStats) {
    telemetry.usage_cpu(now.cpu_seconds_total - before.cpu_seconds_total);
    telemetry.usage_inodes(now.inodes_total.saturating_sub(before.inodes_total));
    for (outcome, passes) in &now.passes_total {
        let counted = before.passes_total.get(outcome).copied().unwrap_or(0);
        telemetry.usage_passes(outcome, passes.saturating_sub(counted));
    }
    telemetry.usage_backlog(now.debt_seconds, now.pending);
    let exceeded = now.bound_exceeded_total.saturating_sub(before.bound_exceeded_total);
    let checked = now.bound_checked_total.saturating_sub(before.bound_checked_total);
    telemetry.usage_bound(checked, exceeded);
    telemetry.usage_remembered(now.remembered_bytes, now.remembered, now.unremembered);
    telemetry.usage_throttled(now.throttled);
    if let Some(watch) = &now.watch {
        let told = Told {
            filesystems: (watch.trusted, watch.untrusted),
            subjects: watch.listeners,
            events: watch.events_total,
            overflows: watch.overflows_total,
            directories: watch.directories,
        };
        if let Err(error) = telemetry.usage_fanotify(&told) {
            tracing::error!(%error, "The metrics of fanotify cannot be registered");
        }
    }
}
