//! The captured answers of a real agent, whole rounds against a server, and bad servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use super::test_server::{Asked, Reply, fixture, ok, principal, scene, serve, status};
use super::*;
use crate::discover::mesos::facts::{ContainerFacts, ExecutorFacts, TaskFacts};
use crate::model::{DiskSource, ReservationKind, Resource};

const AGENT: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-S0";
const BATCH: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-0000";
const STORAGE: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-0001";
const MIB: u64 = 1024 * 1024;

type Row = (String, String, u64, DiskSource, bool, String, ReservationKind);

/// Volumes as (role, id, MiB, disk, shared, principal, reservation), sorted.
fn volumes(resources: &[Resource]) -> Vec<Row> {
    let mut rows: Vec<Row> = resources
        .iter()
        .filter_map(|resource| {
            let persistence = resource.persistence()?;
            Some((
                resource.role().to_owned(),
                persistence.id.clone(),
                resource.bytes().unwrap() / MIB,
                resource.disk_source(),
                resource.shared,
                persistence.principal.clone().unwrap(),
                resource.reservation_kind(),
            ))
        })
        .collect();
    rows.sort();
    rows
}

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

fn path(root: &str) -> DiskSource {
    DiskSource::Path { root: root.into() }
}

fn mount(root: &str) -> DiskSource {
    DiskSource::Mount { root: root.into() }
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

fn config(url: &str) -> ApiConfig {
    ApiConfig { url: url.into(), timeout: Duration::from_secs(5), ..ApiConfig::default() }
}

async fn read_from(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> ApiFacts {
    let server = serve(answers, None);
    read(&Client::new(config(&server.url)).unwrap()).await
}

fn task<'a>(facts: &'a ApiFacts, id: &str) -> &'a TaskFacts {
    facts.tasks.as_ref().unwrap().iter().find(|task| task.id == id).unwrap()
}

fn executor<'a>(facts: &'a ApiFacts, id: &str) -> &'a ExecutorFacts {
    facts.executors.as_ref().unwrap().iter().find(|executor| executor.executor == id).unwrap()
}

fn reasons(facts: &ApiFacts) -> Vec<&'static str> {
    facts.errors.iter().map(|error| error.reason).collect()
}

#[tokio::test]
async fn a_whole_round() {
    let facts = read_from(scene("02-live-quota-off")).await;
    assert_eq!(facts.errors, []);
    assert!(facts.up && !facts.recovering);
    assert!(facts.tasks_have_resources && facts.executors_have_resources);
    assert!(facts.containers_are_whole);
    assert_eq!(facts.authority, Authority::Whole);
    assert_eq!(facts.gc_path_removals_pending, Some(15));
    assert_eq!(facts.flags.as_ref().unwrap()["work_dir"], "/var/lib/mesos");
    assert_eq!(facts.agent_resources.as_ref().unwrap().len(), 8);
    assert_eq!(facts.containers.as_ref().unwrap().len(), 15);
    assert_eq!(facts.executors.as_ref().unwrap().len(), 15);
    assert_eq!(facts.tasks.as_ref().unwrap().len(), 16);

    let mut holders: Vec<_> = facts
        .tasks
        .iter()
        .flatten()
        .flat_map(|task| {
            let volumes = task.resources.iter().filter_map(|resource| {
                let disk = resource.disk.as_ref()?;
                let path = disk.volume.as_ref()?.container_path.as_str();
                Some((disk.persistence.as_ref()?.id.as_str(), path))
            });
            volumes.map(|volume| (task.id.as_str(), volume.0, volume.1, task.terminal))
        })
        .collect();
    holders.sort();
    assert_eq!(
        holders,
        [
            ("compact-1", "done-0002", "out", true),
            ("dock-1", "dock-0010", "dpv", false),
            ("index-1", "mnt-0003", "index", false),
            ("ingest-1", "wh-0001", "warehouse", false),
            ("mountw-1", "mnt-0007", "store", false),
            ("pathw-1", "path-0006", "data", false),
            ("pod-db-1", "pod-0008", "pv", false),
            ("share-a-1", "shared-0005", "common", false),
            ("share-b-1", "shared-0005", "common", false),
        ]
    );

    let pod = executor(&facts, "pod-exec-1");
    let run = "f670cc04-f20e-498a-9141-35a775383acc";
    assert_eq!(pod.container.as_deref(), Some(run));
    let directory = format!(
        "/var/lib/mesos/slaves/{AGENT}/frameworks/{STORAGE}/executors/pod-exec-1/runs/{run}"
    );
    assert_eq!(pod.directory.as_deref().unwrap().to_str(), Some(directory.as_str()));
    assert!(pod.default_executor && !pod.completed);
    assert_eq!((pod.command_executor, pod.docker), (Some(false), Some(false)));
    assert_eq!((pod.role.as_deref(), pod.disk_with_volumes), (Some("eng/storage"), Some(256.0)));
    let own: Vec<_> = pod.resources.iter().map(|resource| resource.name.as_str()).collect();
    assert_eq!(own, ["cpus", "mem", "disk"]);
    let db = task(&facts, "pod-db-1");
    assert_eq!((db.executor.as_str(), db.run.as_deref()), ("pod-exec-1", Some(run)));
    let nested = format!("{run}.3c84f058-f490-4c64-b77a-62665ad3da3f");
    assert_eq!(db.container.as_deref(), Some(nested.as_str()));

    let hog = executor(&facts, "hog-1");
    assert_eq!((hog.command_executor, hog.docker), (Some(true), Some(false)));
    assert_eq!(task(&facts, "hog-1").executor, "hog-1");
    assert_eq!(executor(&facts, "dock-1").docker, Some(true));
    assert_eq!(task(&facts, "dock-1").docker, Some(true));
    let crash = executor(&facts, "crash-1");
    assert!(crash.completed && task(&facts, "crash-1").terminal);
    assert_eq!(crash.container.as_deref(), Some("f1059a00-c817-491d-b3e5-678d590b152f"));
}

#[tokio::test]
async fn every_scene_is_read_without_an_error() {
    for name in [
        "01-empty",
        "03-orphan-volumes",
        "06-volumes-destroyed",
        "07-after-gc",
        "10-cgroup2-xfs",
        "12-posix-isolation",
    ] {
        let facts = read_from(scene(name)).await;
        assert_eq!((facts.errors.as_slice(), facts.authority), (&[][..], Authority::Whole));
        assert!(facts.tasks_have_resources && facts.executors_have_resources, "{name}");
    }
}

#[tokio::test]
async fn principals_of_a_guarded_agent() {
    for who in ["none", "wrong"] {
        let facts = read_from(principal(who)).await;
        assert_eq!(reasons(&facts), ["unauthorized"]);
        let error = &facts.errors[0];
        assert!(error.message.contains(r#"(Basic realm="mesos-agent-readonly")"#), "{error:?}");
        assert!(error.message.contains("also POST GET_TASKS"), "{error:?}");
        assert!(error.hint.contains("mesos.basic_auth"), "{error:?}");
        assert_eq!((facts.up, facts.authority), (true, Authority::Unknown));
        assert!(facts.tasks.is_none() && facts.resources.is_none() && facts.containers.is_none());
    }
    let facts = read_from(principal("exporter")).await;
    assert_eq!((facts.errors.as_slice(), facts.authority), (&[][..], Authority::Whole));
    assert_eq!(volumes(facts.resources.as_ref().unwrap()).len(), 7);

    let facts = read_from(principal("limited")).await;
    assert_eq!((reasons(&facts), facts.authority), (vec!["forbidden"], Authority::Filtered));
    assert!(facts.errors[0].hint.contains("--acls"), "{:?}", facts.errors);
    assert_eq!(facts.tasks, Some(vec![]));
    assert_eq!(facts.agent.unwrap().id.as_deref(), Some(AGENT));
}

#[tokio::test]
async fn sums_that_do_not_add_up_are_filtered_even_where_nothing_was_refused() {
    let whole = scene("01-empty");
    let facts = read_from(move |asked| match asked.what.as_str() {
        "GET /state" => Reply::Bytes(fixture("08-auth/limited-state.http")),
        _ => whole(asked),
    })
    .await;
    assert_eq!((facts.errors.as_slice(), facts.authority), (&[][..], Authority::Filtered));
}

#[tokio::test]
async fn v1_needs_credentials_and_v0_does_not() {
    let open = scene("02-live-quota-off");
    let facts = read_from(move |asked| match asked.what.split_once(' ').unwrap().0 {
        "POST" => Reply::Bytes(fixture("08-auth/none-v1-GET_TASKS.http")),
        _ => open(asked),
    })
    .await;
    assert_eq!((reasons(&facts), facts.authority), (vec!["unauthorized"], Authority::Whole));
    assert!(!facts.tasks_have_resources && !facts.executors_have_resources);
    assert_eq!(task(&facts, "ingest-1").resources, []);
    assert_eq!(executor(&facts, "dock-1").docker, Some(true));
    // The list of /containers stands in, without nested and standalone ones.
    assert_eq!((facts.containers.unwrap().len(), facts.containers_are_whole), (12, false));
    assert_eq!(facts.agent_resources, None);
}

#[tokio::test]
async fn a_recovering_agent() {
    for when in ["GET /state", "POST GET_TASKS", "GET /containers"] {
        let live = scene("02-live-quota-off");
        let facts = read_from(move |asked| {
            if asked.what == when {
                return status("503 Service Unavailable", b"Agent has not finished recovery");
            }
            live(asked)
        })
        .await;
        assert!(facts.recovering && !facts.up, "{when}");
        assert_eq!((reasons(&facts), facts.tasks), (vec!["recovering"], None));
        assert_eq!(facts.authority, Authority::Unknown);
    }
    // 200, but without an id yet.
    let facts = read_from(|_| ok(br#"{"id":"","frameworks":[]}"#)).await;
    assert!(facts.recovering && !facts.up && facts.resources.is_none());
}

#[tokio::test]
async fn nobody_listens() {
    let server = serve(|_| Reply::Hang, None);
    let url = server.url.clone();
    drop(server);
    let facts = read(&Client::new(config(&url)).unwrap()).await;
    assert_eq!((facts.up, reasons(&facts)), (false, vec!["refused"]));
    assert_eq!(facts.errors[0].message, format!("GET {url}/state: connection refused"));
}

#[tokio::test]
async fn bad_servers() {
    let whole = fixture("02-live-quota-off/agent-state.json");
    let cut = whole[..whole.len() / 2].to_vec();
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    let broken_off = [head(whole.len()).into_bytes(), cut.clone()].concat();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunked.extend_from_slice(format!("400\r\n{}\r\n", "x".repeat(1024)).as_bytes());
    }
    let slow = [head(100).as_bytes(), &[b' '; 100]].concat();
    let cases = [
        ("timeout", Reply::Hang),
        ("timeout", Reply::Drip(slow)),
        ("malformed", Reply::Close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec())),
        ("malformed", ok(b"<html>not an agent</html>")),
        ("malformed", ok(&cut)),
        ("malformed", ok(b"")),
        (
            "malformed",
            Reply::Bytes(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx".to_vec(),
            ),
        ),
        ("io", Reply::Close(broken_off)),
        ("io", Reply::Close(Vec::new())),
        ("status", status("500 Internal Server Error", b"boom\x1b[31m")),
        ("status", status("404 Not Found", b"")),
        ("status", status("302 Found", b"")),
        ("too_large", Reply::Bytes(head(1 << 40).into_bytes())),
        ("too_large", Reply::Bytes(chunked)),
    ];
    for (reason, reply) in cases {
        let shown = match &reply {
            Reply::Bytes(bytes) | Reply::Close(bytes) | Reply::Drip(bytes) => {
                String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned()
            }
            Reply::Hang => "hang".into(),
        };
        let server = serve(move |_| reply.clone(), None);
        let mut config = config(&server.url);
        config.timeout = Duration::from_millis(300);
        config.max_body_bytes = 32 * 1024;
        let started = Instant::now();
        let facts = read(&Client::new(config).unwrap()).await;
        assert!(started.elapsed() < Duration::from_secs(2), "{shown}");
        assert_eq!((reasons(&facts), facts.up), (vec![reason], false), "{shown}");
        assert!(facts.tasks.is_none() && facts.resources.is_none(), "{shown}");
        assert!(!facts.errors[0].message.contains('\x1b'), "{:?}", facts.errors);
    }
}

#[tokio::test]
async fn one_bad_endpoint_costs_only_its_own_part() {
    let live = scene("02-live-quota-off");
    let facts = read_from(move |asked| match asked.what.as_str() {
        "GET /metrics/snapshot" => status("500 Internal Server Error", b""),
        "GET /flags" => ok(b"garbage"),
        _ => live(asked),
    })
    .await;
    assert_eq!(reasons(&facts), ["malformed", "status"]);
    assert_eq!((facts.gc_path_removals_pending, facts.authority), (None, Authority::Whole));
    // The flags of /state stand in.
    assert_eq!(facts.flags.unwrap()["work_dir"], "/var/lib/mesos");
    assert_eq!(facts.tasks.unwrap().len(), 16);
}

#[tokio::test]
async fn connections_are_kept_and_renewed() {
    let server = serve(|_| ok(b"{}"), None);
    let client = Client::new(config(&server.url)).unwrap();
    for _ in 0..3 {
        client.get("/state").await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    // A server that closes after each answer costs no request.
    let closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    let server = serve(move |_| Reply::Close(closing.clone()), None);
    let client = Client::new(config(&server.url)).unwrap();
    for _ in 0..5 {
        assert_eq!(client.get("/state").await.unwrap(), "{}");
    }
}

#[tokio::test]
async fn limited_endpoints_are_asked_twice_a_second_at_most() {
    let server = serve(|_| ok(b"{}"), None);
    let client = Client::new(config(&server.url)).unwrap();
    let ask = |path: &'static str| client.get(path);
    let asked = tokio::join!(
        ask("/containers"),
        ask("/metrics/snapshot"),
        ask("/monitor/statistics"),
        ask("/containers"),
        ask("/state"),
    );
    assert!(asked.0.is_ok() && asked.1.is_ok() && asked.2.is_ok() && asked.3.is_ok());
    let log = server.asked.lock().unwrap().clone();
    let limited: Vec<_> = log.iter().filter(|(what, _)| what != "GET /state").collect();
    assert_eq!(limited.len(), 4);
    let gap = |from: usize, to: usize| limited[to].1.duration_since(limited[from].1);
    assert!(gap(0, 1) < Duration::from_millis(500), "{log:?}");
    assert!(gap(0, 2) > Duration::from_millis(900), "{log:?}");
    assert!(gap(1, 3) > Duration::from_millis(900), "{log:?}");
    let state = log.iter().find(|(what, _)| what == "GET /state").unwrap();
    assert!(state.1 < limited[2].1, "{log:?}");
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let server = serve(
        |asked| {
            let wanted = "authorization: Basic ZXhwb3J0ZXI6aHVudGVyMg==";
            if asked.head.lines().any(|line| line.eq_ignore_ascii_case(wanted)) {
                ok(b"{}")
            } else {
                Reply::Bytes(fixture("08-auth/none-state.http"))
            }
        },
        None,
    );
    let with = |secret: &str| {
        let secret = SecretSource::Value(secret.into());
        let auth = Auth::Basic { principal: "exporter".into(), secret };
        Client::new(ApiConfig { auth, ..config(&server.url) }).unwrap()
    };
    assert_eq!(with("hunter2").get("/state").await.unwrap(), "{}");
    let client = with("hunter3");
    let error = client.get("/state").await.unwrap_err();
    assert!(matches!(error.failure, Failure::Unauthorized(_)));
    assert!(!format!("{error} {error:?} {client:?}").contains("hunter3"));
    let auth = Auth::Bearer(SecretSource::File("/nonexistent/token".into()));
    let client = Client::new(ApiConfig { auth, ..config(&server.url) }).unwrap();
    let facts = read(&client).await;
    assert_eq!(reasons(&facts), ["missing"]);
    assert!(facts.errors[0].message.contains("/nonexistent/token"), "{:?}", facts.errors);
}

#[test]
fn bad_urls() {
    for url in [
        "",
        "127.0.0.1:5051",
        "ftp://host",
        "http://",
        "/state",
        "http://user:hunter2@host:5051",
        "http://host/?q",
        "http://ho st",
    ] {
        let error = Client::new(config(url)).unwrap_err();
        assert!(matches!(error.failure, Failure::Url(_)), "{url}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    let good = |url: &str| Client::new(config(url)).unwrap().url().to_owned();
    assert_eq!(good("http://[::1]:5051/"), "http://[::1]:5051");
    assert_eq!(good("http://proxy/agents/a7/"), "http://proxy/agents/a7");
}

struct PrivateAuthority {
    server: Arc<ServerConfig>,
    ca_file: tempfile::NamedTempFile,
}

/// A private authority and a server certificate for `name`, signed by it.
fn authority_for(name: &str) -> PrivateAuthority {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca_params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca_params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = rcgen::CertifiedIssuer::self_signed(ca_params, ca_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.unwrap())
        .unwrap();
    let ca_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca_file.path(), ca.pem()).unwrap();
    PrivateAuthority { server: Arc::new(server), ca_file }
}

#[tokio::test]
async fn tls_with_a_private_authority() {
    let ours = authority_for("agent1.mesos.example");
    let others = authority_for("agent1.mesos.example");
    let server = serve(|_| ok(b"{}"), Some(ours.server.clone()));
    let ask = async |ca: Option<&PrivateAuthority>, insecure, name: Option<&str>| {
        let tls = TlsConfig {
            ca_file: ca.map(|authority| authority.ca_file.path().to_owned()),
            insecure_skip_verify: insecure,
            server_name: name.map(str::to_owned),
        };
        let client = Client::new(ApiConfig { tls, ..config(&server.url) })?;
        client.get("/state").await
    };
    let named = Some("agent1.mesos.example");
    assert_eq!(ask(Some(&ours), false, named).await.unwrap(), "{}");
    assert_eq!(ask(None, true, None).await.unwrap(), "{}");
    // The certificate is for another name, or of another authority.
    for refused in [ask(Some(&ours), false, None).await, ask(Some(&others), false, named).await] {
        let error = refused.unwrap_err();
        assert_eq!(error.failure.reason(), "tls", "{error}");
        assert!(error.to_source_error().hint.contains("mesos.tls.ca_file"));
    }
}

#[tokio::test]
async fn tls_that_cannot_be() {
    let server = serve(|_| ok(b"{}"), None);
    let https = server.url.replace("http:", "https:");
    let tls = TlsConfig { insecure_skip_verify: true, ..TlsConfig::default() };
    let client =
        Client::new(ApiConfig { tls, timeout: Duration::from_millis(500), ..config(&https) });
    // A server without TLS waits for the end of a request that never comes, or calls it garbage.
    let error = client.unwrap().get("/state").await.unwrap_err();
    assert!(["tls", "timeout"].contains(&error.failure.reason()), "{error}");
    let empty = tempfile::NamedTempFile::new().unwrap();
    for (file, says) in [(empty.path(), "holds no certificate"), ("/nonexistent".as_ref(), "")] {
        let tls = TlsConfig { ca_file: Some(file.to_owned()), ..TlsConfig::default() };
        let error = Client::new(ApiConfig { tls, ..config(&https) }).unwrap_err();
        assert_eq!(error.failure.reason(), "tls");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}
