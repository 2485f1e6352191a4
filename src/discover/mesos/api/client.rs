//! A small HTTP/1.1 client for one agent.
//!
//! Read only by construction: it sends GETs and the read-only v1 calls it is given. Redirects are
//! not followed and no compressed body is asked for.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, LOCATION, USER_AGENT,
    WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::discover::http::{self, BodyError, printable};

use super::config::ApiConfig;
use super::error::{ApiError, Failure};
use super::tls;

/// Endpoints whose answers the agent itself limits, or that cost it much.
const LIMITED: [&str; 3] = ["/containers", "/monitor/statistics", "/metrics/snapshot"];
/// How many requests to [`LIMITED`] endpoints may start in any [`LIMIT_WINDOW`].
const LIMIT_COUNT: usize = 2;
const LIMIT_WINDOW: Duration = Duration::from_secs(1);
/// Connections kept open between requests.
const MAX_IDLE: usize = 8;

type Sender = SendRequest<Full<Bytes>>;

/// Client of one agent. Cheap to keep; connections are reused between rounds.
pub struct Client {
    config: ApiConfig,
    /// `scheme://host:port/prefix`, no slash at the end.
    base: String,
    prefix: String,
    authority: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: Mutex<Vec<Sender>>,
    limited: Mutex<VecDeque<Instant>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Client").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Client {
    /// Checks the configuration and, for `https`, reads the authorities to trust.
    ///
    /// Opens no connection. Fails on a URL that is not `http(s)://HOST[:PORT][/PREFIX]`, on one
    /// with a user or password in it, and on authorities that cannot be read.
    pub fn new(config: ApiConfig) -> Result<Self, ApiError> {
        // The URL is not repeated in these errors before it is known to hold no password.
        let failed =
            |url: &str, failure| ApiError { method: "GET".into(), url: url.to_owned(), failure };
        let bad = |text| failed("mesos.agent_url", Failure::Url(text));
        let uri: Uri = config.url.trim().parse().map_err(|_| bad("not a URL"))?;
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("user and password do not belong in it"));
        }
        let (is_tls, default_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(bad("it must start with http:// or https://")),
        };
        if uri.query().is_some() {
            return Err(bad("a query does not belong in it"));
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let scheme = if is_tls { "https" } else { "http" };
        let base = format!("{scheme}://{authority}{prefix}");
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = is_tls
            .then(|| tls::connector(&config.tls, &host))
            .transpose()
            .map_err(|failure| failed(&base, failure))?;
        Ok(Self {
            authority: authority.as_str().to_owned(),
            port: authority.port_u16().unwrap_or(default_port),
            base,
            prefix,
            host,
            tls,
            idle: Mutex::new(Vec::new()),
            limited: Mutex::new(VecDeque::new()),
            config,
        })
    }

    /// Base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// GETs `path` (`/state`) and returns the body of a 200.
    pub async fn get(&self, path: &str) -> Result<Bytes, ApiError> {
        if LIMITED.contains(&path) {
            self.wait_for_turn().await;
        }
        self.within_time(Method::GET, path, None)
            .await
            .map_err(|failure| self.error(path, None, failure))
    }

    /// POSTs a v1 call and returns the body of a 200. `name` is the call's type (`GET_TASKS`),
    /// `body` the whole message as JSON.
    pub async fn call(&self, name: &str, body: &str) -> Result<Bytes, ApiError> {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        self.within_time(Method::POST, "/api/v1", Some(bytes))
            .await
            .map_err(|failure| self.error("/api/v1", Some(name), failure))
    }

    /// Gives a failure its method and URL.
    pub(super) fn error(&self, path: &str, call: Option<&str>, failure: Failure) -> ApiError {
        let method = call.map_or_else(|| "GET".to_owned(), |call| format!("POST {call}"));
        ApiError { method, url: format!("{}{path}", self.base), failure }
    }

    /// At most two limited requests start in any second, whoever asks.
    async fn wait_for_turn(&self) {
        let start = {
            let mut starts = self.limited.lock().unwrap_or_else(|poison| poison.into_inner());
            let now = Instant::now();
            let start = if starts.len() < LIMIT_COUNT {
                now
            } else {
                now.max(starts[starts.len() - LIMIT_COUNT] + LIMIT_WINDOW)
            };
            starts.push_back(start);
            while starts.len() > LIMIT_COUNT {
                starts.pop_front();
            }
            start
        };
        tokio::time::sleep_until(start).await;
    }

    async fn within_time(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Bytes, Failure> {
        let limit = self.config.timeout;
        tokio::time::timeout(limit, self.exchange(method, path, body))
            .await
            .unwrap_or(Err(Failure::Timeout(limit)))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Bytes, Failure> {
        // Every request only reads, so one that died with a kept connection may be sent again.
        while let Some(mut sender) = self.take_idle() {
            if sender.ready().await.is_err() {
                continue;
            }
            let request = self.request(&method, path, body.clone())?;
            match sender.send_request(request).await {
                Ok(response) => return self.finish(sender, response).await,
                Err(_) => break,
            }
        }
        let mut sender = self.connect().await?;
        let request = self.request(&method, path, body)?;
        let response = sender.send_request(request).await.map_err(from_hyper)?;
        self.finish(sender, response).await
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("plimsoll/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = self.config.auth.header()? {
            request = request.header(AUTHORIZATION, value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|_| Failure::Url("its path cannot be sent"))
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let tcp =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(
                |error| match error.kind() {
                    std::io::ErrorKind::ConnectionRefused => Failure::Refused,
                    _ => Failure::Io(format!("connect: {error}")),
                },
            )?;
        match &self.tls {
            None => open(tcp).await,
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), tcp)
                    .await
                    .map_err(|error| Failure::Tls(error.to_string()))?;
                open(stream).await
            }
        }
    }

    async fn finish(&self, sender: Sender, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let status = response.status();
        match status {
            StatusCode::UNAUTHORIZED => {
                let challenge = response.headers().get(WWW_AUTHENTICATE);
                let challenge = challenge.map(|value| printable(value.as_bytes(), 100));
                return Err(Failure::Unauthorized(challenge));
            }
            StatusCode::FORBIDDEN => return Err(Failure::Forbidden),
            StatusCode::SERVICE_UNAVAILABLE => return Err(Failure::Recovering),
            status if status.is_redirection() => {
                let location = response.headers().get(LOCATION);
                let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
                return Err(Failure::Redirect { status: status.as_u16(), location });
            }
            _ => {}
        }
        if let Some(encoding) = response.headers().get(CONTENT_ENCODING)
            && encoding != "identity"
        {
            return Err(Failure::Malformed("it is compressed, which was not asked for".into()));
        }
        if status != StatusCode::OK {
            // An error's body is only worth its first words.
            let body = read_body(response.into_body(), 64 * 1024).await.unwrap_or_default();
            let excerpt = printable(&body, 200);
            return Err(Failure::Status { status: status.as_u16(), excerpt });
        }
        let body = read_body(response.into_body(), self.config.max_body_bytes).await?;
        self.keep(sender);
        Ok(body)
    }

    fn take_idle(&self) -> Option<Sender> {
        self.idle.lock().unwrap_or_else(|poison| poison.into_inner()).pop()
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(|poison| poison.into_inner());
        if !sender.is_closed() && idle.len() < MAX_IDLE {
            idle.push(sender);
        }
    }
}

async fn open<S>(stream: S) -> Result<Sender, Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(from_hyper)?;
    // Ends when the sender is dropped; its error reaches the request that met it.
    tokio::spawn(connection);
    Ok(sender)
}

async fn read_body(body: Incoming, cap: u64) -> Result<Bytes, Failure> {
    http::read_body(body, cap).await.map_err(|error| match error {
        BodyError::TooLarge(cap) => Failure::TooLarge(cap),
        BodyError::Broken(error) => from_hyper(error),
    })
}

fn from_hyper(error: hyper::Error) -> Failure {
    let words = http::words(&error);
    if error.is_parse() { Failure::Malformed(words) } else { Failure::Io(words) }
}
