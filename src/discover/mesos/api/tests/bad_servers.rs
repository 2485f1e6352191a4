//! Nobody listens, or something that is no agent.

use std::time::Instant;

use super::*;

#[tokio::test]
async fn nobody_listens() {
    let server = serve(|_| Reply::Hang, None);
    let url = server.url.clone();
    drop(server);
    let facts = read(&Client::new(config(&url)).unwrap()).await;
    assert_eq!((facts.up, reasons(&facts)), (false, vec!["refused"]));
    assert_eq!(facts.errors[0].message, format!("GET {url}/state: connection refused"));
}

#[tokio::test]
async fn bad_servers() {
    let whole = fixture("02-live-quota-off/agent-state.json");
    let cut = whole[..whole.len() / 2].to_vec();
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    let broken_off = [head(whole.len()).into_bytes(), cut.clone()].concat();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunked.extend_from_slice(format!("400\r\n{}\r\n", "x".repeat(1024)).as_bytes());
    }
    let slow = [head(100).as_bytes(), &[b' '; 100]].concat();
    let cases = [
        ("timeout", Reply::Hang),
        ("timeout", Reply::Drip(slow)),
        ("malformed", Reply::Close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec())),
        ("malformed", ok(b"<html>not an agent</html>")),
        ("malformed", ok(&cut)),
        ("malformed", ok(b"")),
        (
            "malformed",
            Reply::Bytes(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx".to_vec(),
            ),
        ),
        ("io", Reply::Close(broken_off)),
        ("io", Reply::Close(Vec::new())),
        ("status", status("500 Internal Server Error", b"boom\x1b[31m")),
        ("status", status("404 Not Found", b"")),
        ("status", status("302 Found", b"")),
        ("too_large", Reply::Bytes(head(1 << 40).into_bytes())),
        ("too_large", Reply::Bytes(chunked)),
    ];
    for (reason, reply) in cases {
        let shown = match &reply {
            Reply::Bytes(bytes) | Reply::Close(bytes) | Reply::Drip(bytes) => {
                String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned()
            }
            Reply::Hang => "hang".into(),
        };
        let server = serve(move |_| reply.clone(), None);
        let mut config = config(&server.url);
        config.timeout = Duration::from_millis(300);
        config.max_body_bytes = 32 * 1024;
        let started = Instant::now();
        let facts = read(&Client::new(config).unwrap()).await;
        assert!(started.elapsed() < Duration::from_secs(30), "{shown}");
        assert_eq!((reasons(&facts), facts.up), (vec![reason], false), "{shown}");
        assert!(facts.tasks.is_none() && facts.resources.is_none(), "{shown}");
        assert!(!facts.errors[0].message.contains('\x1b'), "{:?}", facts.errors);
    }
}
