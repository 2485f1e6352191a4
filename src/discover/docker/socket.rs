//! Where the engine listens.

use std::path::PathBuf;

use crate::config::DockerConfig;
use crate::host::{Guard, GuardError, Roots};

use super::client::{Client, connect};
use super::error::{EngineError, Failure};

/// Where engines listen unless told otherwise, the likelier first.
const USUAL: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// The configured socket, else the first usual one that is there; absent when there is none.
///
/// # Errors
/// When the configured one cannot be reached, or one that is there.
pub fn find(
    config: &DockerConfig,
    guard: &Guard,
    roots: &Roots,
) -> Result<Option<Client>, EngineError> {
    for shown in candidates(config) {
        // Without links: below a --path.rootfs an absolute one would lead to our own /run.
        let looked = guard.resolve(&roots.inside(&PathBuf::from(&shown))).and_then(|socket| {
            let seen = socket.clone();
            let there = guard.run(&socket, "look for the engine's socket", move || {
                std::fs::symlink_metadata(seen).map(|_| ())
            })?;
            Ok((socket, there))
        });
        let failed = |failure| Err(EngineError { what: format!("connect to {shown}"), failure });
        match looked {
            Ok((socket, Ok(()))) => {
                let (timeout, max_body) = (config.timeout, config.max_body.0);
                return Ok(Some(Client { socket, shown, timeout, max_body }));
            }
            Ok((_, Err(error))) | Err(GuardError::Io { source: error, .. }) => {
                match connect(&error) {
                    Failure::Missing => {}
                    // Whether there is one in a directory that cannot be searched is not known.
                    Failure::Permission if config.socket.is_none() => {}
                    failure => return failed(failure),
                }
            }
            Err(error) => return failed(Failure::Unresponsive(error.to_string())),
        }
    }
    Ok(None)
}

fn candidates(config: &DockerConfig) -> Vec<String> {
    match config.socket_path() {
        Some(path) => vec![path.to_owned()],
        None => USUAL.map(str::to_owned).to_vec(),
    }
}

/// No engine, where one was asked for, or has left its data.
pub fn missing(config: &DockerConfig) -> EngineError {
    let what = format!("connect to {}", candidates(config).join(" or "));
    EngineError { what, failure: Failure::Missing }
}
