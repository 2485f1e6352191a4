//! Growth that fills a quota or a filesystem within hours. Nobody waits hours for it here: between two
//! runs the daemon's memory of what it measured is made half a day long, and ends in what is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use plimsoll::judge::growth::History;
use plimsoll::pipeline::state_file::{GROWTH, StateDir};
use serde_json::Value;

use crate::host::wait_for;
use crate::scene;
use crate::support::mounts::Mounted;
use crate::support::replay::api::Mode;
use crate::support::replay::changed::Changed;

use super::agent::{hold, sandbox};
use super::{fill, make, notice, serve, told, with_state};

/// Of directories and filesystems, and of sandboxes.
pub const HOST: [&str; 4] =
    ["volume_fills_soon", "volume_fills_now", "filesystem_fills_soon", "filesystem_fills_now"];
pub const SANDBOXES: [&str; 2] = ["sandbox_fills_soon", "sandbox_fills_now"];

const MIB: u64 = 1 << 20;
/// Seconds of history, and between its samples.
const HISTORY: f64 = 46_800.0;
const STEP: f64 = 300.0;

/// Bytes of the quota or filesystem that are held now.
struct Held {
    used: u64,
    limit: u64,
}

/// A history of steady growth, from a part of what is held now up to it. How it was measured is
/// known by what the daemon wrote itself.
fn grown(held: &Held, from: f64, method: &str, now: f64) -> Value {
    let mut history = History::default();
    let steps = (HISTORY / STEP) as u32;
    for step in 0..=steps {
        let share = f64::from(step) / f64::from(steps);
        let bytes = held.used as f64 * (from + (1.0 - from) * share);
        let at = now - HISTORY + f64::from(step) * STEP;
        history.observe(at, bytes as u64, Some(held.limit), method);
    }
    serde_json::to_value(&history).expect("a history")
}

/// Gives each subject whose name is in the map its history.
fn remember(state: &Path, kind: &str, held: &BTreeMap<String, Held>, method: &str) {
    let (dir, loaded) = StateDir::open(state).expect("the state");
    let mut sections = loaded.sections;
    let bytes = sections.get(GROWTH).expect("growth is kept");
    let mut stored: Value = serde_json::from_slice(bytes).expect("JSON");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("a time").as_secs_f64();
    let mut given = 0;
    for entry in stored[kind].as_array_mut().expect("histories") {
        let key = &entry[0];
        let name = ["volume", "executor"].iter().find_map(|field| key[field].as_str());
        let name = name.or(key.as_str()).expect("a name");
        if let Some(held) = held.get(name) {
            entry[1] = grown(held, 0.5, method, now);
            given += 1;
        }
    }
    assert_eq!(given, held.len(), "{kind}: {stored:#}");
    sections.insert(GROWTH.to_owned(), serde_json::to_vec(&stored).expect("JSON"));
    dir.write(&sections).expect("write");
}

/// Lets the daemon measure everything, and returns what it says of it: `/api/v1/` and this.
fn measured(config: &Path, flags: &[String], state: &Path, list: &str) -> Value {
    let daemon = serve(&with_state(config, state), flags);
    let rows = wait_for("everything is measured", || {
        let pending = daemon.get("/metrics").body;
        let pending = crate::support::daemon::value(&pending, "plimsoll_usage_pending_subjects");
        (pending == Some(0.0)).then(|| daemon.json(&format!("/api/v1/{list}")))
    });
    // The snapshot after it remembers.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(daemon.stop(), Some(0));
    rows
}

/// What the daemon says of those subjects, and how it measured them.
fn held(rows: &Value, field: &str, names: [&str; 2]) -> (BTreeMap<String, Held>, String) {
    let mut method = String::new();
    let mut held = BTreeMap::new();
    for row in rows.as_array().expect("rows") {
        let Some(name) = row[field].as_str().filter(|name| names.contains(name)) else { continue };
        let bytes = |field: &str| row[field].as_u64().unwrap_or_else(|| panic!("{field}: {row:#}"));
        let one = Held { used: bytes("used_bytes"), limit: bytes("quota_bytes") };
        held.insert(name.to_owned(), one);
        row["method"].as_str().unwrap_or_else(|| panic!("{row:#}")).clone_into(&mut method);
    }
    assert_eq!(held.len(), 2, "{rows:#}");
    (held, method)
}

#[test]
fn what_fills_within_hours_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    for (name, mebibytes) in [("soon", 8), ("now", 9)] {
        fill(&at(name), (mebibytes * MIB) as usize);
    }
    let mut mounts = Vec::new();
    let mut filesystems = BTreeMap::new();
    for (name, mebibytes) in [("fs-soon", 8), ("fs-now", 9)] {
        make(&at(name));
        mounts.push(Mounted::tmpfs(&at(name), "10m"));
        fill(&at(name), (mebibytes * MIB) as usize);
        let held = Held { used: mebibytes * MIB, limit: 10 * MIB };
        filesystems.insert(at(name).display().to_string(), held);
    }
    let config = dir.path().join("plimsoll.yml");
    let mut text = "mesos: {enabled: false}\ndocker: {enabled: false}\nusage: {cpu_budget: \
                    0.5}\ndirectories:\n"
        .to_owned();
    for (name, quota) in [("soon", "10MiB"), ("now", "10MiB"), ("fs-soon", ""), ("fs-now", "")] {
        let quota = if quota.is_empty() { String::new() } else { format!(", quota: {quota}") };
        text += &format!("- {{path: {}, name: {name}{quota}}}\n", at(name).display());
    }
    fs::write(&config, text).expect("write");
    let state = at("state");
    make(&state);
    let rows = measured(&config, &[], &state, "volumes");
    let (volumes, method) = held(&rows, "volume", ["soon", "now"]);
    remember(&state, "volumes", &volumes, &method);
    remember(&state, "filesystems", &filesystems, "statfs");
    notice(&config, &[], &state, &HOST);
    told(&config, &[], &state, &HOST);
}

#[test]
fn a_sandbox_that_fills_within_hours_is_told() {
    let changed = Changed::of("06-volumes-destroyed");
    for (executor, mebibytes) in [("share-a-1", 26), ("share-b-1", 29)] {
        hold(&sandbox(&changed, executor), mebibytes * MIB as usize);
    }
    let api = changed.api(Mode::Whole);
    let scene = scene::of(changed.scene, api);
    let (config, flags) = (&scene.config, scene.path_flags());
    let state = tempfile::tempdir().expect("a directory");
    let rows = measured(config, &flags, state.path(), "sandboxes");
    let (sandboxes, method) = held(&rows, "executor", ["share-a-1", "share-b-1"]);
    remember(state.path(), "sandboxes", &sandboxes, &method);
    notice(config, &flags, state.path(), &SANDBOXES);
    told(config, &flags, state.path(), &SANDBOXES);
}
