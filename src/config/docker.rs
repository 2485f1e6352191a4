//! `docker`: the engine of this host.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Enabled;
use super::units::{ByteSize, duration};

/// Where the engine listens and what is shown of it. What is absent is found from the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DockerConfig {
    /// Whether to look for an engine.
    pub enabled: Enabled,
    /// Path of its Unix socket on the host, with or without `unix://`.
    pub socket: Option<String>,
    /// Its data root, as a path of the host: read where the engine may not be asked.
    pub data_root: Option<PathBuf>,
    /// Longest wait for one answer.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Largest answer that is read.
    pub max_body: ByteSize,
    /// Labels of containers and volumes that are shown.
    pub labels: Vec<String>,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self {
            enabled: Enabled::Auto,
            socket: None,
            data_root: None,
            timeout: Duration::from_secs(5),
            max_body: ByteSize(64 << 20),
            labels: Vec::new(),
        }
    }
}

impl DockerConfig {
    /// Most labels that can be shown: each is a series of its own for every subject that has it.
    pub const MAX_LABELS: usize = 16;

    /// The configured socket's path.
    pub fn socket_path(&self) -> Option<&str> {
        let socket = self.socket.as_deref()?;
        Some(socket.strip_prefix("unix://").unwrap_or(socket))
    }
}

/// Names with a comma between them, as the environment gives them.
pub(super) fn from_list(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}
