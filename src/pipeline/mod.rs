//! The rooms, connected: discover → measure → judge → a snapshot that `expose` serves.
//!
//! [`Daemon`] does it for ever, each room on its own thread and schedule; [`once`] does it one
//! time for the one-shot commands.

pub mod confinement;
mod daemon;
mod fanotify;
mod filesystems;
pub mod helper;
pub mod once;
mod once_log;
mod open_files;
mod project_ids;
mod signal;
pub mod state_file;

pub use daemon::{Daemon, Settings};
pub use fanotify::checked as check_fanotify;
pub use project_ids::checked as check_project_ids;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::{CollectorRun, SourceHealth, SourceReport, Timestamp};

/// The time. Only this room and the measuring one read a clock.
pub(crate) fn now() -> Timestamp {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Sources as collectors: one that is absent is no failure, it just is not there.
pub(crate) fn collector_runs(sources: &[SourceReport]) -> impl Iterator<Item = CollectorRun> {
    sources.iter().filter(|source| source.health != SourceHealth::Absent).map(|source| {
        CollectorRun {
            name: source.name,
            success: source.health == SourceHealth::Ok,
            duration_seconds: source.duration_seconds,
        }
    })
}
