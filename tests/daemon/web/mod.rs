//! What stands before our own port: TLS, users, headers, limits, and sockets of systemd.

mod certificates;
mod clients;
mod reload;
mod settings;
mod strangers;

use std::path::Path;
use std::process::Command;

use crate::support::daemon::Daemon;

/// A daemon with nothing to watch, behind a web configuration file in a directory of its own.
pub struct Port {
    pub daemon: Daemon,
    pub dir: tempfile::TempDir,
}

/// What curl got.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub body: String,
    /// Headers in lower case, or why there is no answer.
    pub told: String,
}

impl Port {
    /// Behind this text; certificates lie beside it.
    pub fn behind(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        certificates::make(dir.path());
        let web = dir.path().join("web.yml");
        std::fs::write(&web, text).expect("write");
        Self { daemon: Self::start(dir.path(), &web), dir }
    }

    fn start(dir: &Path, web: &Path) -> Daemon {
        let config = dir.join("plimsoll.yml");
        let storage = dir.join("state");
        let text = format!(
            "mesos: {{enabled: false}}\ndocker: {{enabled: false}}\nstorage: {{path: {}}}\n",
            storage.display()
        );
        std::fs::write(&config, text).expect("write");
        Daemon::serve(&config, &["--web.config.file", web.to_str().expect("UTF-8")])
    }

    /// The daemon started anew.
    pub fn again(self) -> Self {
        let Self { daemon, dir } = self;
        drop(daemon);
        Self { daemon: Self::start(dir.path(), &dir.path().join("web.yml")), dir }
    }

    /// Replaces the web configuration.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.dir.path().join("web.yml"), text).expect("write");
    }

    pub fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// The port as a URL with this scheme; the certificate is good for its address.
    pub fn url(&self, scheme: &str, path: &str) -> String {
        self.daemon.url.replacen("http", scheme, 1) + path
    }

    /// Asks by curl.
    pub fn curl(&self, scheme: &str, path: &str, more: &[&str]) -> Got {
        let output = Command::new("curl")
            .args(["-sS", "-i", "--noproxy", "*", "--http1.1", "--max-time", "30"])
            .args(["--cacert", &self.file("ca.pem")])
            .args(more)
            .arg(self.url(scheme, path))
            .output()
            .expect("curl is installed by scripts/test");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let told = format!("{head}{}", String::from_utf8_lossy(&output.stderr));
        Got { status, body: body.to_owned(), told: told.to_lowercase() }
    }

    /// Status of `/-/healthy`, 0 when there is no answer.
    pub fn status(&self, scheme: &str, more: &[&str]) -> u16 {
        self.curl(scheme, "/-/healthy", more).status
    }

    /// curl's flags for a client's certificate.
    pub fn certificate(&self, name: &str) -> [String; 4] {
        let file = |kind| self.file(&format!("{name}.{kind}"));
        ["--cert".into(), file("pem"), "--key".into(), file("key")]
    }

    pub fn status_with(&self, certificate: &str) -> u16 {
        let flags = self.certificate(certificate);
        self.status("https", &flags.each_ref().map(String::as_str))
    }
}
