//! What is remembered of subjects between rounds, and between runs where there is a state file.
//!
//! Bounded by what exists: a record for each present volume and each sandbox whose run is not
//! over, and for a day a bounded number of those that vanished (a source that could not be read,
//! a disk that was not mounted).

mod record;
mod stored;
#[cfg(test)]
mod tests;

pub use stored::StoredMemory;
#[cfg(test)]
pub(crate) use tests::sample_volume;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use crate::model::{
    ClockStep, History, Inventory, Measured, RoleOwners, Sandbox, SandboxKey, Snapshot, Subject,
    Timestamp, Volume, VolumeKey, VolumeState,
};

use record::{Record, Records};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    volumes: Records<VolumeKey>,
    sandboxes: Records<SandboxKey>,
    rounds: u64,
    /// Steps of the wall clock forward: what it showed before, and by how much.
    steps: Vec<(Timestamp, f64)>,
}

/// Most steps of the clock that are remembered.
const MAX_STEPS: usize = 16;

impl Memory {
    /// Takes note of one round of discovery.
    pub fn observe(&mut self, inventory: &Inventory, now: Timestamp) {
        self.observe_volumes(&inventory.volumes, now);
        let present = inventory.sandboxes.iter().filter(|sandbox| remembered(sandbox));
        self.sandboxes.observe(
            present.map(|sandbox| (&sandbox.key, sandbox.modified, sandbox)),
            now,
            |record, sandbox, _| record.quota(sandbox.quota_bytes, now),
        );
    }

    /// [`Memory::observe`] of volumes alone.
    pub fn observe_volumes(&mut self, volumes: &[Volume], now: Timestamp) {
        let first_round = self.rounds == 0;
        self.volumes.observe(
            volumes.iter().map(|volume| (&volume.key, volume.created, volume)),
            now,
            |record, volume, is_new| {
                record.quota(volume.quota_bytes, now);
                record.claims(volume, now, first_round && is_new);
            },
        );
        self.rounds += 1;
    }

    /// Takes note of the newest measurements, before a snapshot is judged.
    pub fn observe_usage(&mut self, usage: &HashMap<Subject, Measured>, now: Timestamp) {
        for (subject, measured) in usage {
            let record = match subject {
                Subject::Volume(key) => self.volumes.present_mut(key),
                Subject::Sandbox(key) => self.sandboxes.present_mut(key),
            };
            if let (Some(record), Some(sample)) = (record, &measured.sample) {
                record.usage(sample.used_bytes, sample.measured_at.min(now));
            }
        }
    }

    /// Takes note of what the master said of roles. Call it with fresh answers only.
    pub fn observe_owners(&mut self, owners: &RoleOwners, now: Timestamp) {
        for (key, record) in self.volumes.iter_mut() {
            match owners.owned(&key.role) {
                Some(false) => _ = record.history.unowned_since.get_or_insert(now),
                Some(true) => record.history.unowned_since = None,
                None => {}
            }
        }
    }

    /// Takes note of the states that were judged.
    pub fn observe_states(&mut self, snapshot: &Snapshot) {
        for view in &snapshot.volumes {
            if let Some(record) = self.volumes.present_mut(&view.volume.key) {
                record.state(view.state.as_str(), snapshot.taken_at);
                if view.state == VolumeState::InUse {
                    // Also when only a mount in a live container tells so.
                    record.history.last_used = Some(snapshot.taken_at);
                }
            }
        }
        for view in &snapshot.sandboxes {
            if let Some(record) = self.sandboxes.present_mut(&view.sandbox.key) {
                record.state(view.state.as_str(), snapshot.taken_at);
            }
        }
    }

    /// The wall clock was set: no period that is being waited for elapses by that, and none
    /// begins anew.
    pub fn clock_stepped(&mut self, step: &ClockStep) {
        let volumes = self.volumes.iter_mut().map(|(_, record)| record);
        let sandboxes = self.sandboxes.iter_mut().map(|(_, record)| record);
        volumes.chain(sandboxes).for_each(|record| record.clock_stepped(step));
        if step.seconds() > 0.0 {
            self.steps.push((step.before(), step.seconds()));
            let surplus = self.steps.len().saturating_sub(MAX_STEPS);
            self.steps.drain(..surplus);
        }
        // A step back undoes those before it.
        let mut back = -step.seconds();
        while back > 0.0
            && let Some((_, forward)) = self.steps.last_mut()
        {
            let undone = back.min(*forward);
            (*forward, back) = (*forward - undone, back - undone);
            if *forward <= 0.0 {
                self.steps.pop();
            }
        }
    }

    /// A time that a file bears, by the clock as it is now: it seems no older than it is, however
    /// the clock was set since the start. (It may seem younger, where the clock was set back.)
    pub fn file_time(&self, at: Timestamp) -> Timestamp {
        self.steps.iter().fold(
            at,
            |at, (before, forward)| {
                if at <= *before { at + forward } else { at }
            },
        )
    }

    /// What is remembered of a volume.
    pub fn volume(&self, key: &VolumeKey) -> History {
        self.volumes.get(key).map(|record| record.history.clone()).unwrap_or_default()
    }

    /// The same of a sandbox.
    pub fn sandbox(&self, key: &SandboxKey) -> History {
        self.sandboxes.get(key).map(|record| record.history.clone()).unwrap_or_default()
    }

    /// Records held, those of vanished subjects included.
    pub fn len(&self) -> usize {
        self.volumes.len() + self.sandboxes.len()
    }

    /// Nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn was_claimed(&self, key: &VolumeKey) -> bool {
        self.volumes.get(key).is_some_and(|record| record.history.last_claimed.is_some())
    }

    pub(super) fn unclaimed_since(&self, key: &VolumeKey) -> Option<Timestamp> {
        self.volumes.get(key)?.history.unclaimed_since
    }
}

/// Sandboxes of runs that are over are removed by the agent or never change again.
fn remembered(sandbox: &Sandbox) -> bool {
    !sandbox.completed && sandbox.current_agent != Some(false)
}

/// Keys as the state file holds them: a list, because JSON objects take text keys only.
type Listed<K> = Vec<(K, Record)>;

fn listed<K: Hash + Ord + Clone>(records: &Records<K>) -> Listed<K> {
    let sorted: BTreeMap<&K, &Record> = records.iter().collect();
    sorted.into_iter().map(|(key, record)| (key.clone(), record.clone())).collect()
}
