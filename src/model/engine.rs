//! What a container engine knows of its volumes and containers beyond what every one has.

use serde::Serialize;

/// What the engine says of a volume of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EngineVolume {
    /// Command that a person asks the engine with: `docker` or `podman`.
    pub program: &'static str,
    /// Made for one container, without a name of its own: nobody will ask for it again.
    pub anonymous: bool,
    /// Names of containers that do not run but refer to it, sorted.
    pub references: Vec<String>,
    /// Those of its labels that the configuration asks for, sorted.
    pub labels: Vec<(String, String)>,
    /// Of a container's log: bytes after which the engine throws the oldest away; absent: never.
    pub log_limit_bytes: Option<u64>,
}

/// What the engine says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EngineContainer {
    /// Command that a person asks the engine with: `docker` or `podman`.
    pub program: &'static str,
    /// Image as it was asked for; empty when not known.
    pub image: String,
    /// State in the engine's words (`running`, `paused`, `exited`, `created`, …); empty when not known.
    pub state: String,
    /// Process id of its first process on the host, while it runs.
    pub pid: Option<u32>,
    /// Those of its labels that the configuration asks for, sorted.
    pub labels: Vec<(String, String)>,
}
