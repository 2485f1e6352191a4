//! Block I/O of containers, and network filesystems.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write;

use super::host::absent;
use super::html::{Tone, bytes, chip, count, esc, percent, plural, sandbox_name, span};
use super::subjects::{close, heading, table};
use crate::expose::rows::{DeviceRow, IoRow, SandboxRow};
use crate::model::{Direction, DirectionIo, IoLimit, NetworkFilesystem};

/// Rows of one table; the API has the rest.
const MAX_IO: usize = 50;
const MAX_NETWORK: usize = 50;
/// Volumes named in one cell.
const MAX_NAMED: usize = 2;

/// A row for each container and device, those that are held back first, then the busiest. Nested
/// containers are part of their parent's numbers.
pub(super) fn io(out: &mut String, rows: &[IoRow<'_>], sandboxes: &[SandboxRow<'_>]) {
    let mut shown: Vec<(&IoRow<'_>, &DeviceRow<'_>)> = rows
        .iter()
        .filter(|row| !row.nested)
        .flat_map(|row| row.devices.iter().map(move |device| (row, device)))
        .collect();
    if shown.is_empty() {
        return;
    }
    // Ratios and rates are never negative: their bits sort as they do.
    let bits = |value: Option<f64>| value.unwrap_or(0.0).max(0.0).to_bits();
    shown.sort_by_cached_key(|(_, device)| {
        let held = bits(device.read.throttled_ratio).max(bits(device.write.throttled_ratio));
        Reverse((held, bits(device.bytes_per_second), moved(device)))
    });
    let names: HashMap<&str, &SandboxRow<'_>> =
        sandboxes.iter().map(|row| (row.container, row)).collect();
    let note = "As their control groups counted since they were made; those held back at a limit first. \
                Small percentages: use of a limit now, and shares of the last five minutes.";
    heading(out, "io", "Block I/O", 0, note);
    table(
        out,
        &[
            "Container",
            "Device",
            "Read",
            "Written",
            "Last minutes",
            "Limits",
            "At a limit",
            "Waited",
        ],
    );
    for (row, device) in shown.iter().take(MAX_IO) {
        let _ = write!(
            out,
            "<tr><td class=\"name\"><b>{}</b><small class=\"path\">{}</small></td>\
             <td data-l=\"Device\"><span>{} <small>{}</small></span></td>\
             <td data-l=\"Read\"><span>{}</span></td><td data-l=\"Written\"><span>{}</span></td>\
             <td data-l=\"Last minutes\">{}</td><td data-l=\"Limits\"><span>{}</span></td>\
             <td data-l=\"At a limit\"><span>{}</span></td><td data-l=\"Waited\"><span>{}</span></td></tr>",
            esc(&container_name(row, &names)),
            esc(row.group),
            esc(device.device),
            esc(&device.device_number),
            counted(device.read),
            counted(device.write),
            device.bytes_per_second.map_or_else(absent, rate),
            limits(device),
            held_back(device),
            waited(row),
        );
    }
    close(out, shown.len(), MAX_IO, "/api/v1/io");
}

fn moved(device: &DeviceRow<'_>) -> u64 {
    device.read.bytes.unwrap_or(0).saturating_add(device.write.bytes.unwrap_or(0))
}

fn container_name(row: &IoRow<'_>, names: &HashMap<&str, &SandboxRow<'_>>) -> String {
    match names.get(row.container) {
        Some(sandbox) => sandbox_name(sandbox),
        None if row.executor.is_empty() => row.container.to_owned(),
        None => row.executor.to_owned(),
    }
}

fn counted(direction: &DirectionIo) -> String {
    let Some(moved) = direction.bytes else { return absent() };
    let operations = direction
        .operations
        .map_or(String::new(), |operations| format!("<small>{} ops</small>", count(operations)));
    format!("{}{operations}", bytes(moved))
}

/// Bytes a second.
fn rate(per_second: f64) -> String {
    format!("{}/s", bytes(per_second.max(0.0) as u64))
}

fn limits(device: &DeviceRow<'_>) -> String {
    let mut out = String::new();
    for (direction, io) in [(Direction::Read, device.read), (Direction::Write, device.write)] {
        let bytes_limit =
            io.limit_bytes.as_ref().map(|limit| (limit, rate(limit.per_second as f64)));
        let operations = io
            .limit_operations
            .as_ref()
            .map(|limit| (limit, format!("{}\u{a0}op/s", count(limit.per_second))));
        for (limit, shown) in bytes_limit.into_iter().chain(operations) {
            let _ = write!(
                out,
                "<span class=\"holder\" title=\"set for {}\">{} {shown}{}</span>",
                esc(&limit.group),
                direction.as_str(),
                used(limit)
            );
        }
    }
    if out.is_empty() { "<span class=\"dim\">none</span>".into() } else { out }
}

fn used(limit: &IoLimit) -> String {
    limit.used_ratio.map_or(String::new(), |ratio| format!(" <small>{}</small>", percent(ratio)))
}

fn held_back(device: &DeviceRow<'_>) -> String {
    let mut out = String::new();
    for (direction, io) in [(Direction::Read, device.read), (Direction::Write, device.write)] {
        let Some(seconds) = io.throttled_seconds else { continue };
        let share = match io.throttled_ratio {
            Some(ratio) if ratio > 0.0 => chip(Tone::Warn, &percent(ratio)),
            _ => String::new(),
        };
        let _ = write!(
            out,
            "<span class=\"holder\">{} {} {share}</span>",
            direction.as_str(),
            span(seconds)
        );
    }
    if out.is_empty() { absent() } else { out }
}

/// Pressure and delay belong to the container, not to one of its devices.
fn waited(row: &IoRow<'_>) -> String {
    let mut parts = Vec::new();
    if let Some(pressure) = row.pressure {
        let share = pressure
            .some_ratio
            .map_or(String::new(), |ratio| format!(" <small>{}</small>", percent(ratio)));
        parts.push(format!(
            "<span class=\"holder\">pressure {}{share}</span>",
            span(pressure.some_seconds)
        ));
    }
    if let Some(delay) = row.delay_seconds {
        parts.push(format!("<span class=\"holder\">threads {}</span>", span(delay)));
    }
    if parts.is_empty() { absent() } else { parts.concat() }
}

/// Every network filesystem, those that do not answer first.
pub(super) fn network(out: &mut String, rows: &[NetworkFilesystem]) {
    if rows.is_empty() {
        return;
    }
    let mut rows: Vec<&NetworkFilesystem> = rows.iter().collect();
    rows.sort_by_key(|row| {
        let moved = row.read_bytes.unwrap_or(0).saturating_add(row.written_bytes.unwrap_or(0));
        (row.responsive != Some(false), Reverse(moved))
    });
    heading(
        out,
        "network",
        "Network storage",
        rows.len(),
        "As the kernel's clients count; never walked.",
    );
    table(
        out,
        &[
            "Mounted from",
            "State",
            "Read",
            "Written",
            "Requests",
            "Time of one",
            "Sent again",
            "Used by",
        ],
    );
    for row in rows.iter().take(MAX_NETWORK) {
        let total = row.total();
        let retransmissions = match (total.retransmissions, total.timeouts) {
            (None, None) => absent(),
            (again, timeouts) => {
                let given_up = match timeouts {
                    Some(n) if n > 0 => format!("<small>{} given up</small>", count(n)),
                    _ => String::new(),
                };
                format!("{}{given_up}", again.map_or_else(absent, count))
            }
        };
        let waiting = match row.waiting {
            Some(n) if n > 0 => format!("<small>{} waiting</small>", count(n)),
            _ => String::new(),
        };
        let _ = write!(
            out,
            "<tr><td class=\"name\"><b>{}</b> <span class=\"tag\">{}</span><small class=\"path\">{}</small></td>\
             <td data-l=\"State\"><span>{}</span></td><td data-l=\"Read\">{}</td><td data-l=\"Written\">{}</td>\
             <td data-l=\"Requests\"><span>{}{waiting}</span></td><td data-l=\"Time of one\">{}</td>\
             <td data-l=\"Sent again\"><span>{retransmissions}</span></td><td data-l=\"Used by\"><span>{}</span></td></tr>",
            esc(&mounted_from(row)),
            esc(&row.fstype),
            esc(&row.key.mount_point),
            network_state(row),
            row.read_bytes.map_or_else(absent, bytes),
            row.written_bytes.map_or_else(absent, bytes),
            if row.operations.is_empty() { absent() } else { count(total.requests) },
            row.recent.and_then(|recent| recent.mean_execute_seconds).map_or_else(absent, span),
            used_by(row),
        );
    }
    close(out, rows.len(), MAX_NETWORK, "/api/v1/network_filesystems");
}

fn mounted_from(row: &NetworkFilesystem) -> String {
    match (row.key.server.as_str(), row.key.export.as_str()) {
        ("", "") => "source not told".into(),
        ("", only) | (only, "") => only.to_owned(),
        (server, export) => format!("{server}:{export}"),
    }
}

fn network_state(row: &NetworkFilesystem) -> String {
    let mut chips = match row.responsive {
        Some(true) => chip(Tone::Good, "answers"),
        Some(false) => chip(Tone::Bad, "not responding"),
        None => chip(Tone::Quiet, "not asked"),
    };
    if row.disconnected == Some(true) {
        chips.push_str(&chip(Tone::Bad, "connection lost"));
    }
    chips
}

fn used_by(row: &NetworkFilesystem) -> String {
    let mut out = String::new();
    for volume in row.volumes.iter().take(MAX_NAMED) {
        let name = if volume.volume.is_empty() { &volume.disk } else { &volume.volume };
        let _ = write!(out, "<span class=\"holder\">{}</span>", esc(name));
    }
    if row.volumes.len() > MAX_NAMED {
        let _ = write!(out, "<small>and {} more</small>", row.volumes.len() - MAX_NAMED);
    }
    if !row.users.is_empty() {
        let _ =
            write!(out, "<small>{}</small>", plural(row.users.len(), "container", "containers"));
    }
    if out.is_empty() { "<span class=\"dim\">no subject</span>".into() } else { out }
}
