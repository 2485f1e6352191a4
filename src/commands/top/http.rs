//! GETs of a daemon's API.

use std::time::{Duration, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, CONNECTION, HOST, LAST_MODIFIED, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::cli::DaemonUrl;
use crate::model::Timestamp;

use super::data::Picture;

/// For all answers of one round together.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one answer.
const MOST_BYTES: usize = 256 << 20;

/// Fetches one picture.
///
/// # Errors
/// Why there is none, in a few words without the URL.
pub async fn fetch(url: &DaemonUrl) -> Result<Picture, String> {
    let all = tokio::time::timeout(TIMEOUT, fetch_all(url)).await;
    all.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())))
}

async fn fetch_all(url: &DaemonUrl) -> Result<Picture, String> {
    let mut sender = connect(url).await?;
    let mut bodies: [Vec<u8>; 5] = Default::default();
    let mut taken_at: Option<Timestamp> = None;
    for (body, resource) in bodies.iter_mut().zip(Picture::RESOURCES) {
        let (made, bytes) = get(&mut sender, url, resource.path()).await?;
        // The oldest of what is shown.
        taken_at = match (taken_at, made) {
            (Some(before), Some(made)) => Some(before.min(made)),
            (before, made) => before.or(made),
        };
        *body = bytes.into();
    }
    let taken_at = taken_at.ok_or("it is starting: its first inventory is not in yet")?;
    Picture::parse(taken_at, &bodies)
        .map_err(|error| format!("its answer is not understood: {error}"))
}

async fn connect(url: &DaemonUrl) -> Result<SendRequest<Empty<Bytes>>, String> {
    let tcp =
        TcpStream::connect((url.host.as_str(), url.port)).await.map_err(|error| {
            match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused".into(),
                _ => format!("connect: {error}"),
            }
        })?;
    let (sender, connection) = handshake(TokioIo::new(tcp)).await.map_err(|e| e.to_string())?;
    // Ends with the sender; its error reaches the request that met it.
    tokio::spawn(connection);
    Ok(sender)
}

/// The time of the snapshot the answer was made of, and the answer.
async fn get(
    sender: &mut SendRequest<Empty<Bytes>>,
    url: &DaemonUrl,
    path: &str,
) -> Result<(Option<Timestamp>, BytesMut), String> {
    let request = Request::get(format!("{}{path}", url.prefix))
        .header(HOST, format!("{}:{}", url.host, url.port))
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "keep-alive")
        .header(USER_AGENT, concat!("plimsoll-top/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())
        .map_err(|_| "its path cannot be sent")?;
    sender.ready().await.map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("{path}: HTTP status {}", response.status().as_u16()));
    }
    Ok((made_at(&response), body(response, path).await?))
}

fn made_at(response: &Response<Incoming>) -> Option<Timestamp> {
    let value = response.headers().get(LAST_MODIFIED)?.to_str().ok()?;
    let time = httpdate::parse_http_date(value).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

async fn body(response: Response<Incoming>, path: &str) -> Result<BytesMut, String> {
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| format!("{path}: {error}"))?.into_data() {
            if bytes.len() + data.len() > MOST_BYTES {
                return Err(format!("{path}: more than {} MiB", MOST_BYTES >> 20));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}
