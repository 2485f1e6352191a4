//! The thread that keeps what must outlive a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::expose::alertmanager::StoredBook;
use crate::judge::findings::FindingMemory;
use crate::judge::growth::StoredHistories;
use crate::judge::memory::StoredMemory;
use crate::model::Timestamp;

use super::super::now;
use super::super::state_file::{ALERTS, FINDINGS, GROWTH, MAX_BYTES, MEMORY, Sections, StateFile};
use super::Shared;

/// Two writes of the state file are at least this far apart.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// Longest growth section, in bytes: past it growth starts anew at a restart, so that there is
/// always room for the memory.
const MAX_GROWTH: usize = (MAX_BYTES / 2) as usize;

impl Shared {
    pub(super) fn keep_state_for_ever(&self) {
        let storage = self.config.load().storage.clone();
        let mut file = StateFile::new(storage, Arc::clone(&self.guard));
        loop {
            let stopping = self.stopping();
            let time = now();
            if !file.is_open()
                && let Some(sections) = file.open(time)
            {
                self.restore(&mut file, &sections, time);
            }
            self.history.raise();
            // What a panic left half done does not outlive it.
            if file.is_open() && !self.broken.load(Ordering::Acquire) {
                file.save(self.sections());
            }
            let report = file.report(time);
            let mut state = self.state();
            let changed = state.state_file != report;
            state.state_file = report;
            drop(state);
            if stopping {
                return;
            }
            if changed {
                self.discover.raise();
            }
            self.save.wait(SAVE_EVERY);
        }
    }

    /// What outlives this run.
    fn sections(&self) -> Sections {
        // Written as JSON outside the lock: nobody waits for that.
        let state = self.state();
        let memory = state.memory.stored();
        let findings = state.findings.stored();
        let histories = state.histories.stored();
        drop(state);
        let mut sections = Sections::new();
        let mut keep = |name: &str, bytes: serde_json::Result<Vec<u8>>| match bytes {
            Ok(bytes) => _ = sections.insert(name.to_owned(), bytes),
            Err(error) => tracing::error!(%error, "Section {name} cannot be written as JSON"),
        };
        keep(MEMORY, serde_json::to_vec(&memory));
        keep(FINDINGS, serde_json::to_vec(&findings));
        keep(ALERTS, serde_json::to_vec(&self.alerts.stored(now())));
        let growth = serde_json::to_vec(&histories).map(|bytes| match bytes.len() > MAX_GROWTH {
            true => b"{}".to_vec(),
            false => bytes,
        });
        keep(GROWTH, growth);
        sections
    }

    fn restore(&self, file: &mut StateFile, sections: &Sections, now: Timestamp) {
        if let Some(stored) = section::<StoredMemory>(file, sections, MEMORY, now) {
            tracing::info!(subjects = stored.len(), "History of earlier runs read");
            self.state().memory.restore(stored);
        }
        if let Some(stored) = section::<FindingMemory>(file, sections, FINDINGS, now) {
            self.state().findings.restore(stored);
        }
        if let Some(stored) = section::<StoredBook>(file, sections, ALERTS, now) {
            self.alerts.restore(stored, now);
        }
        if let Some(stored) = section::<StoredHistories>(file, sections, GROWTH, now) {
            self.state().histories.restore(stored);
        }
    }
}

/// A section as it was kept. One that does not read is told, and its history starts anew.
fn section<T: DeserializeOwned>(
    file: &mut StateFile,
    sections: &Sections,
    name: &str,
    now: Timestamp,
) -> Option<T> {
    serde_json::from_slice(sections.get(name)?)
        .map_err(|error| file.distrust(name, &error.to_string(), now))
        .ok()
}
