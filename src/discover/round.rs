//! What one round of one source found.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use crate::model::{Agent, ContainerRef, Disagreement, Sandbox, SourceReport, Volume, VolumeKey};

/// Device (major, minor) and inode number of a directory: what it is, whatever it is called.
pub type Inode = (u32, u32, u64);

/// What one round found.
#[derive(Debug, Default)]
pub struct Round {
    /// The agent; absent when none was found or configured.
    pub agent: Option<Agent>,
    /// Volumes; of two that are one directory, the one that counts comes first.
    pub volumes: Vec<Volume>,
    /// The directory behind each volume, where it was looked at.
    pub inodes: HashMap<VolumeKey, Inode>,
    /// Sandboxes, sorted by key.
    pub sandboxes: Vec<Sandbox>,
    /// Containers that run, for the measurement of their I/O.
    pub containers: Vec<ContainerRef>,
    /// What became of each witness.
    pub sources: Vec<SourceReport>,
    /// Where they disagree.
    pub disagreements: Vec<Disagreement>,
    /// Directories in which the next sandbox or volume would appear, as seen from this process.
    pub watch: BTreeSet<PathBuf>,
}
