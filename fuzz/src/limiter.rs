//! Throttled seconds and delays: whatever counters do, time neither runs back nor is made up.

use plimsoll::measure::io::delay::DelayMeter;
use plimsoll::measure::io::limiter::{Limiter, Use};

use super::Choices;

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let mut limiter = Limiter::default();
    let (mut now, mut throttled, mut ever_limited) = (0.0, 0.0, false);
    let mut seen = Use::default();
    let mut delay = DelayMeter::default();
    while !choices.is_empty() {
        now += f64::from(choices.byte()) / 64.0;
        match choices.byte() % 6 {
            0 => seen.bytes = choices.u64(),
            1 => seen.bytes = seen.bytes.saturating_add(u64::from(choices.u32())),
            2 => seen.operations = seen.operations.saturating_add(u64::from(choices.byte())),
            3 => seen.limit_bytes = Some(u64::from(choices.u32())).filter(|limit| limit % 7 != 0),
            4 => {
                seen.limit_operations =
                    Some(u64::from(choices.byte())).filter(|limit| limit % 7 != 0);
            }
            _ => (seen.limit_bytes, seen.limit_operations) = (None, None),
        }
        ever_limited |= seen.limit_bytes.is_some() || seen.limit_operations.is_some();
        let more = limiter.observe(now, seen);
        assert!(more.is_finite() && more >= 0.0, "{more}");
        throttled += more;
        assert!(throttled <= now + 1e-6, "{throttled} throttled seconds within {now}");
        assert!(ever_limited || throttled == 0.0);
        for used in [limiter.used_bytes, limiter.used_operations].into_iter().flatten() {
            assert!((0.0..=1.0).contains(&used), "{used}");
        }

        let before = delay.ticks();
        let threads = (0..choices.byte() % 4).map(|_| {
            let (id, start) = (i32::from(choices.byte() % 5), u64::from(choices.byte() % 3));
            (id, (start, u64::from(choices.byte())))
        });
        let threads: Vec<_> = threads.collect();
        delay.observe(threads, (now * 100.0) as u64);
        assert!(delay.ticks() >= before);
    }
}
