//! One container below a limit that it shares with others.
//!
//! A group above it that stands at its limit holds back whoever below it wants something: a
//! container that is idle is not throttled by what its neighbours do.

/// What was last seen of one device and direction of one container.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    counted: Option<(u64, u64)>,
    /// Seconds at the limit since it last moved something.
    waited: f64,
}

impl Shared {
    /// Takes the container's own bytes and operations, the seconds that the group above spent at
    /// its limit in the same interval, and that limit. Tells for how many seconds the container was
    /// held back.
    ///
    /// A large request is counted once, when it was let through after a wait of several intervals:
    /// the time that its bytes take at the limit's pace is counted then.
    pub fn held_back(
        &mut self,
        (bytes, operations): (u64, u64),
        seconds: f64,
        limit_bytes: Option<u64>,
    ) -> f64 {
        let Some((bytes_before, operations_before)) = self.counted.replace((bytes, operations))
        else {
            return 0.0;
        };
        if operations == operations_before {
            self.waited += seconds;
            return 0.0;
        }
        let waited = std::mem::take(&mut self.waited);
        let moved = bytes.saturating_sub(bytes_before) as f64;
        let pace = limit_bytes.filter(|limit| *limit > 0);
        seconds + waited.min(pace.map_or(0.0, |limit| moved / limit as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn who_moves_something_is_held_back_and_who_is_idle_is_not() {
        let (mut busy, mut idle) = (Shared::default(), Shared::default());
        let (mut of_busy, mut of_idle) = (0.0, 0.0);
        for second in 0..31 {
            of_busy += busy.held_back((second * MIB, second * 256), 1.0, Some(MIB));
            of_idle += idle.held_back((5, 1), 1.0, Some(MIB));
        }
        assert_eq!((of_busy, of_idle), (30.0, 0.0));
    }

    #[test]
    fn large_requests_count_for_as_long_as_they_take() {
        let mut shared = Shared::default();
        let total: f64 = (0..41)
            .map(|second| {
                let requests = second / 4;
                shared.held_back((requests * 4 * MIB, requests), 1.0, Some(MIB))
            })
            .sum();
        assert_eq!(total, 40.0);
        // After a long idle time one small request has not waited all that time.
        for _ in 0..100 {
            assert_eq!(shared.held_back((40 * MIB, 10), 1.0, Some(MIB)), 0.0);
        }
        let one = shared.held_back((40 * MIB + 4096, 11), 1.0, Some(MIB));
        assert!((1.0..1.01).contains(&one), "{one}");
    }
}
