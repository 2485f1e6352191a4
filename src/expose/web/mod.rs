//! What stands before every site on our own port: TLS, users, headers and a rate limit, from the
//! [web configuration file](crate::config::WebConfig).
//!
//! The file, the certificate, its key and the authorities are taken up as soon as they change, by
//! the next connection or request; connections that are there stay. While a file is wrong nothing
//! is served (500, or no handshake) instead of something less safe than what was asked for. As in
//! the toolkit, only whether TLS is spoken at all is settled at the start.

mod client_auth;
mod guarded;
mod kept;
mod limiter;
mod tls;
mod users;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::config::WebConfig;

pub use guarded::Guarded;

use kept::Kept;
use limiter::Limiter;
use users::Verified;

/// A connection, with TLS or without.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

/// What TLS is made of, and what is wrong with it.
type Made<T> = Result<Arc<T>, String>;

/// What handshakes go by, and the configuration it was made of.
type Handshakes = (Arc<WebConfig>, Kept<Made<ServerConfig>>);

/// A web configuration file in force.
pub struct Web {
    path: PathBuf,
    tls: bool,
    config: Mutex<Option<Kept<Made<WebConfig>>>>,
    server: Mutex<Option<Handshakes>>,
    limiter: Mutex<Limiter>,
    verified: Verified,
}

impl Web {
    /// Reads the file and all it names.
    ///
    /// # Errors
    /// One sentence: which file, and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut web = Self {
            path: path.to_owned(),
            tls: false,
            config: Mutex::default(),
            server: Mutex::default(),
            limiter: Mutex::default(),
            verified: Verified::default(),
        };
        let config = web.config()?;
        web.tls = config.tls_server_config.is_enabled();
        if web.tls {
            web.server_config()?;
        }
        tracing::info!(
            tls = web.tls,
            basic_auth = !config.basic_auth_users.is_empty(),
            file = %path.display(),
            "Web configuration"
        );
        Ok(web)
    }

    /// Whether TLS is spoken.
    pub fn speaks_tls(&self) -> bool {
        self.tls
    }

    /// The configuration as the file has it now. Reads files.
    fn config(&self) -> Made<WebConfig> {
        let mut kept = lock(&self.config);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_current()) {
            return kept.value.clone();
        }
        let new = Kept::make(vec![self.path.clone()], || {
            let config = WebConfig::load(&self.path).map_err(|error| error.to_string())?;
            tls::notes(&config).iter().for_each(|note| tracing::warn!("{note}"));
            Ok(Arc::new(config))
        });
        log_once(kept.as_ref().map(|kept| &kept.value), &new.value);
        kept.insert(new).value.clone()
    }

    /// What the next handshake goes by. Reads files.
    fn server_config(&self) -> Made<ServerConfig> {
        let config = self.config()?;
        let mut kept = lock(&self.server);
        if let Some((_, kept)) =
            kept.as_ref().filter(|(of, kept)| Arc::ptr_eq(of, &config) && kept.is_current())
        {
            return kept.value.clone();
        }
        let tls = &config.tls_server_config;
        let files = [&tls.cert_file, &tls.key_file, &tls.client_ca_file];
        let files = files.into_iter().filter(|path| !path.as_os_str().is_empty()).cloned();
        let new = Kept::make(files.collect(), || {
            let place = |error| format!("{}: tls_server_config: {error}", self.path.display());
            tls::server_config(tls).map(Arc::new).map_err(place)
        });
        log_once(kept.as_ref().map(|(_, kept)| &kept.value), &new.value);
        kept.insert((config, new)).1.value.clone()
    }

    /// Takes a connection over: with TLS its handshake is done.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn accept(self: Arc<Self>, stream: TcpStream) -> io::Result<Box<dyn Connection>> {
        if !self.tls {
            return Ok(Box::new(stream));
        }
        // A record of TLS begins with its type; every method of HTTP with a letter.
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
            return refuse_plain(stream).await;
        }
        let config = tokio::task::spawn_blocking(move || self.server_config())
            .await
            .map_err(io::Error::other)?
            .map_err(io::Error::other)?;
        Ok(Box::new(TlsAcceptor::from(config).accept(stream).await?))
    }
}

/// What Go's server says to a client that does not speak TLS.
async fn refuse_plain(mut stream: TcpStream) -> io::Result<Box<dyn Connection>> {
    use tokio::io::AsyncWriteExt;
    let text = "Client sent an HTTP request to an HTTPS server.\n";
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8";
    let length = text.len();
    let answer = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{text}");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    Err(io::Error::other("the client sent HTTP without TLS"))
}

/// Logs what is wrong when it was not wrong in this way before.
fn log_once<T>(before: Option<&Made<T>>, now: &Made<T>) {
    // The first one is told by who asked for it.
    match (before, now) {
        (Some(Ok(_)), Err(error)) => tracing::error!(error, "Nothing is served"),
        (Some(Err(before)), Err(error)) if before != error => {
            tracing::error!(error, "Nothing is served");
        }
        (Some(Err(_)), Ok(_)) => tracing::info!("Web configuration is good again"),
        _ => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is replaced whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
