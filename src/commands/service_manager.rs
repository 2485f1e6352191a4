//! What the daemon tells systemd: that it is ready, that it still makes progress, that it reloads,
//! that it stops (`sd_notify(3)`). Without `NOTIFY_SOCKET`, as on a terminal, nothing is told.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::model::Snapshot;

/// Pause between two looks for the first snapshot.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// Looks within the time that the watchdog allows: a beat that comes late has others after it.
const LOOKS: u32 = 4;

/// Whether the publisher made progress since the last look.
#[derive(Debug, Default)]
struct Pulse {
    seen: u64,
}

impl Pulse {
    fn moved(&mut self, sequence: u64) -> bool {
        std::mem::replace(&mut self.seen, sequence) != sequence
    }
}

/// Tells that the daemon is ready once the first inventory is in, and then, as often as the watchdog
/// wants it, that it lives. It runs where requests are answered, and a beat needs a snapshot that the
/// publisher made since the last one: should either hang, the beats end and systemd restarts the
/// service.
pub(super) async fn keep_informed(snapshot: Arc<ArcSwap<Snapshot>>) {
    while !snapshot.load().ready {
        sleep(FIRST_LOOK).await;
    }
    beat(NotifyState::Ready, &snapshot.load()).await;
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let mut looks = interval((patience / LOOKS).max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pulse = Pulse::default();
    loop {
        looks.tick().await;
        let made = snapshot.load_full();
        if pulse.moved(made.sequence) {
            beat(NotifyState::Watchdog, &made).await;
        }
    }
}

/// Runs a reload between the two messages that systemd wants around it. Before the daemon was
/// `ready` none are sent: the second would say that it is.
pub(super) fn reloading<T>(ready: bool, reload: impl FnOnce() -> T) -> T {
    if !ready {
        return reload();
    }
    match NotifyState::monotonic_usec_now() {
        // systemd 253 and newer wants the time beside it.
        Ok(time) => tell(&[NotifyState::Reloading, time]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
    let outcome = reload();
    // The daemon goes on with the old configuration where the new one was refused.
    tell(&[NotifyState::Ready]);
    outcome
}

/// Tells that the daemon was told to stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Sent from a thread that may wait: a service manager that does not read must not hold up requests.
async fn beat(state: NotifyState<'static>, snapshot: &Snapshot) {
    let status = status(snapshot);
    let told = tokio::task::spawn_blocking(move || tell(&[state, NotifyState::Status(&status)]));
    // It fails only when the runtime ends.
    let _ = told.await;
}

/// What `systemctl status` shows.
fn status(snapshot: &Snapshot) -> String {
    let (volumes, sandboxes) = (snapshot.volumes.len(), snapshot.sandboxes.len());
    let findings = snapshot.findings.len();
    format!("{volumes} volumes, {sandboxes} sandboxes, {findings} findings")
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "The service manager cannot be told how the daemon does");
    }
}

#[cfg(test)]
mod tests {
    use super::Pulse;

    #[test]
    fn a_beat_needs_a_new_snapshot() {
        let mut pulse = Pulse::default();
        assert!(!pulse.moved(0), "nothing was made yet");
        assert!(pulse.moved(3));
        assert!(!pulse.moved(3), "the publisher hangs");
        assert!(pulse.moved(4));
    }
}
