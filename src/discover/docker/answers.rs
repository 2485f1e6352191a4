//! Answers of the engine's API, as far as they are read.
//!
//! Source: the Docker Engine API reference, v1.24 to v1.51; Podman's compatible API answers the
//! same. Lists and maps that are empty are `null` in some versions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

fn empty<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Names and values, as labels and options are.
pub type Words = BTreeMap<String, String>;

/// `GET /version`, the only question that needs no version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// Newest API it speaks (`1.51`).
    pub api_version: String,
    /// Oldest API it speaks.
    #[serde(rename = "MinAPIVersion", default)]
    pub min_api_version: String,
    /// Version of the engine.
    #[serde(default)]
    pub version: String,
    /// Its parts; Podman's has a part named `Podman Engine`.
    #[serde(default, deserialize_with = "empty")]
    pub components: Vec<Component>,
}

/// A part of the engine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Component {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What else it says of itself.
    #[serde(default, deserialize_with = "empty")]
    pub details: ComponentDetails,
}

/// Details of a part of the engine.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ComponentDetails {
    /// Of Podman's: oldest version of its own API (`4.0.0`).
    #[serde(rename = "MinAPIVersion", default)]
    pub min_api_version: String,
}

/// `GET /info`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Info {
    /// Where the engine keeps its data.
    pub docker_root_dir: PathBuf,
    /// Storage driver: `overlay2`, or with containerd's store `overlayfs`.
    #[serde(default)]
    pub driver: String,
}

/// `GET /volumes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Volumes {
    /// Every volume.
    #[serde(default, deserialize_with = "empty")]
    pub volumes: Vec<Volume>,
    /// Drivers that could not be asked.
    #[serde(default, deserialize_with = "empty")]
    pub warnings: Vec<String>,
}

/// A volume.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Volume {
    /// Its name; 64 hexadecimal digits where the engine chose it.
    pub name: String,
    /// `local`, or a plugin.
    #[serde(default)]
    pub driver: String,
    /// Where it is, or would be, mounted; empty for drivers that do not say.
    #[serde(default)]
    pub mountpoint: PathBuf,
    /// Labels.
    #[serde(default, deserialize_with = "empty")]
    pub labels: Words,
    /// Options of its driver: may hold secrets.
    #[serde(default, deserialize_with = "empty")]
    pub options: Words,
}

/// One of `GET /containers/json?all=1`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its names, each with a slash before it; those of links have two.
    #[serde(default, deserialize_with = "empty")]
    pub names: Vec<String>,
    /// Image as it was asked for.
    #[serde(default)]
    pub image: String,
    /// Labels.
    #[serde(default, deserialize_with = "empty")]
    pub labels: Words,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    #[serde(default)]
    pub state: String,
    /// What is mounted into it; `--tmpfs` is not here.
    #[serde(default, deserialize_with = "empty")]
    pub mounts: Vec<Mount>,
}

/// A mount of a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mount {
    /// `volume`, `bind`, `tmpfs`, `npipe`, `cluster`, `image`.
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// Name of the volume.
    #[serde(default)]
    pub name: String,
    /// Path on the host.
    #[serde(default)]
    pub source: PathBuf,
    /// Path in the container.
    #[serde(default)]
    pub destination: String,
    /// It may be written to.
    #[serde(rename = "RW", default)]
    pub rw: bool,
}

/// `GET /containers/{id}/json`: what the list does not say. Podman's own API answers the same to
/// the same path below `/libpod`, but for the log.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Inspected {
    /// Its process.
    pub state: State,
    /// File its output is written to; empty with log drivers that keep none, and in Podman's own
    /// API, which has it in [`LogConfig::path`].
    #[serde(default, deserialize_with = "empty")]
    pub log_path: PathBuf,
    /// How it was asked for.
    #[serde(default, deserialize_with = "empty")]
    pub host_config: HostConfig,
    /// Where its filesystem lies; absent with containerd's store, which tells no path.
    #[serde(default, deserialize_with = "empty")]
    pub graph_driver: GraphDriver,
}

/// Process of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct State {
    /// Its first process on the host; 0 when it does not run.
    #[serde(default)]
    pub pid: u32,
}

/// What a container was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HostConfig {
    /// `--log-driver` and `--log-opt`, else the engine's default.
    #[serde(default, deserialize_with = "empty")]
    pub log_config: LogConfig,
    /// `--storage-opt`.
    #[serde(default, deserialize_with = "empty")]
    pub storage_opt: Words,
    /// `--tmpfs`: options by path.
    #[serde(default, deserialize_with = "empty")]
    pub tmpfs: Words,
    /// `--mount`.
    #[serde(default, deserialize_with = "empty")]
    pub mounts: Vec<MountSpec>,
}

/// What becomes of a container's output.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LogConfig {
    /// `json-file`, `local`, `journald`, …
    #[serde(rename = "Type", default)]
    pub driver: String,
    /// Options of the driver: may hold secrets.
    #[serde(default, deserialize_with = "empty")]
    pub config: Words,
    /// Podman's own API only: the file.
    #[serde(default, deserialize_with = "empty")]
    pub path: PathBuf,
    /// Podman's own API only: bytes after which the file begins anew (`1MB`; `0B`: never).
    #[serde(default, deserialize_with = "empty")]
    pub size: String,
}

/// One `--mount`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MountSpec {
    /// `tmpfs` is the only one read here.
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// Path in the container.
    #[serde(default)]
    pub target: String,
    /// Size of a tmpfs.
    #[serde(default, deserialize_with = "empty")]
    pub tmpfs_options: TmpfsOptions,
}

/// Options of a tmpfs.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TmpfsOptions {
    /// Bytes; 0 or absent: the kernel's own default.
    #[serde(default, deserialize_with = "empty")]
    pub size_bytes: u64,
}

/// Storage driver of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GraphDriver {
    /// Its paths; `null` with containerd's store.
    #[serde(default, deserialize_with = "empty")]
    pub data: Words,
}

/// One line of `GET /events`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// `container`, `volume`, …
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// `create`, `die`, `exec_start: sh`, …
    #[serde(default)]
    pub action: String,
    /// What it is about.
    #[serde(default, deserialize_with = "empty")]
    pub actor: Actor,
}

/// What an event is about.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Actor {
    /// Id of a container, name of a volume.
    #[serde(rename = "ID", default)]
    pub id: String,
}
