//! `plimsoll volumes` and `plimsoll sandboxes`: what is there and what it holds, as seen now.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::args::{GlobalArgs, ListArgs};
use crate::cli::{Column, Rows, human};
use crate::expose::rows::{
    self, OrphanRow, SandboxRow, VolumeRow, sandboxes_by_what_matters, volumes_by_what_matters,
};
use crate::measure::usage::OnceProgress;
use crate::model::{Snapshot, SourceHealth};
use crate::pipeline::once;

use super::{configuration, runtime};

pub(super) fn volumes(global: &GlobalArgs, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let snapshot = snapshot(global, args)?;
    let mut rows: Vec<VolumeRow<'_>> = rows::volumes(&snapshot);
    rows.sort_by(volumes_by_what_matters);
    let columns = [
        Column::left("ROLE", |row: &VolumeRow<'_>| row.role.to_string()).shrink(8),
        Column::left("VOLUME", |row: &VolumeRow<'_>| row.volume.to_string()).shrink(12),
        Column::left("DISK", |row: &VolumeRow<'_>| row.disk.to_string()).shrink(8).hide(2),
        Column::left("STATE", |row: &VolumeRow<'_>| row.state.to_string()),
        Column::right("USED", |row: &VolumeRow<'_>| bytes(row.used_bytes)),
        Column::right("QUOTA", |row: &VolumeRow<'_>| bytes(row.quota_bytes)),
        Column::right("FULL", |row: &VolumeRow<'_>| share(row.used_bytes, row.quota_bytes)),
        Column::right("FILES", |row: &VolumeRow<'_>| count(row.files)).hide(3),
        Column::left("ENFORCEMENT", |row: &VolumeRow<'_>| row.enforcement.to_string()).hide(4),
        Column::left("HOLDERS", |row: &VolumeRow<'_>| {
            let names = row
                .holders
                .iter()
                .map(|holder| if holder.task.is_empty() { holder.executor } else { holder.task });
            names.collect::<Vec<_>>().join(", ")
        })
        .shrink(10)
        .hide(1),
        Column::left("PATH", |row: &VolumeRow<'_>| {
            row.path.as_deref().unwrap_or_default().to_string()
        })
        .shrink(16)
        .hide(5),
    ];
    let table = Rows { columns: &columns, fields: VolumeRow::FIELDS };
    table.print(&rows, args.output.output, !args.output.no_headers)?;
    Ok(outcome(&snapshot))
}

pub(super) fn sandboxes(global: &GlobalArgs, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let snapshot = snapshot(global, args)?;
    let mut rows: Vec<SandboxRow<'_>> = rows::sandboxes(&snapshot);
    rows.sort_by(sandboxes_by_what_matters);
    let columns = [
        Column::left("FRAMEWORK", |row: &SandboxRow<'_>| {
            let name = row.framework_name;
            if name.is_empty() { row.framework.to_string() } else { name.to_string() }
        })
        .shrink(8),
        Column::left("EXECUTOR", |row: &SandboxRow<'_>| row.executor.to_string()).shrink(10),
        Column::left("CONTAINER", |row: &SandboxRow<'_>| row.container.to_string())
            .shrink(9)
            .hide(2),
        Column::left("KIND", |row: &SandboxRow<'_>| row.kind.to_string()).hide(3),
        Column::left("STATE", |row: &SandboxRow<'_>| row.state.to_string()),
        Column::right("USED", |row: &SandboxRow<'_>| bytes(row.used_bytes)),
        Column::right("QUOTA", |row: &SandboxRow<'_>| bytes(row.quota_bytes)),
        Column::right("FULL", |row: &SandboxRow<'_>| share(row.used_bytes, row.quota_bytes)),
        Column::right("FILES", |row: &SandboxRow<'_>| count(row.files)).hide(4),
        Column::left("TASKS", |row: &SandboxRow<'_>| {
            row.tasks.iter().map(|task| task.task).collect::<Vec<_>>().join(", ")
        })
        .shrink(10)
        .hide(1),
        Column::left("PATH", |row: &SandboxRow<'_>| row.path.to_string()).shrink(16).hide(5),
    ];
    let table = Rows { columns: &columns, fields: SandboxRow::FIELDS };
    table.print(&rows, args.output.output, !args.output.no_headers)?;
    Ok(outcome(&snapshot))
}

pub(super) fn orphans(global: &GlobalArgs, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let snapshot = snapshot(global, args)?;
    let rows: Vec<OrphanRow<'_>> = rows::orphans(&snapshot);
    let columns = [
        Column::left("ROLE", |row: &OrphanRow<'_>| row.role.to_string()).shrink(8),
        Column::left("VOLUME", |row: &OrphanRow<'_>| row.volume.to_string()).shrink(12),
        Column::left("DISK", |row: &OrphanRow<'_>| row.disk.to_string()).shrink(8),
        Column::right("USED", |row: &OrphanRow<'_>| bytes(row.used_bytes)),
        Column::right("FILES", |row: &OrphanRow<'_>| count(row.files)).hide(4),
        Column::right("AGE", |row: &OrphanRow<'_>| {
            row.age_seconds.map(human::age).unwrap_or_default()
        }),
        Column::left("CHANGED", |row: &OrphanRow<'_>| {
            let changed = row.newest_change_timestamp_seconds.map(|at| human::age(row.now - at));
            let ahead =
                if row.future_mtime_timestamp_seconds.is_some() { " (one ahead)" } else { "" };
            changed.map_or(String::new(), |changed| changed + ahead)
        })
        .hide(5),
        Column::left("REASON", |row: &OrphanRow<'_>| {
            row.orphan_reason.unwrap_or_default().to_string()
        }),
        Column::left("MOUNTED", |row: &OrphanRow<'_>| match row.mounts.first() {
            None if !row.mounted_below.is_empty() => format!("in part, {}", row.mounted_below[0]),
            None => "no".to_string(),
            Some(mount) if mount.container.is_empty() => mount.mount_point.to_string(),
            Some(mount) => format!("{} in {}", mount.mount_point, mount.container),
        })
        .shrink(9),
        Column::left("OPEN", |row: &OrphanRow<'_>| match (row.held_by.first(), row.open_files) {
            (Some(by), _) => match row.held_by.len() {
                1 => format!("{} ({})", by.command, by.pid),
                n => format!("{} ({}) and {} more", by.command, by.pid, n - 1),
            },
            (None, Some(0)) => "no".to_string(),
            (None, _) => "not known".to_string(),
        })
        .shrink(9),
        Column::left("PATH", |row: &OrphanRow<'_>| {
            row.path.as_deref().unwrap_or_default().to_string()
        })
        .shrink(16)
        .hide(2),
        Column::left("NEXT", |row: &OrphanRow<'_>| row.next.clone()).shrink(20).hide(3),
    ];
    let table = Rows { columns: &columns, fields: OrphanRow::FIELDS };
    table.print(&rows, args.output.output, !args.output.no_headers)?;
    Ok(outcome(&snapshot))
}

fn snapshot(global: &GlobalArgs, args: &ListArgs) -> anyhow::Result<Snapshot> {
    let config = configuration(global)?.config;
    let runtime = runtime()?;
    let bar = progress_bar();
    let threads = args.effort.threads();
    let snapshot =
        once::snapshot_with(&config, &global.roots(), runtime.handle(), threads, |done| {
            show(&bar, done)
        });
    bar.finish_and_clear();
    for source in &snapshot.inventory.sources {
        for error in &source.errors {
            tracing::warn!(
                source = source.name,
                error = error.message,
                hint = error.hint,
                "Source has a problem"
            );
        }
    }
    let inventory = &snapshot.inventory;
    if inventory.volumes.is_empty() && inventory.sandboxes.is_empty() {
        for source in inventory.sources.iter().filter(|s| s.health == SourceHealth::Absent) {
            let (source, looked) = (source.name, &source.target);
            tracing::warn!(source, looked, "Nothing to list: this source is not on this host");
        }
    }
    Ok(snapshot)
}

/// A list that could not be read whole is still printed, but scripts must be able to tell.
fn outcome(snapshot: &Snapshot) -> ExitCode {
    let failed =
        snapshot.inventory.sources.iter().any(|source| source.health == SourceHealth::Failed);
    if failed { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// A bar on standard error where that is a terminal, else nothing.
pub(super) fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

pub(super) fn show(bar: &ProgressBar, done: OnceProgress) {
    bar.set_message(format!("{} inodes, {} measured", done.inodes, done.subjects));
}

pub(super) fn bytes(bytes: Option<u64>) -> String {
    bytes.map(human::bytes).unwrap_or_default()
}

pub(super) fn count(count: Option<u64>) -> String {
    count.map(|count| count.to_string()).unwrap_or_default()
}

fn share(used: Option<u64>, quota: Option<u64>) -> String {
    used.zip(quota).and_then(|(used, quota)| human::percent(used, quota)).unwrap_or_default()
}
