//! What is shown: the rows of `/api/v1/…`, whoever made them.
//!
//! A daemon may be newer or older than this command: fields it does not have are absent, fields
//! not known here are left alone, and words (states, severities) stay words.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::expose::api::Resource;
use crate::model::{Severity, Timestamp};

/// A finding.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Finding {
    pub kind: String,
    pub severity: String,
    pub subject_kind: String,
    pub subject: String,
    pub labels: BTreeMap<String, String>,
    pub reason: String,
    pub next: String,
    pub since_timestamp_seconds: Option<f64>,
}

impl Finding {
    /// A severity this version does not know is the least.
    pub fn severity(&self) -> Severity {
        let known = Severity::ALL.into_iter().find(|severity| severity.as_str() == self.severity);
        known.unwrap_or(Severity::Info)
    }
}

/// A volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Volume {
    pub source: String,
    pub role: String,
    pub volume: String,
    pub disk: String,
    pub kind: String,
    pub path: Option<String>,
    pub state: String,
    pub reason: String,
    pub enforcement: String,
    pub filesystem: Option<String>,
    pub holders: Vec<Holder>,
    #[serde(flatten)]
    pub usage: Usage,
}

/// A sandbox.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sandbox {
    pub source: String,
    pub framework: String,
    pub framework_name: String,
    pub executor: String,
    pub container: String,
    pub kind: String,
    pub path: String,
    pub state: String,
    pub reason: String,
    pub enforcement: String,
    pub filesystem: Option<String>,
    pub tasks: Vec<Task>,
    #[serde(flatten)]
    pub usage: Usage,
}

/// What volumes and sandboxes have in common.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Usage {
    pub used_bytes: Option<u64>,
    pub quota_bytes: Option<u64>,
    pub files: Option<u64>,
    pub growth_bytes_per_second: Option<f64>,
    pub full_timestamp_seconds: Option<f64>,
    pub full_by: Option<String>,
    pub measured_timestamp_seconds: Option<f64>,
    pub measure_failed: bool,
    pub measure_error: Option<String>,
}

/// Who uses a volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Holder {
    pub executor: String,
    pub task: String,
}

/// A task of a sandbox.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Task {
    pub task: String,
}

/// A filesystem.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filesystem {
    pub mount_point: String,
    pub device: String,
    pub fstype: String,
    pub responsive: bool,
    pub readonly: Option<bool>,
    pub size_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    pub available_bytes: Option<u64>,
    pub unattributed_bytes: Option<i64>,
    pub promised_bytes: Option<u64>,
    pub files: Option<u64>,
    pub files_free: Option<u64>,
    pub growth_bytes_per_second: Option<f64>,
    pub full_timestamp_seconds: Option<f64>,
    pub measured_timestamp_seconds: Option<f64>,
}

impl Filesystem {
    /// Used bytes and the whole that ordinary users can have, as `df` counts it.
    pub fn used_of(&self) -> Option<(u64, u64)> {
        let used = self.size_bytes?.saturating_sub(self.free_bytes?);
        Some((used, used.saturating_add(self.available_bytes?)))
    }

    /// Used inodes of all; absent where there is no limit of them.
    pub fn files_of(&self) -> Option<(u64, u64)> {
        let files = self.files.filter(|files| *files > 0)?;
        Some((files.saturating_sub(self.files_free?), files))
    }

    /// One word on how it is.
    pub fn state(&self) -> &'static str {
        match (self.responsive, self.readonly) {
            (false, _) => "unresponsive",
            (true, Some(true)) => "read-only",
            (true, _) => "ok",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Agent {
    hostname: Option<String>,
}

/// The gravest finding of each subject, by the subject's kind and the values of its labels.
type Gravest = HashMap<Vec<String>, Severity>;

/// Everything at about one moment.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// When the snapshot was made.
    pub taken_at: Timestamp,
    /// Name of the host, as its agent says.
    pub hostname: Option<String>,
    pub findings: Vec<Finding>,
    pub volumes: Vec<Volume>,
    pub sandboxes: Vec<Sandbox>,
    pub filesystems: Vec<Filesystem>,
    gravest: Gravest,
}

impl Picture {
    /// Resources it is made of.
    pub const RESOURCES: [Resource; 5] = [
        Resource::Findings,
        Resource::Volumes,
        Resource::Sandboxes,
        Resource::Filesystems,
        Resource::Agent,
    ];

    /// Reads the bodies of [`Picture::RESOURCES`], in that order.
    ///
    /// # Errors
    /// A body that is not what that path serves; the path is named.
    pub fn parse(taken_at: Timestamp, bodies: &[Vec<u8>; 5]) -> Result<Self, String> {
        let [findings, volumes, sandboxes, filesystems, agent] = bodies;
        let findings: Vec<Finding> = parse(Resource::Findings, findings)?;
        let agent: Option<Agent> = parse(Resource::Agent, agent)?;
        let mut gravest = Gravest::new();
        for finding in &findings {
            let names = identity_labels(&finding.subject_kind);
            let value = |name: &&str| finding.labels.get(*name).cloned().unwrap_or_default();
            let id = identity(&finding.subject_kind, names.iter().map(value));
            let severity = finding.severity();
            gravest.entry(id).and_modify(|now| *now = severity.min(*now)).or_insert(severity);
        }
        Ok(Self {
            taken_at,
            hostname: agent.and_then(|agent| agent.hostname),
            volumes: parse(Resource::Volumes, volumes)?,
            sandboxes: parse(Resource::Sandboxes, sandboxes)?,
            filesystems: parse(Resource::Filesystems, filesystems)?,
            findings,
            gravest,
        })
    }

    /// The gravest finding about that volume.
    pub fn of_volume(&self, row: &Volume) -> Option<Severity> {
        self.gravest(["volume", &row.source, &row.role, &row.volume, &row.disk])
    }

    /// The gravest finding about that sandbox.
    pub fn of_sandbox(&self, row: &Sandbox) -> Option<Severity> {
        self.gravest(["sandbox", &row.source, &row.framework, &row.executor, &row.container])
    }

    /// The gravest finding about that filesystem.
    pub fn of_filesystem(&self, row: &Filesystem) -> Option<Severity> {
        self.gravest(["filesystem", &row.mount_point])
    }

    fn gravest<const N: usize>(&self, id: [&str; N]) -> Option<Severity> {
        if self.gravest.is_empty() {
            return None;
        }
        self.gravest.get(&id.map(str::to_owned)[..]).copied()
    }
}

fn identity(kind: &str, values: impl Iterator<Item = String>) -> Vec<String> {
    std::iter::once(kind.to_owned()).chain(values).collect()
}

fn identity_labels(kind: &str) -> &'static [&'static str] {
    use crate::model::SubjectKind::{Filesystem, Sandbox, Volume};
    let kinds = [Volume, Sandbox, Filesystem];
    kinds.into_iter().find(|one| one.as_str() == kind).map_or(&[], |one| one.key())
}

fn parse<T: DeserializeOwned>(resource: Resource, body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("{}: {error}", resource.path()))
}
