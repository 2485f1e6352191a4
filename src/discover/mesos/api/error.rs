//! What goes wrong when an agent is asked, and what to do about it.

use thiserror::Error;

use crate::discover::http::Failure;
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

/// What to do about a failure of the agent's API.
fn hint(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused => {
            "start the agent, or set mesos.agent_url to the address and port it listens on"
        }
        Failure::Timeout(_) => {
            "look whether the agent is overloaded or hung, or raise mesos.timeout"
        }
        Failure::Io(_) => "check mesos.agent_url and the network between here and the agent",
        Failure::Tls(_) => {
            "check that the agent speaks TLS there, and set mesos.tls.ca_file to the authority \
                 that signed its certificate, or mesos.tls.server_name to the name in it"
        }
        Failure::Unauthorized(_) => {
            "set mesos.basic_auth to a principal and secret of the agent's --http_credentials"
        }
        Failure::Forbidden => {
            "allow the principal to get_endpoints (/containers, /metrics/snapshot), \
                 view_flags, view_containers, view_tasks, view_executors, view_frameworks and \
                 view_roles in the agent's --acls (GET_CONTAINERS, GET_TASKS and the like are \
                 filtered without them)"
        }
        Failure::Unavailable => "wait: the agent answers again when its recovery is over",
        Failure::Redirect { .. } => "set mesos.agent_url to the agent's own address",
        Failure::Status { .. } => "look into the agent's log",
        Failure::Malformed(_) => {
            "check that mesos.agent_url is a Mesos or Clusterd agent, and whether it wants \
                 https"
        }
        Failure::TooLarge(_) | Failure::TooMuch(_) | Failure::TooMany(_) => "raise mesos.max_body",
        Failure::SecretFile { .. } => "make the file readable for the user of this service",
        Failure::BadSecret(_) => "correct mesos.basic_auth or mesos.bearer_token",
        Failure::Url(_) => "set mesos.agent_url to http://HOST:PORT or https://HOST:PORT",
    }
}

impl ApiError {
    /// The error as every source reports it.
    pub fn to_source_error(&self) -> SourceError {
        SourceError {
            reason: match self.failure {
                // The agent answers so until its recovery is over.
                Failure::Unavailable => "recovering",
                ref failure => failure.reason(),
            },
            message: self.to_string(),
            hint: hint(&self.failure).to_owned(),
        }
    }
}
