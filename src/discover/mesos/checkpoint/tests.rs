use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::discover::mesos::facts::{ExecutorFacts, TaskFacts};
use crate::discover::mesos::testing::*;
use crate::model::ReservationKind;

const META: &str = "workdir-meta.tar.gz";

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
fn without_resources_nothing_is_proved() {
    let dir = scene("12-posix-isolation", META);
    fs::remove_dir_all(dir.path().join("meta/resources")).unwrap();
    let facts = read(dir.path());
    assert_eq!((facts.resources, facts.errors), (None, vec![]));
    fs::create_dir(dir.path().join("meta/resources")).unwrap();
    let facts = read(dir.path());
    assert_eq!((facts.resources, facts.errors), (None, vec![]));
    fs::write(dir.path().join("meta/resources/resources.info"), "").unwrap();
    let facts = read(dir.path());
    assert_eq!((facts.resources, facts.errors), (Some(vec![]), vec![]));
}

#[test]
fn an_agent_that_never_registered_has_no_runs() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("meta")).unwrap();
    let facts = read(dir.path());
    assert_eq!(facts.errors, []);
    assert_eq!((facts.agent_id, facts.agent), (None, None));
    assert_eq!(
        (facts.executors, facts.tasks, facts.frameworks),
        (Some(vec![]), Some(vec![]), Some(vec![]))
    );
}

#[test]
fn a_missing_work_directory_is_one_error() {
    let dir = tempfile::tempdir().unwrap();
    let facts = read(&dir.path().join("nowhere"));
    assert_eq!(facts.errors.len(), 1);
    assert_eq!(facts.errors[0].reason, "missing");
    assert!(facts.errors[0].message.contains("nowhere"), "{:?}", facts.errors);
    assert_eq!((facts.executors, facts.tasks, facts.resources), (None, None, None));
}

#[test]
fn former_agent_ids_are_read_and_their_tasks_are_over() {
    let dir = scene("12-posix-isolation", META);
    let slaves = dir.path().join("meta/slaves");
    fs::remove_file(slaves.join("latest")).unwrap();
    fs::create_dir(slaves.join("new-S1")).unwrap();
    symlink("/elsewhere/meta/slaves/new-S1", slaves.join("latest")).unwrap();
    let facts = read(dir.path());
    assert_eq!(facts.agent_id.as_deref(), Some("new-S1"));
    let tasks = facts.tasks.unwrap();
    assert_eq!(tasks.len(), 7);
    assert!(tasks.iter().all(|task| task.terminal));
    let executors = facts.executors.unwrap();
    assert!(executors.iter().any(|executor| !executor.completed));

    // Without the link nothing says which id is the present one.
    fs::remove_file(slaves.join("latest")).unwrap();
    let facts = read(dir.path());
    assert_eq!((facts.agent_id, facts.agent), (None, None));
    assert!(facts.tasks.unwrap().iter().any(|task| !task.terminal));
}

/// The one file below `dir` that is called so.
fn find(dir: &Path, name: &str) -> PathBuf {
    let found = walkdir::WalkDir::new(dir)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .find(|entry| entry.file_name() == name);
    found.unwrap_or_else(|| panic!("{name} in {dir:?}")).into_path()
}

#[test]
fn one_corrupt_file_leaves_the_rest() {
    let dir = scene("02-live-quota-off", META);
    let index = find(dir.path(), "index-1");
    fs::write(find(&index, "task.info"), b"\x10\0\0\0nothing").unwrap();
    let hog = find(dir.path(), "hog-1");
    fs::write(find(&hog, "executor.info"), b"\x01").unwrap();
    fs::write(find(dir.path(), "framework.info"), b"").unwrap();

    let facts = read(dir.path());
    let messages: Vec<_> = facts.errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(
        messages[0].ends_with(
            "framework.info\": at byte 0: the file is empty, but should hold one message"
        )
    );
    assert!(messages[1].contains(
        "/hog-1/executor.info\": at byte 0: the file ends within a length (1 of 4 bytes)"
    ));
    assert!(messages[2].contains("/tasks/index-1/task.info\": at byte 0: a message of 16 bytes is announced, but only 7 follow"));
    assert!(facts.errors.iter().all(|error| error.reason == "malformed"));

    assert_eq!(facts.resources.unwrap().len(), 13);
    assert!(facts.tasks_partial && facts.executors_partial);
    let tasks = facts.tasks.unwrap();
    assert_eq!(tasks.len(), 14);
    assert!(tasks.iter().all(|task| task.id != "index-1"));
    let executors = facts.executors.unwrap();
    assert_eq!(executors.len(), 14);
    let hog = executors.iter().find(|executor| executor.executor == "hog-1").unwrap();
    assert_eq!((hog.docker, hog.resources.len()), (None, 0));
    let framework = &facts.frameworks.unwrap()[0];
    assert_eq!((framework.name.as_str(), framework.checkpoint), ("", Some(true)));
}

#[test]
fn a_torn_update_keeps_what_was_known() {
    let dir = scene("02-live-quota-off", META);
    let hello = find(dir.path(), "hello-1");
    let run = find(&hello, "executor.sentinel");
    fs::remove_file(&run).unwrap();
    let updates = find(&hello, "task.updates");
    let whole = fs::read(&updates).unwrap();
    fs::write(&updates, [&whole[..], b"\x99\0\0"].concat()).unwrap();

    let facts = read(dir.path());
    assert_eq!(facts.errors.len(), 1);
    let torn = format!("at byte {}: the file ends within a length (3 of 4 bytes)", whole.len());
    assert!(facts.errors[0].message.ends_with(&torn), "{:?}", facts.errors);
    assert!(!facts.tasks_partial);
    let tasks = facts.tasks.unwrap();
    let hello = tasks.iter().find(|task| task.id == "hello-1").unwrap();
    assert!(hello.terminal, "TASK_FINISHED is in the records before the tear");
    assert_eq!(hello.container, hello.run);
}

/// A small tree with one file of each kind.
fn small_tree() -> tempfile::TempDir {
    let whole = scene("02-live-quota-off", META);
    let small = tempfile::tempdir().unwrap();
    let copy = |from: PathBuf| {
        let to = small.path().join(from.strip_prefix(whole.path()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    let shared = find(whole.path(), "share-a-1");
    for name in ["executor.info", "task.info", "task.updates"] {
        copy(find(&shared, name));
    }
    copy(shared.ancestors().nth(2).unwrap().join("framework.info"));
    copy(find(whole.path(), "slave.info"));
    copy(find(whole.path(), "resources.info"));
    copy(find(whole.path(), "resources_and_operations.state"));
    let slaves = small.path().join("meta/slaves");
    let agent = fs::read_dir(&slaves).unwrap().next().unwrap().unwrap().path();
    symlink(agent, slaves.join("latest")).unwrap();
    small
}

/// Where frames of a file begin and end.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut at = vec![0];
    while let Some(length) = bytes[*at.last().unwrap()..].first_chunk::<4>() {
        at.push(at.last().unwrap() + 4 + u32::from_le_bytes(*length) as usize);
    }
    at
}

#[test]
fn every_kind_of_file_may_end_anywhere() {
    let dir = small_tree();
    assert_eq!(read(dir.path()).errors, []);
    for name in [
        "slave.info",
        "framework.info",
        "executor.info",
        "task.info",
        "resources_and_operations.state",
        // Last, because it is only read when the state file is gone.
        "resources.info",
    ] {
        let path = find(dir.path(), name);
        let whole = fs::read(&path).unwrap();
        let bounds = boundaries(&whole);
        if name == "resources.info" {
            fs::remove_file(find(dir.path(), "resources_and_operations.state")).unwrap();
        }
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let facts = read(dir.path());
            // A list that ends between two messages cannot be told from a shorter one.
            let looks_whole = name == "resources.info" && bounds.contains(&end);
            assert_eq!(facts.errors.len(), usize::from(!looks_whole), "{name} {end}");
            match name {
                "slave.info" => assert_eq!((facts.agent, facts.agent_resources), (None, None)),
                "executor.info" => assert!(facts.executors_partial),
                "task.info" => assert!(facts.tasks_partial && facts.tasks.unwrap().is_empty()),
                "framework.info" => assert_eq!(facts.frameworks.unwrap()[0].name, ""),
                _ => assert_eq!(facts.resources.is_some(), looks_whole, "{name} {end}"),
            }
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn flipped_bits_never_panic() {
    let dir = small_tree();
    for name in [
        "slave.info",
        "framework.info",
        "executor.info",
        "task.info",
        "task.updates",
        "resources_and_operations.state",
        "resources.info",
    ] {
        let path = find(dir.path(), name);
        let whole = fs::read(&path).unwrap();
        if name == "resources.info" {
            fs::remove_file(find(dir.path(), "resources_and_operations.state")).unwrap();
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, &bytes).unwrap();
            let facts = read(dir.path());
            // Whatever the bits became: one file, so one error at most, and its list is marked.
            assert!(facts.errors.len() <= 1, "{name} {at}: {:?}", facts.errors);
            if !facts.errors.is_empty() && name.starts_with("resources") {
                assert_eq!(facts.resources, None, "{name} {at}");
            }
        }
        fs::write(&path, whole).unwrap();
    }
}

/// Every bit of every kind of message, without the file system between.
#[test]
fn every_flipped_bit_decodes_or_is_an_error() {
    fn flip<M: Message + Default>(path: &Path) {
        let whole = fs::read(path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut count = 0;
            let _ = many(&bytes, |_: M| count += 1);
            assert!(count <= bytes.len() / 4);
        }
    }
    let dir = small_tree();
    let path = |name| find(dir.path(), name);
    flip::<proto::SlaveInfo>(&path("slave.info"));
    flip::<proto::FrameworkInfo>(&path("framework.info"));
    flip::<proto::ExecutorInfo>(&path("executor.info"));
    flip::<proto::Task>(&path("task.info"));
    flip::<proto::StatusUpdateRecord>(&path("task.updates"));
    flip::<proto::ResourceState>(&path("resources_and_operations.state"));
    flip::<proto::Resource>(&path("resources.info"));
}

#[test]
fn links_in_the_checkpoint_are_not_followed() {
    let dir = small_tree();
    let elsewhere = small_tree();
    let resources = dir.path().join("meta/resources");
    fs::remove_dir_all(&resources).unwrap();
    symlink(elsewhere.path().join("meta/resources"), &resources).unwrap();
    let facts = read(dir.path());
    assert_eq!(facts.resources, None);
    assert_eq!(facts.errors.len(), 1);
    assert_eq!(facts.errors[0].reason, "malformed");
    assert_eq!(facts.tasks.unwrap().len(), 1);
    assert!(!facts.tasks_partial);

    let frameworks = find(dir.path(), "frameworks");
    let framework = fs::read_dir(&frameworks).unwrap().next().unwrap().unwrap().path();
    fs::rename(&framework, dir.path().join("moved")).unwrap();
    symlink(dir.path().join("moved"), &framework).unwrap();
    let facts = read(dir.path());
    assert_eq!(facts.errors.len(), 2);
    let end = "a symbolic link or a file, where a directory belongs";
    assert!(facts.errors[1].message.ends_with(end), "{:?}", facts.errors);
    assert!(facts.tasks_partial && facts.executors_partial);
    assert_eq!(facts.tasks, Some(vec![]));
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
