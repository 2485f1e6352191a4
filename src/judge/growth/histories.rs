//! The histories of everything that is measured.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::model::{ClockStep, FilesystemSample, Growth, Inventory, Measured, Subject};

use super::History;

/// One history per subject and per filesystem. What is gone is forgotten at the next round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histories {
    /// By subject.
    pub subjects: HashMap<Subject, History>,
    /// By mount point.
    pub filesystems: HashMap<PathBuf, History>,
}

impl Histories {
    /// Takes note of the newest measurements of all that is known; those it already has change
    /// nothing. An inventory that was never read (`taken_at` zero) forgets nothing.
    pub fn observe(
        &mut self,
        inventory: &Inventory,
        usage: &HashMap<Subject, Measured>,
        filesystems: &[FilesystemSample],
    ) {
        if inventory.taken_at > 0.0 {
            self.observe_subjects(inventory, usage);
        }
        if !filesystems.is_empty() {
            let known = |point: &Path| filesystems.iter().any(|sample| sample.mount_point == point);
            self.filesystems.retain(|point, _| known(point));
        }
        for sample in filesystems {
            let Some(usage) = &sample.usage else { continue };
            let history = self.filesystems.entry(sample.mount_point.clone()).or_default();
            let used = usage.size_bytes.saturating_sub(usage.free_bytes);
            // Full is when ordinary users can write no more.
            let limit = used.saturating_add(usage.available_bytes);
            // What is reserved moves by a little on some filesystems (XFS, btrfs): that is no new size.
            let limit = match history.limit {
                Some(before) if before.abs_diff(limit) <= before / 100 => before,
                _ => limit,
            };
            history.observe(usage.measured_at, used, Some(limit), "statfs");
        }
    }

    fn observe_subjects(&mut self, inventory: &Inventory, usage: &HashMap<Subject, Measured>) {
        let volumes = inventory
            .volumes
            .iter()
            .map(|volume| (Subject::Volume(volume.key.clone()), volume.quota_bytes));
        let sandboxes = inventory
            .sandboxes
            .iter()
            .map(|sandbox| (Subject::Sandbox(sandbox.key.clone()), sandbox.quota_bytes));
        let mut before = std::mem::take(&mut self.subjects);
        for (subject, quota) in volumes.chain(sandboxes) {
            let mut history = before.remove(&subject).unwrap_or_default();
            if let Some(sample) = usage.get(&subject).and_then(|measured| measured.sample) {
                let method = sample.method.as_str();
                history.observe(sample.measured_at, sample.used_bytes, quota, method);
            }
            if !history.is_empty() {
                self.subjects.insert(subject, history);
            }
        }
    }

    /// The wall clock was set: the pace is what it was.
    pub fn clock_stepped(&mut self, step: &ClockStep) {
        let subjects = self.subjects.values_mut();
        subjects.chain(self.filesystems.values_mut()).for_each(|of| of.clock_stepped(step));
    }

    /// Growth of a subject, without its filesystem's.
    pub fn of(&self, subject: &Subject) -> Option<Growth> {
        self.subjects.get(subject)?.growth()
    }

    /// Growth of a filesystem.
    pub fn of_filesystem(&self, mount_point: &Path) -> Option<Growth> {
        let mut growth = self.filesystems.get(mount_point)?.growth()?;
        growth.full_by = growth.full_at.map(|_| crate::model::FullBy::Filesystem);
        Some(growth)
    }
}
