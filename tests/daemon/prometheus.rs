//! A real Prometheus scrapes the running daemon, and what it stored is read back.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::scene;
use crate::support::du::used_bytes;

/// A real Prometheus, ended when dropped.
pub struct Prometheus {
    child: Child,
    port: u16,
    _data: tempfile::TempDir,
}

impl Prometheus {
    fn scraping(target: &str) -> Self {
        Self::configured(&format!(
            "- job_name: plimsoll\n  static_configs:\n  - targets: ['{target}']\n"
        ))
    }

    /// With the list `scrape_configs`, each job once a second.
    pub fn configured(scrape_configs: &str) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let config = data.path().join("prometheus.yml");
        let text = format!("global:\n  scrape_interval: 1s\nscrape_configs:\n{scrape_configs}");
        std::fs::write(&config, text).expect("write");
        let port = free_port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.path().join("tsdb").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is installed by scripts/test");
        Self { child, port, _data: data }
    }

    /// JSON of an API path; absent while it does not answer.
    pub fn get(&self, path_and_query: &str) -> Option<serde_json::Value> {
        let url = format!("http://127.0.0.1:{}{path_and_query}", self.port);
        let output = Command::new("curl").args(["-sS", "-g", "--max-time", "5", &url]).output();
        serde_json::from_slice(&output.expect("curl").stdout).ok()
    }

    /// Labels and value of each series of an expression; none while it does not answer.
    pub fn query(&self, expression: &str) -> Vec<(serde_json::Value, f64)> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let Some(answer) = self.get(&format!("/api/v1/query?query={encoded}")) else {
            return Vec::new();
        };
        let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        series
            .into_iter()
            .map(|one| {
                let value = one["value"][1].as_str().and_then(|value| value.parse().ok());
                (one["metric"].clone(), value.expect("a value"))
            })
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn prometheus_reads_back_what_lies_on_disk() {
    let scene = scene::quiet();
    let daemon = scene.serve();
    daemon.wait_ready();
    daemon.wait_measured();
    let target = daemon.url.trim_start_matches("http://").to_string();
    let prometheus = Prometheus::scraping(&target);

    let start = Instant::now();
    while prometheus.query("plimsoll_build_info").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "Prometheus scraped nothing");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(prometheus.query("up{job=\"plimsoll\"}")[0].1, 1.0);

    let used = prometheus.query("plimsoll_volume_used_bytes{volume=\"wh-0001\"}");
    assert_eq!(used.len(), 1, "one series, not one per holder");
    assert_eq!(used[0].0["role"], "analytics");
    assert_eq!(used[0].0["disk"], "ROOT");
    let volume = scene.volume("analytics", "wh-0001");
    assert_eq!(used[0].1, used_bytes(&volume) as f64);

    // Two tasks on one shared volume: its bytes are one series, its holders two.
    let holders = prometheus.query("plimsoll_volume_holders{volume=\"shared-0005\"}");
    assert_eq!(holders[0].1, 2.0);
    assert_eq!(prometheus.query("plimsoll_volume_used_bytes{volume=\"shared-0005\"}").len(), 1);

    // A join an operator would write: which tasks hold the volumes that are in use?
    let joined = prometheus.query(
        "plimsoll_volume_used_bytes * on(source, role, volume, disk) group_right \
         plimsoll_volume_holder_info{task=\"pod-db-1\"}",
    );
    assert_eq!(joined.len(), 1);
    assert_eq!(joined[0].0["volume"], "pod-0008");

    let metadata = prometheus.get("/api/v1/metadata?metric=plimsoll_volume_used_bytes");
    let kind = &metadata.expect("metadata")["data"]["plimsoll_volume_used_bytes"][0]["type"];
    assert_eq!(kind, "gauge");
}
