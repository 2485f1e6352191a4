//! When an entry is to be worked on next.

use std::time::{Duration, Instant};

use super::super::order::Candidate;
use super::{Entry, Kind};

/// Where refreshes go between, a full pass comes once in so many times the age asked for.
const RECONCILE_EVERY: u32 = 10;

impl Entry {
    /// Values may come from refreshes: they cost less than half of a full pass, and how much they
    /// miss is known.
    pub(in super::super) fn incremental(&self) -> bool {
        let hot = &self.hot;
        let worth = hot.cost.is_none_or(|cost| cost < self.cost / 2.0);
        self.stretch == 1 && hot.pressed && hot.tree.is_some() && hot.drift.known() && worth
    }

    /// When the next full pass is due: ten times more seldom where refreshes go between.
    fn full_due(&self, asked: Duration) -> Instant {
        match self.hot.full {
            Some(full) if self.incremental() => full + asked * RECONCILE_EVERY,
            Some(full) => full + self.max_age(asked) / 2,
            None => self.known_since,
        }
    }

    /// The next slice is one of a refresh, not of a full pass.
    pub(in super::super) fn refresh_next(&self, now: Instant, asked: Duration) -> bool {
        let due = || self.last_good.is_some_and(|last| last + asked / 4 <= now);
        self.incremental() && (self.hot.began.is_some() || due())
    }

    /// Age asked for, for this kind of pass.
    pub(in super::super) fn max_age(&self, asked: Duration) -> Duration {
        asked * self.stretch
    }

    pub(in super::super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_good.unwrap_or(self.known_since))
    }

    /// When it may be worked on: half the age asked for after its last value, so that it is fresh
    /// while the budget allows; at once when a pass is under way.
    pub(in super::super) fn ready_at(&self, asked: Duration) -> Instant {
        let due = match (self.last_good, &self.active) {
            (Some(_), None) if self.incremental() && self.hot.began.is_some() => self.known_since,
            (Some(last), None) if self.incremental() => {
                (last + asked / 4).min(self.full_due(asked))
            }
            (Some(last), None) => last + self.max_age(asked) / 2,
            _ => self.known_since,
        };
        self.not_before.map_or(due, |not_before| due.max(not_before))
    }

    pub(in super::super) fn candidate(&self, id: u64, now: Instant, asked: Duration) -> Candidate {
        let rank = if self.kind == Kind::OwnWalk { 2 } else { 1 };
        let refresh = self.refresh_next(now, asked);
        let (age, wanted) = match self.hot.full {
            // A full pass between refreshes is as old as the last full pass.
            Some(full) if self.incremental() && !refresh => {
                (now.saturating_duration_since(full), asked * RECONCILE_EVERY)
            }
            _ => (self.age(now), self.max_age(asked)),
        };
        Candidate {
            id,
            first: self.last_good.is_none().then_some(rank),
            attained: self.active.as_ref().map_or(0, |active| active.inodes),
            age: age.as_secs_f64() / wanted.as_secs_f64().max(0.001),
            cost: if refresh { self.hot.cost.unwrap_or(self.cost / 4.0) } else { self.cost },
            weight: self.weight,
        }
    }

    /// Backs off after a failure: the first time a disturbed tree is tried again at once; then
    /// after a twelfth of the age asked for (5 s), twice that, … up to a quarter of an hour; a
    /// minute for what may come back at any time.
    pub(in super::super) fn back_off(&mut self, reason: &str, now: Instant, asked: Duration) {
        let most = if matches!(reason, "unresponsive" | "disturbed") { asked } else { asked * 15 };
        let rest = match (reason, self.failures) {
            ("disturbed", 0) => Duration::ZERO,
            (_, n) => (asked / 12 * (1 << n.min(8))).min(most),
        };
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + rest);
        self.active = None;
    }

    pub(in super::super) fn succeeded(&mut self, now: Instant) {
        self.failures = 0;
        self.not_before = None;
        self.last_good = Some(now);
        self.active = None;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::measure::usage::target::{How, Target};
    use crate::model::{SandboxKey, SourceKind, Subject};

    fn subject() -> Subject {
        Subject::Sandbox(SandboxKey {
            source: SourceKind::Mesos,
            framework: "f".into(),
            executor: "e".into(),
            container: "c".into(),
        })
    }

    fn entry(kind: Kind, now: Instant) -> Entry {
        let target = Target {
            subject: subject(),
            path: Path::new("/x").into(),
            extra: Vec::new(),
            skip: Vec::new(),
            how: How::Walk,
            remote: false,
        };
        Entry::new(Arc::new(target), kind, (0, 0), now)
    }

    #[test]
    fn backing_off_has_bounds() {
        let (now, asked) = (Instant::now(), Duration::from_secs(60));
        let rests = |reason: &str| {
            let mut entry = entry(Kind::Walk, now);
            let mut rest = || {
                entry.back_off(reason, now, asked);
                (entry.ready_at(asked) - now).as_secs()
            };
            (0..12).map(|_| rest()).collect::<Vec<u64>>()
        };
        assert_eq!(rests("io"), [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]);
        assert_eq!(rests("disturbed")[..5], [0, 10, 20, 40, 60]);
        assert_eq!(rests("unresponsive")[11], 60);
        let mut entry = entry(Kind::OwnWalk, now);
        entry.succeeded(now);
        assert_eq!(entry.ready_at(asked), now + asked * 5);
    }
}
