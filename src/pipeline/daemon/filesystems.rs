//! The filesystems' thread: sizes and free space, on their interval.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::super::filesystems::Filesystems;
use super::Shared;
use crate::model::FilesystemSample;

impl Shared {
    pub(super) fn measure_filesystems_for_ever(&self) {
        let mut filesystems = Filesystems::default();
        while !self.stopping() {
            let started = Instant::now();
            let inventory = Arc::clone(&self.state().inventory);
            let measured = filesystems.measure(&inventory, &self.guard, &self.roots);
            self.meter.filesystems_hold(used(&measured.samples));
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

/// Bytes used on each filesystem that answers, by device.
fn used(samples: &[FilesystemSample]) -> HashMap<(u32, u32), u64> {
    let answered = samples.iter().filter(|sample| sample.responsive);
    let used = answered.filter_map(|sample| {
        let usage = sample.usage.as_ref()?;
        Some((sample.device_number, usage.size_bytes.saturating_sub(usage.free_bytes)))
    });
    used.collect()
}
