//! The thread that looks how full the memory mounted into containers is. A thread of its own: the
//! way there is a container's, whatever that has mounted on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::measure::tmpfs::{Place, Spot, look, measured, places};
use crate::model::{Measured, Subject};

use super::super::now;
use super::Shared;

/// A look costs a few system calls: memory fills quickly, and it is the whole host's.
const LEAST_AGE: Duration = Duration::from_secs(1);
const MOST_AGE: Duration = Duration::from_secs(10);

impl Shared {
    pub(super) fn measure_tmpfs_for_ever(&self) {
        let mut known: HashMap<Subject, Measured> = HashMap::new();
        while !self.stopping() {
            let inventory = Arc::clone(&self.state().inventory);
            let mut found = HashMap::new();
            for (place, mut looked) in self.look_at_memory(places(&inventory)) {
                if looked.sample.is_none() {
                    looked.sample = known.get(&place.subject).and_then(|before| before.sample);
                }
                found.insert(place.subject, looked);
            }
            known = found;
            if known != self.state().tmpfs {
                self.state().tmpfs = known.clone();
                self.publish.raise();
            }
            let age = self.config.load().usage.max_age.clamp(LEAST_AGE, MOST_AGE);
            self.measure_tmpfs.wait(age);
        }
    }

    /// By this process, or by the one that may where Landlock keeps this one from it.
    fn look_at_memory(&self, places: Vec<Place>) -> Vec<(Place, Measured)> {
        let Some(helper) = self.confinement.helper().filter(|_| !places.is_empty()) else {
            let look = |place| {
                let looked = look(&self.roots.procfs, &place, now);
                (place, looked)
            };
            return places.into_iter().map(look).collect();
        };
        let began = Instant::now();
        let all = helper.memory(places.iter().map(Spot::from).collect());
        // Each one's share: they are asked for together.
        let seconds = began.elapsed().as_secs_f64() / places.len() as f64;
        let mut all = all.map(Vec::into_iter);
        let with = |place: Place| {
            let used = match &mut all {
                Ok(all) => all.next().unwrap_or_else(|| Err(("io".into(), "no answer".into()))),
                Err(why) => Err(("io".into(), why.clone())),
            };
            let looked = measured(&place, used, seconds, now());
            (place, looked)
        };
        places.into_iter().map(with).collect()
    }
}
