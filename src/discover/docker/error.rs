//! What goes wrong when an engine is asked, and what to do about it.

use std::time::Duration;

use thiserror::Error;

use crate::model::SourceError;

/// A question to the engine that failed.
#[derive(Clone, Debug, Error)]
#[error("{what}: {failure}")]
pub struct EngineError {
    /// `connect to /var/run/docker.sock`, `GET /v1.44/volumes`.
    pub what: String,
    /// Why.
    pub failure: Failure,
}

/// Why it failed.
#[derive(Clone, Debug, Error)]
pub enum Failure {
    /// There is no socket.
    #[error("there is no such socket")]
    Missing,
    /// The socket may not be opened.
    #[error("permission denied")]
    Permission,
    /// A socket that nobody listens on.
    #[error("connection refused: no engine listens there")]
    Refused,
    /// No whole answer in time.
    #[error("no whole answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// An answer that broke off.
    #[error("{0}")]
    Io(String),
    /// Any other status than 200.
    #[error("status {status}{}", quoted(.excerpt))]
    Status {
        /// Status code.
        status: u16,
        /// Start of the body, printable characters only.
        excerpt: String,
    },
    /// The answer is not what the endpoint answers.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// The body is longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(u64),
    /// The body would take far more memory than it is long.
    #[error("the answer holds more than {0} values")]
    TooMany(u64),
    /// The filesystem that holds the socket does not answer.
    #[error("{0}")]
    Unresponsive(String),
}

fn quoted(excerpt: &str) -> String {
    if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") }
}

impl Failure {
    /// Short fixed word for metrics, as in [`SourceError::reason`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Permission => "permission",
            Self::Refused => "refused",
            Self::Timeout(_) => "timeout",
            Self::Io(_) => "io",
            Self::Status { .. } => "status",
            Self::Malformed(_) => "malformed",
            Self::TooLarge(_) | Self::TooMany(_) => "too_large",
            Self::Unresponsive(_) => "unresponsive",
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Missing => {
                "start the engine (Podman: systemctl enable --now podman.socket), or set \
                 docker.socket to where it listens"
            }
            Self::Permission => {
                "run as root, or put this service's user into the group that owns the socket \
                 (usually docker: whoever is in it can become root; Podman's is root's \
                 alone); without it names of containers, and who uses a volume, are not known"
            }
            Self::Refused => {
                "start the engine; until then its data is listed, and its state unknown"
            }
            Self::Timeout(_) => "look whether the engine hangs, or raise docker.timeout",
            Self::Io(_) | Self::Status { .. } => "look into the engine's log",
            Self::Malformed(_) => "check that docker.socket is a Docker or Podman engine",
            Self::TooLarge(_) | Self::TooMany(_) => "raise docker.max_body",
            Self::Unresponsive(_) => "see `mount` and `dmesg` on the host",
        }
    }
}

impl EngineError {
    /// The error as every source reports it.
    pub fn to_source_error(&self) -> SourceError {
        SourceError {
            reason: self.failure.reason(),
            message: self.to_string(),
            hint: self.failure.hint().to_owned(),
        }
    }
}
