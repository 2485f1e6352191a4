//! Which rows a view has, and in which order they stand.

use std::cmp::Ordering;

use crate::cli::top::{Sort, View};
use crate::model::{Severity, Timestamp};

use super::data::{Filesystem, Finding, Picture, Sandbox, Usage, Volume};

/// How many rows a view has without a filter.
pub fn len(picture: &Picture, view: View) -> usize {
    match view {
        View::Findings => picture.findings.len(),
        View::Volumes => picture.volumes.len(),
        View::Sandboxes => picture.sandboxes.len(),
        View::Filesystems => picture.filesystems.len(),
    }
}

/// What a row is sorted by.
#[derive(Debug, Default)]
struct Values<'a> {
    /// Lower first.
    rank: u8,
    share: Option<f64>,
    bytes: Option<u64>,
    growth: Option<f64>,
    full_at: Option<Timestamp>,
    files: Option<u64>,
    since: Option<Timestamp>,
    name: [&'a str; 3],
}

/// Indices of the rows of a view that match the filter, in order.
pub fn rows(picture: &Picture, view: View, sort: Sort, reverse: bool, filter: &str) -> Vec<usize> {
    let filter = filter.to_lowercase();
    let mut rows: Vec<(usize, Values<'_>)> = (0..len(picture, view))
        .filter(|at| filter.is_empty() || matches(picture, view, *at, &filter))
        .map(|at| (at, values(picture, view, at)))
        .collect();
    rows.sort_by(|(at_a, a), (at_b, b)| {
        let order = compare(sort, a, b);
        let order = if reverse { order.reverse() } else { order };
        order.then_with(|| a.name.cmp(&b.name)).then(at_a.cmp(at_b))
    });
    rows.into_iter().map(|(at, _)| at).collect()
}

fn compare(sort: Sort, a: &Values<'_>, b: &Values<'_>) -> Ordering {
    match sort {
        Sort::Attention => a
            .rank
            .cmp(&b.rank)
            .then_with(|| larger_first(a.share, b.share))
            .then_with(|| b.bytes.cmp(&a.bytes)),
        Sort::Use => larger_first(a.share, b.share),
        Sort::Bytes => b.bytes.cmp(&a.bytes),
        Sort::Growth => larger_first(a.growth, b.growth),
        Sort::Full => larger_first(a.full_at.map(|at| -at), b.full_at.map(|at| -at)),
        Sort::Files => b.files.cmp(&a.files),
        Sort::Age => larger_first(a.since.map(|at| -at), b.since.map(|at| -at)),
        Sort::Name => Ordering::Equal,
    }
}

/// What is absent stands last.
fn larger_first(a: Option<f64>, b: Option<f64>) -> Ordering {
    let known = |value: Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
    known(b).total_cmp(&known(a))
}

fn values(picture: &Picture, view: View, at: usize) -> Values<'_> {
    match view {
        View::Findings => {
            let row = &picture.findings[at];
            Values {
                rank: row.severity() as u8,
                since: row.since_timestamp_seconds,
                name: if row.subject.is_empty() {
                    [&row.subject_kind, &row.kind, ""]
                } else {
                    [&row.subject, &row.kind, ""]
                },
                ..Values::default()
            }
        }
        View::Volumes => {
            let row = &picture.volumes[at];
            let name = [row.role.as_str(), row.volume.as_str(), row.disk.as_str()];
            let rank = rank(picture.of_volume(row), &row.state, &["missing", "orphaned"]);
            of_usage(&row.usage, rank, name)
        }
        View::Sandboxes => {
            let row = &picture.sandboxes[at];
            let name = [framework(row), row.executor.as_str(), row.container.as_str()];
            let ill = ["missing", "leaked", "abandoned"];
            of_usage(&row.usage, rank(picture.of_sandbox(row), &row.state, &ill), name)
        }
        View::Filesystems => {
            let row = &picture.filesystems[at];
            let used = row.used_of();
            Values {
                rank: rank(picture.of_filesystem(row), row.state(), &["unresponsive", "read-only"]),
                share: used.and_then(|(used, whole)| share(used, whole)),
                bytes: used.map(|(used, _)| used),
                growth: row.growth_bytes_per_second,
                full_at: row.full_timestamp_seconds,
                files: row.files_of().map(|(used, _)| used),
                since: row.measured_timestamp_seconds,
                name: [&row.mount_point, "", ""],
            }
        }
    }
}

fn of_usage<'a>(usage: &Usage, rank: u8, name: [&'a str; 3]) -> Values<'a> {
    Values {
        rank,
        share: usage.used_bytes.zip(usage.quota_bytes).and_then(|(used, of)| share(used, of)),
        bytes: usage.used_bytes,
        growth: usage.growth_bytes_per_second,
        full_at: usage.full_timestamp_seconds,
        files: usage.files,
        since: usage.measured_timestamp_seconds,
        name,
    }
}

/// By the gravest finding, then by a state that needs somebody.
fn rank(gravest: Option<Severity>, state: &str, ill: &[&str]) -> u8 {
    let severity = gravest.map_or(Severity::ALL.len() as u8, |severity| severity as u8);
    2 * severity + u8::from(!ill.contains(&state))
}

/// Part of a whole; absent when the whole is nothing.
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Name of a sandbox's framework, or its id.
pub fn framework(row: &Sandbox) -> &str {
    if row.framework_name.is_empty() { &row.framework } else { &row.framework_name }
}

/// What of a row the filter looks at.
fn matches(picture: &Picture, view: View, at: usize, filter: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(filter);
    match view {
        View::Findings => {
            let Finding { kind, severity, subject, subject_kind, reason, .. } =
                &picture.findings[at];
            [kind, severity, subject, subject_kind, reason].into_iter().any(|text| has(text))
        }
        View::Volumes => {
            let Volume { role, volume, disk, kind, state, path, enforcement, holders, .. } =
                &picture.volumes[at];
            [role, volume, disk, kind, state, enforcement].into_iter().any(|text| has(text))
                || path.as_deref().is_some_and(has)
                || holders.iter().any(|holder| has(&holder.task) || has(&holder.executor))
        }
        View::Sandboxes => {
            let row = &picture.sandboxes[at];
            [framework(row), &row.framework, &row.executor, &row.container]
                .into_iter()
                .chain([row.kind.as_str(), &row.state, &row.path])
                .any(has)
                || row.tasks.iter().any(|task| has(&task.task))
        }
        View::Filesystems => {
            let row: &Filesystem = &picture.filesystems[at];
            [&row.mount_point, &row.device, &row.fstype].into_iter().any(|text| has(text))
                || has(row.state())
        }
    }
}

/// What tells a row from others, from one picture to the next.
pub fn identity(picture: &Picture, view: View, at: usize) -> Vec<String> {
    let id: Vec<&str> = match view {
        View::Findings => {
            let row = &picture.findings[at];
            let values = row.labels.values().map(String::as_str);
            [row.kind.as_str(), &row.subject].into_iter().chain(values).collect()
        }
        View::Volumes => {
            let row = &picture.volumes[at];
            vec![&row.source, &row.role, &row.volume, &row.disk]
        }
        View::Sandboxes => {
            let row = &picture.sandboxes[at];
            vec![&row.source, &row.framework, &row.executor, &row.container]
        }
        View::Filesystems => vec![&picture.filesystems[at].mount_point],
    };
    id.into_iter().map(str::to_owned).collect()
}
