//! Whose turn it is, and how far what was begun is.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::super::order::{Candidate, OLDEST_SHARE};
use super::lookup::Lookup;
use super::queue::Queue;
use super::{Flight, Scheduler, Stage};

/// How long the scheduler waits for one slice before it turns to other filesystems.
const PATIENCE: Duration = Duration::from_millis(150);
/// What is to be measured again becomes ready one by one: it is looked after together.
const TOGETHER: Duration = Duration::from_millis(500);
/// How long the scheduler sleeps at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long it waits for a step on the way to a subject.
const LOOKUP_PATIENCE: Duration = Duration::from_millis(20);

impl Scheduler {
    /// Whose turn it is, and whether as the one that waited longest; else how long to wait.
    pub(super) fn choose(&mut self, now: Instant) -> Result<(Candidate, bool), Duration> {
        let max_age = self.config.max_age;
        // Nothing can be done before there is something to spend: no look at each subject.
        if self.all_known && self.flights.is_empty() && !self.steady.open() {
            return Err(self.steady.wait().clamp(Duration::from_millis(1), LONGEST_WAIT));
        }
        if let Some(next) = self.next_in_queue(now) {
            return Ok(next);
        }
        self.all_known = self.entries.values().all(|entry| entry.last_good.is_some());
        let in_flight: HashSet<(u32, u32)> = self.flights.iter().map(|f| f.device).collect();
        let mut wait = LONGEST_WAIT;
        if !self.flights.is_empty() {
            wait = Duration::from_millis(100);
        }
        let mut wait_first = wait;
        let together = TOGETHER.min(max_age / 50);
        let mut ready: Vec<Candidate> = Vec::new();
        for (&id, entry) in &self.entries {
            if entry.in_flight || in_flight.contains(&entry.device) {
                continue;
            }
            let at = entry.ready_at(max_age);
            if at > now {
                let rest = if entry.last_good.is_some() { together } else { Duration::ZERO };
                wait = wait.min((at - now).max(rest));
                if entry.last_good.is_none() {
                    wait_first = wait_first.min(at - now);
                }
            } else {
                ready.extend(entry.candidates(id, now, max_age));
            }
        }
        if !self.calls.open() {
            return Err(wait.min(self.calls.wait()).max(Duration::from_millis(1)));
        }
        self.queue = Queue::of(&ready, now);
        if let Some(next) = self.next_in_queue(now) {
            return Ok(next);
        }
        if self.queue.waiting {
            wait = wait.min(self.bootstrap.wait());
            wait_first = wait_first.min(self.bootstrap.wait());
        }
        if self.queue.again() {
            // Until there is something to spend, it is of no use that more become ready.
            wait = wait_first.min(self.steady.wait());
        }
        Err(wait.max(Duration::from_millis(1)))
    }

    /// Takes the next step of a pass or of refreshes.
    pub(super) fn work(&mut self, chosen: Candidate, oldest: bool) {
        let (id, began) = (chosen.id, Instant::now());
        let before = self.stats.cpu_seconds_total;
        let together = if chosen.refresh { self.in_place(id, began) } else { Vec::new() };
        let settled = self.settled(id, began);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.in_flight = true;
        let device = entry.device;
        let stage = if !settled.is_empty() {
            self.launch_settled(&settled)
        } else if !together.is_empty() {
            self.launch_refresh(&together, began)
        } else if entry.active.is_some() && !chosen.refresh {
            self.launch(id)
        } else {
            let lookup = Lookup::new(&entry.target);
            Ok(Stage::Lookup(lookup, chosen.refresh))
        };
        let ids = [settled, together].into_iter().find(|ids| !ids.is_empty()).unwrap_or(vec![id]);
        match stage {
            Ok(stage) => {
                let flight = Flight { ids, device, began, stage };
                let left = self.advance(flight, [LOOKUP_PATIENCE, PATIENCE]);
                self.flights.extend(left);
            }
            Err((reason, message)) => {
                for id in ids {
                    self.fail(id, reason, message.clone());
                }
            }
        }
        let spent = self.stats.cpu_seconds_total - before;
        self.oldest_credit += spent * if oldest { OLDEST_SHARE - 1.0 } else { OLDEST_SHARE };
        self.oldest_credit = self.oldest_credit.clamp(-1.0, 1.0);
    }

    /// Takes in what came back meanwhile.
    pub(super) fn land(&mut self) {
        for flight in std::mem::take(&mut self.flights) {
            let left = self.advance(flight, [Duration::ZERO; 2]);
            self.flights.extend(left);
        }
    }

    /// Goes on with a flight, waiting so long for each step on the way and for a slice; `None`: it is
    /// over, whatever came of it.
    fn advance(&mut self, mut flight: Flight, patience: [Duration; 2]) -> Option<Flight> {
        loop {
            match &mut flight.stage {
                Stage::Slice(ticket) => {
                    let Some(result) = ticket.poll(patience[1]) else { return Some(flight) };
                    self.finish(&flight.ids, flight.began, result);
                    return None;
                }
                Stage::Lookup(lookup, refresh) => {
                    let (id, refresh) = (flight.ids[0], *refresh);
                    let Some(found) = lookup.poll(&self.guard, patience[0]) else {
                        // It may have to do with another filesystem than the subject's own.
                        if let Some(place) = lookup.place() {
                            flight.device = self.guard.device(place);
                        }
                        return Some(flight);
                    };
                    let stage = match found {
                        Ok(real) if refresh => self.begin_refresh(id, real),
                        Ok(real) => self.begin(id, real),
                        Err(error) => Err((error.reason(), error.to_string())),
                    };
                    match stage {
                        Ok(Some(stage)) => {
                            let own = self.entries.get(&id).map(|entry| entry.device);
                            flight.device = own.unwrap_or(flight.device);
                            flight.stage = stage;
                        }
                        Ok(None) => {
                            if let Some(entry) = self.entries.get_mut(&id) {
                                entry.in_flight = false;
                            }
                            return None;
                        }
                        Err((reason, message)) => {
                            self.fail(id, reason, message);
                            return None;
                        }
                    }
                }
            }
        }
    }
}
