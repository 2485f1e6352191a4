//! A model of Alertmanager, as far as alerts go: `provider/mem` and `types.Alert.Merge` of 0.25.

use std::collections::BTreeMap;

use super::super::{LAPSE_INTERVALS, Message};
use super::name;

#[derive(Clone, Copy, Debug)]
struct Held {
    starts_at: f64,
    ends_at: f64,
}

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mood {
    Up,
    Down,
    /// It takes what it gets, and its answer is lost.
    Mute,
}

/// One Alertmanager.
#[derive(Debug)]
pub(super) struct Model {
    held: BTreeMap<String, Held>,
    pub(super) mood: Mood,
    /// Since when it has been up without a break.
    pub(super) up_since: f64,
    /// Since when nothing can have reached it.
    pub(super) cut_off_since: Option<f64>,
    /// How often that was for so long that alerts may have lapsed.
    pub(super) lapses: usize,
    /// Times each alert came to fire, as seen by who is notified.
    pub(super) fired: BTreeMap<String, usize>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            held: BTreeMap::new(),
            mood: Mood::Up,
            up_since: 0.0,
            cut_off_since: None,
            lapses: 0,
            fired: BTreeMap::new(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.held.clear();
        self.lapses += 1;
    }

    pub(super) fn cut_off(&mut self, now: f64) {
        self.cut_off_since.get_or_insert(now);
    }

    pub(super) fn fires(&self, name: &str, now: f64) -> bool {
        self.held.get(name).is_some_and(|held| held.ends_at > now)
    }

    /// Takes alerts; tells whether the sender gets to know.
    pub(super) fn post(&mut self, batch: &[Message], interval: f64, now: f64) -> bool {
        if self.mood == Mood::Down {
            return false;
        }
        // The last before it may have been an interval ago, and the next may wait as long.
        if let Some(since) = self.cut_off_since.take()
            && now - since >= interval * (LAPSE_INTERVALS - 2.0) - 4.0
        {
            self.lapses += 1;
        }
        for message in batch {
            let starts_at = message.alert.starts_at.min(now);
            let ends_at = match message.ended_at {
                Some(at) => at.clamp(starts_at, now),
                None => now + interval * LAPSE_INTERVALS,
            };
            self.put(name(&message.alert), starts_at, ends_at, now);
        }
        self.mood == Mood::Up
    }

    fn put(&mut self, name: String, starts_at: f64, ends_at: f64, now: f64) {
        let mut new = Held { starts_at, ends_at };
        let fired_before = self.fires(&name, now);
        if let Some(old) = self.held.get(&name) {
            let overlaps = (new.ends_at > old.starts_at && new.ends_at < old.ends_at)
                || (new.starts_at > old.starts_at && new.starts_at < old.ends_at);
            if overlaps {
                new = merged(*old, new, now);
            }
        }
        if !fired_before && new.ends_at > now {
            *self.fired.entry(name.clone()).or_default() += 1;
        }
        self.held.insert(name, new);
    }
}

/// The younger of two that overlap, with what it takes from the older.
fn merged(old: Held, new: Held, now: f64) -> Held {
    let mut merged = Held { starts_at: new.starts_at.min(old.starts_at), ..new };
    let resolved = |held: &Held| held.ends_at <= now;
    if resolved(&new) {
        if resolved(&old) && old.ends_at > new.ends_at {
            merged.ends_at = old.ends_at;
        }
    } else if old.ends_at > new.ends_at {
        merged.ends_at = old.ends_at;
    }
    merged
}
