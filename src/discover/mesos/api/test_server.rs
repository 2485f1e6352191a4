//! A server that answers with whatever bytes a test wants, right or wrong.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is sent for one request.
#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, then the connection is closed.
    Close(Vec<u8>),
    /// Nothing, for ever.
    Hang,
    /// A byte each 20 ms.
    Drip(Vec<u8>),
}

/// One request: `GET /state`, or `POST GET_TASKS` for v1 calls; and its `Authorization`.
pub(super) struct Asked {
    pub(super) what: String,
    pub(super) head: String,
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A server on threads of its own, so that a test's runtime cannot hold it up.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) asked: Arc<Mutex<Vec<(String, Instant)>>>,
    address: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    listening: Option<thread::JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the listener
        let _ = self.listening.take().map(thread::JoinHandle::join);
    }
}

pub(super) fn ok(body: &[u8]) -> Reply {
    status("200 OK", body)
}

pub(super) fn status(status: &str, body: &[u8]) -> Reply {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Reply::Bytes(bytes)
}

pub(super) fn fixture(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mesos").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Answers of a captured scene.
pub(super) fn scene(name: &'static str) -> impl Fn(&Asked) -> Reply + Send + Sync {
    move |asked| {
        let (method, rest) = asked.what.split_once(' ').unwrap();
        let file = match method {
            "POST" => format!("agent-v1-{rest}.json"),
            _ => format!("agent-{}.json", rest.trim_start_matches('/').replace('/', "-")),
        };
        ok(&fixture(&format!("{name}/{file}")))
    }
}

/// Raw answers of scene 08 to one of its principals. GET_EXECUTORS was not captured there.
pub(super) fn principal(who: &'static str) -> impl Fn(&Asked) -> Reply + Send + Sync {
    move |asked| {
        let (method, rest) = asked.what.split_once(' ').unwrap();
        if rest == "GET_EXECUTORS" && matches!(who, "exporter" | "limited") {
            return ok(br#"{"type":"GET_EXECUTORS","get_executors":{}}"#);
        }
        let file = match (method, rest) {
            (_, "GET_EXECUTORS") => format!("{who}-v1-GET_TASKS.http"),
            ("POST", call) => format!("{who}-v1-{call}.http"),
            _ => format!("{who}-{}.http", rest.trim_start_matches('/').replace('/', "-")),
        };
        Reply::Bytes(fixture(&format!("08-auth/{file}")))
    }
}

pub(super) fn serve(
    answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    tls: Option<Arc<ServerConfig>>,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let answers: Arc<Answers> = Arc::new(answers);
    let connections = Arc::new(AtomicUsize::new(0));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let (count, log, stopped) = (connections.clone(), asked.clone(), stop.clone());
    let listening = thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if stopped.load(Ordering::SeqCst) {
                return;
            }
            count.fetch_add(1, Ordering::SeqCst);
            let (answers, tls, log) = (answers.clone(), tls.clone(), log.clone());
            let stopped = stopped.clone();
            thread::spawn(move || match tls {
                None => talk(&stream, &stream, &answers, &log, &stopped),
                Some(config) => {
                    let session = ServerConnection::new(config).unwrap();
                    let mut tls = StreamOwned::new(session, stream.try_clone().unwrap());
                    talk(&mut tls, &stream, &answers, &log, &stopped)
                }
            });
        }
    });
    Server {
        url: format!("{scheme}://{address}"),
        connections,
        asked,
        address,
        stop,
        listening: Some(listening),
    }
}

fn talk(
    mut stream: impl Read + Write,
    socket: &TcpStream,
    answers: &Arc<Answers>,
    log: &Mutex<Vec<(String, Instant)>>,
    stopped: &AtomicBool,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            more(&mut stream, &mut buffer)?;
        };
        let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
        });
        while buffer.len() < length.unwrap_or(0) {
            more(&mut stream, &mut buffer)?;
        }
        let body: Vec<u8> = buffer.drain(..length.unwrap_or(0)).collect();
        let mut words = head.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let what = if method == "POST" {
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(path, "/api/v1");
            format!("POST {}", body["type"].as_str().unwrap())
        } else {
            format!("{method} {path}")
        };
        log.lock().unwrap().push((what.clone(), Instant::now()));
        match answers(&Asked { what, head }) {
            Reply::Bytes(bytes) => stream.write_all(&bytes).ok()?,
            Reply::Close(bytes) => {
                stream.write_all(&bytes).ok()?;
                return socket.shutdown(Shutdown::Both).ok();
            }
            Reply::Hang => {
                while !stopped.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(20));
                }
                return None;
            }
            Reply::Drip(bytes) => {
                for byte in bytes {
                    stream.write_all(&[byte]).ok()?;
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

fn more(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&chunk[..read]);
    Some(())
}
