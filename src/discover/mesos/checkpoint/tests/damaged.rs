//! Torn, flipped and replaced files.

use super::*;

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
