//! When an entry is to be worked on next.

use std::time::{Duration, Instant};

use super::super::order::Candidate;
use super::{Entry, Kind};

/// Where refreshes go between, a full pass comes at the latest once in so many times the age asked
/// for: soon while it is not known yet what refreshes miss, twice as late after each one in a row
/// that found nothing they had missed, up to an hour at the default age, unless there is doubt.
const RECONCILE_FIRST: u32 = 3;
const RECONCILE_KNOWN: u32 = 10;
const RECONCILE_LATEST: u32 = 60;
/// Earlier too when refreshes are likely to have missed this part of the value by then.
const MISSED: f64 = 0.001;
/// Values are refreshed no sooner than after this part of the age asked for.
const REFRESH_SHARE: u32 = 12;
/// They are wanted to be no older than this part of it: full passes have their turn all the same.
const REFRESH_WANTED: u32 = 4;
/// A full pass that costs less CPU seconds is as good as a refresh: one of some fifty files.
const CHEAP: f64 = 0.000_1;

impl Entry {
    /// Its full passes are to leave a tree.
    pub(in super::super) fn remembers(&self) -> bool {
        let cheap = self.last_good.is_some() && self.cost < CHEAP;
        self.kind == Kind::Walk && self.stretch == 1 && !self.hot.given_up && !cheap
    }

    /// CPU seconds a refresh takes, of a subject whose tree is at hand.
    fn refresh_cost(&self) -> Option<f64> {
        let estimate = self.hot.tree.as_ref().map(|tree| tree.share() * self.cost);
        self.hot.cost.or(estimate)
    }

    /// Values are to come from refreshes between full passes: these cost less than half of one,
    /// and buy more than as much spent on full passes would.
    ///
    /// With *c* and *C* for the costs of a refresh and of a full pass, and *g* and *d* for the bytes
    /// a second that change seen and unseen by refreshes, the least mean error that can be had for
    /// a given CPU time is proportional to *(√(cg) + √(Cd))²* with refreshes, and to *C(g + d)*
    /// without.
    pub(in super::super) fn incremental(&self) -> bool {
        let hot = &self.hot;
        let there = hot.tree.is_some() || hot.began.is_some();
        let Some(cost) = self.refresh_cost().filter(|_| self.stretch == 1 && there) else {
            return false;
        };
        let (seen, missed) = (hot.pace, hot.drift.rate());
        let mixed = (cost * seen).sqrt() + (self.cost * missed).sqrt();
        let worth = missed == 0.0 || mixed < (self.cost * (seen + missed)).sqrt();
        cost < self.cost / 2.0 && worth
    }

    /// After how long a full pass is wanted again.
    fn full_interval(&self, asked: Duration) -> Duration {
        if !self.incremental() {
            return self.max_age(asked);
        }
        let drift = &self.hot.drift;
        let latest = match drift.proofs() {
            _ if !drift.known() => RECONCILE_FIRST,
            0 | 1 => RECONCILE_KNOWN,
            _ if self.hot.doubted.is_some() => RECONCILE_KNOWN,
            proofs => (RECONCILE_KNOWN << (proofs - 1).min(8)).min(RECONCILE_LATEST),
        };
        let missed = (MISSED * self.hot.used as f64).max(4096.0) / drift.rate().max(1e-3);
        (asked * latest).min(Duration::from_secs_f64(missed.min(1e9)).max(asked / 2))
    }

    /// When the next full pass may begin or go on: half the age asked for after its last value, so
    /// that it is fresh while the budget allows.
    fn full_ready_at(&self, asked: Duration) -> Instant {
        match (self.last_good, self.hot.full) {
            (Some(_), _) if self.active.is_some() => self.known_since,
            (Some(_), Some(full)) if self.incremental() => full + self.full_interval(asked),
            (Some(last), full) => full.unwrap_or(last) + self.max_age(asked) / 2,
            (None, _) => self.known_since,
        }
    }

    fn refresh_ready_at(&self, asked: Duration) -> Option<Instant> {
        if !self.incremental() {
            return None;
        }
        let last = self.last_good?;
        Some(if self.hot.began.is_some() { last } else { last + asked / REFRESH_SHARE })
    }

    /// Age asked for, for this kind of pass.
    pub(in super::super) fn max_age(&self, asked: Duration) -> Duration {
        asked * self.stretch
    }

    pub(in super::super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_good.unwrap_or(self.known_since))
    }

    /// When it may be worked on.
    pub(in super::super) fn ready_at(&self, asked: Duration) -> Instant {
        let full = self.full_ready_at(asked);
        let due = self.refresh_ready_at(asked).map_or(full, |refresh| refresh.min(full));
        self.not_before.map_or(due, |not_before| due.max(not_before))
    }

    /// Whether a refresh may begin or go on.
    pub(in super::super) fn refresh_ready(&self, now: Instant, asked: Duration) -> bool {
        self.not_before.is_none_or(|not_before| not_before <= now)
            && self.refresh_ready_at(asked).is_some_and(|at| at <= now)
    }

    /// Whether it may be refreshed together with another one: a little early, so that they come to
    /// be due together.
    pub(in super::super) fn refresh_together(&self, now: Instant, asked: Duration) -> bool {
        self.refresh_ready(now + asked / REFRESH_SHARE / 4, asked)
    }

    /// What could be done for it now: a full pass, a refresh, or one of both.
    pub(in super::super) fn candidates(
        &self,
        id: u64,
        now: Instant,
        asked: Duration,
    ) -> impl Iterator<Item = Candidate> {
        let ready = self.not_before.is_none_or(|not_before| not_before <= now);
        let part =
            |age: Duration, wanted: Duration| age.as_secs_f64() / wanted.as_secs_f64().max(0.001);
        let rank = if self.kind == Kind::OwnWalk { 2 } else { 1 };
        let full = (ready && self.full_ready_at(asked) <= now).then(|| {
            let since = self.hot.full.or(self.last_good).unwrap_or(self.known_since);
            Candidate {
                id,
                refresh: false,
                first: self.last_good.is_none().then_some(rank),
                attained: self.active.as_ref().map_or(0, |active| active.inodes),
                age: part(now.saturating_duration_since(since), self.full_interval(asked)),
                cost: self.cost,
                weight: self.weight,
            }
        });
        let refresh = self.refresh_ready(now, asked).then(|| Candidate {
            id,
            refresh: true,
            first: None,
            attained: 0,
            age: part(self.age(now), asked / REFRESH_WANTED),
            cost: self.refresh_cost().unwrap_or(self.cost),
            weight: self.weight,
        });
        full.into_iter().chain(refresh)
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
    use crate::measure::usage::hot::{Drift, Missed, Recorder, Tree, WINDOW};
    use crate::measure::usage::target::{How, Target};
    use crate::measure::usage::walk::{Progress, Walk};
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

    /// A tree of one empty directory.
    fn tree() -> Box<Tree> {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(&[], WINDOW, 1 << 20);
        let mut walk = Walk::new(dir.path(), &[], &[]).recorded(recorder);
        while let Progress::More = walk.advance(100) {}
        walk.take_recorder().unwrap().finish().unwrap()
    }

    #[test]
    fn refreshes_where_they_buy_more_than_full_passes() {
        let (now, asked) = (Instant::now(), Duration::from_secs(60));
        let mut entry = entry(Kind::Walk, now);
        entry.succeeded(now);
        entry.cost = 1.0;
        (entry.hot.cost, entry.hot.used, entry.hot.full) = (Some(0.02), 60_000_000, Some(now));
        assert!(!entry.incremental(), "nothing is remembered");
        entry.hot.tree = Some(tree());
        assert!(entry.incremental());
        // Five seconds apart; what they miss is found out early, then seldom.
        assert_eq!(entry.ready_at(asked), now + Duration::from_secs(5));
        assert_eq!(entry.full_interval(asked), asked * 3);
        entry.hot.pace = 1e6;
        // The more often nothing was missed in a row, the later it is looked for again.
        for times in [10, 20, 40, 60, 60] {
            entry.hot.drift.refreshed(0);
            entry.hot.drift.reconciled(Missed::default(), asked);
            assert_eq!(entry.full_interval(asked), asked * times);
        }
        entry.hot.doubted = Some(now);
        assert_eq!(entry.full_interval(asked), asked * 10, "something is not explained");
        entry.hot.doubted = None;
        let one = Missed { bytes: 1, resting: 0, largest: 1 };
        entry.hot.drift.reconciled(one, asked);
        assert_eq!(entry.full_interval(asked), asked * 10, "it is not proven any more");
        // A thousandth of the value is missed within a hundred seconds.
        entry.hot.drift = Drift::default();
        let missed = |bytes| Missed { bytes, resting: 0, largest: 4096 };
        entry.hot.drift.reconciled(missed(60_000), Duration::from_secs(100));
        assert_eq!(entry.full_interval(asked).as_secs(), 100);
        entry.hot.drift.reconciled(missed(u64::MAX / 2), asked);
        assert!(!entry.incremental(), "next to everything is missed");
        assert_eq!(entry.ready_at(asked), now + asked / 2);
        entry.hot.drift = Drift::default();
        entry.hot.cost = Some(0.5);
        assert!(!entry.incremental(), "it costs as much as half a pass");
        (entry.hot.cost, entry.stretch) = (Some(0.02), 60);
        assert!(!entry.incremental(), "a quota is read");
    }

    #[test]
    fn both_kinds_of_pass_have_their_turn() {
        let (now, asked) = (Instant::now(), Duration::from_secs(60));
        let mut entry = entry(Kind::Walk, now);
        entry.succeeded(now);
        entry.cost = 1.0;
        (entry.hot.cost, entry.hot.full, entry.hot.tree) = (Some(0.02), Some(now), Some(tree()));
        let kinds = |after: Duration| -> Vec<(bool, f64)> {
            let at = now + after;
            entry.candidates(7, at, asked).map(|c| (c.refresh, c.age)).collect()
        };
        assert_eq!(kinds(Duration::from_secs(4)), []);
        assert_eq!(kinds(Duration::from_secs(6)), [(true, 0.4)]);
        assert_eq!(kinds(asked * 3), [(false, 1.0), (true, 12.0)]);
        // What is due for a pass is due, however often it was refreshed meanwhile.
        entry.last_good = Some(now + asked * 3);
        let all: Vec<bool> =
            entry.candidates(7, now + asked * 3, asked).map(|c| c.refresh).collect();
        assert_eq!(all, [false]);
    }
}
