//! Whatever happens to the daemon and to two Alertmanagers: no alert is missing for long, none is
//! told twice, and what ended is over everywhere.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::super::{Book, Clock, LAPSE_INTERVALS, MAX_BATCH, Peer, StoredBook};
use super::model::{Model, Mood};
use super::*;

const INTERVAL: f64 = 60.0;
const HORIZON: f64 = INTERVAL * LAPSE_INTERVALS;
const CONDITIONS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// The state file is at most that old when the daemon is killed.
const SAVE_EVERY: f64 = 60.0;
/// A snapshot is made that often.
const TICK: f64 = 1.0;
/// After so long with everything up, both know what holds: one interval, or the longest pause.
const SETTLED: f64 = INTERVAL + 2.0 * TICK;

#[derive(Clone, Debug)]
enum Step {
    Wait(u16),
    Toggle(usize),
    Mood(usize, u8),
    /// It starts anew, and knows nothing.
    Forget(usize),
    /// The daemon ends, by order or by SIGKILL, stays away, and measures some subjects late.
    Restart {
        killed: bool,
        away: u16,
        late: [u8; CONDITIONS.len()],
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u16..200).prop_map(Step::Wait),
        4 => (0..CONDITIONS.len()).prop_map(Step::Toggle),
        3 => (0_usize..2, 0_u8..5).prop_map(|(which, mood)| Step::Mood(which, mood)),
        1 => (0_usize..2).prop_map(Step::Forget),
        1 => (any::<bool>(), 0_u16..600, any::<[u8; CONDITIONS.len()]>())
            .prop_map(|(killed, away, late)| Step::Restart { killed, away, late }),
    ]
}

struct World {
    now: f64,
    resolve: bool,
    /// Since when a condition holds, by what the findings remember.
    holds: BTreeMap<&'static str, f64>,
    changed: BTreeMap<&'static str, f64>,
    /// When each subject of this run is measured.
    measured_at: BTreeMap<&'static str, f64>,
    /// What an earlier run told, and this one has not measured.
    awaited: HashSet<String>,
    /// What was told and nobody kept: when the daemon is killed, that lapses.
    unkept: HashSet<&'static str>,
    book: Book,
    peers: Vec<Peer>,
    models: Vec<Model>,
    saved: (f64, StoredBook, HashSet<String>),
    started: f64,
    chance: f64,
}

impl World {
    fn new(resolve: bool) -> Self {
        Self {
            now: 1_000.0,
            resolve,
            holds: BTreeMap::new(),
            changed: BTreeMap::new(),
            measured_at: BTreeMap::new(),
            awaited: HashSet::new(),
            unkept: HashSet::new(),
            book: Book::default(),
            peers: vec![Peer::new(INTERVAL), Peer::new(INTERVAL)],
            models: vec![Model::new(), Model::new()],
            saved: (0.0, StoredBook::default(), HashSet::new()),
            started: 0.0,
            chance: 0.3,
        }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Wait(seconds) => self.run(f64::from(*seconds)),
            Step::Toggle(which) => {
                let name = CONDITIONS[*which];
                if self.holds.remove(name).is_none() {
                    self.holds.insert(name, self.now);
                }
                self.changed.insert(name, self.now);
                self.run(TICK);
            }
            Step::Mood(which, mood) => {
                let model = &mut self.models[*which];
                let mood = [Mood::Up, Mood::Up, Mood::Up, Mood::Down, Mood::Mute][*mood as usize];
                if model.mood != Mood::Up && mood == Mood::Up {
                    model.up_since = self.now;
                }
                if mood == Mood::Down {
                    model.cut_off(self.now);
                }
                model.mood = mood;
                self.run(TICK);
            }
            Step::Forget(which) => {
                self.models[*which].forget();
                self.models[*which].up_since = self.now;
                self.run(TICK);
            }
            Step::Restart { killed, away, late } => self.restart(*killed, f64::from(*away), late),
        }
    }

    fn restart(&mut self, killed: bool, away: f64, late: &[u8; CONDITIONS.len()]) {
        if !killed {
            self.save();
        }
        self.models.iter_mut().for_each(|model| model.cut_off(self.now));
        self.now += away;
        let (_, stored, told) = self.saved.clone();
        self.book = Book::default();
        self.book.restore(stored, HORIZON, self.now);
        let kept: HashSet<String> =
            self.book.desired().firing.iter().map(|alert| name(alert)).collect();
        self.unkept = CONDITIONS.into_iter().filter(|name| !kept.contains(*name)).collect();
        self.peers = vec![Peer::new(INTERVAL), Peer::new(INTERVAL)];
        self.started = self.now;
        self.measured_at.clear();
        self.awaited.clear();
        for (name, late) in CONDITIONS.into_iter().zip(late) {
            let at = self.now + f64::from(*late / 2);
            self.measured_at.insert(name, at);
            if told.contains(name) {
                self.awaited.insert(name.to_owned());
            } else if let Some(since) = self.holds.get_mut(name) {
                // Nobody kept since when: it is found anew.
                *since = at;
            }
        }
        self.run(TICK);
    }

    fn save(&mut self) {
        let mut told: HashSet<String> = self.awaited.clone();
        told.extend(self.found().into_iter().map(str::to_owned));
        self.saved = (self.now, self.book.stored(self.now), told);
    }

    /// What holds and is measured.
    fn found(&self) -> Vec<&'static str> {
        let measured = |name: &str| self.measured_at.get(name).is_none_or(|at| *at <= self.now);
        self.holds.keys().copied().filter(|name| measured(name)).collect()
    }

    fn run(&mut self, seconds: f64) {
        let until = self.now + seconds;
        while self.now < until {
            self.tick();
            self.check();
            self.now += TICK;
        }
    }

    fn tick(&mut self) {
        if self.now - self.saved.0 >= SAVE_EVERY {
            self.save();
        }
        let measured_at = &self.measured_at;
        let now = self.now;
        self.awaited.retain(|name| measured_at.get(name.as_str()).is_some_and(|at| *at > now));
        let found = self.found();
        let found = found.into_iter().map(|name| fired(name, Severity::Warning, self.holds[name]));
        self.book.observe(found.collect(), &self.awaited, self.resolve, self.now);
        let desired = self.book.desired();
        let clock = Clock { wall: self.now, steady: self.now };
        for (peer, model) in self.peers.iter_mut().zip(&mut self.models) {
            loop {
                let batch = peer.due(&desired, clock);
                if batch.is_empty() {
                    break;
                }
                assert!(batch.len() <= MAX_BATCH);
                if model.post(&batch, INTERVAL, self.now) {
                    peer.accepted(&batch, &desired, clock);
                } else {
                    self.chance = (self.chance * 997.0).fract();
                    peer.failed(clock, self.chance);
                }
            }
            assert!(peer.next(&desired).is_none_or(|next| next > self.now), "no busy loop");
        }
    }

    fn check(&self) {
        for (index, model) in self.models.iter().enumerate() {
            if model.mood != Mood::Up {
                continue;
            }
            let settled = self.now - model.up_since.max(self.started) >= SETTLED;
            for name in CONDITIONS {
                let measured_at = self.measured_at.get(name).copied().unwrap_or(0.0);
                let changed = self.changed.get(name).copied().unwrap_or(0.0).max(measured_at);
                let quiet = self.now - changed;
                let fires = model.fires(name, self.now);
                if self.holds.contains_key(name) {
                    assert!(!settled || quiet < 2.0 * TICK || fires, "{index} {name} is missing");
                } else {
                    let kept = self.resolve && !self.unkept.contains(name);
                    let allowed = if kept && settled { 2.0 * TICK } else { HORIZON };
                    // What ended so long ago that it is not told any more lapsed before.
                    assert!(quiet < allowed + 2.0 * TICK || !fires, "{index} {name} does not end");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_missing_and_everything_ends(
        resolve in any::<bool>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut world = World::new(resolve);
        for step in &steps {
            world.play(step);
        }
        // Then all is well for long: both know exactly what holds.
        world.models.iter_mut().for_each(|model| {
            if model.mood != Mood::Up {
                model.up_since = world.now;
            }
            model.mood = Mood::Up;
        });
        world.run(HORIZON + 2.0 * SETTLED);
        for model in &world.models {
            for name in CONDITIONS {
                let fires = model.fires(name, world.now);
                prop_assert_eq!(fires, world.holds.contains_key(name), "{} in the end", name);
            }
        }
    }

    #[test]
    fn a_condition_that_holds_on_is_told_once(
        resolve in any::<bool>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut world = World::new(resolve);
        world.play(&Step::Toggle(0));
        world.run(SAVE_EVERY + 1.0);
        for step in steps.iter().filter(|step| !matches!(step, Step::Toggle(0))) {
            world.play(step);
        }
        for model in &world.models {
            let told = model.fired.get(CONDITIONS[0]).copied().unwrap_or(0);
            prop_assert!(told <= 1 + model.lapses, "{told} times, {} lapses", model.lapses);
        }
    }
}
