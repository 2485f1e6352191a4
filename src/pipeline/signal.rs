//! A wake-up that is never lost and never piles up.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Raised by anyone, taken by one waiting thread.
#[derive(Debug, Default)]
pub struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Wakes the waiter, now or at its next wait.
    pub fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits until raised or until the time is over, takes the signal down, and tells whether it
    /// was raised.
    pub fn wait(&self, limit: Duration) -> bool {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut raised, _) = self
            .changed
            .wait_timeout_while(raised, limit, |raised| !*raised)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *raised)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Signal;

    #[test]
    fn raised_before_the_wait_is_not_lost_and_twice_is_once() {
        let signal = Signal::default();
        signal.raise();
        signal.raise();
        assert!(signal.wait(Duration::ZERO));
        assert!(!signal.wait(Duration::from_millis(1)));
    }
}
