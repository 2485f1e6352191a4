//! Everything the captured checkpoints say.

use super::*;
use crate::discover::mesos::facts::{ExecutorFacts, TaskFacts};
use crate::model::ReservationKind;

/// The whole of what was decoded, one line a fact.
fn lines(facts: &CheckpointFacts) -> Vec<String> {
    let mut lines = Vec::new();
    let agent = facts.agent.as_ref().unwrap();
    lines.push(format!("agent {} boot {}", text(&facts.agent_id), text(&facts.boot_id)));
    lines.push(format!(
        "info {} {} {:?}",
        text(&agent.id),
        text(&agent.hostname),
        agent.attributes
    ));
    let prefixed = |prefix: &'static str, list: &Option<Vec<Resource>>| {
        let list = list.as_ref().unwrap();
        resource_lines(list).into_iter().map(move |line| format!("{prefix} {line}"))
    };
    lines.extend(prefixed("disk-or-so", &facts.agent_resources));
    lines.extend(prefixed("known", &facts.resources));
    for framework in facts.frameworks.as_ref().unwrap() {
        lines.push(format!(
            "framework {} {} roles {:?} principal {} checkpoint {:?}",
            framework.id,
            framework.name,
            framework.roles,
            text(&framework.principal),
            framework.checkpoint
        ));
    }
    lines.extend(facts.executors.as_ref().unwrap().iter().map(executor_line));
    lines.extend(facts.tasks.as_ref().unwrap().iter().map(task_line));
    lines
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("-")
}

fn executor_line(executor: &ExecutorFacts) -> String {
    format!(
        "executor {}/{} run {} of {} default {} command {:?} docker {:?} completed {} role {} \
         external [{}] resources {:?}",
        executor.framework,
        executor.executor,
        text(&executor.container),
        text(&executor.agent_id),
        executor.default_executor,
        executor.command_executor,
        executor.docker,
        executor.completed,
        text(&executor.role),
        external_text(&executor.external),
        resource_lines(&executor.resources)
    )
}

fn task_line(task: &TaskFacts) -> String {
    format!(
        "task {}/{}/{} named {} run {} in {} docker {:?} terminal {} external [{}] resources {:?}",
        task.framework,
        task.executor,
        task.id,
        task.name,
        text(&task.run),
        text(&task.container),
        task.docker,
        task.terminal,
        external_text(&task.external),
        resource_lines(&task.resources)
    )
}

#[test]
fn captured_scenes_are_decoded_whole() {
    for name in
        ["02-live-quota-off", "06-volumes-destroyed", "10-cgroup2-xfs", "12-posix-isolation"]
    {
        let dir = scene(name, META);
        let facts = read(dir.path());
        assert_eq!(facts.errors, [], "{name}");
        assert!(!facts.executors_partial && !facts.tasks_partial, "{name}");
        assert_lines(name, "checkpoint.txt", &lines(&facts));
    }
}

/// Role, id, MiB, disk, principal, reservation, shared, container path, and the tasks that hold it.
type KnownVolume<'a> =
    (&'a str, &'a str, f64, &'a str, ReservationKind, bool, &'a str, &'a [&'a str]);

#[test]
fn volumes_and_their_holders_of_the_busy_scene() {
    use ReservationKind::{Dynamic, Static};
    let dir = scene("02-live-quota-off", META);
    let facts = read(dir.path());
    let expected: [KnownVolume; 10] = [
        ("analytics", "dock-0010", 96.0, "ROOT", Static, false, "dpv", &["dock-1"]),
        ("analytics", "done-0002", 128.0, "ROOT", Static, false, "out", &[]),
        ("analytics", "idle-0004", 64.0, "ROOT", Static, false, "idle", &[]),
        ("analytics", "mnt-0003", 230.0, "/mnt/mesos-mount1", Static, false, "index", &["index-1"]),
        ("analytics", "wh-0001", 256.0, "ROOT", Static, false, "warehouse", &["ingest-1"]),
        (
            "eng/storage",
            "mnt-0007",
            480.0,
            "/mnt/mesos-mount0",
            Dynamic,
            false,
            "store",
            &["mountw-1"],
        ),
        (
            "eng/storage",
            "path-0006",
            300.0,
            "/mnt/mesos-path0",
            Dynamic,
            false,
            "data",
            &["pathw-1"],
        ),
        ("eng/storage", "pod-0008", 128.0, "ROOT", Dynamic, false, "pv", &["pod-db-1"]),
        (
            "eng/storage",
            "shared-0005",
            256.0,
            "ROOT",
            Dynamic,
            true,
            "common",
            &["share-a-1", "share-b-1"],
        ),
        ("ops/db/eu", "op-0009", 100.0, "ROOT", Dynamic, false, "x", &[]),
    ];
    let tasks = facts.tasks.unwrap();
    let holders = |role: &str, id: &str| -> Vec<&str> {
        tasks
            .iter()
            .filter(|task| !task.terminal)
            .filter(|task| {
                task.resources.iter().any(|resource| {
                    resource.role() == role
                        && resource.persistence().is_some_and(|one| one.id == id)
                })
            })
            .map(|task| task.id.as_str())
            .collect()
    };
    let known = facts.resources.unwrap();
    let mut found: Vec<_> = known
        .iter()
        .filter_map(|resource| {
            let id = resource.persistence()?.id.as_str();
            let disk = match resource.disk_source() {
                crate::model::DiskSource::Path { root }
                | crate::model::DiskSource::Mount { root } => root,
                _ => "ROOT".to_owned(),
            };
            let path = &resource.disk.as_ref()?.volume.as_ref()?.container_path;
            Some((resource, id, disk, path))
        })
        .collect();
    found.sort_by_key(|(resource, id, ..)| (resource.role().to_owned(), *id));
    assert_eq!(found.len(), expected.len());
    for ((resource, id, disk, path), expected) in found.iter().zip(expected) {
        let mebibytes = resource.quantity.amount();
        let holders = holders(resource.role(), id);
        let kind = resource.reservation_kind();
        assert_eq!(
            (
                resource.role(),
                *id,
                mebibytes,
                disk.as_str(),
                kind,
                resource.shared,
                path.as_str(),
                &holders[..]
            ),
            expected
        );
    }
}

#[test]
fn the_old_format_says_the_same_as_the_new_one() {
    for name in ["02-live-quota-off", "06-volumes-destroyed", "12-posix-isolation"] {
        let dir = scene(name, META);
        let mut new = resource_lines(&read(dir.path()).resources.unwrap());
        fs::remove_file(dir.path().join("meta/resources/resources_and_operations.state")).unwrap();
        let mut old = resource_lines(&read(dir.path()).resources.unwrap());
        new.sort();
        old.sort();
        assert_eq!(new, old, "{name}");
    }
}

#[test]
fn attributes_print_as_mesos_prints_them() {
    let one = |kind: value::Type| proto::Attribute {
        name: Some("a".into()),
        r#type: Some(kind as i32),
        scalar: Some(value::Scalar { value: Some(1.5) }),
        ranges: Some(value::Ranges {
            range: vec![
                value::Range { begin: Some(1), end: Some(2) },
                value::Range { begin: Some(5), end: Some(5) },
            ],
        }),
        text: Some(value::Text { value: Some("r7".into()) }),
        set: Some(value::Set { item: vec!["x".into(), "y".into()] }),
    };
    let printed = |kind| attribute(one(kind)).unwrap().1;
    assert_eq!(printed(value::Type::Scalar), "1.5");
    assert_eq!(printed(value::Type::Ranges), "[1-2, 5-5]");
    assert_eq!(printed(value::Type::Text), "r7");
    assert_eq!(printed(value::Type::Set), "{x, y}");
    assert_eq!(attribute(proto::Attribute::default()), None);
}
