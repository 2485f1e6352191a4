//! The thread that looks who holds open what nobody claims: on its own slow schedule, and only
//! while there is such a thing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::judge::open_files::candidates;
use crate::model::Snapshot;

use super::super::open_files::Looker;
use super::Shared;

/// Two looks are at least this far apart, whatever turns up.
const LEAST_GAP: Duration = Duration::from_secs(5);
/// A look takes no more than this part of the time: with very many processes it comes more seldom.
const SHARE: u32 = 100;

impl Shared {
    pub(super) fn look_for_open_files_for_ever(&self) {
        let mut looker = Looker::with_helper(self.confinement.helper());
        while !self.stopping() {
            let started = Instant::now();
            let config = self.config.load_full();
            let known = if config.orphans.open_files {
                looker.look(&self.snapshot.load(), &self.guard, &self.roots)
            } else {
                HashMap::new()
            };
            let changed = {
                let mut state = self.state();
                let changed = state.open_files != known;
                state.open_files = known;
                changed
            };
            if changed {
                self.publish.raise();
            }
            let gap = LEAST_GAP.max(started.elapsed() * SHARE);
            self.open_files.wait(config.orphans.open_files_interval.max(gap));
            while started.elapsed() < gap && !self.stopping() {
                self.open_files.wait(gap.saturating_sub(started.elapsed()));
            }
        }
    }

    /// Has what just turned up looked at before the interval is over.
    pub(super) fn want_open_files(&self, snapshot: &Snapshot) {
        if self.config.load().orphans.open_files
            && candidates(snapshot)
                .any(|view| view.open_files.is_none() && view.volume.path.is_some())
        {
            self.open_files.raise();
        }
    }
}
