//! States of volumes.
//!
//! The rule that matters most: nothing is called an orphan unless an authoritative list was read
//! whole, nothing readable claims the directory, nobody holds it, and it stayed so for the grace
//! period. Everything short of that is `unknown`.

use crate::model::{
    DiskType, OrphanReason, Presence, RoleOwners, Sees, SourceKind, Timestamp, Volume, VolumeKind,
    VolumeState, VolumeView, Witness,
};

use super::{Memory, spoken};

/// The judgement on one volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// State.
    pub state: VolumeState,
    /// One sentence: why.
    pub reason: String,
    /// Only with `orphaned`.
    pub orphan_reason: Option<OrphanReason>,
}

/// Judges one volume.
///
/// `running` tells of a container id whether its container runs (`None`: not known).
/// `grace` in seconds.
pub fn judge(
    volume: &Volume,
    running: impl Fn(&str) -> Option<bool>,
    memory: &Memory,
    now: Timestamp,
    grace: f64,
) -> Verdict {
    let verdict = |state, reason: String| Verdict { state, reason, orphan_reason: None };

    if volume.claims.claimed() && volume.presence == Presence::Missing {
        return verdict(
            VolumeState::Missing,
            match volume.disk_type {
                DiskType::Mount => format!("{}, but its disk is not mounted", who(volume)),
                _ => format!("{}, but its directory is gone", who(volume)),
            },
        );
    }
    let users = || volume.holders.iter().filter(|holder| holder.uses());
    if let Some(first) = users().min_by_key(|holder| holder.sees) {
        let name = if first.task.is_empty() { &first.executor } else { &first.task };
        let mut reason = match users().count() {
            1 if name.is_empty() => format!("used by container {}", first.container),
            1 => format!("used by {name}"),
            more => format!("used by {name} and {} more", more - 1),
        };
        match first.sees {
            Sees::Whole => {}
            Sees::Part => reason.push_str(", into which a directory below it is mounted"),
            Sees::Within => reason.push_str(", into which a directory above it is mounted"),
        }
        return verdict(VolumeState::InUse, reason);
    }
    if let Some(mount) = volume
        .mounts
        .iter()
        .find(|mount| !mount.container.is_empty() && running(&mount.container) != Some(false))
    {
        return verdict(VolumeState::InUse, format!("mounted in container {}", mount.container));
    }
    if volume.key.source == SourceKind::Docker
        && let Some(verdict) = unheld_by_docker(volume)
    {
        return verdict;
    }
    if volume.claims.claimed() {
        let last_used = memory.volume(&volume.key).last_used;
        let user = match volume.key.source {
            SourceKind::Docker => "container",
            SourceKind::Directories => "process",
            SourceKind::Mesos => "task",
        };
        let unused = last_used.map_or(format!("no {user} uses it"), |at| {
            format!("no {user} uses it since {}", spoken(now - at))
        });
        return verdict(VolumeState::Idle, format!("{}, and {unused}", who(volume)));
    }
    let dangling = volume.engine.as_ref().is_some_and(|engine| engine.anonymous);
    if !matches!(volume.kind, VolumeKind::Persistent | VolumeKind::Disk) && !dangling {
        // Data outside the agent's resources is only known through its holders.
        return verdict(VolumeState::Idle, "no task uses it any more".into());
    }
    if !volume.claims.denied() {
        return verdict(
            VolumeState::Unknown,
            "no authoritative list of volumes could be read whole".into(),
        );
    }
    if volume.presence != Presence::Present {
        return verdict(VolumeState::Unknown, "its directory could not be looked at".into());
    }

    let orphan_reason = if dangling {
        OrphanReason::DanglingAnonymous
    } else if volume.kind == VolumeKind::Disk {
        OrphanReason::DiskWithoutVolume
    } else if memory.was_claimed(&volume.key) {
        OrphanReason::Destroyed
    } else {
        OrphanReason::NeverClaimed
    };
    let age = match memory.unclaimed_since(&volume.key) {
        Some(since) => Some(now - since),
        None => volume.created.map(|created| now - created),
    };
    if let Some(age) = age
        && age < grace
    {
        return verdict(
            VolumeState::Unknown,
            format!("nobody claims it since {}: an orphan after {}", spoken(age), spoken(grace)),
        );
    }
    let reason = match orphan_reason {
        OrphanReason::NeverClaimed => "the agent knows no such volume",
        OrphanReason::Destroyed => {
            "its volume was destroyed (or the list of volumes was replaced by an older one), the \
             data stayed"
        }
        OrphanReason::DiskWithoutVolume => {
            "the disk holds data, but the agent knows no volume on it"
        }
        OrphanReason::DanglingAnonymous => {
            "it was made for a container that is gone, and has no name to ask for it by"
        }
    };
    Verdict {
        state: VolumeState::Orphaned,
        reason: reason.into(),
        orphan_reason: Some(orphan_reason),
    }
}

/// What a claimed volume whose data is not where it should be adds to a verdict: a directory that
/// nobody claims under its own name may be that volume's, moved. The disk was mounted elsewhere, a
/// path of the agent's resources was changed, or a role was renamed by hand.
///
/// `lost`: every volume that is claimed and was not found.
pub fn with_lost(verdict: Verdict, volume: &Volume, lost: &[&Volume]) -> Verdict {
    if verdict.state != VolumeState::Orphaned {
        return verdict;
    }
    let (key, disk) = (&volume.key, volume.kind == VolumeKind::Disk);
    let twin = lost.iter().find(|other| {
        let of = &other.key;
        // A MOUNT disk does not bear its volume's name.
        let same_disk_kind = disk && other.disk_type == DiskType::Mount;
        let same_name = !disk && of.volume == key.volume;
        same_disk_kind || (same_name && (of.role == key.role || of.disk == key.disk))
    });
    let Some(twin) = twin else { return verdict };
    let reason = format!(
        "nobody claims it here, but the data of volume {} of role {} on {} is not where it should \
         be: this may be that, moved",
        twin.key.volume, twin.key.role, twin.key.disk
    );
    Verdict { state: VolumeState::Unknown, reason, orphan_reason: None }
}

/// What the master adds to a verdict: a claimed volume that nobody holds is `unowned` when no
/// registered framework can use its role, and that has been so for the grace period (after a
/// failover the new master only knows the frameworks that came back).
///
/// `owners`: a fresh answer of the master; without one the verdict stays.
pub fn with_owners(
    verdict: Verdict,
    volume: &Volume,
    owners: Option<&RoleOwners>,
    memory: &Memory,
    now: Timestamp,
    grace: f64,
) -> Verdict {
    let unowned = owners.and_then(|owners| owners.owned(&volume.key.role)) == Some(false);
    if verdict.state != VolumeState::Idle || !volume.claims.claimed() || !unowned {
        return verdict;
    }
    let Some(since) = memory.volume(&volume.key).unowned_since else { return verdict };
    if now - since < grace {
        return verdict;
    }
    let age = spoken(now - since);
    let role = &volume.key.role;
    let reason =
        format!("{}; no registered framework uses the role {role} since {age}", verdict.reason);
    Verdict { state: VolumeState::Unowned, reason, orphan_reason: None }
}

/// A volume of an engine that no running container holds, where that settles it: the engine cannot
/// be asked, or a container that does not run still refers to it.
fn unheld_by_docker(volume: &Volume) -> Option<Verdict> {
    let engine = volume.engine.as_ref()?;
    let verdict = |state, reason| Some(Verdict { state, reason, orphan_reason: None });
    if !volume.claims.claimed() && !volume.claims.denied() {
        return verdict(VolumeState::Unknown, "the engine cannot be asked".into());
    }
    match &engine.references[..] {
        [] => None,
        [one] => {
            verdict(VolumeState::Idle, format!("container {one} refers to it, but does not run"))
        }
        [one, rest @ ..] => {
            let more = rest.len();
            let reason = format!("container {one} and {more} more refer to it, but none runs");
            verdict(VolumeState::Idle, reason)
        }
    }
}

/// Since when nobody uses an idle volume of which the configuration wants to know: since its last
/// use (or since it was first seen), or since something in it last changed.
pub fn unused_since(view: &VolumeView) -> Option<Timestamp> {
    view.volume.unused_after.filter(|_| view.state == VolumeState::Idle)?;
    let used = view.history.last_used.or(view.history.first_seen)?;
    Some(view.measured.newest_change.map_or(used, |newest| used.max(newest.at)))
}

fn who(volume: &Volume) -> &'static str {
    match volume.key.source {
        SourceKind::Directories => return "the configuration names it",
        SourceKind::Docker => return "the engine lists it",
        SourceKind::Mesos => {}
    }
    match (volume.claims.api, volume.claims.checkpoint) {
        (Witness::Claims, Witness::Claims) => "the agent and its checkpoint list it",
        (Witness::Claims, _) => "the agent lists it",
        _ => "the agent's checkpoint lists it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Claims, DiskType, Holder, MountUse, VolumeKey};

    fn volume() -> Volume {
        Volume {
            key: VolumeKey {
                source: SourceKind::Mesos,
                role: "eng/storage".into(),
                volume: "v1".into(),
                disk: "ROOT".into(),
            },
            kind: VolumeKind::Persistent,
            disk_type: DiskType::Root,
            path: Some("/w/volumes/roles/eng storage/v1".into()),
            presence: Presence::Present,
            own_filesystem: false,
            principal: None,
            reservation: None,
            shared: false,
            container_path: None,
            driver: None,
            quota_bytes: None,
            claims: Claims { api: Witness::Denies, checkpoint: Witness::Denies },
            holders: vec![],
            mounts: vec![],
            created: Some(0.0),
            unused_after: None,
            remote: None,
            engine: None,
        }
    }

    fn holder() -> Holder {
        Holder {
            framework: "f".into(),
            framework_name: "db".into(),
            executor: "e".into(),
            task: "t".into(),
            container: "c".into(),
            container_path: "data".into(),
            read_only: false,
            sees: Default::default(),
        }
    }

    fn judged(change: impl FnOnce(&mut Volume)) -> Verdict {
        let mut volume = volume();
        change(&mut volume);
        judge(&volume, |_| None, &Memory::default(), 1_000.0, 600.0)
    }

    #[test]
    fn orphan_only_when_denied_by_a_whole_list() {
        use Witness::*;
        let cases = [
            (Denies, Denies, VolumeState::Orphaned),
            (Silent, Denies, VolumeState::Orphaned), // a dead agent with a readable checkpoint
            (Denies, Silent, VolumeState::Orphaned),
            (Silent, Silent, VolumeState::Unknown),
            (Claims, Denies, VolumeState::Idle),
            (Denies, Claims, VolumeState::Idle),
            (Claims, Silent, VolumeState::Idle),
        ];
        for (api, checkpoint, state) in cases {
            let verdict = judged(|v| v.claims = crate::model::Claims { api, checkpoint });
            assert_eq!(verdict.state, state, "{api:?} {checkpoint:?}");
            let reason = (state == VolumeState::Orphaned).then_some(OrphanReason::NeverClaimed);
            assert_eq!(verdict.orphan_reason, reason);
        }
    }

    #[test]
    fn young_directories_are_unknown_and_a_zero_grace_judges_at_once() {
        assert_eq!(judged(|v| v.created = Some(401.0)).state, VolumeState::Unknown);
        assert_eq!(judged(|v| v.created = Some(400.0)).state, VolumeState::Orphaned);
        let mut young = volume();
        young.created = Some(999.9);
        let verdict = judge(&young, |_| None, &Memory::default(), 1_000.0, 0.0);
        assert_eq!(verdict.state, VolumeState::Orphaned);
    }

    #[test]
    fn a_held_or_mounted_volume_is_never_an_orphan() {
        assert_eq!(judged(|v| v.holders = vec![holder()]).state, VolumeState::InUse);
        let mut mounted = volume();
        mounted.mounts = vec![MountUse { mount_point: "/x".into(), container: "c".into() }];
        let state = |running: Option<bool>| {
            judge(&mounted, |_| running, &Memory::default(), 1_000.0, 0.0).state
        };
        assert_eq!(state(Some(true)), VolumeState::InUse);
        assert_eq!(state(None), VolumeState::InUse);
        assert_eq!(state(Some(false)), VolumeState::Orphaned);
    }

    #[test]
    fn missing_needs_a_claim() {
        let claims = Claims { api: Witness::Silent, checkpoint: Witness::Claims };
        let missing = |v: &mut Volume| {
            v.presence = Presence::Missing;
            v.claims = claims;
        };
        assert_eq!(judged(missing).state, VolumeState::Missing);
        let unseen = |v: &mut Volume| {
            v.presence = Presence::Unknown;
            v.claims = claims;
        };
        assert_eq!(judged(unseen).state, VolumeState::Idle);
        assert_eq!(judged(|v| v.presence = Presence::Unknown).state, VolumeState::Unknown);
    }

    #[test]
    fn memory_tells_destroyed_from_never_claimed_and_starts_the_grace_anew() {
        let mut memory = Memory::default();
        let mut claimed = volume();
        claimed.claims = Claims { api: Witness::Claims, checkpoint: Witness::Claims };
        memory.observe_volumes(&[claimed], 2_000.0);
        let left = volume();
        memory.observe_volumes(std::slice::from_ref(&left), 2_010.0);
        let at = |now| judge(&left, |_| None, &memory, now, 600.0);
        assert_eq!(at(2_500.0).state, VolumeState::Unknown);
        assert_eq!(at(2_610.0).state, VolumeState::Orphaned);
        assert_eq!(at(2_610.0).orphan_reason, Some(OrphanReason::Destroyed));
    }

    #[test]
    fn memory_of_an_outage_does_not_start_the_grace() {
        let mut memory = Memory::default();
        let mut silent = volume();
        silent.claims = Claims { api: Witness::Silent, checkpoint: Witness::Silent };
        memory.observe_volumes(std::slice::from_ref(&silent), 10.0);
        memory.observe_volumes(&[silent], 5_000.0);
        let denied = volume();
        memory.observe_volumes(std::slice::from_ref(&denied), 5_001.0);
        assert_eq!(judge(&denied, |_| None, &memory, 5_002.0, 600.0).state, VolumeState::Unknown);
    }

    #[test]
    fn a_disk_without_a_volume_says_so() {
        let verdict = judged(|v| v.kind = VolumeKind::Disk);
        assert_eq!(verdict.orphan_reason, Some(OrphanReason::DiskWithoutVolume));
    }
}
