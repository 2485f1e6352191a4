//! `usage.fanotify`: started once, with its self-test, and what is said of it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use crate::config::Config;
use crate::host::Guard;
use crate::measure::targets;
use crate::measure::usage::How;
use crate::measure::usage::fanotify::Watcher;
use crate::measure::usage::fanotify::selftest::{self, Proof};
use crate::model::{Inventory, SourceError, SourceHealth, SourceReport};
use crate::text;

const NAME: &str = "fanotify";
/// Part of the budget of CPU that reading events may take of it.
const READER_SHARE: f64 = 0.5;

/// Starts the watcher where it is asked for and works; says so either way.
///
/// `proved`: what a test before said, if there was one. Landlock leaves nothing open to try it in.
pub(super) fn start(
    config: &Config,
    guard: &Guard,
    proved: Option<Result<Proof, String>>,
) -> Option<Watcher> {
    if !config.usage.fanotify {
        return None;
    }
    let budget = config.usage.cpu_budget * READER_SHARE;
    let started = match proved {
        Some(proved) => proved.and_then(|proof| Watcher::start_proved(proof, budget)),
        None => tested(config, guard, move |directory| Watcher::start(&[directory], budget)),
    };
    match started {
        Ok(watcher) => {
            let overlay = match watcher.watch().proof().overlay {
                Some(true) => "told",
                Some(false) => "not told: containers with an image are refreshed as without",
                None => "not known: containers with an image are refreshed as without",
            };
            tracing::info!(through_overlays = overlay, "The kernel passed the test of fanotify");
            Some(watcher)
        }
        Err(reason) => {
            tracing::warn!(%reason, "No use of fanotify");
            None
        }
    }
}

/// Tests the kernel on a thread that has ended when this returns, unless a directory hangs.
pub(super) fn prove(config: &Config) -> Result<Proof, String> {
    let (sender, answer) = mpsc::sync_channel(1);
    let own = own_directories(config);
    let test = move || {
        // Whoever asked may have given up.
        let _ = sender.send(selftest::prove(&own));
    };
    let thread = std::thread::Builder::new().name("fanotify".into()).spawn(test);
    let thread = thread.map_err(|error| format!("start a thread: {error}"))?;
    // The test waits for events, too.
    let proved = answer.recv_timeout(config.filesystems.timeout + Duration::from_secs(10));
    let proved = proved.map_err(|_| "the test did not end in time".to_owned())?;
    thread.join().map_err(|_| "internal error in the test".to_owned())?;
    proved
}

fn own_directories(config: &Config) -> Vec<PathBuf> {
    let runtime = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    [config.storage.path.clone()].into_iter().chain(runtime).chain([std::env::temp_dir()]).collect()
}

/// Tries each directory of our own, on the thread of its filesystem.
fn tested<T: Send + 'static>(
    config: &Config,
    guard: &Guard,
    test: impl Fn(PathBuf) -> Result<T, String> + Clone + Send + 'static,
) -> Result<T, String> {
    let mut reasons = Vec::new();
    for directory in own_directories(config) {
        let (test, there) = (test.clone(), directory.clone());
        match guard.run(&directory, "test of fanotify", move || test(there)) {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(reason)) => reasons.push(reason),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(reasons.join("; "))
}

/// What `check` says. `None`: not asked for.
pub fn checked(config: &Config, inventory: &Inventory, guard: &Guard) -> Option<SourceReport> {
    if !config.usage.fanotify {
        return None;
    }
    let mut errors = Vec::new();
    let mut health = SourceHealth::Ok;
    let mut target = "tells what changed".to_owned();
    match tested(config, guard, |directory| selftest::prove(&[directory])) {
        Ok(proof) => {
            if proof.overlay != Some(true) {
                target.push_str(", but not what is written through overlays");
            }
            for (place, reason) in deaf(inventory, guard) {
                health = SourceHealth::Partial;
                errors.push(SourceError {
                    reason: "unsupported",
                    message: format!("{}: {reason}", text::path(&place)),
                    hint: "measured as without fanotify".into(),
                });
            }
        }
        Err(reason) => {
            health = SourceHealth::Failed;
            errors.push(SourceError {
                reason: "unsupported",
                message: reason,
                hint: "give the service CAP_SYS_ADMIN on Linux 5.9 or newer, or turn \
                       usage.fanotify off; everything is measured as without it"
                    .into(),
            });
        }
    }
    Some(SourceReport { name: NAME, health, target, errors, duration_seconds: 0.0 })
}

/// Filesystems of walked subjects that do not tell, each once, by where it is mounted.
fn deaf(inventory: &Inventory, guard: &Guard) -> BTreeMap<PathBuf, String> {
    let table = guard.table();
    let mut seen = BTreeMap::new();
    for target in targets::plan(inventory, &table, guard.roots(), false) {
        if target.remote || target.how != How::Walk {
            continue;
        }
        let Some(mount) = table.containing(&guard.on_host(&target.path)) else { continue };
        if seen.contains_key(&mount.mount_point) {
            continue;
        }
        let Ok(path) = CString::new(target.path.as_os_str().as_bytes()) else { continue };
        let heard = guard.run(&target.path, "test of fanotify", move || selftest::heard(&path));
        let reason = heard.map_err(|error| error.to_string()).and_then(|heard| heard).err();
        seen.insert(mount.mount_point.clone(), reason);
    }
    seen.into_iter().filter_map(|(place, reason)| Some((place, reason?))).collect()
}
