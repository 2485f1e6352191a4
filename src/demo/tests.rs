//! The scene is met by the same readers that meet a real agent, and its answers are compared with
//! captured ones.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::cast::Cast;
use super::*;
use crate::discover::mesos::{checkpoint, layout, runtime};
use crate::host::Roots;
use crate::model::{DiskSource, ReservationKind};

/// The tree and the checkpoint, with nothing running.
fn quiet() -> (tempfile::TempDir, Cast) {
    let dir = tempfile::tempdir().unwrap();
    let cast = script::cast(dir.path());
    tree::build(&cast).unwrap();
    super::checkpoint::write_all(&cast).unwrap();
    (dir, cast)
}

#[test]
fn the_checkpoint_reads_back_as_meant() {
    let (_dir, cast) = quiet();
    let facts = checkpoint::read(&cast.work_dir);
    assert_eq!(facts.errors, vec![]);
    assert_eq!(facts.agent_id.as_ref(), Some(&cast.agent_id));
    assert_eq!(facts.agent.unwrap().hostname.unwrap(), answers::HOSTNAME);
    assert_eq!(facts.agent_resources.unwrap(), cast.agent_resources);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(facts.boot_id.unwrap(), boot.trim());

    // Everything reserved but what the agent was started with: the static rest of `analytics`.
    let mut meant = cast.reserved.clone();
    meant.retain(|resource| {
        resource.persistence().is_some() || resource.reservation_kind() != ReservationKind::Static
    });
    assert_eq!(meant.len(), cast.reserved.len() - 1);
    assert_eq!(facts.resources.unwrap(), meant);
    let refined = meant.iter().find(|r| r.reservation_kind() == ReservationKind::Refined).unwrap();
    assert_eq!(refined.role(), "eng/storage/archive");

    let executors = facts.executors.unwrap();
    let present = || cast.frameworks.iter().flat_map(|f| &f.executors);
    assert_eq!(executors.len(), present().count() + 1, "and that of the former agent id");
    for meant in present().chain(&cast.former.executors) {
        let read = executors.iter().find(|e| e.executor == meant.id).unwrap();
        assert_eq!(read.container.as_ref(), Some(&meant.container));
        assert_eq!(read.default_executor, meant.default);
        assert_eq!(read.command_executor, Some(!meant.default));
        assert_eq!(read.completed, meant.completed, "{}", meant.id);
        assert_eq!(read.resources, meant.resources);
    }
    let tasks = facts.tasks.unwrap();
    for meant in present().flat_map(|executor| &executor.tasks) {
        let read = tasks.iter().find(|t| t.id == meant.id).unwrap();
        assert_eq!(read.resources, meant.resources, "{}", meant.id);
        assert_eq!(read.terminal, meant.id == "nightly-etl", "{}", meant.id);
    }
    let pod = tasks.iter().find(|t| t.id == "orders-db-1").unwrap();
    let executor = present().find(|e| e.default).unwrap();
    let child = executor.tasks[0].child.as_ref().unwrap();
    assert_eq!(pod.container, Some(format!("{}.{child}", executor.container)));
}

#[test]
fn the_tree_lists_as_a_real_work_directory() {
    let (_dir, cast) = quiet();
    let roots = Roots::default();
    let disks: Vec<PathBuf> = cast
        .agent_resources
        .iter()
        .filter_map(|resource| match resource.disk_source() {
            DiskSource::Path { root } => Some(root.into()),
            _ => None,
        })
        .collect();
    let facts = layout::list(&layout::LayoutOptions {
        roots: &roots,
        work_dir: &cast.work_dir,
        path_disks: &disks,
        mount_disks: &[],
        look_for_links: true,
        avoid: Default::default(),
    });
    assert_eq!(facts.errors, vec![]);
    assert_eq!(facts.agent_ids.unwrap().len(), 2);
    let runs = facts.runs.unwrap();
    // Nine executors of this agent id, two nested containers, one leaked, one former.
    assert_eq!(runs.len(), 9 + 2 + 1 + 1);
    let mysql = runs.iter().find(|run| run.executor == "mysql-primary").unwrap();
    let volume = Cast::volume_below(&cast.work_dir, "eng/storage", "mysql-0");
    assert_eq!(mysql.links, vec![("mysql".into(), volume)]);
    let pod = runs.iter().find(|run| !run.tasks.is_empty()).unwrap();
    assert_eq!(pod.tasks.len(), 2);
    assert_eq!(facts.standalone.unwrap()[0].container, "maint-scrub-1");

    let mut volumes: Vec<String> =
        facts.volumes.iter().map(|v| format!("{}:{}", v.role, v.id)).collect();
    volumes.sort();
    let meant = [
        "analytics:events",
        "eng/old:galera-2",
        "eng/storage/archive:archive-2025",
        "eng/storage:cassandra-0",
        "eng/storage:mysql-0",
        "eng/storage:orders-db-0",
        "eng/storage:search-index-0",
    ];
    assert_eq!(volumes, meant, "lost-0001 is gone");
    let on_disk = facts.volumes.iter().find(|v| v.id == "search-index-0").unwrap();
    assert_eq!(on_disk.disk_root.as_ref(), Some(&disks[0]));
}

#[test]
fn the_runtime_directory_has_live_containers() {
    let (_dir, cast) = quiet();
    let facts = runtime::read(&runtime::RuntimeOptions {
        procfs: Path::new("/proc"),
        runtime_dir: &cast.runtime_dir,
        docker_volume_dir: None,
        work_dir: None,
    });
    assert_eq!(facts.errors, vec![]);
    let containers = facts.containers.unwrap();
    assert_eq!(containers.len(), cast.live().count() + 2 + 1, "two nested, one standalone");
    for container in &containers {
        assert_eq!(container.pid, Some(std::process::id()));
        assert_eq!(container.alive, Some(true), "{}", container.container);
        assert!(container.directory.as_ref().unwrap().is_dir(), "{}", container.container);
        assert_eq!(container.standalone, container.container == "maint-scrub-1");
    }
}

#[test]
fn resources_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let cast = script::cast(dir.path());
    for name in ["cpus", "mem", "disk", "ports"] {
        let parts = cast.unreserved.iter().chain(&cast.reserved);
        assert_eq!(
            resources::total(parts, name),
            resources::total(&cast.agent_resources, name),
            "{name}"
        );
    }
    let on_path = |resource: &&crate::model::Resource| {
        matches!(resource.disk_source(), DiskSource::Path { .. })
    };
    let parts = cast.unreserved.iter().chain(&cast.reserved).filter(on_path);
    assert_eq!(resources::total(parts, "disk"), 1024.0);
}

#[test]
fn writers_stay_within_their_bounds() {
    let (_dir, cast) = quiet();
    let volume = |id: &str| Cast::volume_below(&cast.work_dir, "eng/storage", id);
    let roles = writers::roles(&cast);
    let names: Vec<String> = roles.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["cassandra-0", "mysql-0", "events", "web-logs", "report-42"]);
    let home = cast.work_dir.ancestors().nth(3).unwrap();
    let mut peak = 0;
    let mut saw_tooth = Vec::new();
    for (name, mut writer) in roles {
        for step in 0..700 {
            if name != "mysql-0" && step == 160 {
                break; // two compactions, every ring around twice
            }
            writer.write().unwrap();
            if name == "cassandra-0" {
                saw_tooth.push(answers::used(&volume("cassandra-0")));
            }
        }
        peak = peak.max(answers::used(home));
    }
    assert!(peak <= MAX_BYTES, "{peak}");
    let falls = saw_tooth.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert_eq!(falls, 2, "{saw_tooth:?}");
    let rise = saw_tooth.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap();
    // A step, and the block or two its directory may take.
    assert!(rise <= writers::MAX_STEP + 16384, "{rise}");
    // The growing volume ends just short of its quota; the task over its quota is over it.
    let (mysql, quota) = (answers::used(&volume("mysql-0")), script::MYSQL_MIB << 20);
    assert!(mysql <= quota && mysql > quota / 100 * 95, "{mysql} of {quota}");
    let (framework, report) = cast.live().find(|(_, e)| e.id == "report-42").unwrap();
    let sandbox = answers::used(&cast.sandbox(&cast.agent_id, framework, report));
    assert!(sandbox > 8 << 20 && sandbox < 17 << 20, "{sandbox}");
}

#[test]
fn a_scene_runs_and_goes_away_with_all_its_files() {
    let parent = tempfile::tempdir().unwrap();
    let other = parent.path().join("not ours");
    fs::write(&other, "stays").unwrap();
    let scene = Scene::create(parent.path()).unwrap();
    let second = Scene::create(parent.path()).unwrap();
    assert_ne!(scene.home(), second.home());
    assert!(scene.work_dir().join("meta/slaves/latest").is_symlink());
    assert!(scene.runtime_dir().join("containers").is_dir());
    let (status, body) = ask(&scene, "GET", "/version", "");
    assert_eq!((status, body["version"].as_str()), (200, Some("1.11.0")));
    let home = scene.home().to_path_buf();
    scene.stop();
    assert!(!home.exists());
    drop(second);
    let left: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, vec![other]);
}

#[test]
fn what_took_the_place_of_the_scene_is_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let home = Home::create(parent.path()).unwrap();
    let path = home.path.clone();
    let moved = parent.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("precious"), "").unwrap();
    drop(home);
    assert!(path.join("precious").exists());
    assert!(moved.exists());
}

#[test]
fn a_missing_parent_is_one_clear_error() {
    let error = Scene::create(Path::new("/nonexistent/there")).err().unwrap();
    let text = error.to_string();
    assert!(text.starts_with("cannot create /nonexistent/there/plimsoll-demo-"), "{text}");
}

#[test]
fn answers_have_the_keys_of_captured_ones() {
    let parent = tempfile::tempdir().unwrap();
    let scene = Scene::create(parent.path()).unwrap();
    let both = json!({ "show_nested": true, "show_standalone": true });
    let cases = [
        ("/state", "agent-state", vec![".frameworks[].executors[].tasks[].statuses[].state"]),
        ("/flags", "agent-flags", vec![".flags.work_dir", ".flags.isolation"]),
        ("/containers", "agent-containers", vec!["[].statistics.disk_limit_bytes"]),
        ("/metrics/snapshot", "agent-metrics-snapshot", vec![".gc/path_removals_pending"]),
        ("/version", "agent-version", vec![".version"]),
        ("GET_AGENT", "", vec![".get_agent.agent_info.resources[].disk.source.path.root"]),
        (
            "GET_CONTAINERS",
            "",
            vec![
                ".get_containers.containers[].container_status.container_id.parent.value",
                ".get_containers.containers[].executor_id.value",
            ],
        ),
        ("GET_EXECUTORS", "", vec![".get_executors.completed_executors[].executor_info.name"]),
        ("GET_FLAGS", "", vec![".get_flags.flags[].value"]),
        ("GET_FRAMEWORKS", "", vec![".get_frameworks.frameworks[].framework_info.checkpoint"]),
        ("GET_HEALTH", "", vec![".get_health.healthy"]),
        ("GET_OPERATIONS", "", vec![".get_operations"]),
        ("GET_RESOURCE_PROVIDERS", "", vec![".get_resource_providers"]),
        (
            "GET_TASKS",
            "",
            vec![
                ".get_tasks.launched_tasks[].resources[].disk.persistence.id",
                ".get_tasks.launched_tasks[].resources[].shared",
                ".get_tasks.completed_tasks[].state",
            ],
        ),
        ("GET_VERSION", "", vec![".get_version.version_info.version"]),
    ];
    for (what, file, required) in cases {
        let (status, ours) = match file {
            "" => {
                let call = json!({ "type": what, "get_containers": both });
                ask(&scene, "POST", "/api/v1", &call.to_string())
            }
            _ => ask(&scene, "GET", what, ""),
        };
        assert_eq!(status, 200, "{what}");
        let file = if file.is_empty() { format!("agent-v1-{what}") } else { file.to_owned() };
        let (ours, theirs) = (keys(&ours), captured(&file));
        let strange: Vec<_> = ours.difference(&theirs).collect();
        assert!(strange.is_empty(), "{what}: a real agent has no {strange:?}");
        for key in required {
            assert!(ours.contains(key), "{what}: {key} is missing in {ours:?}");
        }
    }
    // And at the top, every key a real agent always has.
    let (_, state) = ask(&scene, "GET", "/slave(1)/state", "");
    let top = |key: &&String| !key[1..].contains(['.', '[']) && *key != ".log_dir";
    let theirs = captured("agent-state");
    let missing: Vec<_> = theirs.iter().filter(top).filter(|k| state[&k[1..]].is_null()).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn the_agent_refuses_what_a_real_one_refuses() {
    let parent = tempfile::tempdir().unwrap();
    let scene = Scene::create(parent.path()).unwrap();
    assert_eq!(ask(&scene, "GET", "/api/v1", "").0, 405);
    assert_eq!(ask(&scene, "POST", "/api/v1", "{").0, 400);
    assert_eq!(ask(&scene, "POST", "/api/v1", r#"{"type":"KILL_CONTAINER"}"#).0, 400);
    assert_eq!(ask(&scene, "GET", "/nothing", "").0, 404);
    assert_eq!(ask(&scene, "GET", "/health", ""), (200, Value::Null));
    let default = ask(&scene, "POST", "/api/v1", r#"{"type":"GET_CONTAINERS"}"#).1;
    let list = default["get_containers"]["containers"].as_array().unwrap().clone();
    assert!(list.iter().all(|container| container["executor_id"].is_object()), "{list:?}");
    assert_eq!(list.len(), 8);
}

/// One request; status and body, null when it is not JSON.
fn ask(scene: &Scene, method: &str, path: &str, body: &str) -> (u16, Value) {
    let url = scene.agent_url();
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: \
         application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Every path of keys in any captured answer of that name.
fn captured(file: &str) -> BTreeSet<String> {
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mesos");
    let mut all = BTreeSet::new();
    for scene in fs::read_dir(scenes).unwrap() {
        let path = scene.unwrap().path().join(format!("{file}.json"));
        if let Ok(text) = fs::read_to_string(path) {
            all.extend(keys(&serde_json::from_str(&text).unwrap()));
        }
    }
    assert!(!all.is_empty(), "no capture of {file}");
    // No captured agent had ports reserved: a reserved resource looks like an unreserved one.
    let unreserved: Vec<String> = all
        .iter()
        .filter_map(|key| {
            let rest = key.strip_prefix(".unreserved_resources")?;
            Some(match rest.strip_prefix("_full[]") {
                Some(rest) => format!(".reserved_resources_full.*[]{rest}"),
                None => format!(".reserved_resources.*{rest}"),
            })
        })
        .collect();
    all.extend(unreserved);
    all
}

/// Every path of keys: `.a.b[].c`. Keys that are data (roles, attributes) become `*`.
fn keys(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, out: &mut BTreeSet<String>) {
        const DATA: [&str; 4] = [
            ".reserved_resources",
            ".reserved_resources_full",
            ".reserved_resources_allocated",
            ".attributes",
        ];
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let key = if DATA.contains(&path) { "*" } else { key };
                    let path = format!("{path}.{key}");
                    walk(value, &path, out);
                    out.insert(path);
                }
            }
            Value::Array(list) => list.iter().for_each(|v| walk(v, &format!("{path}[]"), out)),
            _ => {}
        }
    }
    let mut out = BTreeSet::new();
    walk(value, "", &mut out);
    out
}
