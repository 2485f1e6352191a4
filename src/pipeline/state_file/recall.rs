//! The state file, read only: what a daemon of this host remembers, for the one-shot commands.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::directory::read;
use super::{FINDINGS, GROWTH, MEMORY, Sections};
use crate::config::{Enabled, StorageConfig};
use crate::host::{Guard, errno};
use crate::judge::Memory;
use crate::judge::findings::FindingMemory;
use crate::judge::growth::{Histories, StoredHistories};
use crate::judge::memory::StoredMemory;
use crate::model::{SourceError, SourceHealth, SourceReport};

use super::directory::StateError;

/// What was remembered.
#[derive(Default)]
pub struct Recalled {
    /// Of subjects.
    pub memory: Memory,
    /// Of conditions.
    pub findings: FindingMemory,
    /// Of use over time.
    pub histories: Histories,
    /// How the file fared; absent where there is none, or none is to be kept.
    pub report: Option<SourceReport>,
}

/// Reads the state file of the daemon. Changes nothing, and takes no lock. Whatever is wrong with
/// it is told in the report, and then nothing is remembered of that part.
pub fn recall(config: &StorageConfig, guard: &Guard) -> Recalled {
    let mut recalled = Recalled::default();
    if config.enabled == Enabled::False {
        return recalled;
    }
    let path = config.path.join("state");
    let errors = match sections(&path, guard) {
        Ok(None) => return recalled,
        Ok(Some(sections)) => fill(&mut recalled, &sections, &path),
        Err(error) => vec![error],
    };
    let health = if errors.is_empty() { SourceHealth::Ok } else { SourceHealth::Partial };
    let target = path.display().to_string();
    recalled.report =
        Some(SourceReport { name: "state_file", health, target, errors, duration_seconds: 0.0 });
    recalled
}

fn sections(path: &Path, guard: &Guard) -> Result<Option<Sections>, SourceError> {
    let hint = "only what the daemon remembers is missing: first seen, last used, peaks, growth";
    let error = |reason, message: String, hint: &str| SourceError {
        reason,
        message,
        hint: hint.to_owned(),
    };
    let file = path.to_path_buf();
    match guard.run(path, "read the state file", move || read(&file)) {
        Err(hung) => Err(error(hung.reason(), hung.to_string(), hint)),
        Ok(Err(failed)) => {
            let reason = match &failed {
                StateError::Io { source, .. } => errno::reason(source),
                _ => "io",
            };
            let hint = match reason {
                "permission" => {
                    "run it as root or as the service's user to know what the daemon remembers"
                }
                _ => hint,
            };
            Err(error(reason, failed.to_string(), hint))
        }
        Ok(Ok(Some(Err(damage)))) => {
            let message = format!("{}: {damage}", path.display());
            Err(error("malformed", message, hint))
        }
        Ok(Ok(read)) => Ok(read.and_then(Result::ok)),
    }
}

/// Takes up what can be read; says of the rest why not.
fn fill(recalled: &mut Recalled, sections: &Sections, path: &Path) -> Vec<SourceError> {
    let mut errors = Vec::new();
    if let Some(stored) = section::<StoredMemory>(sections, MEMORY, path, &mut errors) {
        recalled.memory.restore(stored);
    }
    if let Some(stored) = section::<FindingMemory>(sections, FINDINGS, path, &mut errors) {
        recalled.findings.restore(stored);
    }
    if let Some(stored) = section::<StoredHistories>(sections, GROWTH, path, &mut errors) {
        recalled.histories.restore(stored);
    }
    errors
}

fn section<T: DeserializeOwned>(
    sections: &Sections,
    name: &str,
    path: &Path,
    errors: &mut Vec<SourceError>,
) -> Option<T> {
    serde_json::from_slice(sections.get(name)?)
        .map_err(|error| {
            errors.push(SourceError {
                reason: "malformed",
                message: format!("{}: section {name}: {error}", path.display()),
                hint: "what it held is not known; the daemon begins it anew".into(),
            });
        })
        .ok()
}
