//! A real Alertmanager that tells a webhook of every alert at once.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::host::{Server, address, wait_for};
use super::webhook::Webhook;

/// One that keeps its data over a restart.
pub struct Alertmanager {
    pub address: SocketAddr,
    data: tempfile::TempDir,
    /// `--web.config.file` and what curl needs to get past it.
    secured: Option<(String, Vec<String>)>,
    server: Option<Server>,
}

impl Alertmanager {
    /// Configured, not started.
    pub fn new(webhook: &Webhook) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let config = format!(
            "route:\n  receiver: hook\n  group_by: ['...']\n  group_wait: 0s\n  group_interval: 1s\n  \
             repeat_interval: 4h\nreceivers:\n- name: hook\n  webhook_configs:\n  - url: {}\n    \
             send_resolved: true\n",
            webhook.url
        );
        std::fs::write(data.path().join("alertmanager.yml"), config).expect("write");
        Self { address: address(), data, secured: None, server: None }
    }

    /// Configured and started.
    pub fn start(webhook: &Webhook) -> Self {
        let mut started = Self::new(webhook);
        started.run();
        started
    }

    /// With exporter-toolkit's configuration of TLS and users; `curl` are the options to get in.
    pub fn secured(webhook: &Webhook, web_config: &str, curl: &[&str]) -> Self {
        let mut secured = Self::new(webhook);
        let path = secured.data.path().join("web.yml");
        std::fs::write(&path, web_config).expect("write");
        let curl = curl.iter().map(|option| (*option).to_owned()).collect();
        secured.secured = Some((path.display().to_string(), curl));
        secured.run();
        secured
    }

    pub fn url(&self) -> String {
        let scheme = if self.secured.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Starts it, and waits until it answers.
    pub fn run(&mut self) {
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", self.data.path().join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", self.data.path().display()))
            .arg(format!("--web.listen-address={}", self.address))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((path, _)) = &self.secured {
            command.arg(format!("--web.config.file={path}"));
        }
        self.server = Some(Server::start(&mut command));
        wait_for("Alertmanager answers", || {
            let ended = self.server.as_mut().is_none_or(Server::has_ended);
            assert!(!ended, "Alertmanager ended");
            self.get("/api/v2/status")
        });
    }

    /// Ends it in order, as its service does.
    pub fn stop(&mut self) {
        self.server.take().expect("it runs").stop();
    }

    fn get(&self, path: &str) -> Option<Value> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-g", "--max-time", "5"]);
        curl.args(self.secured.iter().flat_map(|(_, options)| options));
        let output = curl.arg(format!("{}{path}", self.url())).output().expect("curl");
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Alerts of that name about that subject that fire now, as its API has them.
    pub fn firing(&self, alertname: &str, subject: &str) -> Vec<Value> {
        let about = |alert: &&Value| {
            let labels = alert["labels"].as_object().expect("labels");
            labels["alertname"] == alertname && labels.values().any(|value| value == subject)
        };
        self.all_firing().iter().filter(about).cloned().collect()
    }

    /// Every alert that fires now.
    pub fn all_firing(&self) -> Vec<Value> {
        let alerts = self.get("/api/v2/alerts?active=true").unwrap_or_default();
        alerts.as_array().cloned().unwrap_or_default()
    }
}
