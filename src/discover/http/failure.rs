//! What goes wrong when a server is asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why a request failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
    /// No whole answer in time.
    #[error("no whole answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The network, or an answer that broke off.
    #[error("{0}")]
    Io(String),
    /// TLS: certificate, name, version.
    #[error("TLS: {0}")]
    Tls(String),
    /// 401, with the challenge of the server.
    #[error("401 Unauthorized{}", challenge(.0))]
    Unauthorized(Option<String>),
    /// 403.
    #[error("403 Forbidden")]
    Forbidden,
    /// 503.
    #[error("503 Service Unavailable")]
    Unavailable,
    /// 3xx.
    #[error("{status}: answered with a redirect, which is not followed")]
    Redirect {
        /// Status code.
        status: u16,
        /// The header `Location`, where it is text.
        location: Option<String>,
    },
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
    /// The body and those that are read beside it are longer than allowed.
    #[error("this answer and those that come with it are longer than {0} bytes")]
    TooMuch(u64),
    /// The body would take far more memory than it is long.
    #[error("the answer holds more than {0} values")]
    TooMany(u64),
    /// The file with the secret.
    #[error("cannot read the secret from {}: {source}", path.display())]
    SecretFile {
        /// That file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A secret that cannot be sent.
    #[error("the configured credential {0}")]
    BadSecret(&'static str),
    /// The URL cannot be used.
    #[error("bad URL: {0}")]
    Url(&'static str),
}

fn challenge(header: &Option<String>) -> String {
    header.as_ref().map(|text| format!(" ({text})")).unwrap_or_default()
}

fn quoted(excerpt: &str) -> String {
    if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") }
}

impl Failure {
    /// Short fixed word for metrics, as in [`SourceError::reason`](crate::model::SourceError::reason).
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout(_) => "timeout",
            Self::Io(_) => "io",
            Self::Tls(_) => "tls",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Redirect { .. } | Self::Status { .. } => "status",
            Self::Malformed(_) | Self::BadSecret(_) | Self::Url(_) => "malformed",
            Self::TooLarge(_) | Self::TooMuch(_) | Self::TooMany(_) => "too_large",
            Self::SecretFile { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "missing",
                io::ErrorKind::PermissionDenied => "permission",
                _ => "io",
            },
        }
    }

    /// Whether the server could not be talked to at all, so that asking on is of no use.
    pub fn is_transport(&self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::Timeout(_)
                | Self::Io(_)
                | Self::Tls(_)
                | Self::SecretFile { .. }
                | Self::BadSecret(_)
                | Self::Url(_)
        )
    }
}
