//! What the facts mean: pure functions of (inventory, remembered state, now).
//!
//! Nothing here reads a file or a clock.

pub mod agent_resources;
pub mod assemble;
pub mod attribution;
pub mod conditions;
pub mod enforcement;
pub mod findings;
pub mod gc;
pub mod growth;
pub mod memory;
pub mod network;
pub mod open_files;
pub mod promised;
pub mod sandbox;
pub mod storage;
pub mod volume;

pub use assemble::{Evidence, assemble};
pub use memory::Memory;

use crate::model::Timestamp;

/// A duration for a sentence: `45s`, `12m`, `5h`, `3d`.
fn spoken(seconds: Timestamp) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Bytes for a sentence, with a binary unit and one decimal: `1.5 GiB`, `17 B`.
fn spoken_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be spoken as 1024.0.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}
