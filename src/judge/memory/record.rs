//! One subject's record, and the bounded set of them.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::model::{ClockStep, History, Holder, Peak, QuotaChange, Timestamp, Volume};

/// How long a vanished subject is remembered, in seconds.
const KEEP_GONE: f64 = 86_400.0;
/// Most vanished subjects that are remembered; those gone longest go first.
pub(super) const MAX_GONE: usize = 10_000;

/// What is remembered of one subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// What surfaces show of it.
    #[serde(flatten)]
    pub history: History,
    /// Its quota in the last round; `known_quota` tells no quota from never looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_bytes: Option<u64>,
    known_quota: bool,
    /// Its bytes in the last measurement.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_bytes: Option<u64>,
    /// State it was judged last.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Since when it is gone; absent while it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_since: Option<Timestamp>,
}

impl Record {
    pub fn quota(&mut self, quota: Option<u64>, now: Timestamp) {
        if self.known_quota && self.quota_bytes != quota {
            let from_bytes = self.quota_bytes;
            self.history.quota_change = Some(QuotaChange { from_bytes, to_bytes: quota, at: now });
        }
        self.quota_bytes = quota;
        self.known_quota = true;
        self.over_quota(now);
    }

    pub fn usage(&mut self, used: u64, at: Timestamp) {
        self.used_bytes = Some(used);
        if self.history.peak.is_none_or(|peak| peak.bytes < used) {
            self.history.peak = Some(Peak { bytes: used, at });
        }
        self.over_quota(at);
    }

    fn over_quota(&mut self, at: Timestamp) {
        let over = self.used_bytes.zip(self.quota_bytes).is_some_and(|(used, quota)| used > quota);
        if over {
            self.history.over_quota_since.get_or_insert(at);
        } else {
            self.history.over_quota_since = None;
        }
    }

    /// `unseen`: nobody can say since when nothing claims it, so its own age decides.
    pub fn claims(&mut self, volume: &Volume, now: Timestamp, unseen: bool) {
        let history = &mut self.history;
        let used = volume.holders.iter().any(Holder::uses);
        if used {
            history.last_used = Some(now);
        }
        if volume.claims.claimed() {
            history.last_claimed = Some(now);
            history.unclaimed_since = None;
        } else if used {
            // Whatever the lists say: the grace starts when the last holder is gone.
            history.unclaimed_since = None;
        } else if volume.claims.denied() {
            let age = volume.created.filter(|created| unseen && *created <= now);
            history.unclaimed_since.get_or_insert(age.unwrap_or(now));
        }
    }

    pub fn state(&mut self, state: &str, at: Timestamp) {
        if self.state.as_deref() != Some(state) {
            self.state = Some(state.to_owned());
            self.history.state_since = Some(at);
        }
    }

    /// A clock that was set back leaves times ahead of now: they count as now, so that no grace
    /// is shorter than it should be and nothing was used in the future.
    fn not_ahead_of(&mut self, now: Timestamp) {
        self.each_time(|time| *time = time.min(now));
    }

    /// Every time goes along with a clock that was set.
    pub fn clock_stepped(&mut self, step: &ClockStep) {
        self.each_time(|time| step.shift(time));
    }

    fn each_time(&mut self, change: impl Fn(&mut Timestamp)) {
        let history = &mut self.history;
        let peak = history.peak.as_mut().map(|peak| &mut peak.at);
        let quota = history.quota_change.as_mut().map(|change| &mut change.at);
        let plain = [
            &mut history.first_seen,
            &mut history.last_claimed,
            &mut history.unclaimed_since,
            &mut history.unowned_since,
            &mut history.last_used,
            &mut history.over_quota_since,
            &mut history.state_since,
            &mut self.gone_since,
        ];
        plain.into_iter().filter_map(Option::as_mut).chain(peak).chain(quota).for_each(change);
    }
}

/// Records by key.
#[derive(Clone, Debug)]
pub struct Records<K>(HashMap<K, Record>);

impl<K> Default for Records<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Ord + Clone> Records<K> {
    /// Notes which subjects are there (with when each was made, where known) and which are gone.
    /// `note` is told whether the subject is new.
    pub fn observe<'a, T: 'a>(
        &mut self,
        present: impl Iterator<Item = (&'a K, Option<Timestamp>, T)>,
        now: Timestamp,
        mut note: impl FnMut(&mut Record, T, bool),
    ) where
        K: 'a,
    {
        self.0.values_mut().for_each(|record| record.not_ahead_of(now));
        let mut seen = HashSet::new();
        for (key, created, facts) in present {
            seen.insert(key.clone());
            let reborn = |record: &Record| {
                record.gone_since.zip(created).is_some_and(|(gone, created)| created > gone)
            };
            if self.0.get(key).is_some_and(reborn) {
                // Another one of the same name.
                self.0.remove(key);
            }
            let is_new = !self.0.contains_key(key);
            let record = self.0.entry(key.clone()).or_default();
            record.history.first_seen.get_or_insert(now);
            record.gone_since = None;
            note(record, facts, is_new);
        }
        for (key, record) in &mut self.0 {
            if !seen.contains(key) {
                record.gone_since.get_or_insert(now);
            }
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, record| record.gone_since.is_none_or(|gone| now - gone < KEEP_GONE));
        let is_gone = |record: &&Record| record.gone_since.is_some();
        let too_many = self.0.values().filter(is_gone).count().saturating_sub(MAX_GONE);
        if too_many == 0 {
            return;
        }
        let mut gone: Vec<(Timestamp, K)> = self
            .0
            .iter()
            .filter_map(|(key, record)| Some((record.gone_since?, key.clone())))
            .collect();
        gone.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        for (_, key) in &gone[..too_many] {
            self.0.remove(key);
        }
    }

    pub fn get(&self, key: &K) -> Option<&Record> {
        self.0.get(key)
    }

    pub fn present_mut(&mut self, key: &K) -> Option<&mut Record> {
        self.0.get_mut(key).filter(|record| record.gone_since.is_none())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &Record)> {
        self.0.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut Record)> {
        self.0.iter_mut()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds what an earlier run knew. Of a subject known here already the older record wins:
    /// this run only began to look at it, and says the present facts again in its next round.
    pub fn restore(&mut self, earlier: impl Iterator<Item = (K, Record)>) {
        for (key, record) in earlier {
            self.0.insert(key, record);
        }
    }
}
