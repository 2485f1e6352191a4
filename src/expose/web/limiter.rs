//! A token bucket over requests.

use std::time::Instant;

use crate::config::RateLimit;

/// Requests that may still come. Begins full; one without a limit lets every request through.
#[derive(Default)]
pub(super) struct Limiter {
    limit: RateLimit,
    bucket: Option<(Instant, f64)>,
}

impl Limiter {
    /// Whether a request may be answered now, by this limit.
    pub(super) fn allows(&mut self, limit: RateLimit, now: Instant) -> bool {
        if limit != self.limit {
            *self = Self { limit, bucket: None };
        }
        if limit.interval.is_zero() {
            return true;
        }
        let most = f64::from(limit.burst);
        let tokens = match self.bucket {
            None => most,
            Some((then, tokens)) => {
                let passed = now.saturating_duration_since(then).as_secs_f64();
                most.min(tokens + passed / limit.interval.as_secs_f64())
            }
        };
        let allowed = tokens >= 1.0;
        self.bucket = Some((now, if allowed { tokens - 1.0 } else { tokens }));
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_then_one_each_interval() {
        let limit = |seconds, burst| RateLimit { interval: Duration::from_secs(seconds), burst };
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let at = |tenths| start + Duration::from_millis(100 * tenths);
        let mut allowed = |limit, tenths: &[u64]| -> Vec<bool> {
            tenths.iter().map(|&tenths| limiter.allows(limit, at(tenths))).collect()
        };
        assert_eq!(allowed(limit(0, 0), &[0, 0, 0]), [true; 3]);
        assert_eq!(allowed(limit(1, 0), &[0, 30]), [false; 2], "as in the toolkit");
        let asked = [0, 0, 5, 12, 13, 22, 100, 100, 100];
        let answers = [true, true, false, true, false, true, true, true, false];
        assert_eq!(allowed(limit(1, 2), &asked), answers);
    }
}
