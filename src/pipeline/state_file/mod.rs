//! The state that outlives a restart: a small file, replaced whole, that may be lost without harm.
//!
//! Every touch of the disk goes through the hang guard and happens on one thread of its own, so a
//! full or hung disk delays nothing.

mod directory;
mod format;
mod recall;
#[cfg(test)]
mod tests;

pub use directory::{Loaded, StateDir, StateError};
pub use format::{Damage, MAX_BYTES, Sections, VERSION, decode, encode};
pub use recall::{Recalled, recall};

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Enabled, StorageConfig};
use crate::host::errno;
use crate::host::guard::{Guard, GuardError};
use crate::model::{SourceError, SourceHealth, SourceReport, Timestamp};

/// Section that holds the memory of subjects.
pub const MEMORY: &str = "memory";
/// Section that holds since when each condition holds.
pub const FINDINGS: &str = "findings";
/// Section that holds the histories that growth is told from.
pub const GROWTH: &str = "growth";
/// Section that holds the alerts that fired last, and those that ended lately.
pub const ALERTS: &str = "alerts";
/// How long it is reported that history started anew, in seconds.
const TELL_ANEW: f64 = 3600.0;

/// Keeps the state file of a running daemon.
pub struct StateFile {
    config: StorageConfig,
    guard: Arc<Guard>,
    dir: Option<Arc<StateDir>>,
    /// The file as it was read or written last.
    kept: Sections,
    anew: Option<(String, Timestamp)>,
    trouble: Option<SourceError>,
    absent: bool,
}

impl StateFile {
    /// Touches nothing yet.
    pub fn new(config: StorageConfig, guard: Arc<Guard>) -> Self {
        Self {
            config,
            guard,
            dir: None,
            kept: Sections::new(),
            anew: None,
            trouble: None,
            absent: false,
        }
    }

    /// Whether the file is open.
    pub fn is_open(&self) -> bool {
        self.dir.is_some()
    }

    /// Opens the directory and returns what its file held. `None`: the state is not kept; the
    /// report says why, and it may be tried again.
    pub fn open(&mut self, now: Timestamp) -> Option<Sections> {
        if self.config.enabled == Enabled::False {
            return None;
        }
        let path = self.config.path.clone();
        let opened =
            self.guard.run(&self.config.path, "open the state file", move || StateDir::open(&path));
        match opened {
            Ok(Ok((dir, loaded))) => {
                self.dir = Some(Arc::new(dir));
                self.kept = loaded.sections;
                self.anew = loaded.started_anew.map(|why| (why, now));
                self.trouble = None;
                Some(self.kept.clone())
            }
            Ok(Err(error)) => {
                self.failed(error);
                None
            }
            Err(error) => {
                self.hung(&error);
                None
            }
        }
    }

    /// A section that was read could not be understood: the history it held starts anew.
    pub fn distrust(&mut self, section: &str, why: &str, now: Timestamp) {
        let path = self.config.path.join("state");
        let mut text = format!("{}: section {section}: {why}. History starts anew", path.display());
        if let Some((before, _)) = &self.anew {
            text = format!("{before}; {text}");
        }
        self.anew = Some((text, now));
    }

    /// Writes these sections, beside those of others that are kept, if anything changed.
    pub fn save(&mut self, sections: Sections) {
        let Some(dir) = self.dir.clone() else { return };
        let mut whole = self.kept.clone();
        whole.extend(sections);
        if whole == self.kept && self.trouble.is_none() {
            return;
        }
        let bytes = whole.clone();
        let written =
            self.guard.run(&self.config.path, "write the state file", move || dir.write(&bytes));
        match written {
            Ok(Ok(())) => {
                self.trouble = None;
                self.kept = whole;
            }
            Ok(Err(error)) => self.failed(error),
            Err(error) => self.hung(&error),
        }
    }

    fn failed(&mut self, error: StateError) {
        self.absent = false;
        let (reason, hint) = match &error {
            StateError::Locked(_) => {
                ("locked", "give each daemon a storage.path of its own".to_owned())
            }
            StateError::TooLarge(_) => ("too_large", "history goes on in memory only".to_owned()),
            StateError::Io { source, .. } => {
                self.absent = self.dir.is_none()
                    && self.config.enabled == Enabled::Auto
                    && source.kind() == std::io::ErrorKind::NotFound;
                let dir = self.config.path.display();
                let hint = match source.kind() {
                    std::io::ErrorKind::StorageFull => {
                        format!("make room on the filesystem of {dir}; it is tried again")
                    }
                    _ => format!(
                        "make the directory {dir}, writable for the user of this service; until \
                         then history does not outlive a restart"
                    ),
                };
                (errno::reason(source), hint)
            }
        };
        self.trouble = Some(SourceError { reason, message: error.to_string(), hint });
    }

    fn hung(&mut self, error: &GuardError) {
        self.absent = false;
        self.trouble = Some(SourceError {
            reason: error.reason(),
            message: error.to_string(),
            hint: "history goes on in memory; writing is tried again".into(),
        });
    }

    /// How it fares, as a source. `None` where no state is to be kept.
    pub fn report(&self, now: Timestamp) -> Option<SourceReport> {
        if self.config.enabled == Enabled::False {
            return None;
        }
        let mut errors = Vec::new();
        if let Some((why, _)) = self.anew.as_ref().filter(|(_, at)| now - at < TELL_ANEW) {
            errors.push(SourceError {
                reason: "malformed",
                message: why.clone(),
                hint: "nothing is to be done: only what was remembered is lost".into(),
            });
        }
        errors.extend(self.trouble.clone());
        let health = match (self.is_open(), errors.is_empty()) {
            (true, true) => SourceHealth::Ok,
            (true, false) => SourceHealth::Partial,
            (false, _) if self.absent => SourceHealth::Absent,
            (false, _) => SourceHealth::Failed,
        };
        let target = PathBuf::from(&self.config.path).display().to_string();
        Some(SourceReport { name: "state_file", health, target, errors, duration_seconds: 0.0 })
    }
}
