//! Whole rounds against a server that answers as captured agents did.

use super::*;

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
