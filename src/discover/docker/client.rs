//! A small HTTP/1.1 client over a Unix socket. It sends GETs only.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::discover::http::{
    self, BodyError, NOT_ASKED_FOR, has_more_values, is_encoded, most_values, printable,
};

use super::error::{EngineError, Failure};

/// Client of one engine. Holds no connection: a local one costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The socket, as this process reaches it, free of links.
    pub socket: PathBuf,
    /// The socket for a person.
    pub shown: String,
    /// Longest wait for one whole answer.
    pub timeout: Duration,
    /// Largest answer that is read, in bytes.
    pub max_body: u64,
}

impl Client {
    /// GETs `path` and reads the JSON of a 200.
    ///
    /// # Errors
    /// Whatever went wrong, with the path.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        self.get_capped(path, self.max_body).await
    }

    /// The same of an answer that is at most `cap` bytes long.
    ///
    /// # Errors
    /// Whatever went wrong, with the path.
    pub async fn get_capped<T: DeserializeOwned>(
        &self,
        path: &str,
        cap: u64,
    ) -> Result<T, EngineError> {
        let limit = self.timeout;
        let answer = tokio::time::timeout(limit, async {
            let body = self.open(path).await?;
            http::read_body(body, cap).await.map_err(|error| match error {
                BodyError::Broken(error) => from_hyper(&error),
                BodyError::TooLarge(_) | BodyError::TooMuch => Failure::TooLarge(cap),
            })
        });
        let body = answer.await.unwrap_or(Err(Failure::Timeout(limit)));
        body.and_then(|body| decode(&body, most_values(cap)))
            .map_err(|failure| self.error(path, failure))
    }

    /// GETs `path`, whose answer has no end; only its start must come in time.
    ///
    /// # Errors
    /// Whatever went wrong, with the path.
    pub async fn stream(&self, path: &str) -> Result<Incoming, EngineError> {
        tokio::time::timeout(self.timeout, self.open(path))
            .await
            .unwrap_or(Err(Failure::Timeout(self.timeout)))
            .map_err(|failure| self.error(path, failure))
    }

    async fn open(&self, path: &str) -> Result<Incoming, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| connect(&error))?;
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| from_hyper(&error))?;
        // Ends with the body; its error reaches the request that met it.
        tokio::spawn(connection);
        let request = Request::get(path)
            .header(HOST, "localhost")
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| Failure::Malformed(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(|error| from_hyper(&error))?;
        if is_encoded(response.headers()) {
            return Err(Failure::Malformed(NOT_ASKED_FOR.into()));
        }
        let status = response.status();
        if status != StatusCode::OK {
            let body = http::read_body(response.into_body(), 64 * 1024).await.unwrap_or_default();
            let excerpt = printable(&body, 200);
            return Err(Failure::Status { status: status.as_u16(), excerpt });
        }
        Ok(response.into_body())
    }

    fn error(&self, path: &str, failure: Failure) -> EngineError {
        let what = match failure {
            Failure::Missing | Failure::Permission | Failure::Refused => {
                format!("connect to {}", self.shown)
            }
            // Without the query: it is noise for a person.
            _ => format!("GET {} of {}", path.split('?').next().unwrap_or_default(), self.shown),
        };
        EngineError { what, failure }
    }
}

fn decode<T: DeserializeOwned>(body: &[u8], most_values: u64) -> Result<T, Failure> {
    if has_more_values(body, most_values) {
        return Err(Failure::TooMany(most_values));
    }
    serde_json::from_slice(body)
        .map_err(|error| Failure::Malformed(printable(error.to_string().as_bytes(), 200)))
}

/// Why a socket cannot be opened.
pub fn connect(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => Failure::Missing,
        ErrorKind::PermissionDenied => Failure::Permission,
        ErrorKind::ConnectionRefused => Failure::Refused,
        _ => Failure::Io(format!("connect: {error}")),
    }
}

fn from_hyper(error: &hyper::Error) -> Failure {
    let words = http::words(error);
    if error.is_parse() { Failure::Malformed(words) } else { Failure::Io(words) }
}
