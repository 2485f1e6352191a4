//! What can be configured, with its defaults.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Secret;
use super::alerting::AlertingConfig;
use super::directories::DirectoryConfig;
use super::docker::DockerConfig;
use super::security::SecurityConfig;
use super::units::{ByteSize, IdRange, duration};
use crate::judge::conditions::Thresholds;

/// A section that is written without content (`mesos:`) is the default one, so that a file whose
/// keys are all commented out is a good file.
pub(super) fn section<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The Mesos or Clusterd agent of this host.
    #[serde(deserialize_with = "section")]
    pub mesos: MesosConfig,
    /// The Docker or Podman engine of this host.
    #[serde(deserialize_with = "section")]
    pub docker: DockerConfig,
    /// Directories to watch, apart from any cluster manager.
    #[serde(deserialize_with = "section")]
    pub directories: Vec<DirectoryConfig>,
    /// How subjects are looked for.
    #[serde(deserialize_with = "section")]
    pub discovery: DiscoveryConfig,
    /// How usage is measured.
    #[serde(deserialize_with = "section")]
    pub usage: UsageConfig,
    /// How filesystems are measured.
    #[serde(deserialize_with = "section")]
    pub filesystems: FilesystemsConfig,
    /// How network filesystems are measured.
    #[serde(deserialize_with = "section")]
    pub network: NetworkConfig,
    /// How the I/O of containers is measured.
    #[serde(deserialize_with = "section")]
    pub io: IoConfig,
    /// When data counts as orphaned.
    #[serde(deserialize_with = "section")]
    pub orphans: OrphansConfig,
    /// From which value on a condition is a finding.
    #[serde(deserialize_with = "section")]
    pub conditions: Thresholds,
    /// Bounds of what is exposed.
    #[serde(deserialize_with = "section")]
    pub metrics: MetricsConfig,
    /// Where what outlives a restart is kept.
    #[serde(deserialize_with = "section")]
    pub storage: StorageConfig,
    /// Where findings are sent as alerts.
    #[serde(deserialize_with = "section")]
    pub alerting: AlertingConfig,
    /// What this process may touch.
    #[serde(deserialize_with = "section")]
    pub security: SecurityConfig,
}

/// `mesos`: where the agent is and how to talk to it. What is absent is found from the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MesosConfig {
    /// Whether to look for an agent.
    pub enabled: Enabled,
    /// The agent's `--work_dir`, as a path of the host.
    pub work_dir: Option<PathBuf>,
    /// The agent's `--runtime_dir`, as a path of the host.
    pub runtime_dir: Option<PathBuf>,
    /// Base URL of the agent's API, `http` or `https`.
    pub agent_url: Option<String>,
    /// Base URL of the master's API; without one it is not asked.
    pub master_url: Option<String>,
    /// Pause between two questions to the master.
    #[serde(with = "duration")]
    pub master_interval: Duration,
    /// Longest wait for one answer of the API.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Pause between two rounds of the API.
    #[serde(with = "duration")]
    pub poll_interval: Duration,
    /// Largest answer of the API that is read.
    pub max_body: ByteSize,
    /// HTTP basic authentication.
    #[serde(deserialize_with = "section")]
    pub basic_auth: BasicAuth,
    /// Bearer token.
    pub bearer_token: Option<Secret>,
    /// File that holds the bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// TLS towards the agent.
    #[serde(deserialize_with = "section")]
    pub tls: TlsConfig,
}

impl Default for MesosConfig {
    fn default() -> Self {
        Self {
            enabled: Enabled::Auto,
            work_dir: None,
            runtime_dir: None,
            agent_url: None,
            master_url: None,
            master_interval: Duration::from_secs(300),
            timeout: Duration::from_secs(5),
            poll_interval: Duration::from_secs(15),
            max_body: ByteSize(64 << 20),
            basic_auth: BasicAuth::default(),
            bearer_token: None,
            bearer_token_file: None,
            tls: TlsConfig::default(),
        }
    }
}

/// `basic_auth`: HTTP credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// Principal.
    pub username: Option<String>,
    /// Its secret.
    pub password: Option<Secret>,
    /// File that holds the secret.
    pub password_file: Option<PathBuf>,
}

/// `mesos.tls`: how the agent's certificate is judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM bundle of the authorities to trust; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// Name to expect in the certificate instead of the URL's host.
    pub server_name: Option<String>,
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
}

/// `discovery`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoveryConfig {
    /// Pause between two full listings, the net below the watches.
    #[serde(with = "duration")]
    pub interval: Duration,
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(60) }
    }
}

/// `usage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageConfig {
    /// Cores the walks may use once every subject has been measured (0.01 is one hundredth).
    pub cpu_budget: f64,
    /// The same until then.
    pub bootstrap_cpu_budget: f64,
    /// Age past which a subject is measured again.
    #[serde(with = "duration")]
    pub max_age: Duration,
    /// Memory for what is remembered between full passes; 0 remembers nothing.
    pub memory: ByteSize,
    /// System calls a second; 0 sets no bound.
    pub syscall_budget: u64,
    /// Percent of time waited for I/O above which measuring steps aside; 0 never.
    pub io_pressure: f64,
    /// Whether new, empty volumes get a project id.
    pub assign_project_ids: bool,
    /// Where those ids come from.
    pub project_id_range: IdRange,
    /// Whether the kernel tells what changed.
    pub fanotify: bool,
}

impl Default for UsageConfig {
    fn default() -> Self {
        Self {
            cpu_budget: 0.01,
            bootstrap_cpu_budget: 0.25,
            max_age: Duration::from_secs(60),
            memory: ByteSize(64 << 20),
            syscall_budget: 0,
            io_pressure: 40.0,
            assign_project_ids: false,
            project_id_range: IdRange { first: 1_900_000_000, last: 1_900_065_535 },
            fanotify: false,
        }
    }
}

/// `filesystems`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesystemsConfig {
    /// How long a call into a mount may take before the mount counts as unresponsive.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Pause between two measurements.
    #[serde(with = "duration")]
    pub interval: Duration,
}

impl Default for FilesystemsConfig {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), interval: Duration::from_secs(15) }
    }
}

/// `network`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Pause between two rounds of their counters.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// Whether volumes and sandboxes on them are walked like local ones.
    pub walk: bool,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(15), walk: false }
    }
}

/// `io`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IoConfig {
    /// Whether to measure it: `auto` where there are control groups that count I/O.
    pub enabled: Enabled,
    /// Pause between two readings of what the containers' groups counted.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// Pause between two samples of the groups that have a limit.
    #[serde(with = "duration")]
    pub sample_interval: Duration,
}

impl Default for IoConfig {
    fn default() -> Self {
        Self {
            enabled: Enabled::Auto,
            interval: Duration::from_secs(5),
            sample_interval: Duration::from_secs(1),
        }
    }
}

/// `orphans`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrphansConfig {
    /// How long data must have stayed unclaimed; zero judges at once.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// Whether to look which processes hold files of unclaimed volumes open.
    pub open_files: bool,
    /// Pause between two such looks.
    #[serde(with = "duration")]
    pub open_files_interval: Duration,
}

impl Default for OrphansConfig {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(600),
            open_files: true,
            open_files_interval: Duration::from_secs(60),
        }
    }
}

/// `metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Most series a scrape may hold.
    pub max_series: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { max_series: 100_000 }
    }
}

/// `storage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// Whether to keep state: `auto` where the directory exists.
    pub enabled: Enabled,
    /// Directory of the state file, as this process sees it.
    pub path: PathBuf,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { enabled: Enabled::Auto, path: "/var/lib/plimsoll".into() }
    }
}

/// A switch that may decide for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enabled {
    /// On when there is something to read.
    #[default]
    Auto,
    /// On; what is missing is an error.
    True,
    /// Off.
    False,
}

impl Enabled {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::True => "true",
            Self::False => "false",
        }
    }
}

impl std::str::FromStr for Enabled {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "true" => Ok(Self::True),
            "false" => Ok(Self::False),
            other => Err(format!("{other:?} is none of auto, true and false")),
        }
    }
}

impl Serialize for Enabled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Enabled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl Visitor<'_> for Word {
            type Value = Enabled;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("auto, true or false")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Enabled, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Word)
    }
}
