//! Answers as they were captured, decoded, and damaged ones.

use std::collections::BTreeMap;

use super::*;
use crate::discover::mesos::facts::ContainerFacts;

fn row(
    role: &str,
    id: &str,
    mebibytes: u64,
    disk: DiskSource,
    shared: bool,
    principal: &str,
    kind: ReservationKind,
) -> Row {
    (role.into(), id.into(), mebibytes, disk, shared, principal.into(), kind)
}

#[test]
fn volumes_of_a_live_agent() {
    let state = parse_state(&fixture("02-live-quota-off/agent-state.json")).unwrap();
    assert_eq!(state.agent.id.as_deref(), Some(AGENT));
    assert_eq!(state.agent.hostname.as_deref(), Some("agent1.mesos.example"));
    assert_eq!(state.agent.version.as_deref(), Some("1.12.0"));
    let attributes = [("rack", "r7"), ("zone", "eu-1a")];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(state.agent.attributes, BTreeMap::from(attributes));
    assert_eq!(state.flags.unwrap()["gc_delay"], "1days");
    assert!(!state.filtered);
    use DiskSource::Root;
    use ReservationKind::{Dynamic, Static};
    let (batch, storage) = ("batch-service", "storage-service");
    assert_eq!(
        volumes(&state.resources.unwrap()),
        [
            row("analytics", "dock-0010", 96, Root, false, batch, Static),
            row("analytics", "done-0002", 128, Root, false, batch, Static),
            row("analytics", "idle-0004", 64, Root, false, batch, Static),
            row("analytics", "mnt-0003", 230, mount("/mnt/mesos-mount1"), false, batch, Static),
            row("analytics", "wh-0001", 256, Root, false, batch, Static),
            row(
                "eng/storage",
                "mnt-0007",
                480,
                mount("/mnt/mesos-mount0"),
                false,
                storage,
                Dynamic
            ),
            row("eng/storage", "path-0006", 300, path("/mnt/mesos-path0"), false, storage, Dynamic),
            row("eng/storage", "pod-0008", 128, Root, false, storage, Dynamic),
            row("eng/storage", "shared-0005", 256, Root, true, storage, Dynamic),
            row("ops/db/eu", "op-0009", 100, Root, false, "operator", Dynamic),
        ]
    );
}

#[test]
fn volumes_of_the_other_scenes() {
    let ids = |name: &str| {
        let state = parse_state(&fixture(&format!("{name}/agent-state.json"))).unwrap();
        let rows = volumes(&state.resources.unwrap());
        rows.into_iter().map(|row| row.1).collect::<Vec<_>>()
    };
    assert!(ids("01-empty").is_empty());
    assert_eq!(ids("03-orphan-volumes"), ids("02-live-quota-off"));
    let left =
        ["dock-0010", "idle-0004", "mnt-0003", "wh-0001", "path-0006", "pod-0008", "shared-0005"];
    assert_eq!(ids("06-volumes-destroyed"), left);
    assert_eq!(ids("07-after-gc"), left);
    assert_eq!(ids("10-cgroup2-xfs"), ["done-0002", "shared-0005", "wh-0001"]);
    assert_eq!(ids("12-posix-isolation"), ["done-0002", "shared-0005", "wh-0001"]);
}

#[test]
fn frameworks_and_executors_of_state() {
    let state = parse_state(&fixture("07-after-gc/agent-state.json")).unwrap();
    let frameworks: Vec<_> = state
        .frameworks
        .iter()
        .map(|f| (f.id.as_str(), f.name.as_str(), f.roles.clone(), f.checkpoint))
        .collect();
    assert_eq!(
        frameworks,
        [
            (BATCH, "batch", vec!["analytics".to_owned()], Some(true)),
            (STORAGE, "storage", vec!["eng/storage".to_owned()], Some(true)),
        ]
    );
    assert_eq!(state.frameworks[0].principal.as_deref(), Some("batch-service"));
    let mut completed: Vec<_> = state
        .executors
        .iter()
        .filter(|executor| executor.completed)
        .map(|executor| (executor.executor.as_str(), executor.container.as_deref().unwrap()))
        .collect();
    completed.sort();
    assert_eq!(
        completed,
        [
            ("compact-1", "c6ff63c2-63f5-46ff-8c0c-b7934feecfb1"),
            ("crash-1", "f1059a00-c817-491d-b3e5-678d590b152f"),
            ("hello-1", "17ab0a51-01ec-492c-bdfc-ece845a5fa36"),
            ("hog-1", "f589ad8c-ab48-47e4-9f84-c48f7bff7c7e"),
            ("mountw-1", "cd4d936b-000f-4b54-abc2-cdee0f4d9e92"),
        ]
    );
    // The killed task's last status names no container: an earlier one does.
    let hog = state.tasks.iter().find(|task| task.id == "hog-1").unwrap();
    assert_eq!(hog.container.as_deref(), Some("f589ad8c-ab48-47e4-9f84-c48f7bff7c7e"));
    assert!(hog.terminal);
    let old = parse_state(&fixture("02-live-quota-off/agent-state.json")).unwrap();
    let adhoc = old.frameworks.iter().find(|f| f.name == "mesos-execute instance").unwrap();
    assert_eq!(
        (adhoc.roles.as_slice(), adhoc.checkpoint),
        (["*".to_owned()].as_slice(), Some(false))
    );
}

#[test]
fn containers_of_both_endpoints() {
    let v1 = parse_containers(&fixture("02-live-quota-off/agent-v1-GET_CONTAINERS.json")).unwrap();
    assert_eq!(v1.len(), 15);
    let of = |id: &str| v1.iter().find(|entry| entry.container == id).unwrap().clone();
    let pod = "f670cc04-f20e-498a-9141-35a775383acc";
    assert_eq!(
        of(pod),
        ContainerFacts {
            container: pod.into(),
            framework: Some(STORAGE.into()),
            executor: Some("pod-exec-1".into()),
            pid: Some(31822),
            disk_limit_bytes: Some(128 * MIB),
        }
    );
    let nested = of(&format!("{pod}.3c84f058-f490-4c64-b77a-62665ad3da3f"));
    assert_eq!((nested.framework, nested.pid, nested.disk_limit_bytes), (None, Some(31843), None));
    assert_eq!(of("maint-standalone-1").pid, Some(32006));
    assert_eq!(of("baea1df5-ac56-4582-a5be-eb6c8b98d340").pid, None); // Docker
    let v0 = parse_containers_v0(&fixture("02-live-quota-off/agent-containers.json")).unwrap();
    assert_eq!(v0, v1[..12]);
    assert_eq!(parse_containers(&fixture("01-empty/agent-v1-GET_CONTAINERS.json")), Ok(vec![]));
    assert_eq!(parse_containers_v0(&fixture("01-empty/agent-containers.json")), Ok(vec![]));
}

#[test]
fn disks_of_get_agent() {
    let (agent, resources) =
        parse_agent(&fixture("02-live-quota-off/agent-v1-GET_AGENT.json")).unwrap();
    assert_eq!(agent.id.as_deref(), Some(AGENT));
    let disks: Vec<_> = resources
        .iter()
        .filter(|resource| resource.name == "disk")
        .map(|disk| (disk.disk_source(), disk.bytes().unwrap() / MIB, disk.role().to_owned()))
        .collect();
    assert_eq!(
        disks,
        [
            (DiskSource::Root, 8192, "*".into()),
            (DiskSource::Root, 2048, "analytics".into()),
            (path("/mnt/mesos-path0"), 900, "*".into()),
            (mount("/mnt/mesos-mount0"), 480, "*".into()),
            (mount("/mnt/mesos-mount1"), 230, "analytics".into()),
        ]
    );
}

#[test]
fn malformed_answers() {
    let whole = fixture("02-live-quota-off/agent-state.json");
    for body in [&b""[..], b"{}", b"[]", b"\xff\xfe", b"<html>", &whole[..whole.len() / 2]] {
        assert!(parse_state(body).is_err());
        assert!(parse_tasks(body).is_err());
        assert!(parse_executors(body).is_err());
        assert!(parse_containers(body).is_err());
        assert!(parse_agent(body).is_err());
    }
    assert!(parse_containers_v0(b"{}").is_err());
    let error = parse_tasks(br#"{"type":"GET_FLAGS"}"#).unwrap_err();
    assert_eq!(error.0, r#"GET_TASKS was answered with "GET_FLAGS""#);
    // Every truncation of a real answer is an error and nothing worse.
    let tasks = fixture("12-posix-isolation/agent-v1-GET_TASKS.json");
    for end in (0..tasks.len()).step_by(7) {
        assert!(parse_tasks(&tasks[..end]).is_err());
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Flipped bits, wherever they are, never panic.
    #[test]
    fn damaged_answers(flips in proptest::collection::vec((0usize..40_000, 0u8..8), 1..6)) {
        let damage = |name: &str| {
            let mut body = fixture(&format!("02-live-quota-off/agent-{name}.json"));
            for (at, bit) in &flips {
                let length = body.len();
                body[at % length] ^= 1 << bit;
            }
            body
        };
        let _ = parse_state(&damage("state"));
        let _ = parse_tasks(&damage("v1-GET_TASKS"));
        let _ = parse_executors(&damage("v1-GET_EXECUTORS"));
        let _ = parse_containers(&damage("v1-GET_CONTAINERS"));
        let _ = parse_containers_v0(&damage("containers"));
        let _ = parse_agent(&damage("v1-GET_AGENT"));
        let _ = parse_flags(&damage("flags"));
        let _ = parse_gc_pending(&damage("metrics-snapshot"));
    }
}
