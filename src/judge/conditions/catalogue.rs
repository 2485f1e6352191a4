//! The list of all conditions.

use super::{Condition, growth, host, io, network, subjects};

/// Every condition, in the order of the runbook.
pub static ALL: [&Condition; 46] = [
    &subjects::VOLUME_NEAR_QUOTA,
    &subjects::VOLUME_OVER_QUOTA,
    &subjects::VOLUME_OVER_QUOTA_UNENFORCED,
    &growth::VOLUME_FILLS_SOON,
    &growth::VOLUME_FILLS_NOW,
    &subjects::VOLUME_ORPHANED,
    &subjects::VOLUME_UNOWNED,
    &subjects::VOLUME_UNUSED,
    &subjects::VOLUME_REATTACHED,
    &subjects::VOLUME_MISSING,
    &subjects::VOLUME_CONFLICT,
    &subjects::VOLUME_DANGLING_MOUNT,
    &subjects::VOLUME_MOUNTED_ELSEWHERE,
    &subjects::VOLUME_MOUNTED_TWICE,
    &subjects::VOLUME_UNMEASURED,
    &subjects::SANDBOX_NEAR_QUOTA,
    &subjects::SANDBOX_OVER_QUOTA,
    &subjects::SANDBOX_OVER_QUOTA_UNENFORCED,
    &growth::SANDBOX_FILLS_SOON,
    &growth::SANDBOX_FILLS_NOW,
    &subjects::SANDBOX_MISSING,
    &subjects::SANDBOXES_LEAKED,
    &subjects::SANDBOXES_ABANDONED,
    &io::IO_THROTTLED,
    &io::IO_PRESSURE,
    &io::IO_NEIGHBOUR,
    &host::FILESYSTEM_FILLING,
    &host::FILESYSTEM_FULL,
    &growth::FILESYSTEM_FILLS_SOON,
    &growth::FILESYSTEM_FILLS_NOW,
    &host::FILESYSTEM_INODES_LOW,
    &host::FILESYSTEM_INODES_EXHAUSTED,
    &host::FILESYSTEM_OVERCOMMITTED,
    &host::FILESYSTEM_READONLY,
    &host::FILESYSTEM_UNRESPONSIVE,
    &network::NETWORK_STORAGE_UNRESPONSIVE,
    &network::NETWORK_STORAGE_SLOW,
    &network::NETWORK_STORAGE_RETRANSMITTING,
    &host::AGENT_DOWN,
    &host::AGENT_RECOVERING,
    &host::GC_BEHIND,
    &host::RESERVATION_IDLE,
    &host::SOURCE_UNREADABLE,
    &host::SOURCES_DISAGREE,
    &host::MEASUREMENTS_OVERDUE,
    &host::SERIES_DROPPED,
];

/// Every condition, in the order of the runbook.
pub fn all() -> impl Iterator<Item = &'static Condition> {
    ALL.iter().copied()
}

/// The condition of that kind.
pub fn find(id: &str) -> Option<&'static Condition> {
    all().find(|condition| condition.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::Thresholds;
    use super::*;

    #[test]
    fn entries_follow_the_customs() {
        let mut ids = HashSet::new();
        let mut alerts = HashSet::new();
        let thresholds = Thresholds::default();
        for condition in all() {
            let id = condition.id;
            assert!(ids.insert(id), "{id} twice");
            assert!(alerts.insert(condition.alert), "{} twice", condition.alert);
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{id}");
            // snake_case and CamelCase of the same words.
            let words: String =
                id.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
            assert_eq!(condition.alert, format!("Plimsoll{words}"));
            assert!(!condition.summary.ends_with('.'), "{id}: a summary is no sentence");
            for text in [
                condition.description,
                condition.meaning,
                condition.check,
                condition.action,
                condition.next,
            ] {
                assert!(text.ends_with('.'), "{id}: {text}");
            }
            assert!(condition.hold_seconds >= 0.0);
            let Some(threshold) = &condition.threshold else {
                assert!(!condition.expr.is_some_and(|expr| expr.contains("$threshold")), "{id}");
                continue;
            };
            let value = thresholds.get(threshold.key).expect(id);
            assert!(threshold.margin >= 0.0 && threshold.margin < value, "{id}");
            assert!(condition.expr.is_none_or(|expr| expr.contains("$threshold")), "{id}");
        }
        // Every key of the configuration is somebody's threshold.
        for (key, ..) in thresholds.list() {
            assert!(all().any(|c| c.threshold.as_ref().is_some_and(|t| t.key == key)), "{key}");
        }
        assert!(find("volume_orphaned").is_some());
        assert!(find("volume_orphan").is_none());
    }
}
