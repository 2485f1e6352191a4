//! `plimsoll discover`: a captured master's agents become targets of a real Prometheus.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::prometheus::Prometheus;
use crate::support::daemon::{Daemon, value};

/// Answers `/slaves` as the captured master did, or with 503 while it is told to be down.
struct Master {
    url: String,
    down: Arc<AtomicBool>,
}

impl Master {
    fn start() -> Self {
        let file = "tests/fixtures/mesos/07-after-gc/master-slaves.json";
        let body = std::fs::read(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).expect("read");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let down = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&down);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                while lines.next().is_some_and(|line| !line.is_empty()) {}
                let (status, body) = match told.load(Ordering::Acquire) {
                    true => ("503 Service Unavailable", &b""[..]),
                    false if first.starts_with("GET /slaves ") => ("200 OK", &body[..]),
                    false => ("404 Not Found", &b""[..]),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n\
                     Content-Length: {length}\r\n\r\n"
                );
                // A client that went away is no fault of the master's.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
            }
        });
        Self { url, down }
    }
}

#[test]
fn prometheus_finds_the_agents_with_their_attributes_by_http_and_by_file() {
    let master = Master::start();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("targets.json");
    let path = file.to_str().expect("UTF-8");
    let arguments = ["discover", "--mesos-master", "http://127.0.0.1:1", "--mesos-master"];
    let more = [master.url.as_str(), "--output.file", path, "--interval", "1s"];
    let discovery = Daemon::start(&[&arguments[..], &more].concat());
    discovery.wait_ready();
    let prometheus = Prometheus::configured(&format!(
        "- job_name: by-http\n  http_sd_configs: [{{url: '{}/targets', refresh_interval: 1s}}]\n\
         - job_name: by-file\n  file_sd_configs: [{{files: ['{path}'], refresh_interval: 1s}}]\n",
        discovery.url,
    ));
    let start = Instant::now();
    let targets = loop {
        let answer = prometheus.get("/api/v1/targets?state=active").unwrap_or_default();
        let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        if targets.len() == 2 {
            break targets;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{answer}\n{}", discovery.log());
        std::thread::sleep(Duration::from_millis(200));
    };
    for target in &targets {
        let labels = &target["labels"];
        assert_eq!(labels["instance"], "agent1.mesos.example:10061", "{target}");
        assert_eq!((&labels["rack"], &labels["zone"]), (&"r7".into(), &"eu-1a".into()));
        let meta = &target["discoveredLabels"];
        assert_eq!(meta["__meta_mesos_agent_id"], "812dc90a-064e-4cb1-8792-db2028eecc18-S0");
        assert_eq!(meta["__meta_mesos_agent_registered"], "true");
    }

    // A master that is down takes no target away, and its failures are counted.
    master.down.store(true, Ordering::Release);
    discovery.wait_for("a counted failure", Duration::from_secs(20), |discovery| {
        let body = discovery.get("/metrics").body;
        let failed = "plimsoll_discovery_failures_total{reason=\"unavailable\"}";
        value(&body, failed).filter(|count| *count >= 1.0)
    });
    assert_eq!(discovery.json("/targets").as_array().map(Vec::len), Some(1));
    let body = discovery.get("/metrics").body;
    assert_eq!(value(&body, "plimsoll_discovery_targets"), Some(1.0));
}

#[test]
fn without_an_answer_there_is_no_list_rather_than_an_empty_one() {
    let master = Master::start();
    master.down.store(true, Ordering::Release);
    let discovery = Daemon::start(&["discover", "--mesos-master", &master.url]);
    assert_eq!(discovery.get("/targets").status, 503);
    assert_eq!(discovery.get("/-/ready").status, 503);
    assert_eq!(discovery.get("/-/healthy").status, 200);
    assert_eq!(discovery.get("/nothing").status, 404);
    assert_eq!(discovery.request("POST", "/targets", "").status, 405);
}

#[test]
fn once_prints_the_targets_or_says_why_not() {
    let once = |master: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["discover", "--once", "--target.address", "ip", "--mesos-master", master])
            .output()
            .expect("plimsoll");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let master = Master::start();
    let (good, stdout, stderr) = once(&master.url);
    assert!(good, "{stderr}");
    let groups: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(groups[0]["targets"], serde_json::json!(["127.0.0.1:10061"]));
    let (good, stdout, stderr) = once("http://127.0.0.1:1");
    assert!(!good && stdout.is_empty());
    assert!(stderr.contains("no master answered") && stderr.contains("refused"), "{stderr}");
}

#[test]
fn a_master_that_is_no_url_is_refused_at_once() {
    for (master, told) in [
        ("master", "--mesos-master must start with http:// or https://"),
        ("http://admin:hunter2@master:5050", "must not hold credentials; use mesos.basic_auth"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
            .args(["discover", "--web.listen-address", "127.0.0.1:0", "--mesos-master", master])
            .output()
            .expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(told), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
