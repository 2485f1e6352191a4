//! A real Prometheus that holds the series and is asked what it would predict.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::series::{MINUTE, START, Series};

/// Recorded samples are taken at tenths of a second that stand for minutes, in seconds.
const STEP: f64 = 6.0;

/// Of one series: the value at each of its samples, absent where Prometheus says nothing.
pub type Answers = Vec<Option<f64>>;

/// Ended when dropped.
pub struct Prometheus {
    child: Child,
    port: u16,
    /// Whether a range leaves its left end out, as from Prometheus 3 on.
    pub left_open: bool,
    _data: tempfile::TempDir,
}

impl Prometheus {
    /// Makes blocks of the series (`used_bytes{case="0"}`, …) and starts on them.
    pub fn holding(series: &[&Series]) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let text = data.path().join("series.txt");
        std::fs::write(&text, openmetrics(series)).expect("write");
        let blocks = data.path().join("tsdb");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
            .args([&text, &blocks])
            .output()
            .expect("promtool is installed by scripts/test");
        assert!(made.status.success(), "promtool: {}", String::from_utf8_lossy(&made.stderr));
        Self::starting(data, &blocks)
    }

    fn starting(data: tempfile::TempDir, blocks: &Path) -> Self {
        let config = data.path().join("prometheus.yml");
        std::fs::write(&config, "scrape_configs: []\n").expect("write");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", blocks.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is installed by scripts/test");
        let mut prometheus = Self { child, port, left_open: false, _data: data };
        let started = Instant::now();
        let version = loop {
            let answer = prometheus.get("/api/v1/status/buildinfo");
            if let Some(version) = answer["data"]["version"].as_str() {
                break version.to_owned();
            }
            assert!(started.elapsed() < Duration::from_secs(60), "Prometheus does not answer");
            std::thread::sleep(Duration::from_millis(100));
        };
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        prometheus.left_open = major.expect("a version") >= 3;
        prometheus
    }

    fn get(&self, path_and_query: &str) -> Value {
        let url = format!("http://127.0.0.1:{}{path_and_query}", self.port);
        let output = Command::new("curl").args(["-sS", "-g", "--max-time", "30", &url]).output();
        serde_json::from_slice(&output.expect("curl").stdout).unwrap_or(Value::Null)
    }

    /// What an expression over the case's series (`$` stands for it) says at each of its samples.
    pub fn at_each_sample(&self, expression: &str, case: usize, series: &Series) -> Answers {
        let expression = expression.replace('$', &format!("used_bytes{{case=\"{case}\"}}"));
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let (end, _) = series[series.len() - 1];
        // Recorded samples are up to a few steps late.
        let even = series.iter().all(|(t, _)| t % MINUTE == 0.0);
        let step = if even { MINUTE } else { STEP };
        let answer = self.get(&format!(
            "/api/v1/query_range?query={encoded}&start={START}&end={}&step={step}",
            START + end
        ));
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let found = answer["data"]["result"].as_array().expect("a matrix");
        assert_eq!(found.len(), 1, "{expression}: one series");
        let points = found[0]["values"].as_array().expect("points").iter().map(|point| {
            let steps = (point[0].as_f64().expect("a time") - START) / step;
            let value = point[1].as_str().and_then(|value| value.parse::<f64>().ok());
            (steps.round() as u64, value.expect("a number"))
        });
        let points: HashMap<u64, f64> = points.collect();
        series.iter().map(|(t, _)| points.get(&((t / step).round() as u64)).copied()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openmetrics(series: &[&Series]) -> String {
    let mut text = String::from("# TYPE used_bytes gauge\n");
    for (case, series) in series.iter().enumerate() {
        for (at, (t, bytes)) in series.iter().enumerate() {
            assert!(t % STEP == 0.0, "sample {at} of series {case} would not be met");
            let _ = writeln!(text, "used_bytes{{case=\"{case}\"}} {bytes} {:.3}", START + t);
        }
    }
    text.push_str("# EOF\n");
    text
}
