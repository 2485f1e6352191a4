//! The scene's agent API: a server on 127.0.0.1 with a thread and a runtime of its own, so that
//! it is as much another process as it can be.

use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::cast::Cast;
use super::{DemoError, answers};

/// Longest body of a call that is read, in bytes.
const MAX_BODY: usize = 64 << 10;

/// The running server; it ends when this is dropped.
pub struct Api {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Api {
    /// Serves the cast on a free port.
    pub fn start(cast: Arc<Cast>) -> Result<Self, DemoError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(DemoError::Listen)?;
        listener.set_nonblocking(true).map_err(DemoError::Listen)?;
        let port = listener.local_addr().map_err(DemoError::Listen)?.port();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(DemoError::Thread)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("demo-agent".into());
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, cast, port) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        let thread = thread.map_err(DemoError::Thread)?;
        Ok(Self { port, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, cast: Arc<Cast>, port: u16) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!(%error, "demo: the agent API cannot listen"),
    };
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: they come back.
                tracing::debug!(%error, "demo: the agent API cannot accept");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let cast = cast.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(cast.clone(), port, request));
            let connection = hyper::server::conn::http1::Builder::new();
            if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "demo: connection to the agent API");
            }
        });
    }
}

async fn answer(
    cast: Arc<Cast>,
    port: u16,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let path = path.strip_prefix("/slave(1)").unwrap_or(path).to_owned();
    Ok(match path.as_str() {
        "/state" => json_response(&answers::state(&cast, port)),
        "/flags" => json_response(&json!({ "flags": answers::flags(&cast, port) })),
        "/containers" => json_response(&answers::containers(&cast)),
        "/metrics/snapshot" => json_response(&answers::metrics(&cast)),
        "/version" => json_response(&answers::version()),
        "/health" => Response::new(Full::default()),
        "/api/v1" => call(&cast, port, request).await,
        _ => text(StatusCode::NOT_FOUND, "404 Not Found."),
    })
}

async fn call(cast: &Cast, port: u16, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "Expecting one of { 'POST' }");
    }
    let kind = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes().to_vec());
    if kind.as_deref() != Some(b"application/json") {
        let message = "Expecting 'Content-Type' of application/json";
        return text(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    let Ok(body) = Limited::new(request.into_body(), MAX_BODY).collect().await else {
        return text(StatusCode::BAD_REQUEST, "Failed to read body");
    };
    let Ok(call) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        return text(StatusCode::BAD_REQUEST, "Failed to parse body into JSON");
    };
    match answers::v1(cast, port, &call) {
        Some(answer) => json_response(&answer),
        None => text(StatusCode::BAD_REQUEST, "Failed to validate agent::Call"),
    }
}

fn json_response(value: &Value) -> Response<Full<Bytes>> {
    with_type("application/json", Full::from(value.to_string()))
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = with_type("text/plain; charset=utf-8", Full::from(body));
    *response.status_mut() = status;
    response
}

fn with_type(kind: &'static str, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
