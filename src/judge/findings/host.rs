//! Rules about filesystems, the agent, sources and Plimsoll itself.

use crate::judge::agent_resources::{Amounts, by_reservation};
use crate::judge::conditions::{self, Condition};
use crate::judge::{spoken, spoken_bytes};
use crate::model::{FilesystemSample, FindingSubject, FullBy, SourceHealth, SubjectKind};

use super::growth::{self, fills};
use super::{Candidate, Facts, limit, percent, strength, subject};

pub(super) fn filesystems(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    for sample in &facts.snapshot.filesystems {
        let mut tell = |condition, reason: String| {
            found.push(Candidate::new(condition, of_filesystem(facts, sample), reason));
        };
        let on_network = facts
            .snapshot
            .network
            .iter()
            .any(|other| other.device_number == sample.device_number && sample.remote);
        // Told of its network filesystem, with the server's name.
        if !sample.responsive && !on_network {
            let reason = format!("{} does not answer.", sample.device);
            tell(&conditions::FILESYSTEM_UNRESPONSIVE, reason);
        }
        let Some(usage) = &sample.usage else { continue };
        // On the network the server decides, and some types are never written.
        let on_purpose =
            sample.remote || conditions::NEVER_WRITTEN.contains(&sample.fstype.as_str());
        if usage.readonly && !on_purpose {
            let reason = format!("{} ({}) takes no writes.", sample.device, sample.fstype);
            tell(&conditions::FILESYSTEM_READONLY, reason);
        }
        // As df: of what ordinary users can have.
        let used = usage.size_bytes.saturating_sub(usage.free_bytes);
        let whole = used.saturating_add(usage.available_bytes);
        let full = Fullness {
            ratio: (whole > 0).then(|| used as f64 / whole as f64),
            left: format!(
                "{} of {} left",
                spoken_bytes(usage.available_bytes),
                spoken_bytes(whole)
            ),
        };
        let stages = [&conditions::FILESYSTEM_FILLING, &conditions::FILESYSTEM_FULL];
        filling(facts, sample, &full, "bytes", stages, found);
        if sample.responsive && full.ratio.is_some() {
            let what = format!("It ({})", full.left);
            let growth = sample.growth.as_ref();
            let subject = || of_filesystem(facts, sample);
            fills(facts, growth, FullBy::Filesystem, growth::FILESYSTEM, &what, subject, found);
        }
        if let (Some(files), Some(free)) = (usage.files, usage.files_free) {
            let full = Fullness {
                ratio: (files > 0).then(|| files.saturating_sub(free) as f64 / files as f64),
                left: format!("{free} of {files} left"),
            };
            let stages =
                [&conditions::FILESYSTEM_INODES_LOW, &conditions::FILESYSTEM_INODES_EXHAUSTED];
            filling(facts, sample, &full, "inodes", stages, found);
        }
        overcommitted(facts, sample, usage.size_bytes, found);
    }
}

struct Fullness {
    ratio: Option<f64>,
    left: String,
}

/// A warning from the first threshold on, and the critical condition from the second on.
///
/// What takes no writes cannot fill.
fn filling(
    facts: &Facts<'_>,
    sample: &FilesystemSample,
    full: &Fullness,
    what: &str,
    stages: [&'static Condition; 2],
    found: &mut Vec<Candidate>,
) {
    let readonly = sample.usage.as_ref().is_some_and(|usage| usage.readonly);
    let Some(ratio) = full.ratio.filter(|_| !readonly) else { return };
    let [low, high] = stages;
    let held = |condition: &Condition| {
        let (threshold, margin) = limit(condition, facts.thresholds)?;
        strength(ratio, threshold, margin)
    };
    let mut tell = |condition, strength| {
        let reason = format!("{} of its {what} are used, {}.", percent(ratio), full.left);
        let candidate = Candidate::new(condition, of_filesystem(facts, sample), reason);
        found.push(Candidate { strength, ..candidate });
    };
    for condition in [high, low] {
        if let Some(strength) = held(condition) {
            tell(condition, strength);
        }
    }
}

fn overcommitted(
    facts: &Facts<'_>,
    sample: &FilesystemSample,
    size: u64,
    found: &mut Vec<Candidate>,
) {
    let Some((promised, (threshold, _))) =
        sample.promised_bytes.zip(limit(&conditions::FILESYSTEM_OVERCOMMITTED, facts.thresholds))
    else {
        return;
    };
    if size > 0 && promised as f64 > size as f64 * threshold {
        let reason = format!(
            "{} are promised of {} ({}).",
            spoken_bytes(promised),
            spoken_bytes(size),
            percent(promised as f64 / size as f64)
        );
        let subject = of_filesystem(facts, sample);
        found.push(Candidate::new(&conditions::FILESYSTEM_OVERCOMMITTED, subject, reason));
    }
}

pub(super) fn agent(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    let Some(agent) = &facts.snapshot.inventory.agent else { return };
    let name = agent.hostname.clone().or(agent.url.clone()).unwrap_or_else(|| "agent".into());
    let of_agent = || subject(SubjectKind::Agent, [], name.clone());
    let url = agent.url.as_deref().unwrap_or("no known address");
    if agent.recovering {
        let reason = format!("The agent at {url} is still recovering: its lists are not complete.");
        found.push(Candidate::new(&conditions::AGENT_RECOVERING, of_agent(), reason));
    } else if !agent.up {
        let reason = format!("The agent's API at {url} does not answer.");
        found.push(Candidate::new(&conditions::AGENT_DOWN, of_agent(), reason));
    }
    if let Some(gc) = &facts.snapshot.gc
        && let Some(next) = gc.next_removal
        && let Some((threshold, margin)) = limit(&conditions::GC_BEHIND, facts.thresholds)
        && let Some(strength) = strength(facts.now - next, threshold, margin)
    {
        let reason = format!(
            "{} finished sandboxes hold {}; the oldest should have gone {} ago.",
            gc.pending,
            spoken_bytes(gc.pending_bytes),
            spoken(facts.now - next)
        );
        let candidate = Candidate::new(&conditions::GC_BEHIND, of_agent(), reason);
        found.push(Candidate { strength, ..candidate });
    }
    for group in by_reservation(agent) {
        let reserved = group.reservation != "unreserved" && some_of(&group.total);
        if let Some(allocated) = &group.allocated
            && reserved
            && !some_of(allocated)
        {
            let subject = subject(
                SubjectKind::Reservation,
                [group.role.to_string(), group.reservation.to_string()],
                format!("role {}", group.role),
            );
            let reason = format!(
                "Its {} reservation of {} is not used at all.",
                group.reservation,
                amounts(&group.total)
            );
            found.push(Candidate::new(&conditions::RESERVATION_IDLE, subject, reason));
        }
    }
}

fn some_of(amounts: &Amounts) -> bool {
    amounts.cpus.is_some_and(|cpus| cpus > 0.0)
        || [amounts.memory_bytes, amounts.disk_bytes, amounts.ports]
            .into_iter()
            .any(|amount| amount.is_some_and(|amount| amount > 0))
}

fn amounts(amounts: &Amounts) -> String {
    let bytes = |amount: Option<u64>, what| {
        let amount = amount.filter(|bytes| *bytes > 0)?;
        Some(format!("{} of {what}", spoken_bytes(amount)))
    };
    let parts = [
        amounts.cpus.filter(|cpus| *cpus > 0.0).map(|cpus| format!("{cpus} cpus")),
        bytes(amounts.memory_bytes, "memory"),
        bytes(amounts.disk_bytes, "disk"),
        amounts.ports.filter(|ports| *ports > 0).map(|ports| format!("{ports} ports")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub(super) fn sources(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    for source in &facts.snapshot.inventory.sources {
        let how = match source.health {
            SourceHealth::Failed => "could not be read",
            SourceHealth::Partial => "could not be read whole",
            SourceHealth::Ok | SourceHealth::Absent => continue,
        };
        let more = match source.errors.len() {
            0 | 1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let reason = match source.errors.first() {
            Some(error) => format!("{} {how}: {}{more}.", source.target, error.message),
            None => format!("{} {how}.", source.target),
        };
        let subject =
            subject(SubjectKind::Collector, [source.name.to_string()], source.name.to_string());
        let mut candidate = Candidate::new(&conditions::SOURCE_UNREADABLE, subject, reason);
        candidate.next = source.errors.first().map(|error| error.hint.clone());
        found.push(candidate);
    }
    for disagreement in &facts.snapshot.inventory.disagreements {
        let name = disagreement.subject.clone();
        let subject = subject(SubjectKind::Disagreement, [name.clone()], name);
        let reason = disagreement.message.clone();
        found.push(Candidate::new(&conditions::SOURCES_DISAGREE, subject, reason));
    }
}

pub(super) fn own(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    let of_plimsoll = || subject(SubjectKind::Plimsoll, [], "Plimsoll".to_string());
    if let Some((threshold, margin)) = limit(&conditions::MEASUREMENTS_OVERDUE, facts.thresholds)
        && let Some(strength) = strength(facts.debt_seconds, threshold, margin)
    {
        let reason =
            format!("The most overdue measurement is {} late.", spoken(facts.debt_seconds));
        let candidate = Candidate::new(&conditions::MEASUREMENTS_OVERDUE, of_plimsoll(), reason);
        found.push(Candidate { strength, ..candidate });
    }
    if facts.series_dropped > 0 {
        let reason = format!(
            "{} series are folded into subjects named other on /metrics.",
            facts.series_dropped
        );
        found.push(Candidate::new(&conditions::SERIES_DROPPED, of_plimsoll(), reason));
    }
}

fn of_filesystem(facts: &Facts<'_>, sample: &FilesystemSample) -> FindingSubject {
    let name = sample.mount_point.display().to_string();
    let mount_point = crate::text::path_value(&sample.mount_point).into_owned();
    let network = facts.snapshot.network.iter().find(|one| one.key.mount_point == mount_point);
    let server = network.map(|one| [one.key.server.clone(), one.key.export.clone()]);
    let values = std::iter::once(mount_point).chain(server.into_iter().flatten());
    subject(SubjectKind::Filesystem, values, name)
}
