//! The next few whose turn it is, so that not every turn takes a look at every subject.
//!
//! With 10,000 subjects such a look costs more than most passes do. What it finds is therefore kept
//! for some turns; on a small host for one, so that each turn goes by what the last one brought.

use std::time::{Duration, Instant};

use super::super::order::{self, Candidate};
use super::Scheduler;

/// Turns that one look serves: one for so many that are ready.
const READY_A_TURN: usize = 16;
/// And no more than this.
const TURNS: usize = 64;
/// What was found is not used for longer: others have become ready since.
const LASTS: Duration = Duration::from_millis(100);

/// What the last look found, the best of each list last.
#[derive(Default)]
pub(super) struct Queue {
    found: Option<Instant>,
    turns: usize,
    /// Without a value, as of the look and as still to come.
    pub(super) waiting: bool,
    first: Vec<Candidate>,
    /// By the measure that keeps the sum of all ages smallest.
    ranked: Vec<Candidate>,
    oldest: Vec<Candidate>,
}

impl Queue {
    pub(super) fn of(ready: &[Candidate], now: Instant) -> Self {
        let turns = (ready.len() / READY_A_TURN).clamp(1, TURNS);
        let first = order::first(ready, turns);
        Self {
            found: Some(now),
            turns,
            waiting: !first.is_empty(),
            first,
            ranked: order::again(ready, false, turns),
            oldest: order::again(ready, true, turns),
        }
    }

    /// Some that have a value are ready to be measured again.
    pub(super) fn again(&self) -> bool {
        !self.ranked.is_empty()
    }
}

impl Scheduler {
    /// Whose turn it is, of those the last look found, and whether as the one that waited longest.
    /// None: it takes another look, or there is nothing to spend.
    pub(super) fn next_in_queue(&mut self, now: Instant) -> Option<(Candidate, bool)> {
        let fresh = |found: Instant| now.saturating_duration_since(found) < LASTS;
        let queue = &self.queue;
        if queue.turns == 0 || !queue.found.is_some_and(fresh) || !self.calls.open() {
            return None;
        }
        let next = if queue.waiting && self.bootstrap.open() {
            // One slice for each, that small ones end first. When these are through, there may be
            // more without a value.
            loop {
                let next = self.queue.first.pop()?;
                if self.still_ready(&next, now) {
                    break (next, false);
                }
            }
        } else if self.steady.open() {
            // Until it is through.
            let oldest = self.oldest_credit > 0.0;
            loop {
                let queue = &self.queue;
                let next = *if oldest { &queue.oldest } else { &queue.ranked }.last()?;
                if self.still_ready(&next, now) {
                    break (next, oldest);
                }
                let queue = &mut self.queue;
                if oldest { &mut queue.oldest } else { &mut queue.ranked }.pop();
            }
        } else {
            return None;
        };
        self.queue.turns -= 1;
        Some(next)
    }

    fn still_ready(&self, next: &Candidate, now: Instant) -> bool {
        let Some(entry) = self.entries.get(&next.id) else { return false };
        let waits = self.flights.iter().any(|flight| flight.device == entry.device);
        let mut candidates = entry.candidates(next.id, now, self.config.max_age);
        let same = |c: Candidate| c.refresh == next.refresh && c.first == next.first;
        !entry.in_flight && !waits && candidates.any(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(count: u64) -> Vec<Candidate> {
        let known = |id| Candidate {
            id,
            refresh: false,
            first: None,
            attained: 0,
            age: id as f64,
            cost: 0.001,
            weight: 1.0,
        };
        (0..count).map(known).collect()
    }

    #[test]
    fn one_look_serves_more_turns_the_more_there_are() {
        let now = Instant::now();
        for (count, turns) in [(0, 1), (1, 1), (31, 1), (32, 2), (800, 50), (10_000, 64)] {
            let queue = Queue::of(&ready(count), now);
            assert_eq!(queue.turns, turns, "{count}");
            assert_eq!(queue.ranked.len(), turns.min(count as usize));
            assert_eq!(queue.oldest.last().map(|c| c.id), count.checked_sub(1));
            assert_eq!((queue.waiting, queue.again()), (false, count > 0));
        }
        let mut mixed = ready(100);
        mixed[7].first = Some(0);
        let queue = Queue::of(&mixed, now);
        assert!(queue.waiting && queue.first.len() == 1 && queue.first[0].id == 7);
    }
}
