//! The thread that looks how full the memory mounted into containers is. A thread of its own: the
//! way there is a container's, whatever that has mounted on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::measure::tmpfs::{look, places};
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
            for place in places(&inventory) {
                let mut looked = look(&self.roots.procfs, &place, now);
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
}
