//! `plimsoll scan PATH…`: measures directory trees as the daemon does, once and without a budget.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use crate::cli::args::{GlobalArgs, ScanArgs};
use crate::cli::{Column, Output, Rows};
use crate::host::{Guard, Roots};
use crate::measure::usage::{How, Target, measure_once_with};
use crate::model::{Measured, SourceKind, Subject, VolumeKey};
use crate::text;

use super::configuration;
use super::list::{bytes, count, progress_bar, show};

/// What one tree holds, in the words of the metrics.
#[derive(Debug, Serialize)]
struct ScanRow {
    path: String,
    used_bytes: u64,
    apparent_bytes: Option<u64>,
    files: Option<u64>,
    duration_seconds: f64,
}

pub(super) fn run(global: &GlobalArgs, args: &ScanArgs) -> anyhow::Result<ExitCode> {
    let config = configuration(global)?.config;
    // Paths are the caller's own, not the host's below --path.rootfs.
    let guard = Arc::new(Guard::new(Roots::default(), config.filesystems.timeout));
    let mut targets = Vec::new();
    for path in &args.paths {
        let path = std::path::absolute(path)
            .with_context(|| format!("{}: cannot be made absolute", path.display()))?;
        targets.push(target(&path, &guard));
    }
    let bar = progress_bar();
    let measured =
        measure_once_with(&guard, &targets, args.effort.threads(), |done| show(&bar, done));
    bar.finish_and_clear();

    let mut rows = Vec::new();
    let mut failed = false;
    for (target, (_, measured)) in targets.iter().zip(measured) {
        match row(&target.path, &measured) {
            Ok(row) => rows.push(row),
            Err(reason) => {
                failed = true;
                let told = refusal(&target.path, &reason);
                // Not the log: this is the answer for this path.
                let _ = writeln!(std::io::stderr(), "plimsoll: {told}");
            }
        }
    }
    let columns = [
        Column::right("USED", |row: &ScanRow| bytes(Some(row.used_bytes))),
        Column::right("APPARENT", |row: &ScanRow| bytes(row.apparent_bytes)),
        Column::right("FILES", |row: &ScanRow| count(row.files)),
        Column::left("PATH", |row: &ScanRow| row.path.clone()).shrink(20),
    ];
    let fields = &["path", "used_bytes", "apparent_bytes", "files", "duration_seconds"];
    let table = Rows { columns: &columns, fields };
    // A table of nothing but headings would say no more than what was told of each path.
    let table_of_nothing = args.output.output == Output::Table && failed && rows.is_empty();
    table.print(&rows, args.output.output, !args.output.no_headers && !table_of_nothing)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn target(path: &Path, guard: &Guard) -> Target {
    let table = guard.table();
    let skip: Vec<PathBuf> = table.below(path).map(|entry| entry.mount_point.clone()).collect();
    Target {
        subject: Subject::Volume(VolumeKey {
            source: SourceKind::Directories,
            role: String::new(),
            volume: path.display().to_string(),
            disk: String::new(),
        }),
        path: path.to_path_buf(),
        extra: Vec::new(),
        skip,
        how: How::Walk,
        // Whoever names a path wants it walked, wherever it lies.
        remote: false,
    }
}

/// A failure as one line. Most begin with the path as it is, which may hold anything that a terminal
/// acts on.
fn refusal(path: &Path, reason: &str) -> String {
    let named = format!("{}: ", path.display());
    let reason = reason.strip_prefix(&named).unwrap_or(reason);
    // Of the directory itself a walk says ".", which is the path that stands in front.
    if let Some(why) = reason.strip_prefix("open .: ") {
        let why = why.split(" (os error").next().unwrap_or(why);
        return format!("{}: cannot be opened: {why}", text::path(path)) + advice(why);
    }
    let reason = if reason.chars().any(text::is_hidden) {
        text::escape(reason)
    } else {
        // Its paths are escaped already.
        reason.into()
    };
    format!("{}: {reason}", text::path(path))
}

/// What to do about a directory that cannot be opened.
fn advice(why: &str) -> &'static str {
    match why {
        "Not a directory" => "; a directory is expected, and no symlink is followed",
        "Permission denied" => "; run it as root, or with CAP_DAC_READ_SEARCH",
        _ => "",
    }
}

fn row(path: &Path, measured: &Measured) -> Result<ScanRow, String> {
    if let Some(failure) = &measured.failure {
        return Err(failure.message.clone());
    }
    let sample = measured.sample.as_ref().ok_or("was not measured")?;
    Ok(ScanRow {
        path: text::path_value(path).into_owned(),
        used_bytes: sample.used_bytes,
        apparent_bytes: sample.apparent_bytes,
        files: sample.files,
        duration_seconds: sample.duration_seconds,
    })
}
