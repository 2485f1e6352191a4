use std::fs;
use std::path::Path;

use super::*;
use crate::host::Roots;
use crate::judge::Memory;
use crate::judge::memory::StoredMemory;

fn sections(text: &str) -> Sections {
    Sections::from([("memory".to_owned(), text.as_bytes().to_vec())])
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn keeper(path: &Path, enabled: Enabled) -> StateFile {
    let guard = Arc::new(Guard::new(Roots::default(), std::time::Duration::from_secs(5)));
    StateFile::new(StorageConfig { enabled, path: path.into() }, guard)
}

#[test]
fn one_daemon_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = StateDir::open(dir.path()).unwrap();
    assert!(
        matches!(StateDir::open(dir.path()), Err(StateError::Locked(path)) if path == dir.path())
    );
    drop(first);
    assert!(StateDir::open(dir.path()).is_ok());
}

#[test]
fn a_damaged_file_is_put_aside_once_and_history_starts_anew() {
    let dir = tempfile::tempdir().unwrap();
    for damage in ["one", "two"] {
        fs::write(dir.path().join("state"), damage).unwrap();
        let (state, loaded) = StateDir::open(dir.path()).unwrap();
        assert_eq!(loaded.sections, Sections::new());
        assert!(loaded.started_anew.unwrap().contains("it is damaged"));
        assert_eq!(names(dir.path()), ["lock", "state.corrupt"]);
        assert_eq!(fs::read_to_string(dir.path().join("state.corrupt")).unwrap(), damage);
        drop(state);
    }
}

#[test]
fn the_file_of_a_later_release_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let later = format::encode_as(2, &sections("{}"));
    fs::write(dir.path().join("state"), &later).unwrap();
    let (state, loaded) = StateDir::open(dir.path()).unwrap();
    assert!(loaded.started_anew.unwrap().contains("a later release wrote it (version 2"));
    state.write(&sections("1")).unwrap();
    assert_eq!(fs::read(dir.path().join("state.newer")).unwrap(), later);
    assert_eq!(names(dir.path()), ["lock", "state", "state.newer"]);
}

#[test]
fn sections_of_others_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = Sections::from([("later".to_owned(), vec![0, 1, 2])]);
    StateDir::open(dir.path()).unwrap().0.write(&foreign).unwrap();
    let mut state = keeper(dir.path(), Enabled::True);
    assert_eq!(state.open(1.0), Some(foreign));
    state.save(sections("{}"));
    drop(state);
    let (_, loaded) = StateDir::open(dir.path()).unwrap();
    assert_eq!(loaded.sections["later"], [0, 1, 2]);
    assert_eq!(loaded.sections["memory"], b"{}");
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = keeper(dir.path(), Enabled::True);
    state.open(1.0).unwrap();
    state.save(sections("a"));
    fs::remove_file(dir.path().join("state")).unwrap();
    state.save(sections("a"));
    assert_eq!(names(dir.path()), ["lock"]);
    state.save(sections("b"));
    assert_eq!(names(dir.path()), ["lock", "state"]);
}

#[test]
fn a_missing_directory_is_fine_unless_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none");
    for (enabled, health) in
        [(Enabled::Auto, SourceHealth::Absent), (Enabled::True, SourceHealth::Failed)]
    {
        let mut state = keeper(&path, enabled);
        assert_eq!(state.open(1.0), None);
        let report = state.report(1.0).unwrap();
        assert_eq!((report.health, report.errors.len()), (health, 1));
        assert_eq!(report.errors[0].reason, "missing");
    }
    assert_eq!(keeper(&path, Enabled::False).report(1.0), None);
    // It is found once it is made.
    let mut state = keeper(&path, Enabled::Auto);
    state.open(1.0);
    fs::create_dir(&path).unwrap();
    assert_eq!(state.open(2.0), Some(Sections::new()));
    assert_eq!(state.report(2.0).unwrap().health, SourceHealth::Ok);
}

#[test]
fn history_that_starts_anew_is_told_for_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state"), "x").unwrap();
    let mut state = keeper(dir.path(), Enabled::Auto);
    state.open(1_000.0).unwrap();
    assert_eq!(state.report(1_001.0).unwrap().health, SourceHealth::Partial);
    assert_eq!(state.report(4_601.0).unwrap().health, SourceHealth::Ok);
}

/// The whole of a damaged file, whatever the damage, is either refused or says what was written.
#[test]
fn a_damaged_memory_is_never_half_a_history() {
    let mut memory = Memory::default();
    let volume = crate::judge::memory::sample_volume("v1");
    memory.observe_volumes(&[volume], 1_000.0);
    let json = serde_json::to_vec(&memory.stored()).unwrap();
    let whole = encode(&Sections::from([("memory".to_owned(), json)]));
    for at in 0..whole.len() {
        for damaged in [whole[..at].to_vec(), {
            let mut other = whole.clone();
            other[at] = other[at].wrapping_add(1);
            other
        }] {
            if let Ok(sections) = decode(&damaged) {
                let stored: StoredMemory = serde_json::from_slice(&sections["memory"]).unwrap();
                assert_eq!(stored, memory.stored(), "byte {at}");
            }
        }
    }
}
