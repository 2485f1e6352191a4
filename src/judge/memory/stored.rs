//! The memory as the state file holds it.

use serde::{Deserialize, Serialize};

use crate::model::{SandboxKey, VolumeKey};

use super::{Listed, Memory, listed};

/// JSON of the memory: `{"volumes":[[KEY,RECORD],…],"sandboxes":[[KEY,RECORD],…]}`, sorted by key.
/// Absent fields of a record mean *not known*; unknown fields are ignored.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredMemory {
    volumes: Listed<VolumeKey>,
    sandboxes: Listed<SandboxKey>,
}

impl StoredMemory {
    /// How many subjects it holds.
    pub fn len(&self) -> usize {
        self.volumes.len() + self.sandboxes.len()
    }

    /// It holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Memory {
    /// What is worth keeping beyond this run.
    pub fn stored(&self) -> StoredMemory {
        StoredMemory { volumes: listed(&self.volumes), sandboxes: listed(&self.sandboxes) }
    }

    /// Takes up what an earlier run kept. Times that lie ahead of now are drawn back to now in
    /// the next round.
    pub fn restore(&mut self, stored: StoredMemory) {
        self.volumes.restore(stored.volumes.into_iter());
        self.sandboxes.restore(stored.sandboxes.into_iter());
    }
}
