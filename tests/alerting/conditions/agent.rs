//! What tasks and operators do to the data of an agent, on captured hosts that are changed as they
//! would change them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::scene;
use crate::support::master;
use crate::support::replay::WORK_DIR;
use crate::support::replay::api::Mode;
use crate::support::replay::changed::{Changed, rewrite};

use super::{MONTH, notice, tell, told};

/// With tasks whose quotas are enforced, and some that have ended.
pub const TASKS: [&str; 8] = [
    "volume_over_quota",
    "sandbox_near_quota",
    "sandbox_over_quota",
    "sandbox_missing",
    "gc_behind",
    "volume_conflict",
    "volume_dangling_mount",
    "volume_mounted_twice",
];
/// Where nothing enforces them.
pub const UNENFORCED: [&str; 1] = ["sandbox_over_quota_unenforced"];

/// Where the agent is another one, and its resources are more than its disk.
pub const LEFT: [&str; 4] =
    ["sandboxes_abandoned", "sources_disagree", "filesystem_overcommitted", "volume_unowned"];
/// Where a volume was created over an orphan.
pub const CREATED_AGAIN: [&str; 1] = ["volume_reattached"];

const MIB: usize = 1 << 20;

/// The sandbox of an executor that ran once, as the agent names it.
pub fn sandbox(changed: &Changed, executor: &str) -> PathBuf {
    let runs = walkdir::WalkDir::new(changed.scene.host(WORK_DIR).join("slaves")).max_depth(7);
    let below = format!("executors/{executor}/runs");
    let run = runs.into_iter().filter_map(Result::ok).find(|entry| {
        entry.file_type().is_dir() && entry.path().parent().is_some_and(|up| up.ends_with(&below))
    });
    run.expect("its run").into_path()
}

/// The same, as the host calls it.
fn on_the_host(changed: &Changed, path: &Path) -> String {
    let root = changed.scene.rootfs();
    format!("/{}", path.strip_prefix(root).expect("below the host's root").display())
}

pub fn hold(sandbox: &Path, bytes: usize) {
    fs::write(sandbox.join("data"), vec![7; bytes]).expect("write");
}

/// Takes the field out wherever it is.
fn without(value: &mut Value, field: &str) {
    match value {
        Value::Object(fields) => {
            fields.remove(field);
            fields.values_mut().for_each(|value| without(value, field));
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| without(value, field));
        }
        _ => {}
    }
}

#[test]
fn what_tasks_do_is_told() {
    let changed = Changed::of("06-volumes-destroyed");
    hold(&sandbox(&changed, "share-a-1"), 33 * MIB);
    hold(&sandbox(&changed, "share-b-1"), 31 * MIB);
    fs::remove_dir_all(sandbox(&changed, "pathw-1")).expect("remove");
    let volumes = changed.scene.host(WORK_DIR).join("volumes/roles");
    hold(&volumes.join("eng storage/pod-0008"), 129 * MIB);
    // The agent forgot them: they ended long ago.
    for executor in ["compact-1", "crash-1", "hello-1", "hog-1", "mountw-1"] {
        let dir = fs::File::open(sandbox(&changed, executor)).expect("its sandbox");
        let then = SystemTime::now() - Duration::from_secs_f64(MONTH);
        dir.set_modified(then).expect("set its time");
    }
    // A volume that two tasks share was created for one.
    changed.answer("agent-state.json", |state| without(state, "shared"));
    // One more mount of a volume in its own container, and one that a container left behind.
    let ended = on_the_host(&changed, &sandbox(&changed, "mountw-1"));
    changed.mount_table(|table| {
        let of = |executor: &str| {
            let inside = format!("/executors/{executor}/runs/");
            let line = table.lines().find(|line| line.contains(&inside));
            line.unwrap_or_else(|| panic!("{executor} has no volume: {table}")).to_owned()
        };
        let at = |line: &str| line.split(' ').nth(4).expect("a mount point").to_owned();
        let (twice, left) = (of("pod-exec-1"), of("dock-1"));
        let twice = twice.replace(&at(&twice), &format!("{}-again", at(&twice)));
        let left = left.replace(&at(&left), &format!("{ended}/volume"));
        format!("{table}{twice}\n{left}\n")
    });
    let api = changed.api(Mode::Whole);
    let scene = scene::of(changed.scene, api);
    tell(&scene.config, &scene.path_flags(), &TASKS);
}

#[test]
fn what_nothing_enforces_is_told() {
    let changed = Changed::of("02-live-quota-off");
    hold(&sandbox(&changed, "share-a-1"), 33 * MIB);
    let api = changed.api(Mode::Whole);
    let scene = scene::of(changed.scene, api);
    tell(&scene.config, &scene.path_flags(), &UNENFORCED);
}

#[test]
fn what_an_agent_left_behind_is_told() {
    const OLD: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-S0";
    let mut changed = Changed::of("03-orphan-volumes");
    changed.registered_anew(OLD, &OLD.replace("S0", "S7"));
    // Three volumes that the agent lists are not in its checkpoint.
    changed.volumes_of("06-volumes-destroyed");
    // Its unreserved disk, in mebibytes.
    changed.answers("7068.0", "7068000000.0");
    let url = master::with_roles(&[("analytics", &[]), ("eng/storage", &["f"])]);
    let api = changed.api(Mode::Whole);
    let scene = scene::of(changed.scene, api);
    let config = fs::read_to_string(&scene.config).expect("read");
    let asked = config.replacen("mesos:\n", &format!("mesos:\n  master_url: {url}\n"), 1);
    fs::write(&scene.config, asked).expect("write");
    tell(&scene.config, &scene.path_flags(), &LEFT);
}

#[test]
fn a_volume_created_over_an_orphan_is_told() {
    let changed = Changed::of("03-orphan-volumes");
    let state_answer = changed.answer_file("agent-state.json");
    let api = changed.api(Mode::Whole);
    let scene = scene::of(changed.scene, api);
    let state = tempfile::tempdir().expect("a directory");
    notice(&scene.config, &scene.path_flags(), state.path(), &["volume_orphaned"]);
    told(&scene.config, &scene.path_flags(), state.path(), &["volume_orphaned"]);
    // As the volume idle-0004 of the same role.
    rewrite(&state_answer, |answer| {
        let of_role = answer["reserved_resources_full"]["analytics"].as_array_mut();
        let of_role = of_role.expect("resources");
        let id = |resource: &Value| resource["disk"]["persistence"]["id"].clone();
        let idle = of_role.iter().find(|resource| id(resource) == "idle-0004").expect("there");
        let mut again = idle.clone();
        again["disk"]["persistence"]["id"] = "orphan-0099".into();
        of_role.push(again);
    });
    notice(&scene.config, &scene.path_flags(), state.path(), &CREATED_AGAIN);
    told(&scene.config, &scene.path_flags(), state.path(), &CREATED_AGAIN);
}
