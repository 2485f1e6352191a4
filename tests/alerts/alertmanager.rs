//! The example for Alertmanager: who is told of what, and what is kept quiet.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll::judge::conditions::all;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::promtool::run;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/alertmanager.example.yml")
}

fn amtool(args: &[&str]) -> String {
    run(Path::new("/"), "amtool", args)
}

#[test]
fn amtool_reads_the_example() {
    let said = amtool(&["check-config", &example().display().to_string()]);
    assert!(said.contains("SUCCESS") && said.contains("4 receivers"), "{said}");
}

#[test]
fn alerts_go_where_their_severity_says_and_maintenance_to_nobody() {
    let config = format!("--config.file={}", example().display());
    let told = |labels: &[&str]| {
        let said = amtool(&[&["config", "routes", "test", config.as_str()], labels].concat());
        // It warns after it.
        said.lines().next().unwrap_or_default().to_owned()
    };
    let full = "alertname=PlimsollFilesystemFull";
    assert_eq!(told(&[full, "severity=critical"]), "pager");
    assert_eq!(told(&["alertname=PlimsollVolumeNearQuota", "severity=warning"]), "tickets");
    assert_eq!(told(&["alertname=PlimsollVolumeUnowned", "severity=info"]), "digest");
    assert_eq!(told(&[full, "severity=critical", "maintenance=true"]), "nobody");
    assert_eq!(told(&[full, "severity=critical", "maintenance=false"]), "pager");
}

#[derive(Deserialize)]
struct Example {
    inhibit_rules: Vec<Inhibition>,
}

#[derive(Deserialize)]
struct Inhibition {
    source_matchers: Vec<String>,
    target_matchers: Vec<String>,
    equal: Vec<String>,
}

/// Ended when dropped.
struct Alertmanager {
    child: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Alertmanager {
    fn start() -> Self {
        // Others may take the port between the question and its use.
        for _ in 0..5 {
            let data = tempfile::tempdir().expect("a directory");
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address").to_string();
            drop(listener);
            let child = Command::new("prometheus-alertmanager")
                .arg(format!("--config.file={}", example().display()))
                .arg(format!("--storage.path={}", data.path().display()))
                .arg(format!("--web.listen-address={address}"))
                .arg("--cluster.listen-address=")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("prometheus-alertmanager is installed by scripts/test");
            let mut started = Self { child, url: format!("http://{address}"), _data: data };
            if started.answers() {
                return started;
            }
        }
        panic!("no port for Alertmanager");
    }

    fn answers(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(60) {
            if self.get("/api/v2/status").is_object() {
                return true;
            }
            if self.child.try_wait().expect("its state").is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        let said = Command::new("curl").args(["-sS", "--max-time", "30", &url]).output();
        serde_json::from_slice(&said.expect("curl").stdout).unwrap_or(Value::Null)
    }

    fn post(&self, alerts: &[Value]) {
        let url = format!("{}/api/v2/alerts", self.url);
        let body = Value::from(alerts).to_string();
        let args = ["-sS", "--fail", "--max-time", "30", "-H", "Content-Type: application/json"];
        let said =
            Command::new("curl").args(args).args(["-d", &body, &url]).output().expect("curl");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }

    /// Names of the alerts that somebody is told of, once so many are there.
    fn told(&self, alerts: usize) -> Vec<String> {
        let started = Instant::now();
        let found = loop {
            let found = self.get("/api/v2/alerts");
            let settled = |all: &Vec<Value>| {
                let open = |one: &Value| one["status"]["state"] == "unprocessed";
                all.len() == alerts && !all.iter().any(open)
            };
            match found.as_array() {
                Some(all) if settled(all) => break all.clone(),
                _ => assert!(started.elapsed() < Duration::from_secs(60), "{found}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let active = found.iter().filter(|one| one["status"]["state"] == "active");
        let mut names: Vec<String> = active
            .map(|one| one["labels"]["alertname"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn alert(name: &str, severity: &str, labels: &[(&str, &str)]) -> Value {
    let mut all = json!({"alertname": name, "severity": severity, "job": "plimsoll"});
    for (name, value) in labels {
        all[name] = json!(value);
    }
    json!({"labels": all})
}

#[test]
fn a_dead_server_is_one_page_for_the_whole_fleet() {
    let alertmanager = Alertmanager::start();
    let server = [("server", "filer"), ("export", "/vol")];
    let hosts: Vec<String> = (0..50).map(|number| format!("h{number}:10061")).collect();
    let mut alerts: Vec<Value> = hosts
        .iter()
        .map(|host| {
            let own = [("instance", host.as_str()), ("mount_point", "/data")];
            alert("PlimsollNetworkStorageUnresponsive", "critical", &[&server[..], &own].concat())
        })
        .collect();
    alerts.push(alert("PlimsollNetworkStorageManyHosts", "critical", &server));
    // Another server's trouble is another page.
    let other = [("server", "other"), ("export", "/vol"), ("instance", "h1:10061")];
    alerts.push(alert("PlimsollNetworkStorageUnresponsive", "critical", &other));
    alertmanager.post(&alerts);
    assert_eq!(
        alertmanager.told(alerts.len()),
        ["PlimsollNetworkStorageManyHosts", "PlimsollNetworkStorageUnresponsive"]
    );
}

#[test]
fn of_one_subject_only_what_went_furthest_is_told() {
    let alertmanager = Alertmanager::start();
    let mut alerts = Vec::new();
    let mut expected = Vec::new();
    for (number, condition) in all().filter(|one| !one.gives_way_to().is_empty()).enumerate() {
        for further in condition.gives_way_to() {
            // A subject for each pair, and a neighbour with the weaker trouble only.
            let value = format!("{number} {}", further.id);
            let near = format!("{value} neighbour");
            let subject = |value: &str, condition: &plimsoll::judge::conditions::Condition| {
                let names = condition.subject.labels().iter();
                let mut labels: Vec<(&str, String)> =
                    names.map(|name| (*name, value.to_owned())).collect();
                labels.push(("instance", "h1:10061".to_owned()));
                let labels: Vec<(&str, &str)> =
                    labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                alert(condition.alert, condition.severity.as_str(), &labels)
            };
            alerts.push(subject(&value, condition));
            alerts.push(subject(&value, further));
            alerts.push(subject(&near, condition));
            expected.push(further.alert.to_owned());
            expected.push(condition.alert.to_owned());
        }
    }
    alertmanager.post(&alerts);
    expected.sort();
    assert_eq!(alertmanager.told(alerts.len()), expected);
}

/// An inhibition without labels that are equal would silence the whole cluster.
#[test]
fn every_inhibition_is_about_something_in_common() {
    let text = std::fs::read_to_string(example()).expect("read");
    let example: Example = serde_saphyr::from_str(&text).expect("YAML");
    for rule in &example.inhibit_rules {
        assert!(rule.equal.iter().any(|label| label == "job"), "{:?}", rule.source_matchers);
        assert!(!rule.target_matchers.is_empty());
    }
    assert_eq!(example.inhibit_rules.len(), 13);
}
