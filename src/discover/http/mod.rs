//! The HTTP client of the agent, the master and the Alertmanagers, and what it shares with the
//! engine's: bounded bodies, and errors as words.

mod auth;
mod client;
mod failure;
mod tls;

pub use auth::{Auth, SecretSource};
pub use client::{Answer, ClientConfig, HttpClient};
pub use failure::Failure;
pub use tls::TlsConfig;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// Why a body could not be read.
#[derive(Debug)]
pub enum BodyError {
    /// Longer than this many bytes.
    TooLarge(u64),
    /// It broke off, or is not HTTP.
    Broken(hyper::Error),
}

/// A whole body of at most `cap` bytes.
///
/// # Errors
/// When it is longer, or breaks off.
pub async fn read_body(mut body: Incoming, cap: u64) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > cap {
        return Err(BodyError::TooLarge(cap));
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() {
            if (bytes.len() + data.len()) as u64 > cap {
                return Err(BodyError::TooLarge(cap));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// What hyper was doing, and why it failed.
pub fn words(error: &hyper::Error) -> String {
    if error.is_parse() {
        return format!("not HTTP: {error}");
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Printable start of a body or header: hostile bytes do not reach a terminal or log.
pub fn printable(bytes: &[u8], limit: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(limit * 4)])
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(limit)
        .collect::<String>()
        .trim()
        .to_owned()
}
