//! What a person should look at, the gravest first.

use std::collections::BTreeMap;

use super::html::{Tone, bytes, fill_tone, percent, plural, sandbox_name, span, volume_name};
use crate::expose::rows::{FilesystemRow, SandboxRow, VolumeRow};
use crate::model::{Snapshot, SourceHealth};

/// A filesystem this full is worth a look, and this full is in danger.
const FULL_WARN: f64 = 0.90;
const FULL_BAD: f64 = 0.95;
/// A snapshot older than this means that Plimsoll itself is stuck, in seconds.
const STALE: f64 = 300.0;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) tone: Tone,
    /// What sort of thing.
    pub(super) kind: &'static str,
    /// What it is about.
    pub(super) subject: String,
    /// What is wrong.
    pub(super) text: String,
    /// What to do, where there is something to say.
    pub(super) hint: String,
}

impl Item {
    fn new(
        tone: Tone,
        kind: &'static str,
        subject: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self { tone, kind, subject: subject.into(), text: text.into(), hint: String::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Everything that needs attention.
pub(super) fn items(
    snapshot: &Snapshot,
    volumes: &[VolumeRow<'_>],
    sandboxes: &[SandboxRow<'_>],
    filesystems: &[FilesystemRow<'_>],
    now: f64,
) -> Vec<Item> {
    let mut items = Vec::new();
    if snapshot.ready && now - snapshot.taken_at > STALE {
        let age = span(now - snapshot.taken_at);
        items.push(Item::new(
            Tone::Bad,
            "stale",
            "this page",
            format!("The newest snapshot is {age} old."),
        ));
    }
    sources(snapshot, &mut items);
    filesystems.iter().for_each(|row| filesystem(row, &mut items));
    volumes.iter().for_each(|row| volume(row, now, &mut items));
    sandboxes.iter().filter(|row| row.kind != "nested").for_each(|row| sandbox(row, &mut items));
    never_removed(sandboxes, &mut items);
    for found in &snapshot.inventory.disagreements {
        items.push(Item::new(Tone::Warn, "disagreement", &*found.subject, &*found.message));
    }
    // Stable: within a tone the order above stays.
    items.sort_by_key(|item| item.tone);
    items
}

fn sources(snapshot: &Snapshot, items: &mut Vec<Item>) {
    for source in &snapshot.inventory.sources {
        let tone = match source.health {
            SourceHealth::Failed => Tone::Bad,
            SourceHealth::Partial => Tone::Warn,
            SourceHealth::Ok | SourceHealth::Absent => continue,
        };
        let subject = format!("{} ({})", source.name, source.target);
        if source.errors.is_empty() {
            items.push(Item::new(tone, "source", subject, "It could not be read whole."));
            continue;
        }
        for error in &source.errors {
            items.push(
                Item::new(tone, "source", subject.clone(), &*error.message).hint(&*error.hint),
            );
        }
    }
    if let Some(agent) = snapshot.inventory.agent.as_ref().filter(|agent| agent.recovering) {
        let url = agent.url.as_deref().unwrap_or("the agent");
        items.push(Item::new(
            Tone::Warn,
            "agent",
            url,
            "The agent is still recovering: its lists are not complete.",
        ));
    }
}

fn filesystem(row: &FilesystemRow<'_>, items: &mut Vec<Item>) {
    let subject = || row.mount_point.clone();
    if !row.responsive {
        items.push(
            Item::new(
                Tone::Bad,
                "filesystem",
                subject(),
                format!("{} does not answer.", row.device),
            )
            .hint("Values shown for it are the last ones known."),
        );
    }
    if row.readonly == Some(true) {
        items.push(
            Item::new(Tone::Warn, "filesystem", subject(), "It is read-only.")
                .hint("A filesystem that was not mounted so turned read-only after an error: see the kernel's log."),
        );
    }
    for (ratio, what) in [(row.fill_ratio(), "bytes"), (row.files_ratio(), "inodes")] {
        let Some(ratio) = ratio else { continue };
        let tone = filesystem_tone(ratio);
        if tone != Tone::Good {
            let text = format!("{} of its {what} are used.", percent(ratio));
            items.push(Item::new(tone, "filesystem", subject(), text));
        }
    }
}

/// How grave it is that a filesystem is this full.
pub(super) fn filesystem_tone(ratio: f64) -> Tone {
    match ratio {
        full if full >= FULL_BAD => Tone::Bad,
        full if full >= FULL_WARN => Tone::Warn,
        _ => Tone::Good,
    }
}

fn volume(row: &VolumeRow<'_>, now: f64, items: &mut Vec<Item>) {
    let name = || volume_name(row);
    match row.state {
        "missing" => items.push(Item::new(Tone::Bad, "missing volume", name(), row.reason)),
        "orphaned" => {
            let size = row.used_bytes.map_or("Bytes not measured yet".into(), bytes);
            let age = row
                .created_timestamp_seconds
                .map_or(String::new(), |at| format!(", {} old", span(now - at)));
            let path = row.path.as_deref().unwrap_or(row.disk);
            let hint = match row.mounts.first() {
                Some(mount) => format!("It is still mounted at {}: {path}", mount.mount_point),
                None => format!("If nobody needs it, it can be removed by hand: {path}"),
            };
            items.push(
                Item::new(Tone::Warn, "orphan", name(), format!("{size}{age}. {}", row.reason))
                    .hint(hint),
            );
        }
        _ => {}
    }
    if let Some(item) = fullness(name, row.used_bytes.zip(row.quota_bytes), row.enforcement) {
        items.push(item);
    }
    if let Some(error) = row.measure_error {
        items.push(Item::new(Tone::Warn, "not measured", name(), error));
    }
}

fn sandbox(row: &SandboxRow<'_>, items: &mut Vec<Item>) {
    let name = || sandbox_name(row);
    if let Some(item) = fullness(name, row.used_bytes.zip(row.quota_bytes), row.enforcement)
        && matches!(row.state, "live" | "standalone" | "unknown")
    {
        items.push(item);
    }
    if let Some(error) = row.measure_error {
        items.push(Item::new(Tone::Warn, "not measured", name(), error));
    }
}

fn fullness(
    name: impl Fn() -> String,
    numbers: Option<(u64, u64)>,
    enforcement: &str,
) -> Option<Item> {
    let (used, quota) = numbers.filter(|(_, quota)| *quota > 0)?;
    let ratio = used as f64 / quota as f64;
    let what = match enforcement {
        "soft_kill" => "The agent kills its task for that.",
        "hard_quota" | "filesystem" => "Writes past it fail.",
        "none" | "accounting" => "Nothing enforces it: it can grow until the filesystem is full.",
        _ => "",
    };
    let of = format!("{} of {}, {}.", bytes(used), bytes(quota), percent(ratio));
    match fill_tone(ratio) {
        Tone::Bad => Some(Item::new(Tone::Bad, "over quota", name(), of).hint(what)),
        Tone::Warn => Some(Item::new(Tone::Warn, "nearly full", name(), of).hint(what)),
        _ => None,
    }
}

/// Sandboxes the agent will never remove, as one item per framework and state: there may be
/// thousands.
fn never_removed(sandboxes: &[SandboxRow<'_>], items: &mut Vec<Item>) {
    let mut sums: BTreeMap<(&str, &str), (usize, u64, &str)> = BTreeMap::new();
    for row in sandboxes.iter().filter(|row| row.kind != "nested") {
        if matches!(row.state, "leaked" | "abandoned") {
            let framework =
                if row.framework_name.is_empty() { row.framework } else { row.framework_name };
            let sum = sums.entry((row.state, framework)).or_insert((0, 0, row.reason));
            sum.0 += 1;
            sum.1 = sum.1.saturating_add(row.used_bytes.unwrap_or(0));
        }
    }
    for ((state, framework), (number, used, reason)) in sums {
        let kind = if state == "leaked" { "leaked sandboxes" } else { "abandoned sandboxes" };
        let hold = plural(number, "sandbox holds", "sandboxes hold");
        let text = format!("{hold} {}. {reason}", bytes(used));
        items.push(
            Item::new(Tone::Warn, kind, framework, text)
                .hint("The list with paths is at /api/v1/sandboxes."),
        );
    }
}
