//! What fires and what ended lately: what every Alertmanager should know. Pure.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alert::{Alert, Labels};
use crate::model::{ClockStep, Severity, Timestamp};

/// Most alerts that are sent; the gravest are.
pub const MAX_ALERTS: usize = 1000;
/// How long it is repeated that an alert is over, in seconds.
pub const TELL_RESOLVED: f64 = 900.0;

/// A finding as an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// Identity of the finding, as findings are remembered by.
    pub finding: String,
    /// How much it matters.
    pub severity: Severity,
    /// The alert.
    pub alert: Alert,
}

/// Alerts that fire and alerts that ended, by their labels: what Alertmanager knows them by. No
/// alert is in both.
#[derive(Clone, Debug, Default)]
pub struct Book {
    firing: BTreeMap<Arc<Labels>, Entry>,
    ended: BTreeMap<Arc<Labels>, (Arc<Alert>, Timestamp)>,
    dropped: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    finding: String,
    severity: Severity,
    alert: Arc<Alert>,
    /// Of an earlier run, and not seen by this one yet.
    restored: bool,
}

/// What the addresses are told of: a copy that never changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// Alerts that fire, the gravest first.
    pub firing: Vec<Arc<Alert>>,
    /// Alerts that ended, and when.
    pub ended: Vec<(Arc<Alert>, Timestamp)>,
    /// Alerts that fire and are left out because there are too many.
    pub dropped: usize,
}

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredBook {
    /// When it was taken; nothing then when there was nothing to keep.
    at: Timestamp,
    firing: Vec<(String, Severity, Alert)>,
    ended: Vec<(Alert, Timestamp)>,
}

impl Book {
    /// Takes up what fires now. `awaited` holds the identities of an earlier run's findings about
    /// subjects that this run has not measured yet: their alerts go on.
    ///
    /// With `resolve`, what is over is told as ended for a while; without, it is just no longer
    /// told of, and lapses.
    pub fn observe(
        &mut self,
        fired: Vec<Fired>,
        awaited: &HashSet<String>,
        resolve: bool,
        now: Timestamp,
    ) {
        let (kept, left_out) = self.bounded(fired);
        self.dropped = left_out.len();
        let mut before = std::mem::take(&mut self.firing);
        for Fired { finding, severity, alert } in kept {
            let labels = Arc::clone(&alert.labels);
            before.remove(&labels);
            self.ended.remove(&labels);
            let alert = Arc::new(alert);
            self.firing.insert(labels, Entry { finding, severity, alert, restored: false });
        }
        for (labels, entry) in before {
            if entry.restored && awaited.contains(&entry.finding) && self.firing.len() < MAX_ALERTS
            {
                self.firing.insert(labels, entry);
            } else if resolve && !left_out.contains(&labels) {
                self.ended.insert(labels, (entry.alert, now));
            }
        }
        if !resolve {
            self.ended.clear();
        }
        self.forget(now);
    }

    /// The gravest, and of those as grave the ones that are told of already; and who is left out.
    fn bounded(&self, mut fired: Vec<Fired>) -> (Vec<Fired>, HashSet<Arc<Labels>>) {
        if fired.len() <= MAX_ALERTS {
            return (fired, HashSet::new());
        }
        fired.sort_by_key(|one| (one.severity, !self.firing.contains_key(&one.alert.labels)));
        let rest = fired.split_off(MAX_ALERTS);
        (fired, rest.into_iter().map(|one| one.alert.labels).collect())
    }

    fn forget(&mut self, now: Timestamp) {
        self.ended.retain(|_, (_, at)| now - *at < TELL_RESOLVED);
        while self.ended.len() > MAX_ALERTS {
            let oldest = self.ended.iter().min_by(|a, b| a.1.1.total_cmp(&b.1.1));
            let Some(labels) = oldest.map(|(labels, _)| Arc::clone(labels)) else { return };
            self.ended.remove(&labels);
        }
    }

    /// What the addresses should know.
    pub fn desired(&self) -> Desired {
        let mut firing: Vec<&Entry> = self.firing.values().collect();
        firing.sort_by_key(|entry| entry.severity);
        Desired {
            firing: firing.into_iter().map(|entry| Arc::clone(&entry.alert)).collect(),
            ended: self.ended.values().cloned().collect(),
            dropped: self.dropped,
        }
    }

    /// The wall clock was set: what lies in the past stays as far in the past as it was.
    pub fn clock_stepped(&mut self, step: &ClockStep) {
        let moved = |alert: &mut Arc<Alert>| step.shift(&mut Arc::make_mut(alert).starts_at);
        self.firing.values_mut().for_each(|entry| moved(&mut entry.alert));
        for (alert, at) in self.ended.values_mut() {
            moved(alert);
            step.shift(at);
        }
    }

    /// What is worth keeping beyond this run.
    pub fn stored(&self, now: Timestamp) -> StoredBook {
        if self.firing.is_empty() && self.ended.is_empty() {
            return StoredBook::default();
        }
        let firing = self.firing.values();
        StoredBook {
            at: now,
            firing: firing
                .map(|entry| (entry.finding.clone(), entry.severity, Alert::clone(&entry.alert)))
                .collect(),
            ended: self.ended.values().map(|(alert, at)| (Alert::clone(alert), *at)).collect(),
        }
    }

    /// Takes up what an earlier run kept. What this run knows already stays as it is. Alerts that
    /// were promised for `horizon` seconds and have lapsed since are not taken up: those that still
    /// hold fire anew.
    pub fn restore(&mut self, stored: StoredBook, horizon: f64, now: Timestamp) {
        // A clock that was set back between the runs makes the file one of the future.
        let age = now - stored.at;
        if (-horizon..horizon).contains(&age) {
            for (finding, severity, alert) in stored.firing.into_iter().take(MAX_ALERTS) {
                let labels = Arc::clone(&alert.labels);
                if !self.ended.contains_key(&labels) {
                    let alert = Arc::new(alert);
                    let entry = Entry { finding, severity, alert, restored: true };
                    self.firing.entry(labels).or_insert(entry);
                }
            }
        }
        for (alert, at) in stored.ended.into_iter().take(MAX_ALERTS) {
            if !self.firing.contains_key(&alert.labels) && at <= now {
                let labels = Arc::clone(&alert.labels);
                self.ended.entry(labels).or_insert((Arc::new(alert), at));
            }
        }
        self.forget(now);
    }
}
