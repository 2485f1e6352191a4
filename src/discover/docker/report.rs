//! What became of the engine in a round, for `check`, the status page and the metrics.

use std::path::PathBuf;
use std::time::Duration;

use crate::discover::http::printable;
use crate::model::{SourceError, SourceHealth, SourceReport};

use super::client::Client;
use super::facts::Engine;

/// A report in the making.
pub struct Report {
    socket: String,
    /// It answered.
    pub engine: Option<Engine>,
    /// What went wrong.
    pub errors: Vec<SourceError>,
    /// The lists could not be read.
    pub failed: bool,
    /// What is shown is what it said before.
    pub last_known: bool,
    /// Its data was read instead.
    pub data_root: Option<PathBuf>,
    /// That is Podman's, or what builds and runs images the same way.
    pub podman: bool,
}

impl Report {
    pub fn new(client: Option<&Client>) -> Self {
        Self {
            socket: client.map(|client| client.shown.clone()).unwrap_or_default(),
            engine: None,
            errors: Vec::new(),
            failed: false,
            last_known: false,
            data_root: None,
            podman: false,
        }
    }

    /// Volume drivers that could not be asked.
    pub fn warnings(&mut self, warnings: &[String]) {
        let Some(first) = warnings.first() else { return };
        let message = format!(
            "the engine could not list every volume ({} warnings): {}",
            warnings.len(),
            printable(first.as_bytes(), 200)
        );
        let hint = "look whether the volume driver's plugin runs".into();
        self.errors.push(SourceError { reason: "status", message, hint });
    }

    /// Containers that wait for a closer look.
    pub fn unfinished(&mut self, count: usize) {
        let message = format!("{count} containers are not inspected yet");
        let hint = "the next rounds go on with them; raise docker.timeout if they never end".into();
        self.errors.push(SourceError { reason: "timeout", message, hint });
    }

    /// The data root could not be read at all.
    pub fn unreadable(&mut self, reason: &'static str, message: String) {
        let hint = "see `mount` and `dmesg` on the host".into();
        self.errors.push(SourceError { reason, message, hint });
    }

    pub fn close(mut self, absent: bool, nothing: bool, took: Duration) -> SourceReport {
        let health = match (absent, self.failed, nothing, self.errors.is_empty()) {
            (true, ..) => SourceHealth::Absent,
            (_, true, true, _) => SourceHealth::Failed,
            (_, true, false, _) | (_, _, _, false) => SourceHealth::Partial,
            _ => SourceHealth::Ok,
        };
        if absent {
            self.errors.clear();
        }
        let target = match (&self.engine, &self.data_root) {
            (Some(engine), _) => format!(
                "{} ({} {}, API {})",
                self.socket,
                engine.program,
                engine.version,
                engine.prefix.trim_start_matches("/v")
            ),
            (None, Some(root)) => {
                format!("the data root {} and the mount table", root.display())
            }
            (None, None) if absent => "no socket of Docker or Podman".into(),
            (None, None) if self.last_known => format!("what {} last said", self.socket),
            (None, None) => self.socket,
        };
        SourceReport {
            name: "docker",
            health,
            target,
            errors: self.errors,
            duration_seconds: took.as_secs_f64(),
        }
    }
}
