//! Growth of a filesystem that no subject on it explains.
//!
//! Full passes become rare where they find nothing that refreshes had missed. A file that rested for
//! weeks may begin to grow all the same. Its filesystem shows that at once, though not in which
//! subject: then all of them there have their full passes as soon again as before they became rare.

use std::collections::HashMap;
use std::time::Instant;

use super::super::entry::{Entry, Kind};
use super::super::meter::lock;
use super::Scheduler;
use super::queue::Queue;

/// Bytes that a filesystem may hold more or less without any doubt: what it keeps for itself and
/// for files that are being written, and what others write there.
const SLACK: u64 = 64 << 20;
/// The same as a part of what it holds.
const SLACK_SHARE: f64 = 0.001;

/// Bytes used on each filesystem beside its subjects, by device.
#[derive(Debug, Default)]
pub(super) struct Unexplained(HashMap<(u32, u32), Rest>);

#[derive(Debug)]
struct Rest {
    /// When it was last in doubt, or first looked at.
    bytes: i128,
    /// Before it was in doubt.
    before: Option<i128>,
}

impl Unexplained {
    /// More than `slack` came or went there since it was last in doubt, and it is not merely that
    /// what was doubted has been explained.
    fn moved(&mut self, device: (u32, u32), bytes: i128, slack: u64) -> bool {
        let rest = self.0.entry(device).or_insert(Rest { bytes, before: None });
        let within = |then: i128| then.abs_diff(bytes) <= u128::from(slack);
        if within(rest.bytes) {
            return false;
        }
        let explained = rest.before.is_some_and(within);
        *rest = Rest { bytes, before: Some(rest.bytes).filter(|_| !explained) };
        !explained
    }
}

impl Scheduler {
    /// Takes in how many bytes are used on each filesystem, by device.
    pub(super) fn doubt(&mut self, used: &HashMap<(u32, u32), u64>) {
        // By device: what its subjects hold, and what may have changed there since they were
        // measured; nothing where one has no value yet. What cannot be measured is left out: else
        // one subject that is denied would end all doubt there.
        let mut held: HashMap<(u32, u32), Option<(i128, f64)>> = HashMap::new();
        let book = lock(&self.shared.book);
        let failed = |entry: &Entry| entry.last_good.is_none() && entry.failures > 0;
        let walked = |entry: &&Entry| entry.kind == Kind::Walk && !failed(entry);
        for entry in self.entries.values().filter(walked) {
            let sum = held.entry(entry.device).or_insert(Some((0, 0.0)));
            let bytes = book.used(&entry.target.subject).filter(|_| entry.last_good.is_some());
            *sum = sum.zip(bytes).map(|((held, lately), bytes)| {
                let lately = lately + entry.hot.pace * self.config.max_age.as_secs_f64();
                (held + i128::from(bytes), lately)
            });
        }
        drop(book);
        let mut moved = Vec::new();
        for (device, used) in used {
            let Some((held, lately)) = held.get(device).copied().flatten() else { continue };
            let slack = SLACK.max((*used as f64 * SLACK_SHARE) as u64);
            let slack = slack.saturating_add(lately as u64);
            if self.unexplained.moved(*device, i128::from(*used) - held, slack) {
                moved.push(*device);
            }
        }
        if moved.is_empty() {
            return;
        }
        let now = Instant::now();
        for entry in self.entries.values_mut().filter(|entry| moved.contains(&entry.device)) {
            entry.hot.doubted = Some(now);
        }
        self.queue = Queue::default();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    use super::super::super::meter::Shared;
    use super::*;
    use crate::host::{Guard, Roots};
    use crate::measure::usage::{How, Target, UsageConfig};
    use crate::model::{SandboxKey, SourceKind, Subject};

    fn target(path: &Path) -> Target {
        let subject = Subject::Sandbox(SandboxKey {
            source: SourceKind::Directories,
            framework: String::new(),
            executor: String::new(),
            container: path.display().to_string(),
        });
        let (extra, skip) = (Vec::new(), Vec::new());
        Target { subject, path: path.into(), extra, skip, how: How::Walk, remote: false }
    }

    #[test]
    fn what_comes_unexplained_brings_full_passes_of_all_that_lies_there() {
        let dir = tempfile::tempdir().unwrap();
        let guard = Arc::new(Guard::new(Roots::default(), Duration::from_secs(5)));
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            wake: Condvar::new(),
            book: Mutex::default(),
            stats: Mutex::default(),
        });
        let mut scheduler = Scheduler::new(guard, UsageConfig::default(), None, shared);
        scheduler.accept(vec![target(dir.path())]);
        let (&id, entry) = scheduler.entries.first_key_value().unwrap();
        let (subject, device) = (entry.target.subject.clone(), entry.device);
        let elsewhere = (device.0, device.1 + 1);
        let hold = |scheduler: &mut Scheduler, bytes: u64| {
            let totals = crate::measure::usage::Totals { used_bytes: bytes, ..Default::default() };
            lock(&scheduler.shared.book).walked(&subject, Kind::Walk, &totals, 1.0, 0.1);
        };
        let doubted = |scheduler: &mut Scheduler, device, used: u64| {
            scheduler.doubt(&HashMap::from([(device, used)]));
            scheduler.entries.get_mut(&id).unwrap().hot.doubted.take().is_some()
        };
        let (mib, gib) = (1 << 20, 1 << 30);
        // Nothing is measured yet: nothing can be explained, nor compared later.
        assert!(!doubted(&mut scheduler, device, gib));
        assert!(scheduler.unexplained.0.is_empty());
        hold(&mut scheduler, 10 * mib);
        scheduler.entries.get_mut(&id).unwrap().last_good = Some(Instant::now());
        assert!(!doubted(&mut scheduler, device, 3 * gib), "the first look");
        assert!(!doubted(&mut scheduler, device, 3 * gib + 60 * mib));
        assert!(!doubted(&mut scheduler, elsewhere, gib));
        assert!(!doubted(&mut scheduler, elsewhere, 9 * gib), "it lies elsewhere");
        // What adds up slowly counts as well.
        assert!(doubted(&mut scheduler, device, 3 * gib + 65 * mib));
        assert!(!doubted(&mut scheduler, device, 3 * gib + 65 * mib), "told once");
        // A full pass has found it.
        hold(&mut scheduler, 75 * mib);
        assert!(!doubted(&mut scheduler, device, 3 * gib + 65 * mib), "explained");
        assert!(doubted(&mut scheduler, device, 3 * gib + 195 * mib), "there is more");
        hold(&mut scheduler, 510 * mib);
        assert!(doubted(&mut scheduler, device, 3 * gib + 695 * mib), "and more");
        assert!(!doubted(&mut scheduler, device, 3 * gib + 630 * mib), "it went again");
        // It changes by 10 MiB a second, which may not have been looked at for a minute.
        scheduler.entries.get_mut(&id).unwrap().hot.pace = 10.0 * mib as f64;
        assert!(!doubted(&mut scheduler, device, 3 * gib + 1165 * mib));
        assert!(doubted(&mut scheduler, device, 3 * gib + 1300 * mib));
        assert!(doubted(&mut scheduler, device, gib), "what went counts, too");
        // On a large filesystem others may move more.
        assert!(doubted(&mut scheduler, device, 1000 * gib));
        assert!(!doubted(&mut scheduler, device, 1001 * gib));
    }
}
