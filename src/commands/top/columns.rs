//! What stands in the columns of each view.

use crate::cli::human;
use crate::cli::table::{Align, Shrink, Spec};
use crate::cli::top::View;
use crate::model::{Severity, Timestamp};

use super::data::{Picture, Sandbox, Usage, Volume};
use super::view;

/// Cells of [`bar`] between its brackets.
const BAR: usize = 10;
const DAY: f64 = 86_400.0;

/// The columns of a view.
pub fn specs(view: View) -> Vec<Spec> {
    let left = |header, shrink, hide| Spec { header, align: Align::Left, shrink, hide };
    let right = |header, hide| Spec { header, align: Align::Right, shrink: Shrink::Never, hide };
    let fixed = Shrink::Never;
    // Where the cursor is and what is wrong, then what it is, then how much.
    let mark = left("", fixed, 0);
    let usage = |files| {
        [
            left("STATE", fixed, 2),
            left("LOAD", fixed, 5),
            right("USE", 0),
            right("USED", 0),
            right("OF", 3),
            right("GROWTH", 4),
            right("FULL IN", 1),
            right("INODES", files),
        ]
    };
    let mut specs = vec![mark];
    match view {
        View::Findings => specs.extend([
            left("SEVERITY", fixed, 0),
            right("SINCE", 1),
            left("KIND", fixed, 3),
            left("SUBJECT", Shrink::Middle(26), 0),
            left("REASON", Shrink::Middle(24), 2),
        ]),
        View::Volumes => {
            specs.extend([
                left("ROLE", Shrink::Middle(11), 6),
                left("VOLUME", Shrink::Middle(14), 0),
                left("DISK", Shrink::Middle(8), 8),
            ]);
            specs.extend(usage(9));
            specs.extend([left("HOLDERS", Shrink::Middle(14), 7), right("AGE", 10)]);
        }
        View::Sandboxes => {
            specs.extend([
                left("FRAMEWORK", Shrink::Middle(10), 6),
                left("EXECUTOR", Shrink::Middle(14), 0),
                left("CONTAINER", Shrink::Middle(9), 9),
            ]);
            specs.extend(usage(8));
            specs.extend([left("TASKS", Shrink::Middle(14), 7), right("AGE", 10)]);
        }
        View::Filesystems => {
            specs.push(left("MOUNT POINT", Shrink::Middle(14), 0));
            specs.extend(usage(6));
            specs.extend([
                right("PROMISED", 8),
                right("UNEXPLAINED", 9),
                left("DEVICE", Shrink::Middle(10), 7),
                left("TYPE", fixed, 10),
                right("AGE", 11),
            ]);
        }
    }
    specs
}

/// The gravest finding about a row.
pub fn gravity(picture: &Picture, view: View, at: usize) -> Option<Severity> {
    match view {
        View::Findings => Some(picture.findings[at].severity()),
        View::Volumes => picture.of_volume(&picture.volumes[at]),
        View::Sandboxes => picture.of_sandbox(&picture.sandboxes[at]),
        View::Filesystems => picture.of_filesystem(&picture.filesystems[at]),
    }
}

/// The sign that stands where others may see a colour only.
pub fn sign(gravity: Option<Severity>) -> char {
    match gravity {
        Some(Severity::Critical) => '!',
        Some(Severity::Warning) => '*',
        Some(Severity::Info) => 'i',
        None => ' ',
    }
}

/// The cells of one row, not escaped.
pub fn cells(
    picture: &Picture,
    view: View,
    at: usize,
    cursor: bool,
    now: Timestamp,
) -> Vec<String> {
    let sign = sign(gravity(picture, view, at));
    let mut cells = vec![format!("{}{sign}", if cursor { '>' } else { ' ' })];
    match view {
        View::Findings => {
            let row = &picture.findings[at];
            let since = row.since_timestamp_seconds.map(|since| human::age(now - since));
            let subject =
                if row.subject.is_empty() { row.subject_kind.clone() } else { row.subject.clone() };
            cells.extend([
                row.severity.clone(),
                since.unwrap_or_default(),
                row.kind.clone(),
                subject,
                row.reason.clone(),
            ]);
        }
        View::Volumes => {
            let row = &picture.volumes[at];
            cells.extend([row.role.clone(), volume_name(row), row.disk.clone()]);
            cells.extend(of_usage(&row.state, &row.usage, now));
            cells.extend([holders(row), age(row.usage.measured_timestamp_seconds, now)]);
        }
        View::Sandboxes => {
            let row = &picture.sandboxes[at];
            let name = view::framework(row).to_owned();
            // A standalone container has no other name.
            let executor = if row.executor.is_empty() { &row.container } else { &row.executor };
            cells.extend([name, executor.clone(), row.container.clone()]);
            cells.extend(of_usage(&row.state, &row.usage, now));
            cells.extend([tasks(row), age(row.usage.measured_timestamp_seconds, now)]);
        }
        View::Filesystems => {
            let row = &picture.filesystems[at];
            let used = row.used_of();
            let whole = used.map(|(_, whole)| whole);
            let used = used.map(|(used, _)| used);
            cells.push(row.mount_point.clone());
            cells.extend([
                row.state().to_owned(),
                bar(used, whole),
                percent(used, whole),
                bytes(used),
                bytes(whole),
                growth(row.growth_bytes_per_second),
                full_in(row.full_timestamp_seconds, None, now),
                row.files_of().and_then(|(used, of)| human::percent(used, of)).unwrap_or_default(),
                bytes(row.promised_bytes),
                row.unattributed_bytes.map(signed_bytes).unwrap_or_default(),
                row.device.clone(),
                row.fstype.clone(),
                age(row.measured_timestamp_seconds, now),
            ]);
        }
    }
    cells
}

/// What else there is to say of a row: sentences, not escaped.
pub fn details(picture: &Picture, view: View, at: usize) -> [String; 2] {
    let failed = |usage: &Usage| match &usage.measure_error {
        Some(error) if usage.measure_failed => format!(" Not measured: {error}"),
        _ => String::new(),
    };
    match view {
        View::Findings => {
            let row = &picture.findings[at];
            [format!("{}: {}", row.kind, row.reason), format!("Next: {}", row.next)]
        }
        View::Volumes => {
            let row = &picture.volumes[at];
            let path = row.path.as_deref().unwrap_or("no path");
            [
                format!("{}: {}", row.state, row.reason),
                about(path, &row.enforcement) + &failed(&row.usage),
            ]
        }
        View::Sandboxes => {
            let row = &picture.sandboxes[at];
            let about = about(&row.path, &row.enforcement) + &failed(&row.usage);
            [format!("{}: {}", row.state, row.reason), about]
        }
        View::Filesystems => {
            let row = &picture.filesystems[at];
            let left = row.available_bytes.map(|left| format!("; {} left", human::bytes(left)));
            let promised = row.promised_bytes.map(|promised| {
                format!("; {} promised to roles and volumes", human::bytes(promised))
            });
            [
                format!("{} ({}){}", row.device, row.fstype, left.unwrap_or_default()),
                format!("{}{}", row.state(), promised.unwrap_or_default()),
            ]
        }
    }
}

fn about(path: &str, enforcement: &str) -> String {
    format!("{path}; enforcement: {enforcement}.")
}

fn of_usage(state: &str, usage: &Usage, now: Timestamp) -> [String; 8] {
    [
        state.to_owned(),
        bar(usage.used_bytes, usage.quota_bytes),
        percent(usage.used_bytes, usage.quota_bytes),
        bytes(usage.used_bytes),
        bytes(usage.quota_bytes),
        growth(usage.growth_bytes_per_second),
        full_in(usage.full_timestamp_seconds, usage.full_by.as_deref(), now),
        usage.files.map(|files| files.to_string()).unwrap_or_default(),
    ]
}

/// A MOUNT disk that holds data but no volume has no other name.
fn volume_name(row: &Volume) -> String {
    if row.volume.is_empty() { "(no volume)".into() } else { row.volume.clone() }
}

fn holders(row: &Volume) -> String {
    let names = row.holders.iter();
    let names =
        names.map(|holder| if holder.task.is_empty() { &holder.executor } else { &holder.task });
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn tasks(row: &Sandbox) -> String {
    row.tasks.iter().map(|task| task.task.as_str()).collect::<Vec<_>>().join(", ")
}

fn bytes(bytes: Option<u64>) -> String {
    bytes.map(human::bytes).unwrap_or_default()
}

fn signed_bytes(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    format!("{sign}{}", human::bytes(bytes.unsigned_abs()))
}

fn percent(used: Option<u64>, of: Option<u64>) -> String {
    used.zip(of).and_then(|(used, of)| human::percent(used, of)).unwrap_or_default()
}

fn age(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map(|at| human::age(now - at)).unwrap_or_default()
}

/// `[######    ]`; past the load line `[##########>`.
fn bar(used: Option<u64>, of: Option<u64>) -> String {
    let Some(share) = used.zip(of).and_then(|(used, of)| view::share(used, of)) else {
        return String::new();
    };
    let full = ((share * BAR as f64) as usize).min(BAR);
    let end = if share > 1.0 { '>' } else { ']' };
    format!("[{}{}{end}", "#".repeat(full), " ".repeat(BAR - full))
}

/// Bytes a day.
fn growth(per_second: Option<f64>) -> String {
    let Some(per_second) = per_second else { return String::new() };
    let day = (per_second * DAY).abs();
    if day < 1.0 {
        return "0 B/d".into();
    }
    let sign = if per_second < 0.0 { '-' } else { '+' };
    format!("{sign}{}/d", human::bytes(day as u64))
}

/// Time until full; `fs` where the filesystem is full before the quota is.
fn full_in(at: Option<Timestamp>, by: Option<&str>, now: Timestamp) -> String {
    let Some(at) = at else { return String::new() };
    let left = if at - now < 1.0 { "now".into() } else { human::age(at - now) };
    if by == Some("filesystem") { format!("{left} fs") } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_never_full_early_and_show_what_is_over() {
        for (used, of, shown) in [
            (0, 10, "[          ]"),
            (99, 100, "[######### ]"),
            (100, 100, "[##########]"),
            (101, 100, "[##########>"),
            (u64::MAX, 1, "[##########>"),
        ] {
            assert_eq!(bar(Some(used), Some(of)), shown);
        }
        assert_eq!(bar(Some(1), Some(0)), "");
        assert_eq!(bar(None, Some(1)), "");
    }

    #[test]
    fn growth_is_by_the_day_and_signed() {
        assert_eq!(growth(Some(1_048_576.0)), "+84.4 GiB/d");
        assert_eq!(growth(Some(-1.0)), "-84.4 KiB/d");
        assert_eq!(growth(Some(0.0)), "0 B/d");
        assert_eq!(growth(Some(f64::INFINITY)), "+16.0 EiB/d");
        assert_eq!(growth(None), "");
    }

    #[test]
    fn what_is_full_first_is_said() {
        assert_eq!(full_in(Some(1_000.0), Some("quota"), 1_000.0), "now");
        assert_eq!(full_in(Some(8_200.0), Some("quota"), 1_000.0), "2h");
        assert_eq!(full_in(Some(8_200.0), Some("filesystem"), 1_000.0), "2h fs");
        assert_eq!(full_in(None, None, 1_000.0), "");
    }
}
