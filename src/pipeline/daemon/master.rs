//! The thread that asks the master, rarely, which frameworks there are.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use crate::discover::mesos::master::MasterSource;
use crate::model::RoleOwners;

use super::{Shared, State};

impl Shared {
    /// What the master said, unless it is older than three intervals.
    pub(super) fn fresh_owners(&self, state: &State) -> Option<RoleOwners> {
        let limit = 3 * self.config.load().mesos.master_interval;
        let (at, owners) = state.owners.as_ref()?;
        (at.elapsed() <= limit).then(|| owners.clone())
    }

    pub(super) fn ask_master_for_ever(&self) {
        let mut asked: Option<MasterSource> = None;
        while !self.stopping() {
            let config = self.config.load_full();
            let Some(url) = config.mesos.master_url.clone() else {
                asked = None;
                let mut state = self.state();
                (state.owners, state.master) = (None, None);
                drop(state);
                self.master.wait(Duration::MAX);
                continue;
            };
            let master = match asked.take().filter(|master| master.is_of(&config.mesos)) {
                Some(master) => master,
                None => MasterSource::new(&config.mesos, &url),
            };
            let asked_at = Instant::now();
            let (owners, report) = self.handle.block_on(master.ask());
            asked = Some(master);
            let mut state = self.state();
            if let Some(owners) = owners {
                state.owners = Some((asked_at, owners));
            }
            state.master = Some(report);
            drop(state);
            self.discover.raise();
            self.master.wait(jittered(config.mesos.master_interval));
        }
    }
}

/// An interval, up to a tenth longer: the agents of a cluster do not ask their master in step.
fn jittered(interval: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    interval.mul_f64(1.0 + (random % 1000) as f64 / 10_000.0)
}
