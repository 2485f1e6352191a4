//! Discovery's thread: looks when something appears, and now and then.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::discover::Sources;
use crate::discover::watch::DirectoryWatch;
use crate::measure::targets;
use crate::model::{Inventory, SourceError, SourceHealth, SourceReport};

use super::super::filesystems::Filesystems;
use super::super::project_ids::ProjectIds;
use super::super::{collector_runs, now};
use super::Shared;

/// After a wake-up, the time in which its companions (the rest of a `mkdir -p`) arrive.
const SETTLE: Duration = Duration::from_millis(50);
/// Two rounds of discovery are at least this far apart, so that churn costs no more than a round
/// in half a second.
const LEAST_GAP: Duration = Duration::from_millis(500);
/// How long the first round of discovery waits for the history of earlier runs.
const HISTORY_PATIENCE: Duration = Duration::from_secs(1);

impl Shared {
    pub(super) fn discover_for_ever(&self) {
        let wake = Arc::clone(&self.discover);
        let mut watch = DirectoryWatch::new(move || wake.raise())
            .inspect_err(|error| {
                tracing::warn!(%error, "New sandboxes are noticed by the periodic listing only");
            })
            .ok();
        let mut project_ids = ProjectIds::default();
        let guard = Arc::clone(&self.guard);
        let wake = Arc::clone(&self.discover);
        let mut all = Sources::new(self.roots.clone(), guard, self.handle.clone())
            .with_wake(Arc::new(move || wake.raise()))
            .with_locator(self.confinement.locator());
        self.history.wait(HISTORY_PATIENCE);
        while !self.stopping() {
            let started = Instant::now();
            let config = self.config.load_full();
            let round = all.refresh(&config);

            let mut sources = round.sources;
            if let Some(watch) = &mut watch {
                sources.extend(self.watch(watch, &round.watch));
            }
            let state = self.state();
            sources.extend(
                state.state_file.iter().chain(&state.master).chain(&state.network_sources).cloned(),
            );
            drop(state);
            let mut inventory = Inventory {
                taken_at: now(),
                agent: round.agent,
                volumes: round.volumes,
                sandboxes: round.sandboxes,
                containers: round.containers,
                sources,
                disagreements: round.disagreements,
            };
            let given = project_ids.round(&config, &inventory, &self.guard, &self.roots);
            inventory.sources.extend(given);
            let confined = self.confinement.report(&inventory, &self.guard);
            inventory.sources.extend(confined);
            self.count_and_log(&inventory.sources);
            self.accept(inventory);
            self.wait_for_discovery(started, &config);
        }
    }

    fn accept(&self, inventory: Inventory) {
        let table = self.guard.table();
        let walk_network = self.config.load().network.walk;
        self.meter.set_targets(targets::plan(&inventory, &table, &self.roots, walk_network));
        let mut state = self.state();
        let at = self.look_at_clock(&mut state);
        if let Some(owners) = self.fresh_owners(&state) {
            state.memory.observe_owners(&owners, at);
        }
        state.memory.observe(&inventory, at);
        for run in collector_runs(&inventory.sources) {
            state.collectors.insert(run.name, run);
        }
        let sources = &inventory.sources;
        state.collectors.retain(|name, _| {
            *name == Filesystems::COLLECTOR
                || *name == super::io::COLLECTOR
                || sources.iter().any(|source| source.name == *name)
        });
        let moved = state.inventory.volumes.len() != inventory.volumes.len()
            || state.inventory.sandboxes.len() != inventory.sandboxes.len();
        let others = state.inventory.containers != inventory.containers;
        state.inventory = Arc::new(inventory);
        drop(state);
        if others {
            self.measure_io.raise();
        }
        if moved {
            self.measure_filesystems.raise();
            self.measure_network.raise();
        }
        self.publish.raise();
    }

    /// Waits for a wake-up or for the periodic round, whichever comes first.
    fn wait_for_discovery(&self, started: Instant, config: &Config) {
        let period = config.mesos.poll_interval.min(config.discovery.interval);
        if self.discover.wait(period.saturating_sub(started.elapsed())) && !self.stopping() {
            std::thread::sleep(SETTLE.max(LEAST_GAP.saturating_sub(started.elapsed())));
            // What came in meanwhile is seen by the round that follows.
            self.discover.wait(Duration::ZERO);
        }
    }

    fn watch(
        &self,
        watch: &mut DirectoryWatch,
        wanted: &BTreeSet<PathBuf>,
    ) -> Option<SourceReport> {
        // Adding a watch touches the path: none is added where the mount does not answer.
        let stuck = self.guard.unresponsive();
        let wanted = wanted
            .iter()
            .filter(|path| !stuck.iter().any(|mount| path.starts_with(&mount.mount_point)))
            .cloned()
            .collect();
        let errors = watch.set(&wanted);
        if watch.added() > 0 {
            // Something may have appeared between the listing and the new watch.
            self.discover.raise();
        }
        if errors.is_empty() {
            return None;
        }
        let message = format!("{} directories cannot be watched: {}", errors.len(), errors[0]);
        Some(SourceReport {
            name: "watch",
            health: SourceHealth::Partial,
            target: "inotify".into(),
            errors: vec![SourceError {
                reason: "limit",
                message,
                hint: "the periodic listing still finds what is new, only later".into(),
            }],
            duration_seconds: 0.0,
        })
    }

    fn count_and_log(&self, sources: &[SourceReport]) {
        // What is absent is no error, whatever there is to say of it.
        for source in sources.iter().filter(|source| source.health != SourceHealth::Absent) {
            for error in &source.errors {
                self.telemetry.source_error(source.name, error.reason);
            }
        }
        let mut state = self.state();
        for source in sources {
            state.log.report_errors(source.name, &source.errors);
        }
    }
}
