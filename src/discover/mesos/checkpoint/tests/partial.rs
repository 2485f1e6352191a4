//! What is not there: no resources, no agent, no work directory, a former agent id.

use super::*;

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
