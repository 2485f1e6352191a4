//! The HTTP client of the agent, the master and the Alertmanagers, and what it shares with the
//! engine's: bounded bodies, and errors as words.

mod auth;
mod client;
mod encoding;
mod failure;
mod tls;
mod values;

pub use auth::{Auth, SecretSource};
pub use client::{Answer, ClientConfig, HttpClient};
pub use encoding::{NOT_ASKED_FOR, is_encoded};
pub use failure::Failure;
pub use tls::TlsConfig;
pub use values::{has_more_values, most_values};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// Why a body could not be read.
#[derive(Debug)]
pub enum BodyError {
    /// Longer than this many bytes.
    TooLarge(u64),
    /// No more of it is taken.
    TooMuch,
    /// It broke off, or is not HTTP.
    Broken(hyper::Error),
}

/// A whole body of at most `cap` bytes.
///
/// # Errors
/// When it is longer, or breaks off.
pub async fn read_body(body: Incoming, cap: u64) -> Result<Bytes, BodyError> {
    read_body_while(body, cap, |_| true).await
}

/// The same as long as `more`, which is told of the bytes that come, is true.
///
/// # Errors
/// When it is longer, breaks off, or there is to be no more of it.
pub async fn read_body_while(
    mut body: Incoming,
    cap: u64,
    mut more: impl FnMut(u64) -> bool,
) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > cap {
        return Err(BodyError::TooLarge(cap));
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() {
            if (bytes.len() + data.len()) as u64 > cap {
                return Err(BodyError::TooLarge(cap));
            }
            if !more(data.len() as u64) {
                return Err(BodyError::TooMuch);
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
