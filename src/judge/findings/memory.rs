//! What is remembered of findings from one snapshot to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::judge::conditions;
use crate::model::{Finding, Timestamp};

use super::{Candidate, Facts, Strength, candidates, in_order, subjects};

/// How long it is told that a volume was created over old data, in seconds.
const TELL_REATTACHED: f64 = 86_400.0;

/// One condition on one subject that held in the last snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// Since when without a break.
    pub since: Timestamp,
    /// Its hold time is over: it is a finding.
    pub told: bool,
}

/// Remembers since when each condition holds. Bounded by the conditions that hold now; what a
/// state file brings back of subjects that are gone, or of kinds an older version does not know,
/// is dropped at the first update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FindingMemory {
    /// By identity: the kind and the values of the identity labels, as a JSON array.
    entries: BTreeMap<String, Remembered>,
}

impl FindingMemory {
    /// Takes note of one snapshot and returns the findings, the gravest first.
    ///
    /// While the first inventory is not in, nothing is found and nothing forgotten.
    pub fn update(&mut self, facts: &Facts<'_>) -> Vec<Finding> {
        if !facts.snapshot.ready {
            return Vec::new();
        }
        let mut found = candidates(facts);
        self.reattached(facts, &mut found);
        let mut entries = BTreeMap::new();
        let mut findings = Vec::new();
        for candidate in found {
            let id = candidate.identity();
            let Some(remembered) = self.next(&id, &candidate, facts.now) else { continue };
            if entries.insert(id, remembered).is_none() && remembered.told {
                findings.push(candidate.finding(remembered.since));
            }
        }
        self.entries = entries;
        in_order(findings)
    }

    /// Conditions that are remembered, told or not yet.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn next(&self, id: &str, candidate: &Candidate, now: Timestamp) -> Option<Remembered> {
        let before = self.entries.get(id);
        let told = before.is_some_and(|before| before.told);
        if candidate.strength == Strength::Lingers && !told {
            return None;
        }
        // A clock that was set back must not make a finding of the future.
        let since = before.map_or(now, |before| before.since.min(now));
        Some(Remembered { since, told: told || now - since >= candidate.condition.hold_seconds })
    }

    /// A volume that was told to be an orphan and is claimed now was created over its data.
    fn reattached(&self, facts: &Facts<'_>, found: &mut Vec<Candidate>) {
        for view in &facts.snapshot.volumes {
            if !view.volume.claims.claimed() {
                continue;
            }
            let candidate = subjects::reattached(view);
            let orphan = Candidate { condition: &conditions::VOLUME_ORPHANED, ..candidate.clone() };
            let was_orphan = self.entries.get(&orphan.identity()).is_some_and(|before| before.told);
            let still_told = self
                .entries
                .get(&candidate.identity())
                .is_some_and(|before| facts.now - before.since < TELL_REATTACHED);
            if was_orphan || still_told {
                found.push(candidate);
            }
        }
    }
}

impl Candidate {
    /// The finding's identity as text: unambiguous whatever the names hold.
    fn identity(&self) -> String {
        let values = serde_json::Value::from(self.subject.values.clone());
        serde_json::Value::from(vec![self.condition.id.into(), values]).to_string()
    }
}
