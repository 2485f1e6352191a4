//! Whether somebody set the wall clock.

use std::time::Instant;

use super::super::now;
use super::{Shared, State};
use crate::model::{ClockStep, Timestamp};

impl Shared {
    /// The time. Looked at before anything remembered is compared with it: should somebody have set
    /// the clock, that goes along.
    pub(super) fn look_at_clock(&self, state: &mut State) -> Timestamp {
        let (instant, now) = (Instant::now(), now());
        let before = state.clock.replace((instant, now));
        let step = before.and_then(|(looked, time)| {
            ClockStep::between(time, now, instant.duration_since(looked).as_secs_f64())
        });
        if let Some(step) = step {
            tracing::warn!(
                seconds = step.seconds(),
                "The wall clock was set; ages and grace periods go on as before"
            );
            self.meter.clock_stepped(&step);
            state.memory.clock_stepped(&step);
            state.findings.clock_stepped(&step);
            self.alerts.clock_stepped(&step);
            state.histories.clock_stepped(&step);
            for usage in state.filesystems.iter_mut().filter_map(|sample| sample.usage.as_mut()) {
                step.shift_old(&mut usage.measured_at);
            }
            // When the inventory was taken is told anew.
            self.discover.raise();
        }
        now
    }
}
