//! The I/O thread: looks for groups, reads what they counted, and samples those with a limit. It
//! waits for nothing but files of `/proc` and `/sys`, which no mount can hang.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Enabled;
use crate::measure::io::cgroup::DescriptorRoom;
use crate::measure::io::{IoMeter, LOOK_EVERY};
use crate::model::CollectorRun;

use super::super::now;
use super::Shared;

/// Value of the label `collector`.
pub(super) const COLLECTOR: &str = "io";
/// What is missing where `io.enabled` is true.
const NO_HIERARCHY: &str = "find control groups that count I/O: neither a v1 hierarchy with blkio \
                            nor a v2 one with io is mounted; mount it, or set io.enabled to auto";
/// When to look again for the owner of a group that has no process yet.
const SOON: Duration = Duration::from_secs(1);
/// How long the thread sleeps while there is nothing to do; a signal wakes it.
const IDLE: Duration = Duration::from_secs(3600);

impl Shared {
    pub(super) fn measure_io_for_ever(&self) {
        let mut meter = None;
        let mut due = Due::default();
        while !self.stopping() {
            let config = self.config.load();
            if config.io.enabled == Enabled::False {
                meter = None;
                self.forget_io();
                self.measure_io.wait(IDLE);
                due = Due::default();
                continue;
            }
            let meter = meter.get_or_insert_with(|| {
                IoMeter::new(self.roots.clone(), DescriptorRoom::of_process())
            });
            let started = Instant::now();
            if due.look <= started {
                let containers = Arc::clone(&self.state().inventory);
                let soon = meter.look(&containers.containers, &self.guard.table());
                due.look = started + if soon { SOON } else { Duration::from_secs_f64(LOOK_EVERY) };
            }
            if meter.has_limits() && due.sample <= started {
                meter.sample();
                due.sample = after(due.sample, config.io.sample_interval, started);
            }
            if due.pass <= started {
                let mut round = meter.pass(now());
                if config.io.enabled == Enabled::True && !meter.can_count() {
                    round.errors.push(NO_HIERARCHY.into());
                }
                if round.look_again {
                    due.look = started;
                }
                let mut state = self.state();
                let run = CollectorRun {
                    name: COLLECTOR,
                    success: round.errors.is_empty(),
                    duration_seconds: started.elapsed().as_secs_f64(),
                };
                state.collectors.insert(COLLECTOR, run);
                state.log.report(COLLECTOR, round.errors);
                let others = state.io.len() != round.io.len();
                state.io = Arc::new(round.io);
                drop(state);
                if others {
                    self.publish.raise();
                }
                due.pass = after(due.pass, config.io.interval, started);
            }
            let mut next = due.look.min(due.pass);
            if meter.has_limits() {
                next = next.min(due.sample);
            }
            let pause = next.saturating_duration_since(Instant::now());
            if self.measure_io.wait(pause) {
                // The list of containers or the configuration changed.
                due.look = Instant::now();
                due.pass = due.look;
            }
        }
    }

    fn forget_io(&self) {
        let mut state = self.state();
        state.io = Arc::default();
        state.collectors.remove(COLLECTOR);
    }
}

/// When each part is due.
struct Due {
    look: Instant,
    pass: Instant,
    sample: Instant,
}

impl Default for Due {
    fn default() -> Self {
        let now = Instant::now();
        Self { look: now, pass: now, sample: now }
    }
}

/// The next time of a regular beat; a beat that was missed is not made up for.
fn after(due: Instant, interval: Duration, now: Instant) -> Instant {
    let next = due + interval;
    if next > now { next } else { now + interval }
}
