//! Whose turn it is. Pure: what there is to choose from, and a choice.
//!
//! Refreshing a subject of cost *c* and importance *w* every *k·√(c/w)* seconds keeps the sum of
//! *w*·age smallest for a given budget; so the one whose age is longest in that measure is next.
//! Every age grows without bound, so nobody starves; and a third of the CPU time goes to whoever
//! waited longest whatever it costs, so that even the largest has a deadline: three times the
//! cost of everything, divided by the budget.

use std::cmp::Ordering;

/// Share of the CPU time that goes to the one that waited longest.
pub(super) const OLDEST_SHARE: f64 = 1.0 / 3.0;

/// What scheduling and a pass of nothing cost, in CPU seconds.
const OVERHEAD: f64 = 0.000_2;

/// A subject that could be worked on now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) id: u64,
    /// What is remembered of it would be brought up to date, in place of a full pass.
    pub(super) refresh: bool,
    /// It has no value at all yet, and this pass would give one (2: only a secondary one).
    pub(super) first: Option<u8>,
    /// Inodes seen by its pass under way.
    pub(super) attained: u64,
    /// Seconds since its last value, or since it is known, over the age asked for.
    pub(super) age: f64,
    /// CPU seconds of its last pass.
    pub(super) cost: f64,
    /// From 1, higher the faster it grows.
    pub(super) weight: f64,
}

/// Up to `n` of those never measured, the best last: those least worked on so far, which lets small
/// ones end first without knowing which they are.
pub(super) fn first(candidates: &[Candidate], n: usize) -> Vec<Candidate> {
    let waiting = candidates.iter().filter(|c| c.first.is_some());
    best(waiting, n, |a, b| {
        let place = |c: &Candidate| (c.first, c.attained, c.id);
        place(a).cmp(&place(b))
    })
}

/// Up to `n` of those that have a value, the best last: see the module. `oldest`: it is the turn of
/// the longest wait.
pub(super) fn again(candidates: &[Candidate], oldest: bool, n: usize) -> Vec<Candidate> {
    let rank = |c: &Candidate| {
        if oldest { c.age } else { c.age * (c.weight / (c.cost + OVERHEAD)).sqrt() }
    };
    let known = candidates.iter().filter(|c| c.first.is_none());
    best(known, n, |a, b| rank(b).total_cmp(&rank(a)).then(a.id.cmp(&b.id)))
}

/// The first `n` in `order`, from back to front.
fn best<'a>(
    candidates: impl Iterator<Item = &'a Candidate>,
    n: usize,
    order: impl Fn(&Candidate, &Candidate) -> Ordering,
) -> Vec<Candidate> {
    let mut best: Vec<Candidate> = candidates.copied().collect();
    if n < best.len() {
        best.select_nth_unstable_by(n, &order);
        best.truncate(n);
    }
    best.sort_unstable_by(|a, b| order(b, a));
    best
}

/// Importance by growth: from 1 (no change) to 100 (doubles within the age asked for).
pub(super) fn weight(change_per_second: f64, used_bytes: u64, max_age_seconds: f64) -> f64 {
    let size = (used_bytes as f64).max(1_048_576.0);
    let share = (change_per_second.abs() * max_age_seconds / size).min(1.0);
    1.0 + 99.0 * share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: u64, age: f64, cost: f64, weight: f64) -> Candidate {
        Candidate { id, refresh: false, first: None, attained: 0, age, cost, weight }
    }

    fn id(candidates: &[Candidate], oldest: bool) -> Option<u64> {
        again(candidates, oldest, 1).last().map(|candidate| candidate.id)
    }

    #[test]
    fn never_measured_ones_by_what_they_got() {
        let new = |id, rank, attained| Candidate {
            first: Some(rank),
            attained,
            ..known(id, 0.0, 0.0, 1.0)
        };
        let all = [known(1, 99.0, 0.1, 1.0), new(2, 1, 5000), new(3, 1, 1000), new(4, 2, 0)];
        let ids =
            |some: &[Candidate], n| -> Vec<u64> { first(some, n).iter().map(|c| c.id).collect() };
        assert_eq!(ids(&all, 1), [3]);
        assert_eq!(ids(&all, 2), [2, 3]);
        assert_eq!(ids(&all, 9), [4, 2, 3]);
        assert!(ids(&all[..1], 1).is_empty());
        assert_eq!(ids(&all[3..], 1), [4]);
    }

    #[test]
    fn small_and_fast_growing_before_large_and_still() {
        let (small, large) = (known(1, 1.0, 0.001, 1.0), known(2, 10.0, 1.0, 1.0));
        assert_eq!(id(&[small, large], false), Some(1));
        let (still, growing) = (known(1, 1.0, 0.1, 1.0), known(2, 0.5, 0.1, 100.0));
        assert_eq!(id(&[still, growing], false), Some(2));
        assert_eq!(id(&[], false), None);
    }

    #[test]
    fn the_longest_wait_has_its_turn_whatever_it_costs() {
        let all = [known(1, 5.0, 0.0, 100.0), known(2, 5.1, 1000.0, 1.0)];
        assert_eq!(id(&all, false), Some(1));
        assert_eq!(id(&all, true), Some(2));
        let both: Vec<u64> = again(&all, true, 5).iter().map(|c| c.id).collect();
        assert_eq!(both, [1, 2]);
    }

    #[test]
    fn weights() {
        assert_eq!(weight(0.0, 0, 60.0), 1.0);
        assert_eq!(weight(1e12, 1, 60.0), 100.0);
        assert_eq!(weight(-1_048_576.0 / 120.0, 100, 60.0), 50.5);
    }

    /// A large subject that alone costs more than the budget allows within the age asked for,
    /// among small ones: in simulated time all are refreshed again and again.
    #[test]
    fn nobody_starves() {
        let costs = [300.0, 0.01, 0.02, 0.5, 40.0];
        let budget = 0.01;
        let (mut now, mut credit) = (0.0, 0.0);
        let mut last = [0.0_f64; 5];
        let mut left = costs;
        let mut passes = [0_u32; 5];
        let mut worst = [0.0_f64; 5];
        while now < 1_000_000.0 {
            let all: Vec<Candidate> = (0..5)
                .filter(|&i| now - last[i] >= 30.0 || left[i] < costs[i])
                .map(|i| known(i as u64, (now - last[i]) / 60.0, costs[i], 1.0))
                .collect();
            let oldest = credit > 0.0;
            let Some(id) = id(&all, oldest) else {
                now += 1.0;
                continue;
            };
            let i = id as usize;
            let slice = left[i].min(0.002);
            credit += slice * if oldest { OLDEST_SHARE - 1.0 } else { OLDEST_SHARE };
            now += slice / budget;
            left[i] -= slice;
            if left[i] <= 1e-9 {
                worst[i] = worst[i].max(now - last[i]);
                last[i] = now;
                left[i] = costs[i];
                passes[i] += 1;
            }
        }
        let deadline = 3.0 * costs.iter().sum::<f64>() / budget;
        assert!(passes.iter().all(|&n| n >= 5), "{passes:?}");
        assert!(worst.iter().all(|&wait| wait < deadline), "{worst:?} {deadline}");
        assert!(worst[1] < 1000.0, "{worst:?}");
    }
}
