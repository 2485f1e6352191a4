//! Findings: conditions on one subject worth telling a person.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Data or service is at risk now.
    Critical,
    /// Somebody should look at it today.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// Every severity, the gravest first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Warning, Self::Info];

    /// The value of the label `severity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What a finding is about, and with it which labels name the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// `source, role, volume, disk`.
    Volume,
    /// `source, framework, executor, container`.
    Sandbox,
    /// `source, framework`: all sandboxes of a framework.
    Framework,
    /// `mount_point`; of one on the network `server` and `export` too, so that alerts of a whole
    /// fleet about one server can be told together.
    Filesystem,
    /// `server, export, mount_point`.
    NetworkFilesystem,
    /// The agent of this host; no labels.
    Agent,
    /// `role, reservation`.
    Reservation,
    /// `collector`.
    Collector,
    /// `subject`: whatever two sources do not agree on.
    Disagreement,
    /// Plimsoll itself; no labels.
    Plimsoll,
}

impl SubjectKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Volume,
        Self::Sandbox,
        Self::Framework,
        Self::Filesystem,
        Self::NetworkFilesystem,
        Self::Agent,
        Self::Reservation,
        Self::Collector,
        Self::Disagreement,
        Self::Plimsoll,
    ];

    /// Those of the labels that name one subject of a host: the others follow from them.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Self::Filesystem => &self.labels()[..1],
            _ => self.labels(),
        }
    }

    /// Names of the identity labels.
    pub fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Volume => &["source", "role", "volume", "disk"],
            Self::Sandbox => &["source", "framework", "executor", "container"],
            Self::Framework => &["source", "framework"],
            Self::Filesystem => &["mount_point", "server", "export"],
            Self::NetworkFilesystem => &["server", "export", "mount_point"],
            Self::Reservation => &["role", "reservation"],
            Self::Collector => &["collector"],
            Self::Disagreement => &["subject"],
            Self::Agent | Self::Plimsoll => &[],
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Sandbox => "sandbox",
            Self::Framework => "framework",
            Self::Filesystem => "filesystem",
            Self::NetworkFilesystem => "network filesystem",
            Self::Agent => "agent",
            Self::Reservation => "reservation",
            Self::Collector => "collector",
            Self::Disagreement => "disagreement",
            Self::Plimsoll => "plimsoll",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct FindingSubject {
    /// What sort of thing.
    pub kind: SubjectKind,
    /// Values of [`SubjectKind::labels`], in that order, or of its [key](SubjectKind::key) alone.
    pub values: Vec<String>,
    /// Its name for a person.
    pub display: String,
}

impl FindingSubject {
    /// Identity labels with their values.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.kind.labels().iter().copied().zip(self.values.iter().map(String::as_str))
    }
}

/// A condition that holds for one subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Its kind: the id of a condition of the catalogue.
    pub kind: &'static str,
    /// Name of the alert.
    pub alert: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about. Kind and subject together are the finding's identity.
    pub subject: FindingSubject,
    /// One sentence with the numbers.
    pub reason: String,
    /// What a person would do next.
    pub next: String,
    /// Since when the condition holds without a break, as far as it was watched.
    pub since: Timestamp,
}
