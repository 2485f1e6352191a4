//! What is remembered of a subject beyond the present moment.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A quota that was changed: the volume was grown or shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaChange {
    /// Bytes before; absent: it had none.
    pub from_bytes: Option<u64>,
    /// Bytes since; absent: it has none any more.
    pub to_bytes: Option<u64>,
    /// When the change was seen.
    pub at: Timestamp,
}

/// Most bytes a subject was ever seen to hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// Allocated bytes.
    pub bytes: u64,
    /// When the measurement that showed them ended.
    pub at: Timestamp,
}

/// What is remembered of one subject, between rounds and (with a state file) between runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When it was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// When a source of truth last claimed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_claimed: Option<Timestamp>,
    /// Since when nothing claims it, as far as authoritative lists could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unclaimed_since: Option<Timestamp>,
    /// Since when no registered framework uses its role, by the master.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unowned_since: Option<Timestamp>,
    /// When it last had a holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// Most bytes seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<Peak>,
    /// Since when it holds more than its quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_quota_since: Option<Timestamp>,
    /// The last change of its quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_change: Option<QuotaChange>,
    /// Since when it is in its present state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Timestamp>,
}

/// Which roles have a framework, by the leading master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleOwners {
    /// Every role the master listed, with the number of its registered frameworks. A framework
    /// that is disconnected stays registered until its `failover_timeout` is over.
    pub frameworks: std::collections::BTreeMap<String, usize>,
}

impl RoleOwners {
    /// Whether a registered framework can use what is reserved for `role`. `None`: the master did
    /// not list the role (it may not be ours to see), so nothing follows.
    ///
    /// Frameworks of sub-roles count: the allocator offers a reservation to its role and to every
    /// role below it (`isAllocatableTo` in `src/common/resources.cpp`).
    pub fn owned(&self, role: &str) -> Option<bool> {
        let own = self.frameworks.get(role)?;
        let below = self.frameworks.iter().any(|(name, count)| {
            *count > 0 && name.strip_prefix(role).is_some_and(|rest| rest.starts_with('/'))
        });
        Some(*own > 0 || below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_owned_by_itself_or_by_a_role_below_it() {
        let listed = [("eng", 0), ("eng/storage", 1), ("ops", 0), ("ops2", 3), ("a", 2)];
        let owners = RoleOwners {
            frameworks: listed.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
        };
        assert_eq!(owners.owned("a"), Some(true));
        assert_eq!(owners.owned("eng/storage"), Some(true));
        assert_eq!(owners.owned("eng"), Some(true));
        assert_eq!(owners.owned("ops"), Some(false));
        assert_eq!(owners.owned("eng/storage/x"), None);
        assert_eq!(owners.owned(""), None);
    }
}
