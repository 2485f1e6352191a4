//! What became of each witness in a round, for `check`, the status page and the metrics.

use std::path::Path;

use crate::host::Roots;
use crate::host::mounts::MountTable;
use crate::model::{SourceError, SourceHealth, SourceReport};

use super::facts::{ApiFacts, CheckpointFacts, LayoutFacts, RuntimeFacts};
use super::settings::Resolved;

/// No agent on this host, and none asked for: nothing is wrong.
pub(super) fn no_agent() -> SourceReport {
    SourceReport {
        name: "mesos",
        health: SourceHealth::Absent,
        target: "no mesos-agent process, no /etc/mesos-agent, no /var/lib/mesos".into(),
        errors: Vec::new(),
        duration_seconds: 0.0,
    }
}

/// The API is known, but not where the data lies.
pub(super) fn no_work_dir() -> SourceReport {
    let error = SourceError {
        reason: "missing",
        message: "the agent's work directory is not known".into(),
        hint: "set mesos.work_dir, or let Plimsoll read the agent's /flags".into(),
    };
    report("mesos_layout", SourceHealth::Failed, String::new(), vec![error], 0.0)
}

/// How the agent was found.
pub(super) fn locate(resolved: &Resolved) -> SourceReport {
    let health = if resolved.errors.is_empty() { SourceHealth::Ok } else { SourceHealth::Partial };
    let target = match resolved.pid {
        Some(pid) => format!("running agent, pid {pid}"),
        None => "no running agent; its files and the configuration".into(),
    };
    report("mesos_locate", health, target, resolved.errors.clone(), 0.0)
}

pub(super) fn api(facts: &ApiFacts) -> SourceReport {
    let read = facts.resources.is_some() && facts.tasks.is_some() && facts.executors.is_some();
    let something = facts.resources.is_some() || facts.executors.is_some();
    let health = match (facts.up && read, facts.errors.is_empty(), something) {
        (true, true, _) => SourceHealth::Ok,
        (_, _, true) => SourceHealth::Partial,
        _ => SourceHealth::Failed,
    };
    report("mesos_api", health, facts.url.clone(), facts.errors.clone(), facts.duration_seconds)
}

pub(super) fn checkpoint(work_dir: &Path, facts: &CheckpointFacts, api: &ApiFacts) -> SourceReport {
    let health = if !facts.errors.is_empty() {
        let something = facts.resources.is_some() || facts.executors.is_some();
        if something { SourceHealth::Partial } else { SourceHealth::Failed }
    } else if facts.agent_id.is_none() && !api.up {
        SourceHealth::Partial
    } else {
        SourceHealth::Ok
    };
    let target = work_dir.join("meta").display().to_string();
    report("mesos_checkpoint", health, target, facts.errors.clone(), facts.duration_seconds)
}

pub(super) fn layout(work_dir: &Path, facts: &LayoutFacts) -> SourceReport {
    let health = match (facts.errors.is_empty(), facts.runs.is_some()) {
        (true, _) => SourceHealth::Ok,
        (false, true) => SourceHealth::Partial,
        (false, false) => SourceHealth::Failed,
    };
    let target = work_dir.display().to_string();
    report("mesos_layout", health, target, facts.errors.clone(), facts.duration_seconds)
}

pub(super) fn runtime(runtime_dir: &Path, facts: &RuntimeFacts) -> SourceReport {
    let health = match (facts.errors.is_empty(), facts.containers.is_some()) {
        (true, _) => SourceHealth::Ok,
        (false, true) => SourceHealth::Partial,
        (false, false) => SourceHealth::Failed,
    };
    let target = runtime_dir.display().to_string();
    report("mesos_runtime", health, target, facts.errors.clone(), facts.duration_seconds)
}

pub(super) fn mount_table(
    roots: &Roots,
    table: &MountTable,
    error: Option<String>,
) -> SourceReport {
    let target = roots.mountinfo().display().to_string();
    let mut errors = Vec::new();
    if let Some(message) = error {
        errors.push(SourceError {
            reason: "io",
            message,
            hint: "is the proc filesystem mounted, and --path.procfs right?".into(),
        });
    }
    if table.malformed > 0 {
        errors.push(SourceError {
            reason: "malformed",
            message: format!("{target}: {} lines could not be read", table.malformed),
            hint: "please report the lines: they should not exist".into(),
        });
    }
    let health = match (table.entries.is_empty(), errors.is_empty()) {
        (true, _) => SourceHealth::Failed,
        (false, true) => SourceHealth::Ok,
        (false, false) => SourceHealth::Partial,
    };
    report("mount_table", health, target, errors, 0.0)
}

fn report(
    name: &'static str,
    health: SourceHealth,
    target: String,
    errors: Vec<SourceError>,
    duration_seconds: f64,
) -> SourceReport {
    SourceReport { name, health, target, errors, duration_seconds }
}
