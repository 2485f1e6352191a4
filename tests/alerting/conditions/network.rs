//! Network storage that is slow and loses requests: the counters of an NFS mount (as its kernel writes
//! them, `tests/fixtures/network`) rise as those of such a server's client do.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{make, notice, told};

pub const NETWORK: [&str; 2] = ["network_storage_slow", "network_storage_retransmitting"];

const MOUNTS: &str = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n50 1 0:50 / /srv/db rw - nfs4 filer:/vol/db \
                      rw,vers=4.2,proto=tcp,addr=10.0.0.5\n";

/// What the mount's `WRITE` line has counted.
#[derive(Default)]
struct Writes {
    requests: u64,
    sent: u64,
    milliseconds: u64,
}

impl Writes {
    /// A fifth of a second at a server that needs a second and a half for each request, and of which
    /// every fourth is lost.
    fn slow(&mut self) {
        self.requests += 20;
        self.sent += 25;
        self.milliseconds += 20 * 1500;
    }

    /// The same at one that is well.
    fn well(&mut self) {
        self.requests += 5000;
        self.sent += 5000;
        self.milliseconds += 5000;
    }

    /// The mount's part of the captured file, with these in their place.
    fn write(&self, captured: &str, to: &Path) {
        let end = captured
            .match_indices("\ndevice ")
            .map(|(at, _)| at)
            .find(|at| captured[..*at].contains("device filer:/vol/db"));
        let text = &captured[..end.expect("another mount follows") + 1];
        let line = text.lines().find(|line| line.trim_start().starts_with("WRITE:"));
        let Self { requests, sent, milliseconds } = self;
        let new = format!("\t       WRITE: {requests} {sent} 0 0 0 0 0 {milliseconds} 0");
        let beside = to.with_extension("new");
        fs::write(&beside, text.replace(line.expect("writes"), &new)).expect("write");
        fs::rename(&beside, to).expect("rename");
    }
}

/// A client that writes for as long as this lives.
struct Client {
    ended: Arc<AtomicBool>,
    well: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    fn start(mountstats: PathBuf) -> Self {
        let fixture =
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/network/mountstats-6.1.txt");
        let captured = fs::read_to_string(fixture).expect("read");
        let (ended, well) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let mut writes = Writes::default();
        writes.write(&captured, &mountstats);
        let (stop, better) = (Arc::clone(&ended), Arc::clone(&well));
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(200));
                if better.load(Ordering::Relaxed) {
                    writes.well()
                } else {
                    writes.slow()
                }
                writes.write(&captured, &mountstats);
            }
        });
        Self { ended, well, thread: Some(thread) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn storage_that_is_slow_and_loses_requests_is_told_until_it_is_well() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    make(&at("root/srv/db"));
    make(&at("proc/1"));
    fs::write(at("proc/1/mountinfo"), MOUNTS).expect("write");
    let config = at("plimsoll.yml");
    fs::write(
        &config,
        "mesos: {enabled: false}\ndocker: {enabled: false}\nnetwork: {interval: 1s}\n",
    )
    .expect("write");
    let flags = [("procfs", "proc"), ("rootfs", "root"), ("sysfs", "sys")]
        .map(|(flag, name)| format!("--path.{flag}={}", at(name).display()));
    let client = Client::start(at("proc/1/mountstats"));
    let state = at("state");
    make(&state);
    notice(&config, &flags, &state, &NETWORK);
    let telling = told(&config, &flags, &state, &NETWORK);

    client.well.store(true, Ordering::Relaxed);
    for condition in NETWORK {
        telling.tells_the_end_of(condition);
    }
}
