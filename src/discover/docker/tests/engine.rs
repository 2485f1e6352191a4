//! The captured answers, and an engine on a Unix socket that gives them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::config::DockerConfig;
use crate::host::{Guard, Roots};

use super::super::DockerSource;

pub(super) const VERSION: &str =
    include_str!("../../../../tests/fixtures/docker/20.10.24/version.json");
pub(super) const INFO: &str = include_str!("../../../../tests/fixtures/docker/20.10.24/info.json");
pub(super) const VOLUMES: &str =
    include_str!("../../../../tests/fixtures/docker/20.10.24/volumes.json");
pub(super) const CONTAINERS: &str =
    include_str!("../../../../tests/fixtures/docker/20.10.24/containers.json");
pub(super) const WRITER: &str =
    include_str!("../../../../tests/fixtures/docker/20.10.24/inspect-writer.json");
pub(super) const DONE: &str =
    include_str!("../../../../tests/fixtures/docker/20.10.24/inspect-done.json");

pub(super) type Answers = BTreeMap<String, String>;

pub(super) fn captured() -> Answers {
    let writer = format!("/v1.41/containers/{}/json", id_of(WRITER));
    let done = format!("/v1.41/containers/{}/json", id_of(DONE));
    [
        ("/version", VERSION),
        ("/v1.41/info", INFO),
        ("/v1.41/volumes", VOLUMES),
        ("/v1.41/containers/json?all=1", CONTAINERS),
        (&writer, WRITER),
        (&done, DONE),
    ]
    .map(|(path, body)| (path.to_owned(), body.to_owned()))
    .into()
}

pub(super) fn id_of(inspected: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(inspected).unwrap();
    value["Id"].as_str().unwrap().to_owned()
}

/// An engine that answers what it was given, from threads of its own.
pub(super) struct Engine {
    pub(super) dir: tempfile::TempDir,
    /// Connections so far.
    pub(super) asked: Arc<AtomicUsize>,
    pub(super) runtime: tokio::runtime::Runtime,
}

impl Engine {
    pub(super) fn start(answers: Answers) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("sock")).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, answers) = (Arc::clone(&asked), Arc::new(answers));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { break };
                let answers = Arc::clone(&answers);
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || {
                    let mut head = Vec::new();
                    let mut byte = [0];
                    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                        head.push(byte[0]);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default();
                    if answers.get(path).is_some_and(|body| body == "stream") {
                        let _ =
                            write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                        std::thread::sleep(Duration::from_secs(20));
                        return;
                    }
                    let (status, body) = match answers.get(path) {
                        Some(body) if body == "hang" => {
                            std::thread::sleep(Duration::from_secs(20));
                            return;
                        }
                        Some(body) => ("200 OK", body.as_str()),
                        None => ("404 Not Found", r#"{"message":"page not found"}"#),
                    };
                    let length = body.len();
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"
                    );
                });
            }
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self { dir, asked, runtime }
    }

    pub(super) fn config(&self) -> DockerConfig {
        DockerConfig {
            socket: Some(format!("unix://{}", self.dir.path().join("sock").display())),
            data_root: Some("/nonexistent/docker".into()),
            timeout: Duration::from_secs(2),
            labels: vec!["team".into(), "evil".into()],
            ..DockerConfig::default()
        }
    }

    pub(super) fn source(&self, config: DockerConfig) -> DockerSource {
        // The processes of the captured containers are not those of this machine.
        let roots = Roots { procfs: self.dir.path().join("proc"), ..Roots::default() };
        let guard = Arc::new(Guard::new(roots.clone(), Duration::from_secs(2)));
        DockerSource::new(config, roots, guard, self.runtime.handle().clone(), None)
    }
}
