//! The HTTP server: hyper on one listener, with bounds on everything a client can hold.

mod body;
mod negotiate;
mod patience;
mod routes;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::rendered::Cache;
use super::telemetry::{BuildInfo, Telemetry};
use crate::model::Snapshot;

pub use body::Chunks;
pub use negotiate::{accepts_gzip, format};
use patience::Patient;
pub use routes::{not_allowed, text};

/// Connections open at once; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: u32 = 512;
/// Time a client has to send a request's head, and an idle connection to send its next one.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A request's head, in bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// A connection is ended after this time even while answers go over it, so that clients that
/// read slowly cannot hold all connections ([`Patient`] ends those that do not read).
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(300);
/// Bytes the kernel takes of an answer before the client does; it uses as much again for itself.
/// Left to itself it takes megabytes of each connection.
const SEND_BUFFER: usize = 128 * 1024;
/// What a connection gets to finish its answer when it must end.
const GRACE: Duration = Duration::from_secs(5);

/// Future of a reload: `Err` is what to tell the person who asked.
pub type ReloadFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
/// Reads the configuration again.
pub type Reloader = Arc<dyn Fn() -> ReloadFuture + Send + Sync>;

/// What the server answers from.
pub struct AppState {
    /// The newest snapshot; replaced whole.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// What is counted between snapshots.
    pub telemetry: Arc<Telemetry>,
    /// Reload by `POST /-/reload`; absent unless `--web.enable-lifecycle`.
    pub reload: Option<Reloader>,
    /// The build, for the status page.
    pub build: BuildInfo,
    /// Bound on the series of `/metrics`.
    pub max_series: Arc<AtomicUsize>,
    /// What was made of the newest snapshot.
    pub cache: Cache,
}

impl AppState {
    /// A state without reload and with the default bound.
    pub fn new(
        snapshot: Arc<ArcSwap<Snapshot>>,
        telemetry: Arc<Telemetry>,
        build: BuildInfo,
    ) -> Self {
        Self {
            snapshot,
            telemetry,
            reload: None,
            build,
            max_series: Arc::new(AtomicUsize::new(super::render::DEFAULT_MAX_SERIES)),
            cache: Cache::default(),
        }
    }
}

/// What is served: answers by path. A request's body is never read.
pub trait Site: Send + Sync + 'static {
    /// Answers one request; a HEAD as if it were a GET.
    fn answer(
        self: Arc<Self>,
        method: Method,
        path: String,
        headers: HeaderMap,
    ) -> impl Future<Output = Response<Chunks>> + Send;
}

/// Serves until `shutdown` completes, then lets open answers finish for some seconds.
pub async fn serve<T: Site>(
    listener: TcpListener,
    state: Arc<T>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_with(listener, state, shutdown, |stream| async { Ok(stream) }).await
}

/// The same with a step between accepting a connection and speaking HTTP over it (TLS). The step
/// has ten seconds.
pub async fn serve_with<T, S, F, W>(
    listener: TcpListener,
    state: Arc<T>,
    shutdown: impl Future<Output = ()>,
    wrap: W,
) -> io::Result<()>
where
    T: Site,
    W: Fn(tokio::net::TcpStream) -> F,
    F: Future<Output = io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    let (stop, stopped) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accept = async {
            let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((slot, listener.accept().await))
        };
        let (slot, accepted) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept => accepted?,
        };
        let stream = match accepted {
            Ok((stream, _)) => {
                // Served all the same where that is not allowed.
                let _ = set_socket_send_buffer_size(&stream, SEND_BUFFER);
                // Or the end of an answer waits for the client's delayed acknowledgement: 40 ms.
                let _ = stream.set_nodelay(true);
                stream
            }
            Err(error) => {
                // The connection died in the queue, or we are out of descriptors: neither is a
                // reason to stop serving. The pause keeps the second from becoming a busy loop.
                tracing::debug!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let wrapped = wrap(stream);
        tokio::spawn(connection(wrapped, Arc::clone(&state), stopped.clone(), slot));
    }
    drop(listener);
    // Every connection holds a receiver: the send fails only when there is none.
    let _ = stop.send(true);
    let _ = tokio::time::timeout(GRACE, slots.acquire_many(MAX_CONNECTIONS)).await;
    Ok(())
}

async fn connection<T, S>(
    wrapped: impl Future<Output = io::Result<S>>,
    state: Arc<T>,
    mut stopped: watch::Receiver<bool>,
    _slot: OwnedSemaphorePermit,
) where
    T: Site,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = match tokio::time::timeout(HEADER_TIMEOUT, wrapped).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "handshake failed"),
        Err(_) => return tracing::debug!("handshake timed out"),
    };
    let service = service_fn(|request| routes::answer(request, Arc::clone(&state)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        // A client may be done with sending before it has its answer.
        .half_close(true)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async { let _ = stopped.wait_for(|stop| *stop).await; } => ending(connection).await,
        () = tokio::time::sleep(MAX_CONNECTION_AGE) => ending(connection).await,
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}

/// Lets the answer under way finish, for a while.
async fn ending<I, S, B>(
    mut connection: Pin<&mut http1::Connection<I, S>>,
) -> Result<(), hyper::Error>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    connection.as_mut().graceful_shutdown();
    tokio::time::timeout(GRACE, connection).await.unwrap_or(Ok(()))
}
