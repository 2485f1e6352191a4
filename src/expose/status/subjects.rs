//! Tables of volumes and sandboxes.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::html::{
    bytes, count, enforcement, esc, fill, measured, plural, sandbox_name, span, state_chip,
    volume_name,
};
use crate::expose::rows::{HolderRow, SandboxRow, VolumeRow};

/// Rows of one table; the API has the rest.
const MAX_VOLUMES: usize = 200;
const MAX_SANDBOXES: usize = 50;
const MAX_FINISHED: usize = 50;
/// Holders named in one cell.
const MAX_HOLDERS: usize = 3;

/// `rows` sorted by what matters.
pub(super) fn volumes(out: &mut String, rows: &[VolumeRow<'_>], now: f64) {
    heading(out, "volumes", "Volumes", rows.len(), "");
    if rows.is_empty() {
        out.push_str("<p class=\"none\">No volume on this host.</p></section>");
        return;
    }
    table(
        out,
        &["Volume", "State", "Held by", "Fill", "Full in", "Files", "Past the quota", "Measured"],
    );
    for row in rows.iter().take(MAX_VOLUMES) {
        let path = row.path.as_deref().unwrap_or("path not known");
        let _ = write!(
            out,
            "<tr><td class=\"name\"><b>{}</b> <span class=\"tag\">{}</span><small class=\"path\">{}</small></td>\
             <td data-l=\"State\"><span title=\"{}\">{}</span></td><td data-l=\"Held by\"><span>{}</span></td>\
             <td data-l=\"Fill\" class=\"fill\"><div>{}</div></td><td data-l=\"Full in\">{}</td>\
             <td data-l=\"Files\" class=\"num\">{}</td>\
             <td data-l=\"Past the quota\">{}</td><td data-l=\"Measured\"><span>{}</span></td></tr>",
            esc(&volume_name(row)),
            esc(row.disk_type),
            esc(path),
            esc(row.reason),
            state_chip(row.state),
            holders(&row.holders, row.mounts.len()),
            fill(row.used_bytes, row.quota_bytes),
            full_in(row.full_timestamp_seconds, now),
            number(row.files),
            if row.quota_bytes.is_some() { enforcement(row.enforcement) } else { "no quota" },
            measured(row.measured_timestamp_seconds, row.measure_error, now),
        );
    }
    close(out, rows.len(), MAX_VOLUMES, "/api/v1/volumes");
}

fn holders(holders: &[HolderRow<'_>], mounts: usize) -> String {
    if holders.is_empty() {
        return match mounts {
            0 => "<span class=\"dim\">nobody</span>".into(),
            n => format!("<span class=\"dim\">nobody, {}</span>", plural(n, "mount", "mounts")),
        };
    }
    let mut out = String::new();
    for holder in holders.iter().take(MAX_HOLDERS) {
        let framework =
            if holder.framework_name.is_empty() { holder.framework } else { holder.framework_name };
        let who =
            [holder.task, holder.executor, holder.container].into_iter().find(|id| !id.is_empty());
        let read_only = if holder.read_only { " <span class=\"tag\">ro</span>" } else { "" };
        let _ = write!(
            out,
            "<span class=\"holder\">{} <small>{}</small>{read_only}</span>",
            esc(framework),
            esc(who.unwrap_or(""))
        );
    }
    if holders.len() > MAX_HOLDERS {
        let _ = write!(out, "<small>and {} more</small>", holders.len() - MAX_HOLDERS);
    }
    out
}

/// `rows`: live ones, the largest first.
pub(super) fn sandboxes(out: &mut String, rows: &[&SandboxRow<'_>], now: f64) {
    let note = "Running containers, the largest first. Nested ones are part of their parent.";
    heading(out, "sandboxes", "Sandboxes", rows.len(), note);
    if rows.is_empty() {
        out.push_str("<p class=\"none\">No container runs on this host.</p></section>");
        return;
    }
    table(out, &["Task", "State", "Fill", "Files", "Past the quota", "Measured"]);
    for row in rows.iter().take(MAX_SANDBOXES) {
        let several = match row.tasks.len() {
            0 | 1 => String::new(),
            n => format!(" <span class=\"tag\">{n} tasks</span>"),
        };
        let _ = write!(
            out,
            "<tr><td class=\"name\"><b>{}</b>{several}<small class=\"path\" title=\"{}\">{}</small></td>\
             <td data-l=\"State\"><span title=\"{}\">{}</span></td><td data-l=\"Fill\" class=\"fill\"><div>{}</div></td>\
             <td data-l=\"Files\" class=\"num\">{}</td><td data-l=\"Past the quota\">{}</td>\
             <td data-l=\"Measured\"><span>{}</span></td></tr>",
            esc(&sandbox_name(row)),
            esc(&row.path),
            esc(row.container),
            esc(row.reason),
            state_chip(row.state),
            fill(row.used_bytes, row.quota_bytes),
            number(row.files),
            if row.quota_bytes.is_some() { enforcement(row.enforcement) } else { "no quota" },
            measured(row.measured_timestamp_seconds, row.measure_error, now),
        );
    }
    close(out, rows.len(), MAX_SANDBOXES, "/api/v1/sandboxes");
}

#[derive(Default)]
struct Sum {
    number: u64,
    unmeasured: u64,
    used_bytes: u64,
}

/// Finished sandboxes, summed per framework and state, the largest sum first.
pub(super) fn finished(out: &mut String, rows: &[&SandboxRow<'_>]) {
    if rows.is_empty() {
        return;
    }
    let mut sums: BTreeMap<(&str, &str, &'static str), Sum> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry((row.framework_name, row.framework, row.state)).or_default();
        sum.number += 1;
        match row.used_bytes {
            Some(used) => sum.used_bytes = sum.used_bytes.saturating_add(used),
            None => sum.unmeasured += 1,
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(key, sum)| (std::cmp::Reverse(sum.used_bytes), *key));
    heading(
        out,
        "finished",
        "Finished sandboxes",
        rows.len(),
        "Runs that are over and still on disk, by framework.",
    );
    table(out, &["Framework", "State", "Sandboxes", "Bytes"]);
    for ((name, id, state), sum) in sums.iter().take(MAX_FINISHED) {
        let shown = if name.is_empty() { id } else { name };
        let rest = match sum.unmeasured {
            0 => String::new(),
            n => format!(" <small>{} not measured</small>", count(n)),
        };
        let _ = write!(
            out,
            "<tr><td class=\"name\"><b>{}</b><small class=\"path\">{}</small></td><td data-l=\"State\">{}</td>\
             <td data-l=\"Sandboxes\" class=\"num\">{}</td><td data-l=\"Bytes\" class=\"num\"><span><b>{}</b>{rest}</span></td></tr>",
            esc(shown),
            esc(id),
            state_chip(state),
            count(sum.number),
            bytes(sum.used_bytes),
        );
    }
    close(out, sums.len(), MAX_FINISHED, "/api/v1/sandboxes");
}

fn full_in(full_at: Option<f64>, now: f64) -> String {
    match full_at.map(|full_at| full_at - now) {
        None => "<span class=\"dim\">–</span>".into(),
        Some(left) if left < 1.0 => "now".into(),
        Some(left) => span(left),
    }
}

fn number(files: Option<u64>) -> String {
    files.map_or("<span class=\"dim\">–</span>".into(), count)
}

/// Opens a section.
pub(super) fn heading(out: &mut String, id: &str, title: &str, number: usize, note: &str) {
    let _ = write!(out, "<section id=\"{id}\"><h2>{title}");
    if number > 0 {
        let _ = write!(out, " <span class=\"count\">{}</span>", count(number as u64));
    }
    out.push_str("</h2>");
    if !note.is_empty() {
        let _ = write!(out, "<p class=\"note\">{note}</p>");
    }
}

/// Opens a table.
pub(super) fn table(out: &mut String, columns: &[&str]) {
    out.push_str("<table><thead><tr>");
    for column in columns {
        let class =
            if matches!(*column, "Files" | "Sandboxes" | "Bytes") { " class=\"num\"" } else { "" };
        let _ = write!(out, "<th{class}>{column}</th>");
    }
    out.push_str("</tr></thead><tbody>");
}

/// Closes table and section, and says what was left out.
pub(super) fn close(out: &mut String, rows: usize, limit: usize, api: &str) {
    out.push_str("</tbody></table>");
    if rows > limit {
        let more = count((rows - limit) as u64);
        let _ = write!(out, "<p class=\"note\">{more} more: <a href=\"{api}\">{api}</a></p>");
    }
    out.push_str("</section>");
}
