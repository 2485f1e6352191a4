//! Scenes that were not captured: a new agent id, a renamed role, moved disks, a work directory
//! from a backup. Each is a captured scene, changed as `tests/support/replay/changed.rs` says, and
//! each expectation was worked out by hand. None of them may make an orphan of what somebody owns.

#[path = "support/replay/mod.rs"]
mod replay;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use plimsoll::model::{OrphanReason, RoleOwners, Snapshot};
use replay::api::Mode;
use replay::changed::{Changed, sandboxes, volumes};

const AGENT: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-S0";
const NEW_AGENT: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-S7";

/// The volumes of scene 03 that the agent knows, and the three directories that it does not.
const KNOWN: [&str; 10] = [
    "analytics/dock-0010 on ROOT",
    "analytics/done-0002 on ROOT",
    "analytics/idle-0004 on ROOT",
    "analytics/mnt-0003 on /mnt/mesos-mount1",
    "analytics/wh-0001 on ROOT",
    "eng/storage/mnt-0007 on /mnt/mesos-mount0",
    "eng/storage/path-0006 on /mnt/mesos-path0",
    "eng/storage/pod-0008 on ROOT",
    "eng/storage/shared-0005 on ROOT",
    "ops/db/eu/op-0009 on ROOT",
];
const ORPHANS: [&str; 3] = [
    "analytics/orphan-0099 on ROOT",
    "eng/storage/orphan-p-0011 on /mnt/mesos-path0",
    "old/team/gone-0077 on ROOT",
];
/// Nobody uses these while everything runs.
const UNUSED: [&str; 3] = [KNOWN[1], KNOWN[2], KNOWN[9]];

/// What is expected: every known volume in one state, the orphans, and what differs.
fn expected(known: &'static str, but: &[(&str, &'static str)]) -> BTreeMap<String, &'static str> {
    let mut all: BTreeMap<String, &'static str> =
        KNOWN.iter().map(|name| (name.to_string(), known)).collect();
    all.extend(ORPHANS.iter().map(|name| (name.to_string(), "orphaned")));
    all.extend(but.iter().map(|(name, state)| (name.to_string(), *state)));
    all
}

fn as_captured() -> BTreeMap<String, &'static str> {
    expected("in_use", &UNUSED.map(|name| (name, "idle")))
}

fn reason<'a>(snapshot: &'a Snapshot, id: &str, disk: &str) -> &'a str {
    let found = snapshot.volumes.iter().find(|view| {
        let key = &view.volume.key;
        key.volume == id && key.disk == disk
    });
    &found.unwrap_or_else(|| panic!("{id} on {disk}")).reason
}

#[test]
fn the_scene_that_all_of_these_begin_with() {
    let mut scene = Changed::of("03-orphan-volumes");
    assert_eq!(volumes(&scene.judged(Mode::Whole)), as_captured());
}

fn under_a_new_id() -> Changed {
    let mut scene = Changed::of("03-orphan-volumes");
    scene.registered_anew(AGENT, NEW_AGENT);
    scene
}

#[test]
fn a_new_agent_id_keeps_its_volumes_and_abandons_its_sandboxes() {
    for mode in [Mode::Whole, Mode::Down, Mode::Recovering, Mode::Filtered] {
        let mut scene = under_a_new_id();
        let snapshot = scene.judged(mode);
        assert_eq!(volumes(&snapshot), expected("idle", &[]), "{mode:?}");
        let states = sandboxes(&snapshot);
        let names: Vec<&str> = states.keys().copied().collect();
        assert_eq!(names, ["abandoned", "standalone"], "{mode:?}: {states:?}");
        assert_eq!(states["standalone"], 1);
        let id = snapshot.inventory.agent.as_ref().and_then(|agent| agent.id.clone());
        assert_eq!(id.as_deref(), Some(NEW_AGENT), "{mode:?}");
    }
}

#[test]
fn between_two_agent_ids_nothing_is_lost() {
    // The operator took the link away and has not started the agent yet: its tasks run on.
    let mut scene = Changed::of("03-orphan-volumes");
    fs::remove_file(scene.scene.host(replay::WORK_DIR).join("meta/slaves/latest")).expect("link");
    let snapshot = scene.judged(Mode::Down);
    assert_eq!(volumes(&snapshot), as_captured());
    let states = sandboxes(&snapshot);
    assert!(!states.contains_key("leaked") && !states.contains_key("abandoned"), "{states:?}");
}

/// A role has no name of its own to change in Mesos: its volumes are destroyed and created anew
/// under the other one, and somebody moved their data. The old role's directory stays.
fn under_another_role() -> Changed {
    let scene = Changed::of("03-orphan-volumes");
    scene.answers("eng/storage", "ops/storage");
    assert!(scene.checkpoint("eng/storage", "ops/storage", |_| true) > 3);
    scene
}

#[test]
fn a_role_that_was_renamed_with_its_data_leaves_nothing_behind() {
    let mut scene = under_another_role();
    for root in [replay::WORK_DIR, "/mnt/mesos-path0"] {
        scene.moved(
            &format!("{root}/volumes/roles/eng storage"),
            &format!("{root}/volumes/roles/ops storage"),
        );
        fs::create_dir(scene.scene.host(format!("{root}/volumes/roles/eng storage")))
            .expect("make");
    }
    scene.mount_table(|table| table.replace("eng\\040storage", "ops\\040storage"));
    let renamed: BTreeMap<String, &str> = as_captured()
        .into_iter()
        .map(|(name, state)| (name.replace("eng/storage", "ops/storage"), state))
        .collect();
    for mode in [Mode::Whole, Mode::Down] {
        assert_eq!(volumes(&scene.judged(mode)), renamed, "{mode:?}");
    }
}

#[test]
fn a_role_that_was_renamed_without_its_data_makes_no_orphans_of_it() {
    let mut scene = under_another_role();
    scene.rebooted();
    let snapshot = scene.judged(Mode::Down);
    let found = volumes(&snapshot);
    for id in ["pod-0008 on ROOT", "shared-0005 on ROOT", "path-0006 on /mnt/mesos-path0"] {
        assert_eq!(found[&format!("ops/storage/{id}")], "missing", "{found:#?}");
        assert_eq!(found[&format!("eng/storage/{id}")], "unknown", "{found:#?}");
    }
    let words = snapshot.volumes.iter().find(|view| {
        (view.volume.key.role.as_str(), view.volume.key.volume.as_str())
            == ("eng/storage", "pod-0008")
    });
    let words = &words.expect("the old directory").reason;
    assert!(words.contains("pod-0008 of role ops/storage") && words.contains("moved"), "{words}");
    // A MOUNT disk is its volume whatever the role.
    assert_eq!(found["ops/storage/mnt-0007 on /mnt/mesos-mount0"], "idle");
    let orphans: Vec<&str> = found
        .iter()
        .filter(|(_, state)| **state == "orphaned")
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(orphans, ORPHANS);
}

#[test]
fn a_framework_that_left_its_role_leaves_volumes_without_an_owner_and_no_orphans() {
    let mut scene = Changed::of("03-orphan-volumes");
    scene.nothing_runs();
    let roles = [("analytics", 1), ("eng/storage", 0), ("ops/db/eu", 0), ("eng/other", 2)];
    scene.owners = Some(RoleOwners {
        frameworks: roles.iter().map(|(role, n)| ((*role).to_owned(), *n)).collect(),
    });
    let unowned: Vec<(&str, &str)> = KNOWN[5..].iter().map(|name| (*name, "unowned")).collect();
    // Once the grace is over.
    scene.judged_at(Mode::Whole, 4e9, 600.0);
    let snapshot = scene.judged_at(Mode::Whole, 4e9 + 601.0, 600.0);
    assert_eq!(volumes(&snapshot), expected("idle", &unowned));
}

#[test]
fn a_path_disk_that_is_mounted_elsewhere_keeps_its_volumes() {
    // The agent's disks name the new root, its checkpointed volumes the old one: it will not start.
    let mut scene = Changed::of("03-orphan-volumes");
    scene.rebooted();
    let of_the_agent = |path: &Path| path.ends_with("slave.info");
    assert_eq!(scene.checkpoint("/mnt/mesos-path0", "/mnt/mesos-path9", of_the_agent), 1);
    scene.moved("/mnt/mesos-path0", "/mnt/mesos-path9");
    scene.mount_table(|table| table.replace("/mnt/mesos-path0", "/mnt/mesos-path9"));
    for emptied in [false, true] {
        if emptied {
            // The old mount point is still there, without a disk.
            fs::create_dir(scene.scene.host("/mnt/mesos-path0")).expect("make");
        }
        let snapshot = scene.judged(Mode::Down);
        let found = volumes(&snapshot);
        let old = if emptied { "missing" } else { "idle" };
        assert_eq!(found["eng/storage/path-0006 on /mnt/mesos-path0"], old, "{found:#?}");
        assert_eq!(found["eng/storage/path-0006 on /mnt/mesos-path9"], "unknown", "{found:#?}");
        let words = reason(&snapshot, "path-0006", "/mnt/mesos-path9");
        assert!(words.contains("/mnt/mesos-path0") && words.contains("moved"), "{words}");
        // What nobody owned before is nobody's there, too.
        assert_eq!(found["eng/storage/orphan-p-0011 on /mnt/mesos-path9"], "orphaned");
    }
}

#[test]
fn a_mount_disk_that_is_mounted_elsewhere_keeps_its_volume() {
    let mut scene = Changed::of("03-orphan-volumes");
    scene.rebooted();
    let of_the_agent = |path: &Path| path.ends_with("slave.info");
    assert_eq!(scene.checkpoint("/mnt/mesos-mount0", "/mnt/mesos-mount9", of_the_agent), 1);
    scene.moved("/mnt/mesos-mount0", "/mnt/mesos-mount9");
    fs::create_dir(scene.scene.host("/mnt/mesos-mount0")).expect("the mount point stays");
    scene.mount_table(|table| table.replace("/mnt/mesos-mount0", "/mnt/mesos-mount9"));
    let snapshot = scene.judged(Mode::Down);
    let found = volumes(&snapshot);
    assert_eq!(found["eng/storage/mnt-0007 on /mnt/mesos-mount0"], "missing", "{found:#?}");
    let words = reason(&snapshot, "mnt-0007", "/mnt/mesos-mount0");
    assert!(words.contains("its disk is not mounted"), "{words}");
    assert_eq!(found["/ on /mnt/mesos-mount9"], "unknown", "{found:#?}");
    let words = reason(&snapshot, "", "/mnt/mesos-mount9");
    assert!(words.contains("mnt-0007") && words.contains("moved"), "{words}");
    // With the disk back where it was nothing is missing.
    scene.mount_table(|table| table.replace("/mnt/mesos-mount9", "/mnt/mesos-mount0"));
    fs::remove_dir(scene.scene.host("/mnt/mesos-mount0")).expect("remove");
    scene.moved("/mnt/mesos-mount9", "/mnt/mesos-mount0");
    assert_eq!(volumes(&scene.judged(Mode::Down)), expected("idle", &[]));
}

#[test]
fn disks_whose_paths_were_changed_everywhere_are_the_same_disks() {
    let mut scene = Changed::of("03-orphan-volumes");
    for (from, to) in [
        ("/mnt/mesos-path0", "/srv/data-path-0"),
        ("/mnt/mesos-mount0", "/srv/data-mount-0"),
        ("/mnt/mesos-mount1", "/srv/data-mount-1"),
    ] {
        assert!(scene.checkpoint(from, to, |_| true) > 1, "{from}");
        scene.answers(from, to);
        scene.mount_table(|table| table.replace(from, to));
        scene.moved(from, to);
    }
    let renamed: BTreeMap<String, &str> = as_captured()
        .into_iter()
        .map(|(name, state)| {
            (
                name.replace("/mnt/mesos-path", "/srv/data-path-")
                    .replace("/mnt/mesos-mount", "/srv/data-mount-"),
                state,
            )
        })
        .collect();
    for mode in [Mode::Whole, Mode::Down] {
        assert_eq!(volumes(&scene.judged(mode)), renamed, "{mode:?}");
    }
}

/// Sets the modification time of everything below the work directory, as an unpacked backup has it.
fn restored(scene: &Changed, seconds: u64) {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    let work = scene.scene.host(replay::WORK_DIR);
    for entry in walkdir::WalkDir::new(work).contents_first(true).into_iter().filter_map(Result::ok)
    {
        if !entry.file_type().is_symlink() {
            let file = fs::File::open(entry.path()).expect("open");
            file.set_modified(time).expect("set");
        }
    }
}

#[test]
fn a_restored_work_directory_is_judged_as_before_whatever_its_times() {
    let now =
        std::time::SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    for (seconds, mode) in [
        (1_000_000_000, Mode::Whole),
        (1_000_000_000, Mode::Down),
        (now, Mode::Whole),
        (now, Mode::Down),
    ] {
        let mut scene = Changed::of("03-orphan-volumes");
        restored(&scene, seconds);
        // Everything is newer than the grace: nothing is an orphan yet.
        let early = scene.judged_at(mode, now as f64 + 1.0, 3600.0);
        let found = volumes(&early);
        assert!(
            ORPHANS.iter().all(|name| found[*name] == "unknown"),
            "{seconds} {mode:?} {found:#?}"
        );
        assert!(!sandboxes(&early).contains_key("leaked"));
        let late = scene.judged_at(mode, now as f64 + 3700.0, 3600.0);
        assert_eq!(volumes(&late), as_captured(), "{seconds} {mode:?}");
    }
}

#[test]
fn a_checkpoint_older_than_its_volumes_waits_for_its_grace_and_yields_to_whoever_knows_better() {
    // The list of volumes is that of a backup in which three of them are not yet.
    let older = || {
        let scene = Changed::of("03-orphan-volumes");
        scene.volumes_of("06-volumes-destroyed");
        scene
    };
    // The running agent still knows them: a contradiction, no orphan.
    let mut scene = older();
    let snapshot = scene.judged(Mode::Whole);
    assert_eq!(volumes(&snapshot), as_captured());
    assert_eq!(
        snapshot.inventory.disagreements.len(),
        3,
        "{:#?}",
        snapshot.inventory.disagreements
    );
    // The agent is down. What was claimed a moment ago stays unknown for the grace; what a task
    // holds is in use whatever the list says.
    let mut scene = older();
    let mut before = Changed::of("03-orphan-volumes");
    before.judged_at(Mode::Whole, 4e9, 600.0);
    scene.memory = before.memory;
    let lost = ["analytics/done-0002 on ROOT", "ops/db/eu/op-0009 on ROOT"];
    let held = "eng/storage/mnt-0007 on /mnt/mesos-mount0";
    scene.judged_at(Mode::Down, 4e9 + 5.0, 600.0);
    let early = scene.judged_at(Mode::Down, 4e9 + 500.0, 600.0);
    let found = volumes(&early);
    assert!(lost.iter().all(|name| found[*name] == "unknown"), "{found:#?}");
    assert_ne!(found.get(held).copied().unwrap_or("in_use"), "orphaned", "{found:#?}");
    let late = scene.judged_at(Mode::Down, 4e9 + 700.0, 600.0);
    for view in &late.volumes {
        let key = &view.volume.key;
        let name = format!("{}/{} on {}", key.role, key.volume, key.disk);
        if lost.contains(&name.as_str()) {
            assert_eq!(view.orphan_reason, Some(OrphanReason::Destroyed), "{name}");
            assert!(view.reason.contains("replaced by an older one"), "{}", view.reason);
        }
    }
    // The disk of the volume that a task still writes to.
    let disk = late.volumes.iter().find(|view| view.volume.key.disk == "/mnt/mesos-mount0");
    assert_eq!(disk.map(|view| view.state.as_str()), Some("in_use"), "{disk:#?}");
}
