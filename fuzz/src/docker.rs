//! Answers of a Docker engine: volumes, containers and one closer look, with a zero byte between,
//! and the same bytes as lines of its events.

use std::path::Path;
use std::sync::Mutex;

use plimsoll::discover::docker::{Changed, MountSource, note, read_lists};

pub fn run(data: &[u8]) {
    let changed = Mutex::new(Changed::default());
    for line in data.split(|&byte| byte == b'\n') {
        note(line, &changed);
    }
    let changed = changed.into_inner().expect("nobody else has it");
    assert!(!changed.all || changed.containers.is_empty() || data.contains(&b'\n'));
    assert!(changed.containers.len() <= data.len());

    let mut parts = data.split(|&byte| byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let labels = ["com.example.team".to_owned()];
    let read = read_lists(part(), part(), part(), &labels, Path::new("/proc/none"));
    let Ok((volumes, containers)) = read else { return };
    for volume in &volumes {
        let meaning = &volume.meaning;
        for path in [&volume.path, &meaning.bind].into_iter().flatten() {
            assert!(path.is_absolute());
        }
        let kinds = [meaning.remote.is_some(), meaning.bind.is_some(), meaning.tmpfs];
        assert!(kinds.into_iter().filter(|is| *is).count() <= 1, "{meaning:?}");
        short(&volume.labels);
    }
    for container in &containers {
        // It goes into the path of a question.
        let id = container.id.as_bytes();
        assert!(!id.is_empty() && id.iter().all(u8::is_ascii_alphanumeric));
        for mount in &container.mounts {
            if let MountSource::Path(path) = &mount.source {
                assert!(path.is_absolute());
            }
        }
        short(&container.labels);
        if let Some(details) = &container.details {
            assert!(details.upper.as_ref().is_none_or(|path| path.is_absolute()));
            assert_eq!(details.process, None, "nothing runs there");
        }
    }
}

fn short(labels: &[(String, String)]) {
    assert!(labels.iter().all(|(_, value)| value.chars().count() <= 256));
}
