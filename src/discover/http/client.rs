//! A small HTTP/1.1 client of one server. Redirects are not followed and no compressed body is
//! asked for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Auth, BodyError, Failure, NOT_ASKED_FOR, TlsConfig, is_encoded, printable, tls};

/// Connections kept open between requests.
const MAX_IDLE: usize = 8;
/// Bodies that are read at the same time are together at most so many times as long as one may be.
const AT_ONCE: u64 = 2;

type Sender = SendRequest<Full<Bytes>>;
/// Why a connection ended, once it has.
type Ended = oneshot::Receiver<hyper::Error>;

/// Where a server is and how to ask it.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Base URL, `http://` or `https://`, without user and password; a path is kept as a prefix.
    pub url: String,
    /// Longest time for one request: name look-up, connecting, TLS, answer and body together.
    pub timeout: Duration,
    /// Longest body that is read, in bytes.
    pub max_body_bytes: u64,
    /// Credentials.
    pub auth: Auth,
    /// TLS, used by `https://` only.
    pub tls: TlsConfig,
}

impl Default for ClientConfig {
    /// No URL yet.
    fn default() -> Self {
        Self {
            url: String::new(),
            timeout: Duration::from_secs(5),
            max_body_bytes: 64 * 1024 * 1024,
            auth: Auth::None,
            tls: TlsConfig::default(),
        }
    }
}

/// A 200.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its header.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

/// Client of one server. Cheap to keep; connections are used again.
pub struct HttpClient {
    config: ClientConfig,
    /// `scheme://host:port/prefix`, no slash at the end.
    base: String,
    prefix: String,
    authority: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    idle: Mutex<Vec<Sender>>,
    /// Bytes of bodies that are not read to their end.
    reading: AtomicU64,
}

/// What one body has of [`HttpClient::reading`].
struct Reading<'a> {
    all: &'a AtomicU64,
    own: u64,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HttpClient").field("config", &self.config).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Checks the configuration and, for `https`, reads the files of TLS.
    ///
    /// Opens no connection. The URL is only in the error's second part when it is known to hold no
    /// password.
    ///
    /// # Errors
    /// On a URL that is not `http(s)://HOST[:PORT][/PREFIX]`, on one with a user or password in it,
    /// and on files of TLS that cannot be used.
    pub fn new(config: ClientConfig) -> Result<Self, (Failure, Option<String>)> {
        let bad = |text| (Failure::Url(text), None);
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
            .map_err(|failure| (failure, Some(base.clone())))?;
        Ok(Self {
            authority: authority.as_str().to_owned(),
            port: authority.port_u16().unwrap_or(default_port),
            base,
            prefix,
            host,
            tls,
            idle: Mutex::new(Vec::new()),
            reading: AtomicU64::new(0),
            config,
        })
    }

    /// Base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Sends a request that may be sent twice (one that died with a kept connection is), a body as
    /// JSON, and returns the answer if it is a 200.
    ///
    /// # Errors
    /// Whatever came instead, within the time-out.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, Failure> {
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
    ) -> Result<Answer, Failure> {
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
        let (mut sender, ended) = self.connect().await?;
        let request = self.request(&method, path, body)?;
        let response = match sender.send_request(request).await {
            Ok(response) => response,
            // The connection ended before the request was taken, and knows why.
            Err(error) if error.is_canceled() => {
                return Err(from_hyper(ended.await.unwrap_or(error)));
            }
            Err(error) => return Err(from_hyper(error)),
        };
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

    async fn connect(&self) -> Result<(Sender, Ended), Failure> {
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

    async fn finish(
        &self,
        sender: Sender,
        response: Response<Incoming>,
    ) -> Result<Answer, Failure> {
        let status = response.status();
        match status {
            StatusCode::UNAUTHORIZED => {
                let challenge = response.headers().get(WWW_AUTHENTICATE);
                let challenge = challenge.map(|value| printable(value.as_bytes(), 100));
                return Err(Failure::Unauthorized(challenge));
            }
            StatusCode::FORBIDDEN => return Err(Failure::Forbidden),
            StatusCode::SERVICE_UNAVAILABLE => return Err(Failure::Unavailable),
            status if status.is_redirection() => {
                let location = response.headers().get(LOCATION);
                let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
                return Err(Failure::Redirect { status: status.as_u16(), location });
            }
            _ => {}
        }
        if is_encoded(response.headers()) {
            return Err(Failure::Malformed(NOT_ASKED_FOR.into()));
        }
        if status != StatusCode::OK {
            // An error's body is only worth its first words.
            let body = super::read_body(response.into_body(), 64 * 1024).await.unwrap_or_default();
            let excerpt = printable(&body, 200);
            return Err(Failure::Status { status: status.as_u16(), excerpt });
        }
        let (head, body) = response.into_parts();
        let body = self.read(body).await?;
        self.keep(sender);
        Ok(Answer { headers: head.headers, body })
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, Failure> {
        let cap = self.config.max_body_bytes;
        let most = cap.saturating_mul(AT_ONCE);
        let mut reading = Reading { all: &self.reading, own: 0 };
        let more = |bytes| {
            reading.own += bytes;
            reading.all.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= most
        };
        super::read_body_while(body, cap, more).await.map_err(|error| match error {
            BodyError::TooLarge(cap) => Failure::TooLarge(cap),
            BodyError::TooMuch => Failure::TooMuch(most),
            BodyError::Broken(error) => from_hyper(error),
        })
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

async fn open<S>(stream: S) -> Result<(Sender, Ended), Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(from_hyper)?;
    let (told, ended) = oneshot::channel();
    // Ends when the sender is dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // Nobody need be interested.
            let _ = told.send(error);
        }
    });
    Ok((sender, ended))
}

fn from_hyper(error: hyper::Error) -> Failure {
    // A server that refuses our certificate says so after the handshake (TLS 1.3).
    if let Some(refused) = tls_error(&error) {
        return Failure::Tls(refused.to_string());
    }
    let words = super::words(&error);
    if error.is_parse() { Failure::Malformed(words) } else { Failure::Io(words) }
}

fn tls_error(error: &hyper::Error) -> Option<&tokio_rustls::rustls::Error> {
    let below: &std::io::Error = std::error::Error::source(error)?.downcast_ref()?;
    below.get_ref()?.downcast_ref()
}
