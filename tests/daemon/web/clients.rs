//! Clients of every kind: Prometheus itself, hostile ones, and systemd with its socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Port;
use super::settings::USERS;
use crate::prometheus::Prometheus;

#[test]
fn prometheus_scrapes_with_tls_a_certificate_and_a_password() {
    let port = Port::behind(&format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key, min_version: TLS13, \
         client_auth_type: RequireAndVerifyClientCert, client_ca_file: client.pem}}\n{USERS}"
    ));
    let target = port.url("https", "").trim_start_matches("https://").to_owned();
    let job = |name: &str, password: &str| {
        format!(
            "- job_name: {name}\n  scheme: https\n  basic_auth: {{username: ben, password: {password}}}\n  \
             tls_config: {{ca_file: {}, cert_file: {}, key_file: {}}}\n  \
             static_configs: [{{targets: ['{target}']}}]\n",
            port.file("ca.pem"),
            port.file("client.pem"),
            port.file("client.key"),
        )
    };
    let prometheus =
        Prometheus::configured(&(job("right", "sesame-2") + &job("wrong", "sesame-3")));
    let ups = port.daemon.wait_for("both jobs scraped", Duration::from_secs(60), |_| {
        let mut ups: Vec<(String, f64)> = prometheus
            .query("up")
            .into_iter()
            .map(|(labels, value)| (labels["job"].as_str().unwrap_or_default().to_owned(), value))
            .collect();
        ups.sort_by(|a, b| a.0.cmp(&b.0));
        (ups.len() == 2).then_some(ups)
    });
    assert_eq!(ups, [("right".to_owned(), 1.0), ("wrong".to_owned(), 0.0)]);
    assert!(!prometheus.query("plimsoll_build_info").is_empty());
}

/// Connections that never finish their request take no more than their time.
#[test]
fn slow_clients_are_ended_and_others_are_served() {
    let port = Port::behind("");
    let address = port.daemon.url.strip_prefix("http://").expect("a URL").to_owned();
    let mut slow: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).expect("connect");
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: ").expect("send");
            stream
        })
        .collect();
    // Byte by byte, which must not win them time.
    let start = Instant::now();
    let healthy =
        || port.curl("http", "/-/healthy", &["--connect-timeout", "60", "--max-time", "60"]);
    std::thread::scope(|scope| {
        let scraper = scope.spawn(healthy);
        while !scraper.is_finished() {
            slow.retain_mut(|stream| stream.write_all(b"x").is_ok());
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(scraper.join().expect("a scrape").status, 200);
    });
    assert!(start.elapsed() < Duration::from_secs(60));
    // All of them are ended, not only as many as made room.
    let ended = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(1))).expect("time-out");
        !matches!(stream.read(&mut [0; 512]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock)
    };
    port.daemon.wait_for("they are ended", Duration::from_secs(60), |_| {
        let mut left = slow.iter().map(|stream| stream.try_clone().expect("clone"));
        left.all(|mut stream| ended(&mut stream)).then_some(())
    });
}

#[test]
fn systemd_passes_the_socket() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {{enabled: false}}\nstorage: {{path: {}}}\n",
        dir.path().join("state").display()
    );
    std::fs::write(&config, text).expect("write");
    // As systemd does: the first socket is descriptor 3, and LISTEN_PID is the program itself.
    let start = |listener: Option<TcpListener>| {
        let script = "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" serve --config.file \"$1\" \
                      --web.systemd-socket 3<&0 0</dev/null";
        let script =
            if listener.is_some() { script } else { &script.replace("LISTEN_FDS=1", "A=1") };
        let stdin = listener.map_or(Stdio::null(), |listener| OwnedFd::from(listener).into());
        Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_plimsoll")])
            .arg(&config)
            .stdin(stdin)
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh")
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // The connection waits in the socket until the daemon takes it.
    let mut stream = TcpStream::connect(address).expect("connect");
    let mut child = start(Some(listener));
    stream
        .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .expect("send");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("time-out");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    let _ = child.kill();
    let _ = child.wait();
    read.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    let output = start(None).wait_with_output().expect("it ends");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("systemd passed no socket"), "{error}");
}

/// More at once than connections are open at a time: the others wait in the kernel's queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_scrapers_at_once_are_all_answered() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let port = Port::behind("");
    let address = port.daemon.url.strip_prefix("http://").expect("a URL").to_owned();
    let scrape = |address: String| async move {
        let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connect");
        let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("send");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("receive");
        String::from_utf8(answer).expect("UTF-8")
    };
    let all: Vec<_> = (0..1000).map(|_| tokio::spawn(scrape(address.clone()))).collect();
    for one in all {
        let answer = tokio::time::timeout(Duration::from_secs(60), one).await;
        let answer = answer.expect("in time").expect("a scrape");
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("plimsoll_build_info{"));
    }
}
