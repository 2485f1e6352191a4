//! The order in which a person wants to read rows.

use std::cmp::Ordering;

use super::{SandboxRow, VolumeRow};

/// Missing volumes first, then those over their quota, orphans, and the rest by how full they
/// are, then by bytes, then by name.
pub fn volumes_by_what_matters(a: &VolumeRow<'_>, b: &VolumeRow<'_>) -> Ordering {
    let rank = |row: &VolumeRow<'_>| match row.state {
        "missing" => 0,
        _ if row.fill_ratio().is_some_and(|ratio| ratio > 1.0) => 1,
        "orphaned" => 2,
        _ => 3,
    };
    rank(a)
        .cmp(&rank(b))
        .then_with(|| fuller_first(a.fill_ratio(), b.fill_ratio()))
        .then_with(|| b.used_bytes.cmp(&a.used_bytes))
        .then_with(|| (a.role, a.volume, a.disk).cmp(&(b.role, b.volume, b.disk)))
}

/// Missing sandboxes first, then those over their quota, those the agent will never remove, and
/// the rest by how full they are, then by bytes, then by name.
pub fn sandboxes_by_what_matters(a: &SandboxRow<'_>, b: &SandboxRow<'_>) -> Ordering {
    let rank = |row: &SandboxRow<'_>| match row.state {
        "missing" => 0,
        _ if row.fill_ratio().is_some_and(|ratio| ratio > 1.0) => 1,
        "leaked" | "abandoned" => 2,
        _ => 3,
    };
    rank(a)
        .cmp(&rank(b))
        .then_with(|| fuller_first(a.fill_ratio(), b.fill_ratio()))
        .then_with(|| b.used_bytes.cmp(&a.used_bytes))
        .then_with(|| {
            (a.framework, a.executor, a.container).cmp(&(b.framework, b.executor, b.container))
        })
}

/// Larger ratios first, absent ones last.
fn fuller_first(a: Option<f64>, b: Option<f64>) -> Ordering {
    let known = |ratio: Option<f64>| ratio.unwrap_or(-1.0);
    known(b).total_cmp(&known(a))
}
