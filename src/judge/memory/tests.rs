use std::collections::HashMap;

use proptest::prelude::*;

use super::record::MAX_GONE;
use super::*;
use crate::judge::volume::{judge, with_owners};
use crate::model::{
    Claims, ClockStep, DiskType, Holder, Method, Peak, Presence, QuotaChange, SourceKind,
    UsageSample, VolumeKind, VolumeState, Witness,
};

const GRACE: f64 = 600.0;

pub(crate) fn sample_volume(id: &str) -> Volume {
    Volume {
        key: VolumeKey {
            source: SourceKind::Mesos,
            role: "db".into(),
            volume: id.into(),
            disk: "ROOT".into(),
        },
        kind: VolumeKind::Persistent,
        disk_type: DiskType::Root,
        path: Some(format!("/w/volumes/roles/db/{id}").into()),
        presence: Presence::Present,
        own_filesystem: false,
        principal: None,
        reservation: None,
        shared: false,
        container_path: None,
        driver: None,
        quota_bytes: Some(100),
        claims: claims(Witness::Claims),
        holders: vec![],
        mounts: vec![],
        created: Some(0.0),
        unused_after: None,
        remote: None,
        engine: None,
    }
}

fn claims(witness: Witness) -> Claims {
    Claims { api: witness, checkpoint: witness }
}

fn denied(id: &str) -> Volume {
    Volume { claims: claims(Witness::Denies), ..sample_volume(id) }
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

fn state(volume: &Volume, memory: &Memory, now: f64) -> VolumeState {
    judge(volume, |_| None, memory, now, GRACE).state
}

fn restarted(memory: &Memory) -> Memory {
    let bytes = serde_json::to_vec(&memory.stored()).unwrap();
    let mut next = Memory::default();
    next.restore(serde_json::from_slice(&bytes).unwrap());
    next
}

fn usage(volume: &Volume, used: u64, at: f64) -> HashMap<Subject, Measured> {
    let sample = UsageSample {
        error_bound_bytes: Some(0),
        used_bytes: used,
        apparent_bytes: None,
        files: None,
        method: Method::Walk,
        measured_at: at,
        duration_seconds: 0.0,
    };
    let measured = Measured { sample: Some(sample), ..Measured::default() };
    HashMap::from([(Subject::Volume(volume.key.clone()), measured)])
}

#[test]
fn a_restart_does_not_start_the_grace_anew() {
    let mut memory = Memory::default();
    memory.observe_volumes(&[sample_volume("v")], 1_000.0);
    memory.observe_volumes(&[denied("v")], 1_010.0);
    assert_eq!(state(&denied("v"), &memory, 1_500.0), VolumeState::Unknown);
    let mut memory = restarted(&memory);
    memory.observe_volumes(&[denied("v")], 1_600.0);
    memory.observe_volumes(&[denied("v")], 1_605.0);
    assert_eq!(state(&denied("v"), &memory, 1_609.0), VolumeState::Unknown);
    assert_eq!(state(&denied("v"), &memory, 1_610.0), VolumeState::Orphaned);
}

#[test]
fn without_history_the_age_of_the_directory_decides_and_stays_decided() {
    let mut memory = Memory::default();
    let old = Volume { created: Some(100.0), ..denied("v") };
    for now in [5_000.0, 5_015.0, 5_030.0] {
        memory.observe_volumes(std::slice::from_ref(&old), now);
        assert_eq!(state(&old, &memory, now), VolumeState::Orphaned);
    }
    // One that appears later has its grace from when it was seen, whatever its age says.
    let both = [old, denied("w")];
    memory.observe_volumes(&both, 5_045.0);
    assert_eq!(state(&both[1], &memory, 5_644.0), VolumeState::Unknown);
    assert_eq!(state(&both[1], &memory, 5_645.0), VolumeState::Orphaned);
}

#[test]
fn destroyed_while_nobody_looked_has_its_whole_grace() {
    let mut memory = Memory::default();
    memory.observe_volumes(&[sample_volume("v")], 1_000.0);
    let mut memory = restarted(&memory);
    memory.observe_volumes(&[denied("v")], 90_000.0);
    assert_eq!(state(&denied("v"), &memory, 90_599.0), VolumeState::Unknown);
    let verdict = judge(&denied("v"), |_| None, &memory, 90_600.0, GRACE);
    assert_eq!(verdict.orphan_reason, Some(crate::model::OrphanReason::Destroyed));
}

#[test]
fn last_use_is_told_with_the_reason() {
    let mut memory = Memory::default();
    let held = Volume { holders: vec![holder()], ..sample_volume("v") };
    memory.observe_volumes(&[held], 1_000.0);
    let idle = sample_volume("v");
    let mut memory = restarted(&memory);
    let now = 1_000.0 + 3.0 * 86_400.0;
    memory.observe_volumes(std::slice::from_ref(&idle), now);
    assert_eq!(memory.volume(&idle.key).last_used, Some(1_000.0));
    let verdict = judge(&idle, |_| None, &memory, now, GRACE);
    let reason = "the agent and its checkpoint list it, and no task uses it since 3d";
    assert_eq!((verdict.state, verdict.reason.as_str()), (VolumeState::Idle, reason));
}

#[test]
fn peak_and_over_quota_follow_the_measurements() {
    let mut memory = Memory::default();
    let volume = sample_volume("v");
    let rounds = [
        // used, quota, at → peak, over since
        (60, 100, 10.0, (60, 10.0), None),
        (120, 100, 20.0, (120, 20.0), Some(20.0)),
        (110, 100, 30.0, (120, 20.0), Some(20.0)),
        (110, 200, 40.0, (120, 20.0), None),
        (110, 50, 50.0, (120, 20.0), Some(50.0)),
        (50, 50, 60.0, (120, 20.0), None),
    ];
    for (used, quota, at, peak, since) in rounds {
        let volume = Volume { quota_bytes: Some(quota), ..volume.clone() };
        memory.observe_volumes(std::slice::from_ref(&volume), at);
        memory.observe_usage(&usage(&volume, used, at), at);
        let history = memory.volume(&volume.key);
        assert_eq!(history.peak, Some(Peak { bytes: peak.0, at: peak.1 }), "at {at}");
        assert_eq!(history.over_quota_since, since, "at {at}");
        memory = restarted(&memory);
    }
    let change = QuotaChange { from_bytes: Some(200), to_bytes: Some(50), at: 50.0 };
    assert_eq!(memory.volume(&volume.key).quota_change, Some(change));
}

#[test]
fn the_first_quota_is_no_change() {
    let mut memory = Memory::default();
    memory.observe_volumes(&[sample_volume("v")], 10.0);
    assert_eq!(memory.volume(&sample_volume("v").key).quota_change, None);
}

#[test]
fn the_vanished_are_forgotten_after_a_day_and_never_pile_up() {
    let mut memory = Memory::default();
    memory.observe_volumes(&[sample_volume("v")], 0.0);
    memory.observe_volumes(&[], 10.0);
    memory.observe_volumes(&[], 86_409.0);
    assert_eq!(memory.len(), 1);
    memory.observe_volumes(&[], 86_410.0);
    assert!(memory.is_empty());

    let many: Vec<_> = (0..MAX_GONE + 5).map(|n| sample_volume(&format!("{n:06}"))).collect();
    memory.observe_volumes(&many, 90_000.0);
    assert_eq!(memory.len(), MAX_GONE + 5);
    memory.observe_volumes(&[], 90_010.0);
    assert_eq!(memory.len(), MAX_GONE);
}

#[test]
fn another_volume_of_the_same_name_has_a_history_of_its_own() {
    let mut memory = Memory::default();
    memory.observe_volumes(&[sample_volume("v")], 100.0);
    memory.observe_volumes(&[], 200.0);
    let back = sample_volume("v");
    memory.observe_volumes(std::slice::from_ref(&back), 300.0);
    assert_eq!(memory.volume(&back.key).first_seen, Some(100.0));
    memory.observe_volumes(&[], 400.0);
    memory.observe_volumes(&[Volume { created: Some(450.0), ..back.clone() }], 500.0);
    assert_eq!(memory.volume(&back.key).first_seen, Some(500.0));
}

#[test]
fn a_clock_step_moves_no_grace_and_no_age() {
    for seconds in [1e9, -1e9] {
        let mut memory = Memory::default();
        memory.observe_volumes(&[sample_volume("v")], 2e9);
        memory.observe_volumes(&[denied("v")], 2e9 + 10.0);
        let now = 2e9 + seconds;
        memory
            .clock_stepped(&ClockStep::between(2e9 + 10.0, now + 20.0, 10.0).expect("it was set"));
        memory.observe_volumes(&[denied("v")], now + 20.0);
        let history = memory.volume(&denied("v").key);
        assert_eq!((history.first_seen, history.unclaimed_since), (Some(now), Some(now + 10.0)));
        assert_eq!(state(&denied("v"), &memory, now + 609.0), VolumeState::Unknown);
        assert_eq!(state(&denied("v"), &memory, now + 610.0), VolumeState::Orphaned);
    }
}

#[test]
fn a_file_is_no_older_than_it_is() {
    let mut memory = Memory::default();
    let mut set = |before: f64, now: f64| {
        memory.clock_stepped(&ClockStep::between(before, now, 1.0).expect("it was set"));
        [900.0, 50_500.0].map(|at| memory.file_time(at))
    };
    // One file from before all, one from between the two steps forward.
    assert_eq!(set(1_000.0, 50_001.0), [49_900.0, 50_500.0]);
    assert_eq!(set(51_000.0, 61_001.0), [59_900.0, 60_500.0]);
    assert_eq!(set(61_500.0, 31_501.0), [29_900.0, 50_500.0]);
    assert_eq!(set(31_600.0, 1_601.0), [900.0, 50_500.0]);
}

#[test]
fn a_step_that_nobody_saw_shortens_no_grace() {
    let mut memory = Memory::default();
    memory.observe_volumes(&[sample_volume("v")], 2_000.0);
    memory.observe_volumes(&[denied("v")], 2_010.0);
    // What lies ahead counts as now: such are times that an earlier run left.
    memory.observe_volumes(&[denied("v")], 1_030.0);
    assert_eq!(memory.volume(&denied("v").key).unclaimed_since, Some(1_030.0));
    assert_eq!(state(&denied("v"), &memory, 1_629.0), VolumeState::Unknown);
    assert_eq!(state(&denied("v"), &memory, 1_630.0), VolumeState::Orphaned);
}

#[test]
fn unowned_needs_a_fresh_master_a_listed_role_and_the_grace() {
    let volume = sample_volume("v");
    let owners = |count| RoleOwners { frameworks: [("db".to_owned(), count)].into() };
    let mut memory = Memory::default();
    memory.observe_volumes(std::slice::from_ref(&volume), 1_000.0);
    memory.observe_owners(&owners(0), 1_000.0);
    let at = |memory: &Memory, volume: &Volume, owners: Option<&RoleOwners>, now| {
        let verdict = judge(volume, |_| None, memory, now, GRACE);
        with_owners(verdict, volume, owners, memory, now, GRACE).state
    };
    assert_eq!(at(&memory, &volume, Some(&owners(0)), 1_599.0), VolumeState::Idle);
    assert_eq!(at(&memory, &volume, Some(&owners(0)), 1_600.0), VolumeState::Unowned);
    assert_eq!(at(&memory, &volume, None, 1_600.0), VolumeState::Idle);
    assert_eq!(at(&memory, &volume, Some(&RoleOwners::default()), 1_600.0), VolumeState::Idle);
    let held = Volume { holders: vec![holder()], ..volume.clone() };
    assert_eq!(at(&memory, &held, Some(&owners(0)), 1_600.0), VolumeState::InUse);
    let left = denied("v");
    assert_eq!(at(&memory, &left, Some(&owners(0)), 1_600.0), VolumeState::Orphaned);
    // A framework comes back, and goes again.
    memory.observe_owners(&owners(1), 1_700.0);
    memory.observe_owners(&owners(0), 1_800.0);
    assert_eq!(at(&memory, &volume, Some(&owners(0)), 2_000.0), VolumeState::Idle);
}

/// What happens to one of a few volumes, or to the daemon.
#[derive(Clone, Debug)]
enum Event {
    Create(usize),
    Launch(usize),
    Finish(usize),
    Destroy(usize),
    Remove(usize),
    Outage,
    Recover,
    Restart,
    LoseHistory,
    Pass(u16),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let which = 0..3_usize;
    let event = prop_oneof![
        which.clone().prop_map(Event::Create),
        which.clone().prop_map(Event::Launch),
        which.clone().prop_map(Event::Finish),
        which.clone().prop_map(Event::Destroy),
        which.prop_map(Event::Remove),
        Just(Event::Outage),
        Just(Event::Recover),
        Just(Event::Restart),
        Just(Event::LoseHistory),
        (1..1_200_u16).prop_map(Event::Pass),
    ];
    proptest::collection::vec(event, 1..60)
}

/// The truth about one volume.
#[derive(Clone, Default)]
struct Truth {
    /// When its directory was made, while there is one.
    made: Option<f64>,
    claimed: bool,
    held: bool,
    /// Since when it is on disk, without a claim and without a holder.
    left: Option<f64>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_histories_keep_the_invariants(events in events()) {
        let mut truth = vec![Truth::default(); 3];
        let (mut now, mut outage) = (10_000.0, false);
        // When an authoritative list was first read since the last outage or lost history.
        let mut judged_since: Option<f64> = None;
        let mut memory = Memory::default();
        for event in events {
            match event {
                Event::Create(n) if truth[n].made.is_none() => {
                    truth[n] = Truth { made: Some(now), claimed: true, ..Truth::default() };
                }
                Event::Launch(n) if truth[n].claimed => truth[n].held = true,
                Event::Finish(n) => truth[n].held = false,
                // The master refuses to destroy a volume in use, yet an agent restored from a
                // backup may not know it any more.
                Event::Destroy(n) if truth[n].made.is_some() => truth[n].claimed = false,
                Event::Remove(n) if !truth[n].held && !truth[n].claimed => {
                    truth[n] = Truth::default();
                }
                Event::Outage => outage = true,
                Event::Recover => outage = false,
                Event::Restart => memory = restarted(&memory),
                Event::LoseHistory => (memory, judged_since) = (Memory::default(), None),
                Event::Pass(seconds) => now += f64::from(seconds),
                _ => {}
            }
            for volume in &mut truth {
                let left = volume.made.is_some() && !volume.claimed && !volume.held;
                volume.left = left.then(|| volume.left.unwrap_or(now));
            }
            judged_since = if outage { None } else { judged_since.or(Some(now)) };
            let witness = |claimed: bool| match (outage, claimed) {
                (true, _) => Witness::Silent,
                (false, true) => Witness::Claims,
                (false, false) => Witness::Denies,
            };
            let volumes: Vec<Volume> = truth
                .iter()
                .enumerate()
                .filter(|(_, volume)| volume.made.is_some())
                .map(|(n, volume)| Volume {
                    claims: claims(witness(volume.claimed)),
                    // What runs is seen in the host's mount table even while the agent is away.
                    holders: if volume.held { vec![holder()] } else { vec![] },
                    created: volume.made,
                    ..sample_volume(&n.to_string())
                })
                .collect();
            memory.observe_volumes(&volumes, now);
            for volume in &volumes {
                let n: usize = volume.key.volume.parse().unwrap();
                let (real, judged) = (&truth[n], state(volume, &memory, now));
                prop_assert!(!real.held || judged == VolumeState::InUse, "held: {judged:?}");
                prop_assert!(!real.claimed || judged != VolumeState::Orphaned, "claimed");
                if outage && !real.held {
                    prop_assert_eq!(judged, VolumeState::Unknown);
                }
                let due = real.left.zip(judged_since).map(|(left, seen)| left.max(seen) + GRACE);
                if due.is_some_and(|due| now >= due) {
                    prop_assert_eq!(judged, VolumeState::Orphaned);
                }
            }
        }
    }
}
