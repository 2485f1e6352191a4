//! Filesystems with the devices below them, the agent, and the sources.

use std::fmt::Write;

use super::attention::filesystem_tone;
use super::html::{Tone, bar, bytes, chip, esc, percent, span};
use super::subjects::{close, heading, table};
use crate::expose::rows::{AgentRow, FilesystemDeviceRow, FilesystemRow, ResourceRow, SourceRow};
use crate::model::{Snapshot, SourceHealth};

pub(super) fn filesystems(
    out: &mut String,
    rows: &[FilesystemRow<'_>],
    devices: &[FilesystemDeviceRow<'_>],
) {
    if rows.is_empty() {
        return;
    }
    let note = "<span class=\"key used\"></span>volumes and sandboxes \
                <span class=\"key rest\"></span>everything else: images, caches, logs, deleted files still open \
                <span class=\"key unsplit\"></span>not split yet";
    heading(out, "filesystems", "Filesystems", rows.len(), note);
    table(out, &["Mount point", "State", "Use", "Available", "Inodes used", "Disks"]);
    for row in rows {
        let _ = write!(
            out,
            "<tr><td class=\"name\"><b>{}</b> <span class=\"tag\">{}</span><small class=\"path\">{}</small></td>\
             <td data-l=\"State\"><span>{}</span></td><td data-l=\"Use\" class=\"fill\"><div>{}</div></td>\
             <td data-l=\"Available\">{}</td><td data-l=\"Inodes used\">{}</td>\
             <td data-l=\"Disks\"><span>{}</span></td></tr>",
            esc(&row.mount_point),
            esc(row.fstype),
            esc(row.device),
            filesystem_state(row),
            filesystem_use(row),
            row.available_bytes.map_or(absent(), bytes),
            inodes(row),
            devices
                .iter()
                .find(|device| device.mount_point == row.mount_point)
                .map_or_else(absent, disks),
        );
    }
    close(out, rows.len(), usize::MAX, "/api/v1/filesystems");
}

fn filesystem_state(row: &FilesystemRow<'_>) -> String {
    let mut chips = String::new();
    if !row.responsive {
        chips.push_str(&chip(Tone::Bad, "not responding"));
    }
    if row.readonly == Some(true) {
        chips.push_str(&chip(Tone::Warn, "read-only"));
    }
    for (ratio, what) in [(row.fill_ratio(), "nearly full"), (row.files_ratio(), "few inodes left")]
    {
        let tone = filesystem_tone(ratio.unwrap_or(0.0));
        if tone != Tone::Good {
            chips.push_str(&chip(tone, what));
        }
    }
    if chips.is_empty() {
        chips.push_str(&chip(Tone::Good, "ok"));
    }
    if row.remote {
        chips.push_str(&chip(Tone::Quiet, "remote"));
    }
    chips
}

fn filesystem_use(row: &FilesystemRow<'_>) -> String {
    let (Some(size), Some(free)) = (row.size_bytes, row.free_bytes) else {
        return "<span class=\"dim\">not known</span>".into();
    };
    if size == 0 {
        return absent();
    }
    let used = size.saturating_sub(free);
    let share = |bytes: u64| bytes as f64 / size as f64 * 100.0;
    let says = format!("{} of {}", bytes(used), bytes(size));
    let drawn = match row.unattributed_bytes {
        Some(rest) => {
            let rest = u64::try_from(rest).unwrap_or(0).min(used);
            bar(&[("used", share(used - rest)), ("rest", share(rest))], None, &says)
        }
        None => bar(&[("unsplit", share(used))], None, &says),
    };
    format!(
        "{drawn}<span class=\"nums\"><span><b>{}</b> of {}</span><span>{}</span></span>",
        bytes(used),
        bytes(size),
        row.fill_ratio().map_or(String::new(), percent)
    )
}

/// The disks at the bottom, what lies between, and who shares them.
fn disks(row: &FilesystemDeviceRow<'_>) -> String {
    let Some(top) = row.layers.first() else { return absent() };
    let shared = match row.subjects {
        0 | 1 => String::new(),
        n => format!("<small>shared by {n}</small>"),
    };
    if row.disks.is_empty() {
        return format!("<span class=\"dim\">{}</span>{shared}", top.kind);
    }
    let through = match top.kind {
        "disk" | "partition" => String::new(),
        kind => format!(" <span class=\"tag\">{kind}</span>"),
    };
    format!("{}{through}{shared}", esc(&row.disks.join(", ")))
}

fn inodes(row: &FilesystemRow<'_>) -> String {
    row.files_ratio().map_or(absent(), percent)
}

pub(super) fn agent(out: &mut String, row: &AgentRow<'_>) {
    heading(out, "agent", "Agent", 0, "");
    let state = match (row.up, row.recovering) {
        (true, _) => chip(Tone::Good, "up"),
        (false, true) => chip(Tone::Warn, "recovering"),
        (false, false) => chip(Tone::Bad, "not answering"),
    };
    let _ = write!(
        out,
        "<dl class=\"facts\"><div><dt>API</dt><dd>{} {state}</dd></div>",
        esc(row.url.unwrap_or(""))
    );
    let facts = [
        ("Version", row.version),
        ("Id", row.id),
        ("Work directory", row.work_dir.as_deref()),
        ("Runtime directory", row.runtime_dir.as_deref()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", esc(value));
        }
    }
    if let Some(paths) = row.gc_path_removals_pending {
        let _ = write!(out, "<div><dt>Waiting for removal</dt><dd>{paths} paths</dd></div>");
    }
    out.push_str("</dl>");
    if row.resources.is_empty() {
        out.push_str("</section>");
        return;
    }
    table(out, &["Role", "Reservation", "CPUs", "Memory", "Disk", "Ports"]);
    for resource in &row.resources {
        resources(out, resource);
    }
    close(out, 0, 0, "");
    let known = row.resources.iter().any(|resource| {
        resource.cpus_allocated.is_some() || resource.disk_allocated_bytes.is_some()
    });
    if !known {
        // The section is closed: the note stands under the table.
        out.push_str("<p class=\"note\">What is held is not known: the list of running tasks could not be read whole.</p>");
    }
}

fn resources(out: &mut String, row: &ResourceRow<'_>) {
    let plain = |number: f64| {
        let text = format!("{number:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let cell = |held: Option<String>, total: Option<String>| match (held, total) {
        (Some(held), Some(total)) => format!("<b>{held}</b> of {total}"),
        (None, Some(total)) => total,
        _ => absent(),
    };
    let _ = write!(
        out,
        "<tr><td class=\"name\"><b>{}</b></td><td data-l=\"Reservation\">{}</td><td data-l=\"CPUs\"><span>{}</span></td>\
         <td data-l=\"Memory\"><span>{}</span></td><td data-l=\"Disk\"><span>{}</span></td><td data-l=\"Ports\"><span>{}</span></td></tr>",
        esc(row.role),
        row.reservation,
        cell(row.cpus_allocated.map(plain), row.cpus.map(plain)),
        cell(row.memory_allocated_bytes.map(bytes), row.memory_bytes.map(bytes)),
        cell(row.disk_allocated_bytes.map(bytes), row.disk_bytes.map(bytes)),
        cell(row.ports_allocated.map(|n| n.to_string()), row.ports.map(|n| n.to_string())),
    );
}

pub(super) fn sources(out: &mut String, rows: &[SourceRow<'_>], snapshot: &Snapshot) {
    heading(out, "sources", "Sources and collectors", 0, "");
    table(out, &["Source", "Health", "Read from", "Took"]);
    for row in rows {
        let (tone, word) = match row.health {
            SourceHealth::Ok => (Tone::Good, "ok"),
            SourceHealth::Partial => (Tone::Warn, "in part"),
            SourceHealth::Failed => (Tone::Bad, "failed"),
            SourceHealth::Absent => (Tone::Quiet, "not here"),
        };
        let reasons: Vec<String> = row.errors.iter().map(|error| esc(&error.message)).collect();
        let _ = write!(
            out,
            "<tr><td class=\"name\"><b>{}</b></td><td data-l=\"Health\">{}</td>\
             <td data-l=\"Read from\"><span><span class=\"path\">{}</span>{}</span></td><td data-l=\"Took\">{}</td></tr>",
            esc(row.collector),
            chip(tone, word),
            esc(row.target),
            reasons.iter().map(|reason| format!("<small>{reason}</small>")).collect::<String>(),
            span(row.duration_seconds),
        );
    }
    for run in
        snapshot.collectors.iter().filter(|run| !rows.iter().any(|row| row.collector == run.name))
    {
        let (tone, word) = if run.success { (Tone::Good, "ok") } else { (Tone::Bad, "failed") };
        let _ = write!(
            out,
            "<tr><td class=\"name\"><b>{}</b></td><td data-l=\"Health\">{}</td><td></td><td data-l=\"Took\">{}</td></tr>",
            esc(run.name),
            chip(tone, word),
            span(run.duration_seconds),
        );
    }
    close(out, 0, 0, "");
}

pub(super) fn absent() -> String {
    "<span class=\"dim\">–</span>".into()
}
