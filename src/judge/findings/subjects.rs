//! Rules about volumes and sandboxes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::judge::conditions::{self, Condition};
use crate::judge::volume::unused_since;
use crate::judge::{open_files, spoken, spoken_bytes};
use crate::model::{
    Enforcement, FindingSubject, FullBy, Growth, SandboxKind, SandboxState, SandboxView,
    SubjectKind, VolumeKind, VolumeState, VolumeView,
};

use super::growth::{self, Stages, fills};
use super::{Candidate, Facts, limit, orphan_advice, percent, strength, subject};

/// A subject that was over its quota stays so until it is below it by this part.
const OVER_MARGIN: f64 = 0.01;

pub(super) fn volumes(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    let ended = ended_containers(facts);
    for view in &facts.snapshot.volumes {
        state(facts, view, found);
        if view.volume.claims.claimed() {
            volume_quota(facts, view, found);
        }
        conflict(view, found);
        mounts(view, &ended, found);
        if let Some(failure) = &view.measured.failure
            && view.state != VolumeState::Missing
        {
            found.push(Candidate::new(
                &conditions::VOLUME_UNMEASURED,
                of_volume(view),
                format!("Its use cannot be measured: {}.", failure.message),
            ));
        }
    }
}

/// Volumes by state.
fn state(facts: &Facts<'_>, view: &VolumeView, found: &mut Vec<Candidate>) {
    let orphan = |reason: String| {
        let agent = facts.snapshot.inventory.agent.as_ref();
        let mut candidate = Candidate::new(&conditions::VOLUME_ORPHANED, of_volume(view), reason);
        candidate.next = Some(orphan_advice(view, agent).text);
        candidate
    };
    match view.state {
        VolumeState::Orphaned => {
            let mut reason = match view.measured.sample {
                Some(sample) => format!("{} lie unclaimed", spoken_bytes(sample.used_bytes)),
                None => "Data lies unclaimed (not measured yet)".to_string(),
            };
            if let Some(created) = view.volume.created {
                reason.push_str(&format!(", {} old", spoken(facts.now - created)));
            }
            if let Some(newest) = &view.measured.newest_change {
                reason.push_str(&format!(", last changed {} ago", spoken(facts.now - newest.at)));
                if newest.in_the_future().is_some() {
                    reason.push_str(" (a file in it claims a time in the future)");
                }
            }
            if let Some(mount) = view.volume.mounts.first() {
                reason.push_str(&format!(", still mounted at {}", mount.mount_point.display()));
                if !mount.container.is_empty() {
                    reason.push_str(&format!(" in container {}", mount.container));
                }
            }
            if let Some(who) = view.open_files.as_ref().and_then(open_files::spoken) {
                reason.push_str(&format!(", held open by {who}"));
            }
            found.push(orphan(format!("{reason}: {}.", view.reason)));
        }
        // Nothing can be read just now: that neither makes an orphan nor takes one back.
        VolumeState::Unknown
            if !view.volume.claims.claimed()
                && (matches!(view.volume.kind, VolumeKind::Persistent | VolumeKind::Disk)
                    || view.volume.engine.as_ref().is_some_and(|engine| engine.anonymous)) =>
        {
            let reason = format!("It was unclaimed when last that could be told: {}.", view.reason);
            found.push(orphan(reason).lingers());
        }
        VolumeState::Unowned => {
            let reason = format!("{}.", capitalised(&view.reason));
            found.push(Candidate::new(&conditions::VOLUME_UNOWNED, of_volume(view), reason));
        }
        VolumeState::Idle => unused(facts, view, found),
        VolumeState::Missing => {
            let reason = format!("{}.", capitalised(&view.reason));
            found.push(Candidate::new(&conditions::VOLUME_MISSING, of_volume(view), reason));
        }
        _ => {}
    }
}

/// A configured directory that nobody has used for the time it names.
fn unused(facts: &Facts<'_>, view: &VolumeView, found: &mut Vec<Candidate>) {
    let (Some(since), Some(after)) = (unused_since(view), view.volume.unused_after) else { return };
    let unused = facts.now - since;
    if unused < after {
        return;
    }
    let mut reason = format!("Nobody has used it for {}", spoken(unused));
    if let Some(sample) = view.measured.sample {
        reason.push_str(&format!("; it holds {}", spoken_bytes(sample.used_bytes)));
    }
    found.push(Candidate::new(&conditions::VOLUME_UNUSED, of_volume(view), reason + "."));
}

fn volume_quota(facts: &Facts<'_>, view: &VolumeView, found: &mut Vec<Candidate>) {
    let Some(sample) = view.measured.sample else { return };
    let over = if enforced(view.enforcement) {
        &conditions::VOLUME_OVER_QUOTA
    } else {
        &conditions::VOLUME_OVER_QUOTA_UNENFORCED
    };
    let numbers = Numbers {
        used: sample.used_bytes,
        quota: view.volume.quota_bytes,
        enforcement: view.enforcement,
    };
    let near = Some(&conditions::VOLUME_NEAR_QUOTA);
    quota(facts, &numbers, near, over, || of_volume(view), found);
    quota_fills(facts, &numbers, view.growth.as_ref(), growth::VOLUME, || of_volume(view), found);
}

struct Numbers {
    used: u64,
    quota: Option<u64>,
    enforcement: Enforcement,
}

fn quota(
    facts: &Facts<'_>,
    numbers: &Numbers,
    near: Option<&'static Condition>,
    over: &'static Condition,
    subject: impl Fn() -> FindingSubject,
    found: &mut Vec<Candidate>,
) {
    let Some(quota) = numbers.quota.filter(|quota| *quota > 0) else { return };
    let ratio = numbers.used as f64 / quota as f64;
    let reason = || {
        format!(
            "{} of {} ({}); {}.",
            spoken_bytes(numbers.used),
            spoken_bytes(quota),
            percent(ratio),
            consequence(numbers.enforcement, ratio >= 1.0)
        )
    };
    let mut tell = |condition, held: Option<super::Strength>| {
        if let Some(strength) = held {
            found.push(Candidate { strength, ..Candidate::new(condition, subject(), reason()) });
        }
    };
    tell(over, strength(ratio, 1.0, OVER_MARGIN));
    if let Some(near) = near
        && let Some((threshold, margin)) = limit(near, facts.thresholds)
    {
        tell(near, strength(ratio, threshold, margin));
    }
}

fn quota_fills(
    facts: &Facts<'_>,
    numbers: &Numbers,
    growth: Option<&Growth>,
    stages: Stages,
    subject: impl Fn() -> FindingSubject,
    found: &mut Vec<Candidate>,
) {
    let Some(quota) = numbers.quota else { return };
    let what = format!("Its quota ({} of {})", spoken_bytes(numbers.used), spoken_bytes(quota));
    fills(facts, growth, FullBy::Quota, stages, &what, subject, found);
}

/// What enforcement does to whoever passes, or has passed, its quota.
fn consequence(enforcement: Enforcement, over: bool) -> &'static str {
    match (enforcement, over) {
        (Enforcement::SoftKill, true) => "its task will be killed at the agent's next du",
        (Enforcement::SoftKill, false) => "past its quota its task is killed",
        (Enforcement::HardQuota, true) => "its writes fail with EDQUOT",
        (Enforcement::HardQuota, false) => "past its quota its writes fail with EDQUOT",
        (Enforcement::Filesystem, true) => "its writes fail with ENOSPC",
        (Enforcement::Filesystem, false) => "when it is full its writes fail with ENOSPC",
        (Enforcement::None | Enforcement::Accounting, _) => {
            "nothing enforces its quota: it can grow until the filesystem is full"
        }
        (Enforcement::Unknown, _) => "what enforces its quota is not known",
    }
}

fn enforced(enforcement: Enforcement) -> bool {
    !matches!(enforcement, Enforcement::None | Enforcement::Accounting)
}

/// Several executors on a volume that was not created as shared. Tasks of one executor share it
/// on purpose.
fn conflict(view: &VolumeView, found: &mut Vec<Candidate>) {
    let volume = &view.volume;
    if volume.shared || volume.kind != VolumeKind::Persistent {
        return;
    }
    let executors: BTreeSet<(&str, &str, &str)> = volume
        .holders
        .iter()
        .map(|holder| {
            let container = holder.container.split('.').next().unwrap_or_default();
            (holder.framework.as_str(), holder.executor.as_str(), container)
        })
        .collect();
    if executors.len() > 1 {
        let names: Vec<&str> = executors.iter().take(3).map(|(_, executor, _)| *executor).collect();
        let reason = format!(
            "It is not shared, and {} executors use it at once: {}.",
            executors.len(),
            names.join(", ")
        );
        found.push(Candidate::new(&conditions::VOLUME_CONFLICT, of_volume(view), reason));
    }
}

/// Top-level containers whose run is known to be over.
fn ended_containers<'a>(facts: &Facts<'a>) -> BTreeSet<&'a str> {
    facts
        .snapshot
        .sandboxes
        .iter()
        .filter(|view| match view.state {
            SandboxState::AwaitingGc
            | SandboxState::Abandoned
            | SandboxState::Leaked
            | SandboxState::Exited => true,
            SandboxState::Standalone => view.sandbox.running == Some(false),
            SandboxState::Live | SandboxState::Missing | SandboxState::Unknown => false,
        })
        .map(|view| view.sandbox.key.container.as_str())
        .collect()
}

fn mounts(view: &VolumeView, ended: &BTreeSet<&str>, found: &mut Vec<Candidate>) {
    let volume = &view.volume;
    if !matches!(volume.kind, VolumeKind::Persistent | VolumeKind::Disk) {
        // Host paths and the like are mounted wherever somebody wants them.
        return;
    }
    if let Some(mount) = volume.mounts.iter().find(|mount| ended.contains(mount.container.as_str()))
    {
        let reason = format!(
            "It is still mounted at {}, and container {} has ended.",
            mount.mount_point.display(),
            mount.container
        );
        found.push(Candidate::new(&conditions::VOLUME_DANGLING_MOUNT, of_volume(view), reason));
    }
    if let Some(mount) = volume.mounts.iter().find(|mount| mount.container.is_empty()) {
        let reason = format!(
            "It is mounted at {}, which belongs to no container.",
            mount.mount_point.display()
        );
        found.push(Candidate::new(&conditions::VOLUME_MOUNTED_ELSEWHERE, of_volume(view), reason));
    }
    let mut in_container: HashMap<&str, usize> = HashMap::new();
    for mount in volume.mounts.iter().filter(|mount| !mount.container.is_empty()) {
        *in_container.entry(mount.container.as_str()).or_default() += 1;
    }
    let top = |container: &str| container.split('.').next().unwrap_or_default().to_string();
    let mut twice: Vec<(&str, usize, usize)> = in_container
        .into_iter()
        .map(|(container, mounts)| {
            let uses: BTreeSet<(&str, &str)> = volume
                .holders
                .iter()
                .filter(|holder| top(&holder.container) == top(container))
                .map(|holder| (holder.container.as_str(), holder.container_path.as_str()))
                .collect();
            (container, mounts, uses.len())
        })
        // A container without a known use is judged by its run, not by its mounts.
        .filter(|(_, mounts, uses)| *uses > 0 && *mounts > (*uses).max(1))
        .collect();
    twice.sort_unstable();
    if let Some((container, mounts, uses)) = twice.first() {
        let reason =
            format!("Container {container} has {mounts} mounts of it and {uses} uses for them.");
        found.push(Candidate::new(&conditions::VOLUME_MOUNTED_TWICE, of_volume(view), reason));
    }
}

/// The candidate that a volume was created over old data.
pub(super) fn reattached(view: &VolumeView) -> Candidate {
    let bytes = match view.measured.sample {
        Some(sample) => format!("; it holds {}", spoken_bytes(sample.used_bytes)),
        None => String::new(),
    };
    let reason = format!("It was created where unclaimed data lay{bytes}.");
    Candidate::new(&conditions::VOLUME_REATTACHED, of_volume(view), reason)
}

pub(super) fn sandboxes(facts: &Facts<'_>, found: &mut Vec<Candidate>) {
    let mut sums: BTreeMap<(SandboxState, &str), Sum<'_>> = BTreeMap::new();
    for view in &facts.snapshot.sandboxes {
        if view.sandbox.kind == SandboxKind::Nested {
            // Its bytes, its quota and its end are its parent's.
            continue;
        }
        match view.state {
            SandboxState::Live | SandboxState::Standalone | SandboxState::Unknown => {
                sandbox_quota(facts, view, found);
            }
            SandboxState::Missing if view.sandbox.running == Some(true) => {
                let reason = format!("{}.", capitalised(&view.reason));
                let subject = of_sandbox(view);
                found.push(Candidate::new(&conditions::SANDBOX_MISSING, subject, reason));
            }
            SandboxState::Leaked | SandboxState::Abandoned => {
                let sum = sums
                    .entry((view.state, view.sandbox.key.framework.as_str()))
                    .or_insert_with(|| Sum { view, count: 0, bytes: 0, unmeasured: 0 });
                sum.count += 1;
                match view.measured.sample {
                    Some(sample) => sum.bytes = sum.bytes.saturating_add(sample.used_bytes),
                    None => sum.unmeasured += 1,
                }
            }
            SandboxState::Missing | SandboxState::AwaitingGc | SandboxState::Exited => {}
        }
    }
    // There may be thousands: one finding per framework and state.
    for ((state, framework), sum) in sums {
        let condition = if state == SandboxState::Leaked {
            &conditions::SANDBOXES_LEAKED
        } else {
            &conditions::SANDBOXES_ABANDONED
        };
        let key = &sum.view.sandbox.key;
        let name = [sum.view.sandbox.framework_name.as_str(), framework, "no framework"];
        let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        let subject = subject(
            SubjectKind::Framework,
            [key.source.as_str().to_string(), framework.to_string()],
            name.to_string(),
        );
        let noun = if sum.count == 1 { "sandbox holds" } else { "sandboxes hold" };
        let unmeasured = match sum.unmeasured {
            0 => String::new(),
            n => format!(" ({n} not measured yet)"),
        };
        let reason = format!(
            "{} {} {noun} {}{unmeasured}: {}.",
            sum.count,
            state.as_str(),
            spoken_bytes(sum.bytes),
            sum.view.reason
        );
        found.push(Candidate::new(condition, subject, reason));
    }
}

struct Sum<'a> {
    view: &'a SandboxView,
    count: usize,
    bytes: u64,
    unmeasured: usize,
}

fn sandbox_quota(facts: &Facts<'_>, view: &SandboxView, found: &mut Vec<Candidate>) {
    let Some(sample) = view.measured.sample else { return };
    // Short-lived data below a quota nobody enforces is not worth a word.
    let (near, over) = if enforced(view.enforcement) {
        (Some(&conditions::SANDBOX_NEAR_QUOTA), &conditions::SANDBOX_OVER_QUOTA)
    } else {
        (None, &conditions::SANDBOX_OVER_QUOTA_UNENFORCED)
    };
    let numbers = Numbers {
        used: sample.used_bytes,
        quota: view.sandbox.quota_bytes,
        enforcement: view.enforcement,
    };
    quota(facts, &numbers, near, over, || of_sandbox(view), found);
    if near.is_some() {
        let growth = view.growth.as_ref();
        quota_fills(facts, &numbers, growth, growth::SANDBOX, || of_sandbox(view), found);
    }
}

pub(super) fn of_volume(view: &VolumeView) -> FindingSubject {
    let key = &view.volume.key;
    let name = match (key.role.as_str(), key.volume.as_str()) {
        ("", "") => key.disk.clone(),
        ("", volume) => format!("{volume} on {}", key.disk),
        (role, volume) => format!("{role} / {volume} on {}", key.disk),
    };
    let values = [key.source.as_str(), key.role.as_str(), key.volume.as_str(), key.disk.as_str()];
    subject(SubjectKind::Volume, values.map(str::to_string), name)
}

pub(super) fn of_sandbox(view: &SandboxView) -> FindingSubject {
    let key = &view.sandbox.key;
    let name = match view.sandbox.framework_name.as_str() {
        "" if key.executor.is_empty() => key.container.clone(),
        "" => key.executor.clone(),
        framework => format!("{framework} / {}", key.executor),
    };
    let values = [
        key.source.as_str(),
        key.framework.as_str(),
        key.executor.as_str(),
        key.container.as_str(),
    ];
    subject(SubjectKind::Sandbox, values.map(str::to_string), name)
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str().trim_end_matches('.')
}
