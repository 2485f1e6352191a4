//! Connections, rate limits, credentials, addresses.

use std::sync::atomic::Ordering;

use super::*;

#[tokio::test]
async fn connections_are_kept_and_renewed() {
    let server = serve(|_| ok(b"{}"), None);
    let client = Client::new(config(&server.url)).unwrap();
    for _ in 0..3 {
        client.get("/state").await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    // A server that closes after each answer costs no request.
    let closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    let server = serve(move |_| Reply::Close(closing.clone()), None);
    let client = Client::new(config(&server.url)).unwrap();
    for _ in 0..5 {
        assert_eq!(client.get("/state").await.unwrap(), "{}");
    }
}

#[tokio::test]
async fn limited_endpoints_are_asked_twice_a_second_at_most() {
    let server = serve(|_| ok(b"{}"), None);
    let client = Client::new(config(&server.url)).unwrap();
    let ask = |path: &'static str| client.get(path);
    let asked = tokio::join!(
        ask("/containers"),
        ask("/metrics/snapshot"),
        ask("/monitor/statistics"),
        ask("/containers"),
        ask("/state"),
    );
    assert!(asked.0.is_ok() && asked.1.is_ok() && asked.2.is_ok() && asked.3.is_ok());
    let log = server.asked.lock().unwrap().clone();
    let limited: Vec<_> = log.iter().filter(|(what, _)| what != "GET /state").collect();
    assert_eq!(limited.len(), 4);
    let gap = |from: usize, to: usize| limited[to].1.duration_since(limited[from].1);
    assert!(gap(0, 1) < Duration::from_millis(500), "{log:?}");
    assert!(gap(0, 2) > Duration::from_millis(900), "{log:?}");
    assert!(gap(1, 3) > Duration::from_millis(900), "{log:?}");
    let state = log.iter().find(|(what, _)| what == "GET /state").unwrap();
    assert!(state.1 < limited[2].1, "{log:?}");
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let server = serve(
        |asked| {
            let wanted = "authorization: Basic ZXhwb3J0ZXI6aHVudGVyMg==";
            if asked.head.lines().any(|line| line.eq_ignore_ascii_case(wanted)) {
                ok(b"{}")
            } else {
                Reply::Bytes(fixture("08-auth/none-state.http"))
            }
        },
        None,
    );
    let with = |secret: &str| {
        let secret = SecretSource::Value(secret.into());
        let auth = Auth::Basic { principal: "exporter".into(), secret };
        Client::new(ApiConfig { auth, ..config(&server.url) }).unwrap()
    };
    assert_eq!(with("hunter2").get("/state").await.unwrap(), "{}");
    let client = with("hunter3");
    let error = client.get("/state").await.unwrap_err();
    assert!(matches!(error.failure, Failure::Unauthorized(_)));
    assert!(!format!("{error} {error:?} {client:?}").contains("hunter3"));
    let auth = Auth::Bearer(SecretSource::File("/nonexistent/token".into()));
    let client = Client::new(ApiConfig { auth, ..config(&server.url) }).unwrap();
    let facts = read(&client).await;
    assert_eq!(reasons(&facts), ["missing"]);
    assert!(facts.errors[0].message.contains("/nonexistent/token"), "{:?}", facts.errors);
}

#[test]
fn bad_urls() {
    for url in [
        "",
        "127.0.0.1:5051",
        "ftp://host",
        "http://",
        "/state",
        "http://user:hunter2@host:5051",
        "http://host/?q",
        "http://ho st",
    ] {
        let error = Client::new(config(url)).unwrap_err();
        assert!(matches!(error.failure, Failure::Url(_)), "{url}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    let good = |url: &str| Client::new(config(url)).unwrap().url().to_owned();
    assert_eq!(good("http://[::1]:5051/"), "http://[::1]:5051");
    assert_eq!(good("http://proxy/agents/a7/"), "http://proxy/agents/a7");
}
