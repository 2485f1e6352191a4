//! What goes wrong when an agent is asked, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::model::SourceError;

/// A request that failed. No part of it holds a secret.
#[derive(Debug, Error)]
#[error("{method} {url}: {failure}")]
pub struct ApiError {
    /// `GET`, or `POST` with the v1 call (`POST GET_TASKS`).
    pub method: String,
    /// Whole URL, without user and password.
    pub url: String,
    /// Why.
    pub failure: Failure,
}

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
    #[error("503 Service Unavailable: the agent is recovering")]
    Recovering,
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
    /// Short fixed word for metrics, as in [`SourceError::reason`].
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout(_) => "timeout",
            Self::Io(_) => "io",
            Self::Tls(_) => "tls",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Recovering => "recovering",
            Self::Redirect { .. } | Self::Status { .. } => "status",
            Self::Malformed(_) | Self::BadSecret(_) | Self::Url(_) => "malformed",
            Self::TooLarge(_) => "too_large",
            Self::SecretFile { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => "missing",
                io::ErrorKind::PermissionDenied => "permission",
                _ => "io",
            },
        }
    }

    /// Whether the agent could not be talked to at all, so that asking on is of no use.
    pub(super) fn is_transport(&self) -> bool {
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

    fn hint(&self) -> &'static str {
        match self {
            Self::Refused => {
                "start the agent, or set mesos.agent_url to the address and port it listens on"
            }
            Self::Timeout(_) => {
                "look whether the agent is overloaded or hung, or raise mesos.timeout"
            }
            Self::Io(_) => "check mesos.agent_url and the network between here and the agent",
            Self::Tls(_) => {
                "check that the agent speaks TLS there, and set mesos.tls.ca_file to the authority \
                 that signed its certificate, or mesos.tls.server_name to the name in it"
            }
            Self::Unauthorized(_) => {
                "set mesos.basic_auth to a principal and secret of the agent's --http_credentials"
            }
            Self::Forbidden => {
                "allow the principal to get_endpoints (/containers, /metrics/snapshot), \
                 view_flags, view_containers, view_tasks, view_executors, view_frameworks and \
                 view_roles in the agent's --acls (GET_CONTAINERS, GET_TASKS and the like are \
                 filtered without them)"
            }
            Self::Recovering => "wait: the agent answers again when its recovery is over",
            Self::Redirect { .. } => "set mesos.agent_url to the agent's own address",
            Self::Status { .. } => "look into the agent's log",
            Self::Malformed(_) => {
                "check that mesos.agent_url is a Mesos or Clusterd agent, and whether it wants \
                 https"
            }
            Self::TooLarge(_) => "raise mesos.max_body",
            Self::SecretFile { .. } => "make the file readable for the user of this service",
            Self::BadSecret(_) => "correct mesos.basic_auth or mesos.bearer_token",
            Self::Url(_) => "set mesos.agent_url to http://HOST:PORT or https://HOST:PORT",
        }
    }
}

impl ApiError {
    /// The error as every source reports it.
    pub fn to_source_error(&self) -> SourceError {
        SourceError {
            reason: self.failure.reason(),
            message: self.to_string(),
            hint: self.failure.hint().to_owned(),
        }
    }
}
