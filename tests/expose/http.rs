use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use plimsoll::expose::{AppState, serve};
use plimsoll::model::Snapshot;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::{build, sample_snapshot, telemetry};

struct Server {
    address: std::net::SocketAddr,
    snapshot: Arc<ArcSwap<Snapshot>>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn start(snapshot: Snapshot, adapt: impl FnOnce(&mut AppState)) -> Server {
    let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
    let mut state = AppState::new(Arc::clone(&snapshot), Arc::new(telemetry()), build());
    adapt(&mut state);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve(listener, Arc::new(state), async {
        let _ = stopped.await;
    }));
    Server { address, snapshot, stop, task }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

impl Server {
    /// One request on a connection of its own.
    async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let address = self.address;
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        let mut bytes = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).expect("the server listens");
            stream.write_all(request.as_bytes()).expect("sent");
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).expect("read");
            bytes
        })
        .await
        .expect("no panic");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Answer { status, head, body: bytes.split_off(end) }
    }
}

#[tokio::test]
async fn metrics_in_both_formats_plain_and_packed() {
    let server = start(sample_snapshot::troubled(), |_| ()).await;
    for (accept, content_type, end) in [
        ("", "text/plain; version=0.0.4; charset=utf-8", "\n"),
        (
            "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "\n# EOF\n",
        ),
    ] {
        let plain = server.ask("GET", "/metrics", accept).await;
        assert_eq!(plain.status, 200);
        assert_eq!(plain.header("content-type"), Some(content_type));
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.header("vary"), Some("Accept, Accept-Encoding"));
        assert_eq!(plain.header("content-length"), Some(plain.body.len().to_string().as_str()));
        assert!(plain.text().ends_with(end));
        assert!(plain.text().contains("\nplimsoll_agent_up 1\n"));
        assert!(plain.text().contains("\nplimsoll_usage_cpu_seconds_total 12.5\n"));

        let packed =
            server.ask("GET", "/metrics", &format!("{accept}Accept-Encoding: gzip\r\n")).await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        assert!(packed.body.len() * 4 < plain.body.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.body.as_slice())
            .read_to_string(&mut text)
            .expect("valid gzip");
        let from_snapshot =
            |page: &str| page.split("# HELP plimsoll_build_info").next().map(str::to_owned);
        assert_eq!(from_snapshot(&text), from_snapshot(plain.text()));
        assert!(text.ends_with(end));
    }
}

#[tokio::test]
async fn a_new_snapshot_is_served_at_once() {
    let server = start(sample_snapshot::well(), |_| ()).await;
    assert!(!server.ask("GET", "/metrics", "").await.text().contains("mariadb-1-data"));
    server.snapshot.store(Arc::new(sample_snapshot::troubled()));
    assert!(server.ask("GET", "/metrics", "").await.text().contains("mariadb-1-data"));
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    let server = start(sample_snapshot::well(), |_| ()).await;
    for path in ["/", "/metrics", "/api/v1/volumes", "/-/healthy"] {
        let get = server.ask("GET", path, "").await;
        let head = server.ask("HEAD", path, "").await;
        assert_eq!(head.status, 200, "{path}");
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert!(head.header("content-length").is_some_and(|length| length != "0"), "{path}");
    }
}

#[tokio::test]
async fn the_page_comes_with_a_policy_that_allows_nothing_from_elsewhere() {
    let server = start(sample_snapshot::troubled(), |_| ()).await;
    let page = server.ask("GET", "/", "Accept-Encoding: gzip\r\n").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.header("content-security-policy")
            .is_some_and(|policy| policy.starts_with("default-src 'none';"))
    );
    let mut html = String::new();
    flate2::read::GzDecoder::new(page.body.as_slice())
        .read_to_string(&mut html)
        .expect("valid gzip");
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
}

#[tokio::test]
async fn the_api_is_json_and_unknown_paths_list_what_there_is() {
    let server = start(sample_snapshot::troubled(), |_| ()).await;
    for path in ["volumes", "sandboxes", "filesystems", "agent", "sources", "disagreements"] {
        let answer = server.ask("GET", &format!("/api/v1/{path}?x=y"), "").await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        serde_json::from_slice::<serde_json::Value>(&answer.body).expect("valid JSON");
    }
    for path in ["/nothing", "/api/v1/", "/metrics/", "/-/", "//", "/api/v1/volumes/x"] {
        let answer = server.ask("GET", path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("\n/api/v1/volumes\n"), "{path}");
    }
    let answer = server.ask("POST", "/metrics", "Content-Length: 3\r\n").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn the_api_says_when_its_snapshot_was_made() {
    let server = start(sample_snapshot::well(), |_| ()).await;
    let made = |answer: &Answer| answer.header("last-modified").map(str::to_owned);
    // Of sample_snapshot::NOW.
    let time = Some("Sat, 22 Nov 2025 20:32:30 GMT".to_owned());
    assert_eq!(made(&server.ask("GET", "/api/v1/volumes", "").await), time);
    assert_eq!(made(&server.ask("HEAD", "/api/v1/agent", "").await), time);
    // A scrape has counters of its own moment in it.
    assert_eq!(made(&server.ask("GET", "/metrics", "").await), None);
    let server = start(Snapshot::default(), |_| ()).await;
    assert_eq!(made(&server.ask("GET", "/api/v1/volumes", "").await), None);
}

#[tokio::test]
async fn ready_after_the_first_inventory() {
    let server = start(Snapshot::default(), |_| ()).await;
    assert_eq!(server.ask("GET", "/-/healthy", "").await.status, 200);
    let answer = server.ask("GET", "/-/ready", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text(), "Not ready: the first inventory is not in yet.\n");
    server.snapshot.store(Arc::new(sample_snapshot::well()));
    assert_eq!(server.ask("GET", "/-/ready", "").await.status, 200);
}

#[tokio::test]
async fn reload_is_off_unless_enabled() {
    let server = start(sample_snapshot::well(), |_| ()).await;
    let answer = server.ask("POST", "/-/reload", "").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("--web.enable-lifecycle"));
    let answer = server.ask("GET", "/-/reload", "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[tokio::test]
async fn reload_tells_how_it_went() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = start(sample_snapshot::well(), |state| {
        state.reload = Some(Arc::new(move || {
            let call = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                if call == 0 { Ok(()) } else { Err("plimsoll.yml: line 3: unknown key".into()) }
            })
        }));
    })
    .await;
    assert_eq!(server.ask("GET", "/-/reload", "").await.status, 405);
    assert_eq!(server.ask("POST", "/-/reload", "").await.status, 200);
    let answer = server.ask("POST", "/-/reload", "").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("plimsoll.yml: line 3: unknown key"));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = start(sample_snapshot::well(), |_| ()).await;
    let answer = server.ask("GET", "/metrics", &format!("X: {}\r\n", "y".repeat(100_000))).await;
    assert_eq!(answer.status, 431);
    assert_eq!(server.ask("GET", "/-/healthy", "").await.status, 200);
}

#[tokio::test]
async fn stopping_closes_idle_connections_and_the_port() {
    let server = start(sample_snapshot::well(), |_| ()).await;
    let address = server.address;
    let idle = tokio::task::spawn_blocking(move || {
        let mut idle = TcpStream::connect(address).expect("the server listens");
        idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        let mut some = [0; 15];
        idle.read_exact(&mut some).expect("an answer");
        assert_eq!(&some, b"HTTP/1.1 200 OK");
        idle
    });
    let idle = idle.await.expect("no panic");

    server.stop.send(()).expect("still running");
    let ended = tokio::time::timeout(Duration::from_secs(3), server.task).await;
    ended.expect("ends at once, as nothing is under way").expect("no panic").expect("no error");
    assert!(TcpStream::connect(address).is_err());
    drop(idle);
}
