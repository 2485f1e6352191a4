//! Containers at odds over a real disk: one at its limit, one that takes most, one that waits.
//!
//! Shares of time are told of a minute at least, which is waited for; the daemon of an earlier run
//! noticed them a month ago.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll::host::{MountTable, Roots};
use plimsoll::judge::findings::identity;
use plimsoll::measure::io::cgroup::Hierarchies;
use plimsoll::pipeline::state_file::{FINDINGS, StateDir};
use serde_json::json;

use crate::groups::{Place, remove};

use super::{MONTH, Telling};

pub const IO: [&str; 3] = ["io_throttled", "io_pressure", "io_neighbour"];

const MIB: u64 = 1 << 20;
/// Bytes of the file that all read.
const FILE: u64 = 32 * MIB;
/// Least alignment of what is read past the page cache.
const ALIGN: usize = 4096;

/// Groups of the same containers in the unified hierarchy beside v1, which has the pressure.
struct Unified(PathBuf);

impl Unified {
    fn make() -> Option<Self> {
        let table = MountTable::read(&Roots::default()).ok()?;
        let unified = Hierarchies::find(&table, &Roots::default()).unified?;
        let mut name = tempfile::Builder::new();
        let made = name.prefix("plimsoll-test-").tempdir_in(&unified.mount_point).ok()?;
        Some(Self(made.keep())).filter(|made| made.0.join("io.pressure").exists())
    }
}

impl Drop for Unified {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// A process of a container that reads for as long as this lives.
struct Reader(Child);

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Container `digit` (ids as Docker gives them are found without any agent), whose process reads the
/// file in requests of so many bytes; a polite one pauses for as long as each of them took.
fn container(
    (place, unified): (&Place, &Unified),
    digit: &str,
    limit: Option<u64>,
    (file, request, polite): (&Path, u64, bool),
) -> (String, Reader) {
    let id = digit.repeat(64);
    let group = place.group(&id);
    if let Some(limit) = limit {
        place.limit(&group, "read_bps", limit).expect("limit");
    }
    let beside = unified.0.join(&id);
    fs::create_dir(&beside).expect("make a group");
    let child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "conditions::io::direct_reader", "--nocapture", "--ignored"])
        .env("PLIMSOLL_READER_FILE", file)
        .env("PLIMSOLL_READER_REQUEST", request.to_string())
        .env("PLIMSOLL_READER_POLITE", polite.to_string())
        .env("PLIMSOLL_READER_GROUPS", std::env::join_paths([&group, &beside]).expect("paths"))
        .stdout(Stdio::null())
        .spawn()
        .expect("start a reader");
    (id, Reader(child))
}

/// Not a test: the process that [`container`] starts.
#[test]
#[ignore = "started by another test as a process of its own"]
fn direct_reader() {
    let variable = |name: &str| std::env::var_os(format!("PLIMSOLL_READER_{name}"));
    let Some(path) = variable("FILE") else { return };
    let text = |name: &str| variable(name).expect(name).into_string().expect("UTF-8");
    let request: usize = text("REQUEST").parse().expect("a number");
    let polite = text("POLITE") == "true";
    for group in std::env::split_paths(&variable("GROUPS").expect("groups")) {
        fs::write(group.join("cgroup.procs"), std::process::id().to_string()).expect("join");
    }
    let file = File::options().read(true).custom_flags(libc::O_DIRECT).open(path).expect("open");
    let mut memory = vec![0; request + ALIGN];
    let start = memory.as_ptr().align_offset(ALIGN);
    for number in 0.. {
        let began = Instant::now();
        let at = number * request as u64 % FILE;
        file.read_exact_at(&mut memory[start..start + request], at).expect("read");
        if polite {
            std::thread::sleep(began.elapsed());
        }
    }
}

#[test]
fn containers_at_odds_over_a_disk_are_told() {
    let Some(place) = Place::make("containers at odds over a disk") else { return };
    let Some(unified) = Unified::make() else {
        eprintln!("SKIPPED containers at odds over a disk: no pressure of groups beside cgroup v1");
        return;
    };
    let file = place.files.path().join("data");
    fs::write(&file, vec![7; FILE as usize]).expect("write");
    File::open(&file).and_then(|file| file.sync_all()).expect("sync");
    let groups = (&place, &unified);
    let (limited, _a) = container(groups, "a", Some(MIB), (&file, 64 << 10, false));
    let (greedy, _b) = container(groups, "b", Some(128 * MIB), (&file, MIB, false));
    let (_, _c) = container(groups, "c", None, (&file, 4096, true));

    let state = place.files.path().join("state");
    fs::create_dir(&state).expect("make");
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time").as_secs_f64() - MONTH;
    let subject = |id: &str| ["docker", "", "", id].map(str::to_owned);
    let noticed = [(IO[0], &limited), (IO[1], &limited), (IO[2], &greedy)];
    let entries: serde_json::Map<_, _> = noticed
        .iter()
        .map(|(kind, id)| (identity(kind, &subject(id)), json!({"since": since, "told": false})))
        .collect();
    let (dir, loaded) = StateDir::open(&state).expect("the state");
    let mut sections = loaded.sections;
    let findings = serde_json::to_vec(&json!({"entries": entries})).expect("JSON");
    sections.insert(FINDINGS.to_owned(), findings);
    dir.write(&sections).expect("write");
    drop(dir);

    let config = place.files.path().join("plimsoll.yml");
    // The third may be quick where the disk is.
    let text = "mesos: {enabled: false}\nio: {interval: 1s}\nconditions: {io_neighbour: 0.5}\n";
    fs::write(&config, text).expect("write");
    let telling = Telling::begin(&config, &[], &state);
    telling.daemon.wait_for("a minute of rates", Duration::from_secs(180), |daemon| {
        let row = |findings: &serde_json::Value, (kind, id): (&str, &String)| {
            let is = |row: &serde_json::Value| {
                row["kind"] == kind && row["labels"]["container"] == id.as_str()
            };
            findings.as_array().is_some_and(|rows| rows.iter().any(is))
        };
        let findings = daemon.json("/api/v1/findings");
        noticed.iter().all(|one| row(&findings, *one)).then_some(())
    });
    telling.tells(&IO);
}
