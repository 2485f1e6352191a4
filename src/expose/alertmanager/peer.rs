//! What one Alertmanager was told, and what to tell it next. Pure: time and chance are arguments.
//!
//! Nothing is queued. Each time the set that should be known is compared with what was told, so
//! that after an outage, however long, the address gets what holds then and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use super::alert::{Alert, Labels};
use super::book::Desired;
use crate::model::Timestamp;

/// Most alerts in one request.
pub const MAX_BATCH: usize = 64;
/// An alert that is not repeated lapses after so many intervals.
pub const LAPSE_INTERVALS: f64 = 4.0;
/// First pause after a failure, in seconds; it doubles up to the interval or [`LONGEST_PAUSE`].
const FIRST_PAUSE: f64 = 1.0;
/// Longest pause between two attempts, in seconds.
const LONGEST_PAUSE: f64 = 60.0;
/// When a request is due anyway, what is due within this part of the interval goes with it.
const TOGETHER: f64 = 0.2;

/// The time, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// By the wall clock.
    pub wall: Timestamp,
    /// In seconds, by a clock that nobody sets.
    pub steady: f64,
}

/// An alert as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The alert.
    pub alert: Arc<Alert>,
    /// It is over, since then; absent while it fires.
    pub ended_at: Option<Timestamp>,
}

/// One Alertmanager.
#[derive(Debug)]
pub struct Peer {
    interval: f64,
    told: HashMap<Arc<Labels>, Told>,
    failures: u32,
    /// Nothing is sent before that.
    not_before: f64,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    fires: bool,
    at: f64,
}

impl Peer {
    /// One that was told nothing yet; `interval` in seconds.
    pub fn new(interval: f64) -> Self {
        Self { interval, told: HashMap::new(), failures: 0, not_before: f64::NEG_INFINITY }
    }

    /// What to send now, at most [`MAX_BATCH`], the most urgent first: what it does not know yet,
    /// what it does not know to be over, then what has to be repeated.
    pub fn due(&self, desired: &Desired, now: Clock) -> Vec<Message> {
        if now.steady < self.not_before || self.next_due(desired).is_none_or(|at| now.steady < at) {
            return Vec::new();
        }
        let soon = now.steady + self.interval * TOGETHER;
        let mut due: Vec<(u8, Message)> = messages(desired)
            .filter(|message| self.due_at(message) <= soon)
            .map(|message| {
                let rank = match (self.knows(&message), message.ended_at) {
                    (false, None) => 0,
                    (false, Some(_)) => 1,
                    (true, _) => 2,
                };
                (rank, message)
            })
            .collect();
        due.sort_by_key(|(rank, _)| *rank);
        due.truncate(MAX_BATCH);
        due.into_iter().map(|(_, message)| message).collect()
    }

    /// When [`Peer::due`] has something next, on the steady clock; absent while there is nothing to
    /// tell.
    pub fn next(&self, desired: &Desired) -> Option<f64> {
        self.next_due(desired).map(|at| at.max(self.not_before))
    }

    /// Messages that it should know of by now and does not.
    pub fn pending(&self, desired: &Desired, now: Clock) -> usize {
        messages(desired).filter(|message| self.due_at(message) <= now.steady).count()
    }

    /// It took these.
    pub fn accepted(&mut self, sent: &[Message], desired: &Desired, now: Clock) {
        for message in sent {
            let told = Told { fires: message.ended_at.is_none(), at: now.steady };
            self.told.insert(Arc::clone(&message.alert.labels), told);
        }
        self.failures = 0;
        self.not_before = f64::NEG_INFINITY;
        if self.told.len() > desired.firing.len() + desired.ended.len() {
            let wanted: std::collections::HashSet<_> =
                messages(desired).map(|message| Arc::clone(&message.alert.labels)).collect();
            self.told.retain(|labels, _| wanted.contains(labels));
        }
    }

    /// It did not. What it knows is not certain any more, so that everything is told anew; `chance`
    /// from 0 to 1 spreads the attempts of many hosts.
    pub fn failed(&mut self, now: Clock, chance: f64) {
        self.told.clear();
        let longest = self.interval.clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let pause = (FIRST_PAUSE * 2_f64.powi(self.failures.min(16) as i32)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.steady + pause * (0.5 + 0.5 * chance.clamp(0.0, 1.0));
    }

    /// Attempts that failed since the last that did not.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Alerts of which is remembered that they were told.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.told.len()
    }

    fn next_due(&self, desired: &Desired) -> Option<f64> {
        messages(desired).map(|message| self.due_at(&message)).min_by(f64::total_cmp)
    }

    fn due_at(&self, message: &Message) -> f64 {
        match self.told.get(&message.alert.labels) {
            Some(told) if told.fires == message.ended_at.is_none() => told.at + self.interval,
            _ => f64::NEG_INFINITY,
        }
    }

    fn knows(&self, message: &Message) -> bool {
        self.due_at(message) > f64::NEG_INFINITY
    }
}

fn messages(desired: &Desired) -> impl Iterator<Item = Message> {
    let firing = desired.firing.iter().map(|alert| (alert, None));
    let ended = desired.ended.iter().map(|(alert, at)| (alert, Some(*at)));
    let message = |(alert, ended_at)| Message { alert: Arc::clone(alert), ended_at };
    firing.chain(ended).map(message)
}
