//! What the daemon remembers of subjects that are gone, at its most: it keeps them for a day, so that
//! its memory would grow through the whole run just because they come and go.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use plimsoll::model::{SandboxKey, SourceKind, VolumeKey};
use plimsoll::pipeline::state_file::{MEMORY, Sections, StateDir};
use serde_json::{Value, json};

/// As many volumes, and as many sandboxes, as are remembered at most.
const MOST: usize = 10_000;

/// Writes the state file of a daemon that saw so many come and go within the last hours.
pub fn remember(state: &Path) {
    std::fs::create_dir(state).expect("made");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs_f64();
    let record = |number: usize| {
        // The last of them went just now.
        let gone = now - (MOST - number) as f64;
        json!({
            "first_seen": gone - 90.0, "last_claimed": gone - 30.0, "last_used": gone - 30.0,
            "state_since": gone - 30.0, "peak": {"bytes": 50_000, "at": gone - 60.0},
            "used_bytes": 50_000, "quota_bytes": 1 << 20, "known_quota": true, "state": "idle",
            "gone_since": gone,
        })
    };
    let volume = |number: usize| VolumeKey {
        source: SourceKind::Mesos,
        role: "analytics".into(),
        volume: format!("before-{number}"),
        disk: "ROOT".into(),
    };
    let sandbox = |number: usize| SandboxKey {
        source: SourceKind::Mesos,
        framework: "9f3c1d52-0b1e-4c8e-9a57-000000000000-0000".into(),
        executor: format!("before-{number}"),
        container: format!("container-before-{number}"),
    };
    let volumes: Vec<Value> =
        (0..MOST).map(|number| json!([volume(number), record(number)])).collect();
    let sandboxes: Vec<Value> =
        (0..MOST).map(|number| json!([sandbox(number), record(number)])).collect();
    let memory = json!({"volumes": volumes, "sandboxes": sandboxes});
    let (dir, _) = StateDir::open(state).expect("the state");
    let bytes = serde_json::to_vec(&memory).expect("JSON");
    dir.write(&Sections::from([(MEMORY.to_owned(), bytes)])).expect("written");
}
