//! What was found out of an engine's containers and volumes, whoever said it.

use std::path::PathBuf;
use std::sync::Arc;

use super::options::Meaning;

/// The engine itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// `docker` or `podman`.
    pub program: &'static str,
    /// Its version.
    pub version: String,
    /// What stands before each path: `/v1.44`.
    pub prefix: String,
    /// What stands before the path of a container that is inspected: the same, or that of Podman's
    /// own API.
    pub inspect: String,
    /// Where it keeps its data, as a path of the host.
    pub root: PathBuf,
    /// Storage driver.
    pub driver: String,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFacts {
    /// Name.
    pub name: String,
    /// Driver.
    pub driver: String,
    /// Where its data lies, where the driver says.
    pub path: Option<PathBuf>,
    /// The engine chose its name.
    pub anonymous: bool,
    /// What its options mean.
    pub meaning: Meaning,
    /// Labels that the configuration asks for.
    pub labels: Vec<(String, String)>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFacts {
    /// Id.
    pub id: String,
    /// Name, empty when not known.
    pub name: String,
    /// Image as it was asked for.
    pub image: String,
    /// State in the engine's words.
    pub state: String,
    /// Its process runs; absent when not known.
    pub running: Option<bool>,
    /// What is mounted into it.
    pub mounts: Vec<MountFacts>,
    /// Labels that the configuration asks for.
    pub labels: Vec<(String, String)>,
    /// What only a closer look tells; absent before it.
    pub details: Option<Arc<Details>>,
}

/// What `inspect` adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// State in the list when it was looked at.
    pub state: String,
    /// First process on the host, and when that began (clock ticks after boot), which tells it
    /// from a later one of the same number.
    pub process: Option<(u32, u64)>,
    /// Writable layer.
    pub upper: Option<PathBuf>,
    /// Bytes the writable layer may hold.
    pub size: Option<u64>,
    /// Where its output is kept; absent where the engine keeps none in files.
    pub log: Option<Log>,
    /// Memory mounted into it: path in the container, and bytes it may hold.
    pub tmpfs: Vec<(String, Option<u64>)>,
}

/// A container's output in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The directory it has for itself.
    pub directory: PathBuf,
    /// Log driver.
    pub driver: String,
    /// Bytes after which the oldest is thrown away; absent: never.
    pub limit: Option<u64>,
}

/// A mount of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountFacts {
    /// What.
    pub source: MountSource,
    /// Path in the container.
    pub destination: String,
    /// It may not be written to.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MountSource {
    /// A volume, by name.
    Volume(String),
    /// A path of the host.
    Path(PathBuf),
}

/// A name the engine chose: 64 hexadecimal digits.
pub fn is_chosen_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
