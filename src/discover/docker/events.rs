//! The engine's events: something happened to a container or volume, so look again at once.
//!
//! An event only says which container to inspect anew; the lists that follow are the truth. While
//! the stream is down every container counts as changed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::answers::Event;
use super::client::Client;

/// `{"type":["container","volume"]}`, as a query holds it.
pub(super) const FILTER: &str = "filters=%7B%22type%22%3A%5B%22container%22%2C%22volume%22%5D%7D";
/// Longest event that is read; one that is longer counts as some change.
const MAX_EVENT: usize = 1 << 20;
/// Changed containers that are remembered; with more all count as changed.
const MAX_CHANGED: usize = 10_000;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Called on another thread for each change.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Containers that something happened to since the last round.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The stream is up: whatever happens is heard of.
    heard: bool,
    /// Nobody can say which: all of them.
    pub all: bool,
    /// By id.
    pub containers: HashSet<String>,
}

/// A running subscription; ends when dropped.
pub struct Events {
    changed: Arc<Mutex<Changed>>,
    task: JoinHandle<()>,
}

impl Events {
    /// Begins to listen; connects again, ever more seldom, as long as the engine does not answer.
    pub fn listen(handle: &Handle, client: Client, prefix: &str, wake: Wake) -> Self {
        let changed: Arc<Mutex<Changed>> = Arc::default();
        let note = Arc::clone(&changed);
        let path = format!("{prefix}/events?{FILTER}");
        let task = handle.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                if let Ok(stream) = client.stream(&path).await {
                    pause = FIRST_PAUSE;
                    all_changed(&note, true);
                    wake();
                    read(stream, &note, &wake).await;
                    // The engine ended, or closed the stream: the round that follows sees which.
                    all_changed(&note, false);
                    wake();
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
        Self { changed, task }
    }

    /// What changed since this was last asked.
    pub fn take(&self) -> Changed {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = changed.heard;
        let taken = std::mem::replace(&mut *changed, Changed { heard, ..Changed::default() });
        Changed { all: taken.all || !heard, ..taken }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn all_changed(changed: &Mutex<Changed>, heard: bool) {
    let mut changed = changed.lock().unwrap_or_else(PoisonError::into_inner);
    *changed = Changed { heard, all: true, containers: HashSet::new() };
}

/// Reads until the stream ends.
async fn read(mut stream: Incoming, changed: &Mutex<Changed>, wake: &Wake) {
    let mut line = Vec::new();
    while let Some(Ok(frame)) = stream.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        let mut rest = &data[..];
        let mut matters = false;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            line.extend_from_slice(&rest[..end]);
            matters |= note(&line, changed);
            line.clear();
            rest = &rest[end + 1..];
        }
        line.extend_from_slice(rest);
        if line.len() > MAX_EVENT {
            line.clear();
            all_changed(changed, true);
            matters = true;
        }
        if matters {
            wake();
        }
    }
}

/// Whether an event, a line of JSON, is worth another look; takes note of its container.
pub fn note(line: &[u8], changed: &Mutex<Changed>) -> bool {
    if line.trim_ascii().is_empty() {
        return false;
    }
    let Ok(event) = serde_json::from_slice::<Event>(line) else {
        all_changed(changed, true);
        return true;
    };
    // Health checks run a command in the container every few seconds.
    // `exec_create: sh`, `exec_start: sh`, `exec_die`; of Podman `exec`, `exec_died`.
    let idle = ["exec", "health_status", "top", "attach", "detach", "resize", "archive", "export"];
    if idle.iter().any(|action| event.action.starts_with(action)) {
        return false;
    }
    if event.kind == "container" {
        let mut changed = changed.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.containers.len() >= MAX_CHANGED {
            changed.all = true;
            changed.containers.clear();
        }
        if !changed.all {
            changed.containers.insert(event.actor.id);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_events_matter() {
        let changed = Mutex::new(Changed::default());
        let lines = include_str!("../../../tests/fixtures/docker/20.10.24/events.jsonl");
        let told: Vec<bool> = lines.lines().map(|line| note(line.as_bytes(), &changed)).collect();
        // volume create, container create, attach, mount, start, die, unmount, destroy, destroy.
        assert_eq!(told, [true, true, false, true, true, true, true, true, true]);
        let known = changed.lock().unwrap();
        assert_eq!((known.all, known.containers.len()), (false, 1));
        drop(known);
        let check = br#"{"Type":"container","Action":"exec_start: sh -c x","Actor":{"ID":"a"}}"#;
        assert!(!note(check, &changed));
        let check = br#"{"Type":"container","Action":"exec","Actor":{"ID":"a"}}"#;
        assert!(!note(check, &changed), "Podman's");
        assert!(!note(b"", &changed));
        assert!(note(b"{\"Type\":", &changed));
        assert!(changed.lock().unwrap().all);
    }

    #[test]
    fn a_flood_is_bounded() {
        let changed = Mutex::new(Changed::default());
        for number in 0..=MAX_CHANGED {
            let line =
                format!(r#"{{"Type":"container","Action":"die","Actor":{{"ID":"{number}"}}}}"#);
            note(line.as_bytes(), &changed);
        }
        let known = changed.lock().unwrap();
        assert_eq!((known.all, known.containers.len()), (true, 0));
    }
}
