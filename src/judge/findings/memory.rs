//! What is remembered of findings from one snapshot to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::judge::conditions::{self, Condition};
use crate::model::{
    ClockStep, ContainerIo, Finding, Measured, NetworkFilesystem, Presence, SubjectKind, Timestamp,
    Volume, VolumeState, VolumeView,
};

use super::{Candidate, Facts, Strength, candidates, given_way, in_order, network, subjects};

/// How long it is told that a volume was created over old data, in seconds.
const TELL_REATTACHED: f64 = 86_400.0;
/// Seconds after a start until everything that is a rate has been watched for long enough, or will
/// never be: it takes the counters of containers and network filesystems a minute and a look.
const RATES_KNOWN: f64 = 120.0;
/// Of a network filesystem less says nothing yet about what was found before a restart.
const LEAST_WINDOW: f64 = 60.0;

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
    /// Of an earlier run, of which this one cannot say yet whether they hold: subjects that are not
    /// measured yet, rates that are not known.
    #[serde(skip)]
    waiting: BTreeMap<String, Remembered>,
    /// When this run first looked with what is waited for.
    #[serde(skip)]
    began: Option<Timestamp>,
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
        self.waiting.retain(|id, _| !entries.contains_key(id));
        if !self.waiting.is_empty() {
            let unmeasured = unmeasured(facts);
            let began = *self.began.get_or_insert(facts.now);
            let elapsed = facts.now - began;
            self.waiting.retain(|id, _| is_awaited(id, &unmeasured, elapsed, facts));
        }
        self.entries = entries;
        in_order(given_way(findings))
    }

    /// The wall clock was set: what holds holds as long as before.
    pub fn clock_stepped(&mut self, step: &ClockStep) {
        for remembered in self.entries.values_mut().chain(self.waiting.values_mut()) {
            step.shift(&mut remembered.since);
        }
        if let Some(began) = &mut self.began {
            step.shift(began);
        }
    }

    /// What is worth keeping beyond this run.
    pub fn stored(&self) -> Self {
        let mut entries = self.waiting.clone();
        entries.extend(self.entries.iter().map(|(id, remembered)| (id.clone(), *remembered)));
        Self { entries, ..Self::default() }
    }

    /// Takes up what an earlier run kept. What this run found already stays as it is.
    pub fn restore(&mut self, stored: Self) {
        self.waiting = stored.entries;
        self.began = None;
    }

    /// Conditions that are remembered, told or not yet.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Identities of an earlier run's findings of which this run cannot say yet whether they hold.
    pub fn awaited(&self) -> impl Iterator<Item = &str> {
        self.waiting.iter().filter(|(_, one)| one.told).map(|(id, _)| id.as_str())
    }

    fn next(&self, id: &str, candidate: &Candidate, now: Timestamp) -> Option<Remembered> {
        let before = self.before(id);
        let told = before.is_some_and(|before| before.told);
        if candidate.strength == Strength::Lingers && !told {
            return None;
        }
        // A clock that was set back must not make a finding of the future.
        let since = before.map_or(now, |before| before.since.min(now));
        Some(Remembered { since, told: told || now - since >= candidate.condition.hold_seconds })
    }

    /// Since when a condition is known to hold, if at all.
    pub(super) fn since(&self, candidate: &Candidate) -> Option<Timestamp> {
        self.before(&candidate.identity()).map(|before| before.since)
    }

    fn before(&self, id: &str) -> Option<&Remembered> {
        self.entries.get(id).into_iter().chain(self.waiting.get(id)).min_by(|a, b| {
            let since = a.since.total_cmp(&b.since);
            b.told.cmp(&a.told).then(since)
        })
    }

    /// A volume that was told to be an orphan and is claimed now was created over its data.
    fn reattached(&self, facts: &Facts<'_>, found: &mut Vec<Candidate>) {
        for view in &facts.snapshot.volumes {
            if !view.volume.claims.claimed() {
                continue;
            }
            let candidate = subjects::reattached(view);
            let orphan = Candidate { condition: &conditions::VOLUME_ORPHANED, ..candidate.clone() };
            let was_orphan = self.before(&orphan.identity()).is_some_and(|before| before.told);
            let still_told = self
                .before(&candidate.identity())
                .is_some_and(|before| facts.now - before.since < TELL_REATTACHED);
            if was_orphan || still_told {
                found.push(candidate);
            }
        }
    }
}

/// Identity labels of the volumes and sandboxes that will be measured and that no attempt has
/// measured yet, and of the directories of which nobody has looked up yet who uses them.
fn unmeasured(facts: &Facts<'_>) -> BTreeSet<(SubjectKind, Vec<String>)> {
    let volumes = facts.snapshot.volumes.iter();
    let new = |measured: &Measured| measured.sample.is_none() && measured.failure.is_none();
    let coming =
        |volume: &Volume| volume.to_measure().is_some() || volume.presence == Presence::Unknown;
    let volumes = volumes
        .filter(|view| (new(&view.measured) && coming(&view.volume)) || not_looked_up(view))
        .map(subjects::of_volume);
    let sandboxes = facts.snapshot.sandboxes.iter();
    let sandboxes = sandboxes
        .filter(|view| new(&view.measured) && view.sandbox.presence != Presence::Missing)
        .map(subjects::of_sandbox);
    volumes.chain(sandboxes).map(|subject| (subject.kind, subject.values)).collect()
}

fn not_looked_up(view: &VolumeView) -> bool {
    let directory = view.volume.unused_after.is_some();
    directory && view.state == VolumeState::Unknown && view.open_files.is_none()
}

/// Whether it is too early to say of an earlier run's condition that it is over. After a restart
/// all is listed at once and measured only by and by, and what is judged by rates takes a while longer.
/// `elapsed`: seconds since this run first looked.
fn is_awaited(
    id: &str,
    unmeasured: &BTreeSet<(SubjectKind, Vec<String>)>,
    elapsed: f64,
    facts: &Facts<'_>,
) -> bool {
    let Ok((kind, values)) = serde_json::from_str::<(String, Vec<String>)>(id) else {
        return false;
    };
    let Some(condition) = conditions::find(&kind) else { return false };
    let snapshot = facts.snapshot;
    let is = |one: &Condition| condition.id == one.id;
    let early = elapsed < RATES_KNOWN;
    if is(&conditions::IO_THROTTLED)
        || is(&conditions::IO_PRESSURE)
        || is(&conditions::IO_NEIGHBOUR)
    {
        let is_it = |one: &&ContainerIo| {
            let key = &one.key;
            [key.source.as_str(), &key.framework, &key.executor, &key.container] == *values
        };
        return early && snapshot.io.iter().find(is_it).is_none_or(|one| !has_rates(one));
    }
    if is(&conditions::NETWORK_STORAGE_SLOW) || is(&conditions::NETWORK_STORAGE_RETRANSMITTING) {
        let of_it = snapshot.network.iter().find(|one| network::of(one).values == values);
        let short = |one: &NetworkFilesystem| {
            one.recent.is_none_or(|recent| recent.window_seconds < LEAST_WINDOW)
        };
        return early && of_it.map_or(snapshot.network.is_empty(), short);
    }
    // Nothing is late yet; what stays unmeasured is late enough for a finding of this run by then.
    if is(&conditions::MEASUREMENTS_OVERDUE) {
        return !unmeasured.is_empty() && elapsed < 2.0 * facts.thresholds.measurements_overdue;
    }
    match condition.subject {
        // There may be none any more.
        SubjectKind::NetworkFilesystem => early && snapshot.network.is_empty(),
        SubjectKind::Filesystem => early && snapshot.filesystems.is_empty(),
        subject => unmeasured.contains(&(subject, values)),
    }
}

/// Its counters were watched for long enough to say how fast they rise.
fn has_rates(io: &ContainerIo) -> bool {
    io.devices.iter().any(|device| device.bytes_per_second.is_some())
        || io.pressure.is_some_and(|pressure| pressure.full_ratio.is_some())
        || io.delay_ratio.is_some()
}

impl Candidate {
    fn identity(&self) -> String {
        identity(self.condition.id, &self.subject.values)
    }
}

/// A finding's identity as text, from its kind and the values of its subject's labels: unambiguous
/// whatever the names hold.
pub fn identity(kind: &str, values: &[String]) -> String {
    let values = serde_json::Value::from(values.to_vec());
    serde_json::Value::from(vec![kind.into(), values]).to_string()
}
