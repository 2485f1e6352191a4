//! A real Prometheus with the rules of `plimsoll rules`, once a second.

use std::path::Path;
use std::process::{Command, Stdio};

use super::alertmanager::Alertmanager;
use super::host::{Server, address, wait_for};
use super::scene::Prepared;

pub struct Prometheus {
    server: Server,
    _data: tempfile::TempDir,
}

impl Prometheus {
    /// Scrapes the daemon as job `plimsoll`, instance `host-a`, with the external label `cluster`, and
    /// sends to the Alertmanager. The rules are those of the configuration, except that alerts go on
    /// firing for `keep` instead of five minutes.
    pub fn start(scene: &Prepared, target: &str, alertmanager: &Alertmanager, keep: &str) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        std::fs::write(data.path().join("rules.yml"), rules(&scene.config, keep)).expect("write");
        let config = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n  external_labels:\n    \
             cluster: test\nrule_files: [rules.yml]\nalerting:\n  alertmanagers:\n  - static_configs:\n    \
             - targets: ['{}']\nscrape_configs:\n- job_name: plimsoll\n  static_configs:\n  - targets: \
             ['{target}']\n    labels:\n      instance: host-a\n",
            alertmanager.address
        );
        std::fs::write(data.path().join("prometheus.yml"), config).expect("write");
        let address = address();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", data.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", data.path().join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--rules.alert.resend-delay=1s")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let server = Server::start(&mut command);
        wait_for("Prometheus is ready", || {
            let url = format!("http://{address}/-/ready");
            let said = Command::new("curl").args(["-sS", "-f", "--max-time", "5", &url]).output();
            said.expect("curl").status.success().then_some(())
        });
        Self { server, _data: data }
    }

    pub fn stop(&mut self) {
        self.server.stop();
    }
}

fn rules(config: &Path, keep: &str) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["rules", "--config.file"])
        .arg(config)
        .output()
        .expect("plimsoll rules");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).expect("UTF-8");
    assert!(text.contains("keep_firing_for: 5m\n"), "the rules keep alerts for another time now");
    text.replace("keep_firing_for: 5m\n", &format!("keep_firing_for: {keep}\n"))
}
