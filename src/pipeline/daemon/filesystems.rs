//! The filesystems' thread: sizes and free space, on their interval.

use std::sync::Arc;
use std::time::Instant;

use super::super::filesystems::Filesystems;
use super::Shared;

impl Shared {
    pub(super) fn measure_filesystems_for_ever(&self) {
        let mut filesystems = Filesystems::default();
        while !self.stopping() {
            let started = Instant::now();
            let inventory = Arc::clone(&self.state().inventory);
            let measured = filesystems.measure(&inventory, &self.guard, &self.roots);
            let mut state = self.state();
            state.filesystems = measured.samples;
            state.below.devices = measured.devices;
            state.filesystem_of = Arc::new(measured.of_path);
            state.collectors.insert(Filesystems::COLLECTOR, measured.run);
            state.log.report(Filesystems::COLLECTOR, measured.errors);
            drop(state);
            self.publish.raise();
            let interval = self.config.load().filesystems.interval;
            self.measure_filesystems.wait(interval.saturating_sub(started.elapsed()));
        }
    }
}
