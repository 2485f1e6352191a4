//! The replay itself: a scene is rebuilt as it was captured, and its agent answers as it did.

#[path = "support/replay/mod.rs"]
mod replay;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use plimsoll::discover::mesos::layout;
use replay::Scene;
use replay::api::{Api, Mode, SECRET};
use replay::expected::{ActualSandbox, ActualVolume, Expected, OneOf, compare};

const SCENES: [&str; 10] = [
    "01-empty",
    "02-live-quota-off",
    "03-orphan-volumes",
    "04-agent-restarted",
    "05-quota-enforced",
    "06-volumes-destroyed",
    "07-after-gc",
    "10-cgroup2-xfs",
    "12-posix-isolation",
    "13-image-task",
];

/// Sends one raw request; the status code and the body. `None`: refused, or no answer in time.
fn ask(api: &Api, request: &str) -> Option<(u16, String)> {
    let address = api.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn get(api: &Api, path: &str) -> Option<(u16, String)> {
    ask(api, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
}

fn call(api: &Api, body: &str) -> Option<(u16, String)> {
    ask(
        api,
        &format!(
            "POST /api/v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

#[test]
fn every_scene_loads_and_holds_what_it_expects() {
    for name in SCENES {
        let scene = Scene::load(name);
        let expected = scene.expected();
        let latest = fs::read_link(scene.host("/var/lib/mesos/meta/slaves/latest")).unwrap();
        assert_eq!(latest, Path::new("/var/lib/mesos/meta/slaves").join(&expected.agent_id));
        for path in expected.volumes.iter().filter_map(|v| v.path.as_ref()) {
            assert!(scene.host(path).is_dir(), "{name}: {path}");
        }
        for sandbox in &expected.sandboxes {
            assert!(scene.host(&sandbox.path).is_dir(), "{name}: {}", sandbox.path);
        }
        assert!(scene.roots().mountinfo().is_file(), "{name}: mount table");
    }
}

#[test]
fn the_replayed_trees_hold_the_expected_sandboxes_and_no_other() {
    for name in SCENES {
        let scene = Scene::load(name);
        let roots = scene.roots();
        let facts = layout::list_work_dir(&layout::LayoutOptions {
            roots: &roots,
            work_dir: scene.work_dir(),
            path_disks: &[],
            mount_disks: &[],
            look_for_links: false,
            avoid: Default::default(),
        });
        assert_eq!(facts.errors, vec![], "{name}");
        let runs = facts.runs.unwrap().into_iter().chain(facts.standalone.unwrap());
        let found: BTreeSet<_> =
            runs.map(|run| (run.container, run.dir.path.display().to_string())).collect();
        let expected = scene.expected().sandboxes.into_iter();
        let expected: BTreeSet<_> = expected.map(|s| (s.container, s.path)).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn the_tree_has_sizes_links_and_shared_inodes() {
    let scene = Scene::load("12-posix-isolation");
    let expected = scene.expected();
    let ingest = expected.sandboxes.iter().find(|s| s.executor == "ingest-1").unwrap();
    let link = scene.host(&ingest.path).join("warehouse");
    assert_eq!(
        fs::read_link(link).unwrap(),
        Path::new("/var/lib/mesos/volumes/roles/analytics/wh-0001")
    );

    let scene = Scene::load("02-live-quota-off");
    let standalone = scene.host("/var/lib/mesos/containers/maint-standalone-1/standalone.bin");
    assert_eq!(fs::metadata(standalone).unwrap().len(), 6_291_456);
    // A bind-mounted root-disk volume shows twice in the listing, under the same inodes.
    let volume = scene.host("/var/lib/mesos/volumes/roles/analytics/wh-0001");
    let file = fs::read_dir(volume).unwrap().next().unwrap().unwrap();
    assert_eq!(file.metadata().unwrap().nlink(), 2);
}

#[test]
fn live_processes_are_in_procfs_and_ended_ones_are_not() {
    let scene = Scene::load("02-live-quota-off");
    let pids: Vec<u32> = scene.pids.iter().map(|(_, pid)| *pid).collect();
    assert!(pids.contains(&31420), "{pids:?}");
    assert!(!pids.contains(&7169), "the check had ended: {pids:?}");
    let procfs = scene.roots().procfs;
    let stat = fs::read_to_string(procfs.join("31420/stat")).unwrap();
    assert!(stat.starts_with("31420 (mesos-container) S 1 "), "{stat}");
    assert_eq!(stat.split_whitespace().count(), 52);
    assert!(fs::read_to_string(procfs.join("31420/mountinfo")).unwrap().contains("wh-0001"));
    assert!(procfs.join("31420/cgroup").is_file());
    scene.end_process(31420);
    assert!(!procfs.join("31420").exists());
}

#[test]
fn processes_of_scene_03_come_with_their_mount_tables() {
    let scene = Scene::load("03-orphan-volumes");
    for (container, pid) in &scene.pids {
        let file = scene.roots().procfs.join(pid.to_string()).join("mountinfo");
        assert!(file.is_file(), "{container}");
    }
    assert_eq!(scene.pids.len(), 14);
}

#[test]
fn the_agent_answers_what_was_captured() {
    let scene = Scene::load("02-live-quota-off");
    let api = scene.api(Mode::Whole);
    let state = fs::read_to_string(scene.fixture("agent-state.json")).unwrap();
    assert_eq!(get(&api, "/state"), Some((200, state.clone())));
    assert_eq!(get(&api, "/slave(1)/state"), Some((200, state)));
    assert_eq!(get(&api, "/health"), Some((200, String::new())));
    assert_eq!(get(&api, "/nothing").unwrap().0, 404);
    let tasks = fs::read_to_string(scene.fixture("agent-v1-GET_TASKS.json")).unwrap();
    assert_eq!(call(&api, r#"{"type":"GET_TASKS"}"#), Some((200, tasks)));
    assert_eq!(call(&api, "{").unwrap().0, 400);
    assert_eq!(get(&api, "/api/v1").unwrap().0, 405);
    let hits = api.hits();
    assert_eq!((hits["/state"], hits["GET_TASKS"]), (2, 1));
}

#[test]
fn containers_are_shown_as_asked() {
    let scene = Scene::load("02-live-quota-off");
    let api = scene.api(Mode::Whole);
    let count = |body: &str| {
        let (status, answer) = call(&api, body).unwrap();
        assert_eq!(status, 200);
        let value: serde_json::Value = serde_json::from_str(&answer).unwrap();
        value["get_containers"]["containers"].as_array().unwrap().len()
    };
    assert_eq!(count(r#"{"type":"GET_CONTAINERS"}"#), 12);
    assert_eq!(count(r#"{"type":"GET_CONTAINERS","get_containers":{"show_nested":true}}"#), 14);
    let all =
        r#"{"type":"GET_CONTAINERS","get_containers":{"show_nested":true,"show_standalone":true}}"#;
    assert_eq!(count(all), 15);
}

#[test]
fn the_agent_takes_every_mode() {
    let scene = Scene::load("02-live-quota-off");
    let api = scene.api(Mode::Filtered);
    assert_eq!(get(&api, "/containers"), Some((403, "403 Forbidden.".into())));
    let state: serde_json::Value = serde_json::from_str(&get(&api, "/state").unwrap().1).unwrap();
    assert_eq!(state["frameworks"], serde_json::json!([]));
    assert_eq!(state["reserved_resources_full"], serde_json::json!({}));
    assert_eq!(
        call(&api, r#"{"type":"GET_CONTAINERS"}"#).unwrap().1,
        r#"{"type":"GET_CONTAINERS"}"#
    );

    api.set_mode(Mode::Unauthorized);
    assert_eq!(get(&api, "/state"), Some((401, "401 Unauthorized.".into())));
    assert_eq!(get(&api, "/version").unwrap().0, 200);
    api.set_mode(Mode::Recovering);
    assert_eq!(get(&api, "/state"), Some((503, "Agent has not finished recovery".into())));
    api.set_mode(Mode::Refuse500);
    assert_eq!(get(&api, "/state").unwrap().0, 500);
    api.set_mode(Mode::Garbage);
    let (status, body) = get(&api, "/state").unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_err());
    api.set_mode(Mode::Hang);
    assert_eq!(get(&api, "/state"), None);
    api.set_mode(Mode::Down);
    assert_eq!(get(&api, "/state"), None);
    api.set_mode(Mode::Whole);
    assert_eq!(get(&api, "/state").unwrap().0, 200);
}

#[test]
fn the_filtered_answers_have_the_shape_of_captured_ones() {
    let auth = replay::fixtures().join("08-auth/limited-state.http");
    let raw = fs::read_to_string(auth).unwrap();
    let captured: serde_json::Value =
        serde_json::from_str(raw.split_once("\r\n\r\n").unwrap().1).unwrap();
    let scene = Scene::load("02-live-quota-off");
    let api = scene.api(Mode::Filtered);
    let ours: serde_json::Value = serde_json::from_str(&get(&api, "/state").unwrap().1).unwrap();
    for (key, value) in captured.as_object().unwrap() {
        let empty = |v: &serde_json::Value| {
            v.as_array().is_some_and(Vec::is_empty) || v.as_object().is_some_and(|o| o.is_empty())
        };
        assert_eq!(empty(&ours[key]), empty(value), "{key}");
    }
}

#[test]
fn captured_answers_go_by_who_asks() {
    let api = Api::start_auth();
    assert_eq!(SECRET, "secret");
    let state = |header: &str| {
        let request =
            format!("GET /state HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\n");
        ask(&api, &request).unwrap()
    };
    assert_eq!(state("").0, 401);
    assert_eq!(state("Authorization: Basic bm9ib2R5OnNlY3JldA==\r\n").0, 401);
    let (status, limited) = state("Authorization: Basic bGltaXRlZDpzZWNyZXQ=\r\n");
    assert_eq!(status, 200);
    assert!(limited.contains(r#""frameworks":[]"#));
    let (status, whole) = state("Authorization: Basic ZXhwb3J0ZXI6c2VjcmV0\r\n");
    assert_eq!(status, 200);
    assert_eq!(whole.len(), 22_982);
}

#[test]
fn a_comparison_reports_every_difference() {
    let scene = Scene::load("03-orphan-volumes");
    let expected = scene.expected();
    let volumes: Vec<ActualVolume> = expected.volumes.clone();
    let sandboxes = actual(&expected);
    assert_eq!(compare(&volumes, &sandboxes, &expected), Ok(()));

    let mut wrong = volumes.clone();
    let index = wrong.iter().position(|v| v.volume == "shared-0005").unwrap();
    wrong[index].holders.pop();
    wrong[index].quota_bytes = None;
    let gone = wrong.iter().position(|v| v.volume == "gone-0077").unwrap();
    wrong.remove(gone);
    let mut odd = sandboxes.clone();
    odd[0].state = "live".into();
    let twice = odd[1].clone();
    odd.push(twice);
    let diff = compare(&wrong, &odd, &expected).unwrap_err();
    let lines: Vec<&str> = diff.lines().collect();
    assert_eq!(lines.len(), 5, "{diff}");
    assert!(diff.contains("volume old/team:gone-0077 on ROOT: not found"), "{diff}");
    assert!(diff.contains("quota_bytes is None, expected Some(268435456)"), "{diff}");
    assert!(diff.contains("state is \"live\", expected \"standalone\""), "{diff}");
    assert!(diff.contains("listed twice"), "{diff}");
}

/// The expectation as if it had been found.
fn actual(expected: &Expected) -> Vec<ActualSandbox> {
    let word = |state: &OneOf| match state {
        OneOf::Word(word) => word.clone(),
        OneOf::Words(words) => words[0].clone(),
    };
    let sandboxes = expected.sandboxes.iter().map(|s| ActualSandbox {
        framework: s.framework.clone(),
        executor: s.executor.clone(),
        container: s.container.clone(),
        kind: s.kind.clone(),
        path: s.path.clone(),
        state: word(&s.state),
        quota_bytes: s.quota_bytes,
        role: s.role.clone(),
        tasks: s.tasks.clone(),
        containerizer: s.containerizer.clone(),
    });
    sandboxes.collect()
}
