//! An agent's HTTP API that answers from captured files, on a thread and a runtime of its own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How the agent behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything, to everyone.
    Whole,
    /// As to a caller whom the ACLs allow nothing: 200 with empty lists here, 403 there.
    Filtered,
    /// 401 to everything but `/health` and `/version`.
    Unauthorized,
    /// 503 `Agent has not finished recovery`.
    Recovering,
    /// Takes the request, never answers.
    Hang,
    /// 200 with the first half of the answer.
    Garbage,
    /// 500 to everything.
    Refuse500,
    /// Nothing listens on the port.
    Down,
    /// The raw answers of scene `08-auth`: by basic authentication as `exporter` or `limited` with
    /// [`SECRET`], without credentials, or with wrong ones.
    Captured,
}

/// Secret of `exporter` and `limited` in [`Mode::Captured`].
pub const SECRET: &str = "secret";
/// `exporter:secret` and `limited:secret` in base64.
const EXPORTER: &str = "Basic ZXhwb3J0ZXI6c2VjcmV0";
const LIMITED: &str = "Basic bGltaXRlZDpzZWNyZXQ=";

/// The running server; it ends when this is dropped.
pub struct Api {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    hits: Arc<Mutex<BTreeMap<String, usize>>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Api {
    /// Serves the captures of the scene in `fixture` on a free port of 127.0.0.1.
    pub fn start(fixture: &Path, mode: Mode) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("address");
        let (mode, modes) = watch::channel(mode);
        let (stop, stopped) = watch::channel(false);
        let hits = Arc::new(Mutex::new(BTreeMap::new()));
        let shared = Arc::new(Shared { fixture: fixture.into(), modes, hits: hits.clone() });
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("runtime");
            runtime.block_on(listen(listener, shared, stopped));
            runtime.shutdown_background();
        });
        Self { address, mode, hits, stop, thread: Some(thread) }
    }

    /// The raw answers of scene `08-auth`.
    pub fn start_auth() -> Self {
        Self::start(&super::fixtures().join("08-auth"), Mode::Captured)
    }

    /// Base URL, `http://127.0.0.1:PORT`. The same through all modes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Behaves differently from now on. Returns when the port is closed or open again.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
        for _ in 0..200 {
            let open = std::net::TcpStream::connect(self.address).is_ok();
            if open == (mode != Mode::Down) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the replayed agent did not come to mode {mode:?}");
    }

    /// How often each endpoint was asked: `/state`, or `GET_TASKS` for calls of the v1 API.
    pub fn hits(&self) -> BTreeMap<String, usize> {
        self.hits.lock().expect("hits").clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Shared {
    fixture: PathBuf,
    modes: watch::Receiver<Mode>,
    hits: Arc<Mutex<BTreeMap<String, usize>>>,
}

async fn listen(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let address = listener.local_addr().expect("address");
    listener.set_nonblocking(true).expect("nonblocking");
    let mut listener = Some(TcpListener::from_std(listener).expect("listener"));
    let mut modes = shared.modes.clone();
    loop {
        let down = *modes.borrow_and_update() == Mode::Down;
        if down {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.expect("the port again"));
        }
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = stopped.changed() => return,
            changed = modes.changed() => if changed.is_err() { return },
            accepted = accept => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = shared.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(shared.clone(), request));
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    let _ = connection.await;
                });
            }
        }
    }
}

/// Status, content type and body.
type Answer = (StatusCode, &'static str, Bytes);

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mode = *shared.modes.borrow();
    let credentials =
        request.headers().get(AUTHORIZATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let call = match read_call(request).await {
        Ok(call) => call,
        Err(answer) => return Ok(respond(answer, None)),
    };
    *shared.hits.lock().expect("hits").entry(call.name().to_owned()).or_default() += 1;
    if mode == Mode::Captured {
        return Ok(captured(&shared.fixture, &call, credentials.as_deref()));
    }
    let open = matches!(call.name(), "/health" | "/version");
    let realm = if call.body.is_some() { "mesos-agent-readwrite" } else { "mesos-agent-readonly" };
    Ok(match mode {
        Mode::Hang => std::future::pending().await,
        Mode::Refuse500 => {
            respond(text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error."), None)
        }
        Mode::Unauthorized if !open => {
            respond(text(StatusCode::UNAUTHORIZED, "401 Unauthorized."), Some(realm))
        }
        Mode::Recovering if !open => {
            let body = "Agent has not finished recovery";
            respond(text(StatusCode::SERVICE_UNAVAILABLE, body), None)
        }
        Mode::Garbage if !open => {
            let (status, kind, body) = whole(&shared.fixture, &call);
            respond((status, kind, body.slice(..body.len() / 2)), None)
        }
        Mode::Filtered => respond(filtered(&shared.fixture, &call), None),
        _ => respond(whole(&shared.fixture, &call), None),
    })
}

/// What was asked: a path, or a v1 call with its body.
struct Call {
    path: String,
    body: Option<Value>,
}

impl Call {
    fn name(&self) -> &str {
        self.body.as_ref().and_then(|body| body["type"].as_str()).unwrap_or(&self.path)
    }

    fn flag(&self, name: &str) -> bool {
        let body = self.body.as_ref();
        body.is_some_and(|body| body["get_containers"][name].as_bool().unwrap_or(false))
    }
}

async fn read_call(request: Request<Incoming>) -> Result<Call, Answer> {
    let path = request.uri().path().trim_start_matches("/slave(1)").to_owned();
    if path != "/api/v1" {
        return Ok(Call { path, body: None });
    }
    if request.method() != Method::POST {
        return Err(text(StatusCode::METHOD_NOT_ALLOWED, "Expecting one of { 'POST' }"));
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind != Some("application/json") {
        let body = "Expecting 'Content-Type' of application/json";
        return Err(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, body));
    }
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    match serde_json::from_slice::<Value>(&body) {
        Ok(body) if body["type"].is_string() => Ok(Call { path, body: Some(body) }),
        _ => Err(text(StatusCode::BAD_REQUEST, "Failed to parse body into Call protobuf")),
    }
}

fn whole(fixture: &Path, call: &Call) -> Answer {
    let file = match &call.body {
        Some(_) => format!("agent-v1-{}.json", call.name()),
        None if call.path == "/health" => return (StatusCode::OK, "", Bytes::new()),
        None => format!("agent-{}.json", call.path.trim_start_matches('/').replace('/', "-")),
    };
    let Ok(body) = std::fs::read(fixture.join(&file)) else {
        return text(StatusCode::NOT_FOUND, "404 Not Found.");
    };
    if call.name() != "GET_CONTAINERS" {
        return (StatusCode::OK, "application/json", body.into());
    }
    let mut value: Value = serde_json::from_slice(&body).expect("captured containers");
    let (nested, standalone) = (call.flag("show_nested"), call.flag("show_standalone"));
    // `pointer_mut`, because indexing would add what an agent without containers leaves out.
    if let Some(list) =
        value.pointer_mut("/get_containers/containers").and_then(Value::as_array_mut)
    {
        list.retain(|container| {
            // The entry's own `container_id` has no parent; only that of its status has.
            let child = container["container_status"]["container_id"]["parent"].is_object();
            let alone = !child && container["executor_id"].is_null();
            (nested || !child) && (standalone || !alone)
        });
    }
    json_answer(&value)
}

/// The whole answer as the agent filters it for a caller without rights (scene `08-auth`).
fn filtered(fixture: &Path, call: &Call) -> Answer {
    if matches!(call.name(), "/containers" | "/flags" | "/metrics/snapshot" | "GET_FLAGS") {
        return text(StatusCode::FORBIDDEN, "403 Forbidden.");
    }
    let answer = whole(fixture, call);
    let Ok(mut value) = serde_json::from_slice::<Value>(&answer.2) else { return answer };
    match call.name() {
        "/state" => {
            for key in ["frameworks", "completed_frameworks"] {
                value[key] = json!([]);
            }
            for key in
                ["reserved_resources", "reserved_resources_full", "reserved_resources_allocated"]
            {
                value[key] = json!({});
            }
        }
        "GET_CONTAINERS" => value = json!({"type": "GET_CONTAINERS"}),
        "GET_TASKS" | "GET_EXECUTORS" | "GET_FRAMEWORKS" => {
            let inner = value[call.name().to_lowercase()].as_object_mut();
            inner.into_iter().flatten().for_each(|(_, list)| *list = json!([]));
        }
        _ => return answer,
    }
    json_answer(&value)
}

/// A raw answer of scene `08-auth`.
fn captured(fixture: &Path, call: &Call, credentials: Option<&str>) -> Response<Full<Bytes>> {
    let who = match credentials {
        None => "none",
        Some(EXPORTER) => "exporter",
        Some(LIMITED) => "limited",
        Some(_) => "wrong",
    };
    let what = match &call.body {
        Some(_) => format!("v1-{}", call.name()),
        None => call.path.trim_start_matches('/').replace('/', "-"),
    };
    let Ok(raw) = std::fs::read_to_string(fixture.join(format!("{who}-{what}.http"))) else {
        return respond(text(StatusCode::NOT_FOUND, "404 Not Found."), None);
    };
    let (head, body) = raw.split_once("\r\n\r\n").expect("head of a raw answer");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("status line");
    let mut response = Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        response = response.header(name, value);
    }
    response.body(Full::from(body.to_owned())).expect("captured response")
}

fn json_answer(value: &Value) -> Answer {
    (StatusCode::OK, "application/json", value.to_string().into())
}

fn text(status: StatusCode, body: &'static str) -> Answer {
    (status, "text/plain; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

fn respond((status, kind, body): Answer, realm: Option<&str>) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    if !kind.is_empty() {
        response = response.header(CONTENT_TYPE, kind);
    }
    if let Some(realm) = realm {
        response = response.header(WWW_AUTHENTICATE, format!("Basic realm=\"{realm}\""));
    }
    response.body(Full::new(body)).expect("response")
}
