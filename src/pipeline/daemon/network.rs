//! The network filesystems' thread: counters and whether they answer, on its interval. A thread of
//! its own, so that a server that is gone delays nobody's sizes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::judge::network::Windows;
use crate::measure::network::NetworkMeter;

use super::super::now;
use super::Shared;

impl Shared {
    pub(super) fn measure_network_for_ever(&self) {
        let mut meter = NetworkMeter::default();
        let mut windows = Windows::default();
        while !self.stopping() {
            let started = Instant::now();
            let state = self.state();
            let inventory = Arc::clone(&state.inventory);
            // Those that hold a subject are asked by the filesystems' thread.
            let answered: HashMap<_, _> = state
                .filesystems
                .iter()
                .filter(|sample| sample.remote)
                .map(|sample| (sample.device_number, sample.responsive))
                .collect();
            drop(state);
            let mut found = meter.measure(&self.guard, &inventory, &answered);
            windows.observe(&mut found.filesystems, now());
            let mut state = self.state();
            state.below.network = found.filesystems;
            state.below.transports = found.transports;
            state.network_sources = found.sources;
            drop(state);
            self.publish.raise();
            let interval = self.config.load().network.interval;
            self.measure_network.wait(interval.saturating_sub(started.elapsed()));
        }
    }
}
