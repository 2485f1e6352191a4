//! Rules about network filesystems.

use crate::judge::conditions::{self, Condition};
use crate::judge::spoken;
use crate::model::{FindingSubject, NetworkFilesystem, Recent, SubjectKind};

use super::{Candidate, Facts, limit, percent, strength, subject};

/// With fewer requests in the window a mean says little.
const FEW_REQUESTS: u64 = 10;

pub(super) fn filesystems(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    for filesystem in &facts.snapshot.network {
        if filesystem.responsive == Some(false) {
            let users = filesystem.volumes.len() + filesystem.users.len();
            let reason = match users {
                0 => format!("{} does not answer.", named(filesystem)),
                1 => format!("{} does not answer; one volume or task uses it.", named(filesystem)),
                n => {
                    format!("{} does not answer; {n} volumes and tasks use it.", named(filesystem))
                }
            };
            let condition = &conditions::NETWORK_STORAGE_UNRESPONSIVE;
            found.push(Candidate::new(condition, of(filesystem), reason));
        }
        if let Some(recent) = filesystem.recent.filter(|recent| recent.requests >= FEW_REQUESTS) {
            slow(facts, filesystem, &recent, found);
            retransmitting(facts, filesystem, &recent, found);
        }
    }
}

fn slow(
    facts: &Facts<'_>,
    filesystem: &NetworkFilesystem,
    recent: &Recent,
    found: &mut Vec<Candidate>,
) {
    let Some(mean) = recent.mean_execute_seconds else { return };
    let reason = format!(
        "Its requests took {mean:.1} s on the average of the last {}.",
        spoken(recent.window_seconds)
    );
    tell(facts, &conditions::NETWORK_STORAGE_SLOW, mean, filesystem, reason, found);
}

fn retransmitting(
    facts: &Facts<'_>,
    filesystem: &NetworkFilesystem,
    recent: &Recent,
    found: &mut Vec<Candidate>,
) {
    let ratio = recent.retransmissions as f64 / recent.requests as f64;
    let timeouts = match recent.timeouts {
        0 => String::new(),
        1 => ", and one timed out".to_owned(),
        n => format!(", and {n} timed out"),
    };
    let reason = format!(
        "{} of {} requests of the last {} were sent again ({}){timeouts}.",
        recent.retransmissions,
        recent.requests,
        spoken(recent.window_seconds),
        percent(ratio)
    );
    let condition = &conditions::NETWORK_STORAGE_RETRANSMITTING;
    tell(facts, condition, ratio, filesystem, reason, found);
}

fn tell(
    facts: &Facts<'_>,
    condition: &'static Condition,
    value: f64,
    filesystem: &NetworkFilesystem,
    reason: String,
    found: &mut Vec<Candidate>,
) {
    if let Some((threshold, margin)) = limit(condition, facts.thresholds)
        && let Some(strength) = strength(value, threshold, margin)
    {
        let candidate = Candidate::new(condition, of(filesystem), reason);
        found.push(Candidate { strength, ..candidate });
    }
}

/// `filer:/export`, or what there is of it.
fn named(filesystem: &NetworkFilesystem) -> String {
    let key = &filesystem.key;
    match key.server.as_str() {
        "" => key.export.clone(),
        server => format!("{server}:{}", key.export),
    }
}

pub(super) fn of(filesystem: &NetworkFilesystem) -> FindingSubject {
    let key = &filesystem.key;
    let values = [key.server.clone(), key.export.clone(), key.mount_point.clone()];
    subject(SubjectKind::NetworkFilesystem, values, key.mount_point.clone())
}
