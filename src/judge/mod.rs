//! What the facts mean: pure functions of (inventory, remembered state, now).
//!
//! Nothing here reads a file or a clock.

pub mod assemble;
pub mod attribution;
pub mod enforcement;
pub mod growth;
pub mod memory;
pub mod sandbox;
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
