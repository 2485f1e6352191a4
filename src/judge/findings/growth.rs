//! Rules about what will be full, by the growth seen.

use crate::judge::conditions::{self, Condition};
use crate::judge::{spoken, spoken_bytes};
use crate::model::{FindingSubject, FullBy, Growth};

use super::{Candidate, Facts, Strength, limit};

/// A warning, and the critical condition that comes after it.
pub(super) type Stages = [&'static Condition; 2];

pub(super) const VOLUME: Stages = [&conditions::VOLUME_FILLS_SOON, &conditions::VOLUME_FILLS_NOW];
pub(super) const SANDBOX: Stages =
    [&conditions::SANDBOX_FILLS_SOON, &conditions::SANDBOX_FILLS_NOW];
pub(super) const FILESYSTEM: Stages =
    [&conditions::FILESYSTEM_FILLS_SOON, &conditions::FILESYSTEM_FILLS_NOW];

/// Tells when `what` (of `limit` bytes) is full soon, if it is `by` that which is full first: a
/// filesystem is told once, and not on each subject it holds.
pub(super) fn fills(
    facts: &Facts<'_>,
    growth: Option<&Growth>,
    by: FullBy,
    stages: Stages,
    what: &str,
    subject: impl Fn() -> FindingSubject,
    found: &mut Vec<Candidate>,
) {
    let Some(growth) = growth.filter(|growth| growth.full_by == Some(by)) else { return };
    let Some(full_at) = growth.full_at else { return };
    let [soon, critical] = stages;
    let held = |condition: &Condition| {
        let (horizon, margin) = limit(condition, facts.thresholds)?;
        match growth {
            growth if growth.fills_within(horizon, facts.now) => Some(Strength::Holds),
            growth if growth.fills_within(horizon + margin, facts.now) => Some(Strength::Lingers),
            _ => None,
        }
    };
    let left = full_at - facts.now;
    let when = if left < 1.0 { "now".to_string() } else { format!("in {}", spoken(left)) };
    let reason = format!(
        "{what} is full {when} at the pace of {} a day.",
        spoken_bytes((growth.bytes_per_second * 86_400.0).max(0.0) as u64)
    );
    let mut tell = |condition, strength| {
        let candidate = Candidate::new(condition, subject(), reason.clone());
        found.push(Candidate { strength, ..candidate });
    };
    for condition in [critical, soon] {
        if let Some(strength) = held(condition) {
            tell(condition, strength);
        }
    }
}
