//! Scrapers, a person with a browser, and clients that misbehave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;

/// What somebody asks for.
const ASKED: [(&str, &str); 6] = [
    ("/metrics", "Accept-Encoding: gzip\r\n"),
    ("/metrics", ""),
    ("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n"),
    ("/", ""),
    ("/api/v1/volumes", ""),
    ("/api/v1/findings", ""),
];
/// What is no request, or the start of one.
const BROKEN: [&[u8]; 4] = [
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\0\0\0\0\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// Four requests a second, and a misbehaving client each second; returns the answers in words.
pub fn run(daemon: &Daemon, stopped: impl Fn() -> bool) -> String {
    let address = daemon.url.trim_start_matches("http://").to_owned();
    let (mut answered, mut slowest) = (0_usize, Duration::ZERO);
    let mut open: Vec<TcpStream> = Vec::new();
    for round in 0_usize.. {
        if stopped() {
            break;
        }
        let (path, headers) = ASKED[round % ASKED.len()];
        let start = Instant::now();
        let status = status(&address, path, headers);
        assert_eq!(status.as_deref(), Some("200"), "{path}");
        slowest = slowest.max(start.elapsed());
        answered += 1;
        if round.is_multiple_of(4)
            && let Ok(mut stream) = TcpStream::connect(&address)
        {
            // The daemon may end it at once.
            let _ = stream.write_all(BROKEN[round / 4 % BROKEN.len()]);
            open.push(stream);
        }
        // They hold on for a while, and then leave without a word.
        if open.len() > 60 {
            open.drain(..30);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    format!("{answered} requests answered, the slowest in {:.2} s", slowest.as_secs_f64())
}

fn status(address: &str, path: &str, headers: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).ok()?;
    let line = String::from_utf8_lossy(raw.split(|byte| *byte == b'\r').next()?).into_owned();
    line.split(' ').nth(1).map(str::to_owned)
}
