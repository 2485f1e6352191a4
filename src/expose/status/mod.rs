//! The page at `/`: what is wrong on this host, at a glance. Plain HTML with its style inside; no
//! script, nothing from elsewhere.

mod attention;
mod host;
mod html;
mod storage;
mod subjects;

use std::fmt::Write;

use attention::Item;
use html::{Tone, esc, plural, utc};

use super::render::has_own_series;
use super::rows::{self, SandboxRow, volumes_by_what_matters};
use super::telemetry::BuildInfo;
use crate::model::{SandboxKind, Snapshot};

const STYLE: &str = include_str!("style.css");
/// Items of the attention list; more than this nobody reads.
const MAX_ITEMS: usize = 40;

/// The mark: a circle and the line through it.
const MARK: &str = "<svg class=\"mark\" viewBox=\"0 0 32 32\" aria-hidden=\"true\"><circle cx=\"16\" cy=\"16\" r=\"10\" \
                    fill=\"none\" stroke=\"currentColor\" stroke-width=\"3\"/><rect x=\"1\" y=\"14.5\" width=\"30\" \
                    height=\"3\" fill=\"currentColor\"/></svg>";
/// The same as the page's icon.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Ccircle cx='16' \
                    cy='16' r='10' fill='none' stroke='%232f74a8' stroke-width='3'/%3E%3Crect x='1' y='14.5' width='30' \
                    height='3' fill='%232f74a8'/%3E%3C/svg%3E";

/// Renders the page; `now` is the time ages are counted to.
pub fn page(snapshot: &Snapshot, build: &BuildInfo, now: f64) -> String {
    let mut volumes = rows::volumes(snapshot);
    volumes.sort_by(volumes_by_what_matters);
    let sandboxes = rows::sandboxes(snapshot);
    let live_keys: Vec<bool> = snapshot.sandboxes.iter().map(has_own_series).collect();
    let nested: Vec<bool> =
        snapshot.sandboxes.iter().map(|view| view.sandbox.kind == SandboxKind::Nested).collect();
    let (mut live, finished) = split(&sandboxes, &live_keys, &nested);
    live.sort_by_key(|row| std::cmp::Reverse(row.used_bytes));
    let filesystems = rows::filesystems(snapshot);
    let agent = rows::agent(snapshot);

    let mut out =
        String::with_capacity(32 * 1024 + 900 * (volumes.len().min(200) + live.len().min(50)));
    let host = agent.as_ref().and_then(|agent| agent.hostname).unwrap_or("");
    head(&mut out, host);
    let summary = format!(
        "{} · {} · {} · as of {}, {}",
        plural(volumes.len(), "volume", "volumes"),
        plural(live.len(), "running sandbox", "running sandboxes"),
        plural(filesystems.len(), "filesystem", "filesystems"),
        utc(snapshot.taken_at),
        html::ago(now - snapshot.taken_at),
    );
    let mut body = String::new();
    if snapshot.ready {
        // Before the first inventory an empty table would say that there is nothing.
        subjects::volumes(&mut body, &volumes, now);
        subjects::sandboxes(&mut body, &live, now);
        subjects::finished(&mut body, &finished);
        storage::io(&mut body, &rows::io(snapshot), &sandboxes);
        host::filesystems(&mut body, &filesystems, &rows::devices(snapshot));
        storage::network(&mut body, &snapshot.network);
    }
    if let Some(agent) = &agent {
        host::agent(&mut body, agent);
    }
    if !snapshot.inventory.sources.is_empty() || !snapshot.collectors.is_empty() {
        host::sources(&mut body, &rows::sources(snapshot), snapshot);
    }

    let items = attention::items(snapshot, now);
    headline(&mut out, snapshot.ready, &items, &summary);
    out.push_str(&body);
    foot(&mut out, build);
    out
}

/// Live and finished ones; nested ones are in neither, their bytes are their parent's.
fn split<'r, 'a>(
    rows: &'r [SandboxRow<'a>],
    own_series: &[bool],
    nested: &[bool],
) -> (Vec<&'r SandboxRow<'a>>, Vec<&'r SandboxRow<'a>>) {
    let mut live = Vec::new();
    let mut finished = Vec::new();
    for ((row, own), nested) in rows.iter().zip(own_series).zip(nested) {
        match (nested, own) {
            (true, _) => {}
            (false, true) => live.push(row),
            (false, false) => finished.push(row),
        }
    }
    (live, finished)
}

fn head(out: &mut String, host: &str) {
    let host = esc(host);
    let separator = if host.is_empty() { "" } else { " · " };
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Plimsoll{separator}{host}</title>\
         <link rel=\"icon\" href=\"{ICON}\"><style>{STYLE}</style></head><body>\
         <header>{MARK}<span class=\"brand\">Plimsoll</span><span class=\"host\">{host}</span><nav>\
         <a href=\"/metrics\">metrics</a><a href=\"/api/v1/volumes\">volumes</a>\
         <a href=\"/api/v1/sandboxes\">sandboxes</a>\
         <a href=\"/api/v1/findings\">findings</a><a href=\"/api/v1/orphans\">orphans</a><a href=\"/api/v1/filesystems\">filesystems</a>\
         <a href=\"/api/v1/devices\">devices</a><a href=\"/api/v1/io\">I/O</a>\
         <a href=\"/api/v1/network_filesystems\">network</a>\
         <a href=\"/api/v1/agent\">agent</a><a href=\"/api/v1/sources\">sources</a></nav></header><main>"
    );
}

fn headline(out: &mut String, ready: bool, items: &[Item], summary: &str) {
    let tone = match items.first() {
        _ if !ready => Tone::Quiet,
        None => Tone::Good,
        Some(gravest) => gravest.tone,
    };
    let words = match items.len() {
        _ if !ready => "Looking around".to_owned(),
        0 => "All well".to_owned(),
        1 => "1 thing needs attention".to_owned(),
        n => format!("{} need attention", plural(n, "thing", "things")),
    };
    let below = if ready { esc(summary) } else { "The first inventory is not in yet.".into() };
    let _ = write!(
        out,
        "<div class=\"headline {}\"><h1><span class=\"dot\"></span>{words}</h1><p>{below}</p></div>",
        tone.class()
    );
    if items.is_empty() {
        return;
    }
    out.push_str("<ul class=\"attention\">");
    for item in items.iter().take(MAX_ITEMS) {
        let hint = match item.hint.as_str() {
            "" => String::new(),
            hint => format!("<p class=\"hint\">{}</p>", esc(hint)),
        };
        let _ = write!(
            out,
            "<li class=\"{}\"><span class=\"kind\">{}</span><div><p><b>{}</b> {}</p>{hint}</div></li>",
            item.tone.class(),
            item.kind,
            esc(&item.subject),
            esc(&item.text),
        );
    }
    out.push_str("</ul>");
    if items.len() > MAX_ITEMS {
        let _ = write!(
            out,
            "<p class=\"note\">and {} more, shown in the tables below.</p>",
            items.len() - MAX_ITEMS
        );
    }
}

fn foot(out: &mut String, build: &BuildInfo) {
    let revision: String = build.revision.chars().take(12).collect();
    let _ = writeln!(
        out,
        "</main><footer>Plimsoll {} <span class=\"dim\">{}</span></footer></body></html>",
        esc(&build.version),
        esc(&revision)
    );
}
