//! The state file against what kills files: SIGKILL at any moment, and a disk that is full.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll::pipeline::state_file::{Sections, StateDir};

const WRITER: &str = "PLIMSOLL_TEST_STATE_DIR";

/// Two sections that must always be of the same write, the second one long.
fn sections(count: u64) -> Sections {
    let long = format!("{count} ").repeat(20_000);
    Sections::from([
        ("count".to_owned(), count.to_string().into_bytes()),
        ("long".to_owned(), long.into_bytes()),
    ])
}

/// What the file says, after it was checked to be of one write.
fn count(sections: &Sections) -> u64 {
    let Some(bytes) = sections.get("count") else {
        assert!(sections.is_empty(), "half a history");
        return 0;
    };
    let count: u64 = std::str::from_utf8(bytes).unwrap().parse().unwrap();
    assert_eq!(*sections, self::sections(count), "half a history");
    count
}

/// No test of its own: the process that the crash test kills. Writes as fast as it can, and says
/// after each write what is safe now.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(WRITER) else { return };
    let (state, loaded) = StateDir::open(Path::new(&dir)).expect("every start succeeds");
    assert_eq!(loaded.started_anew, None, "every start reads a whole file");
    let mut count = count(&loaded.sections);
    println!("\nstarted {count}");
    loop {
        count += 1;
        state.write(&sections(count)).expect("write");
        println!("\nwritten {count}");
    }
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env(WRITER, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_any_moment_every_start_reads_a_whole_history() {
    const ROUNDS: u64 = 40;
    let dir = tempfile::tempdir().unwrap();
    let mut safe = 0;
    for round in 0..ROUNDS {
        let mut child = spawn(dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let started = Instant::now();
        // From during the first write to some writes later.
        let life = Duration::from_micros(round * round * 37);
        let mut alive_since = None;
        let mut killed = false;
        while let Some(Ok(line)) = lines.next() {
            if let Some(found) = line.strip_prefix("started ") {
                let found: u64 = found.parse().unwrap();
                assert!(found >= safe, "round {round}: {found} read, {safe} was safe");
                alive_since = Some(Instant::now());
            } else if let Some(written) = line.strip_prefix("written ") {
                // What is in the pipe after the kill was written all the same.
                safe = written.parse().unwrap();
            }
            assert!(started.elapsed() < Duration::from_secs(60), "round {round} hangs");
            if !killed && alive_since.is_some_and(|since| since.elapsed() >= life) {
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "round {round}: the writer ended by itself");
    }
    let (_state, loaded) = StateDir::open(dir.path()).unwrap();
    assert!(count(&loaded.sections) >= safe);
    assert!(safe > ROUNDS / 2, "only {safe} writes in all");
}

/// A mount that goes with the test.
struct Tmpfs(tempfile::TempDir);

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_the_old_file_stays_and_writing_goes_on_once_there_is_room() {
    let small = Tmpfs(tempfile::tempdir().unwrap());
    let path = small.0.path();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(path)
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: mounting needs root");
        return;
    }
    let (state, _) = StateDir::open(path).unwrap();
    state.write(&sections(1)).unwrap();
    let filler = path.join("filler");
    let mut other = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write(&mut other, &[1; 4096]).is_ok_and(|written| written > 0) {}

    for _ in 0..3 {
        let error = state.write(&sections(2)).unwrap_err().to_string();
        assert!(error.contains("No space left on device"), "{error}");
    }
    assert!(!path.join("state.tmp").exists(), "what the attempt took is given back");
    drop(state);
    let (state, loaded) = StateDir::open(path).unwrap();
    assert_eq!((count(&loaded.sections), loaded.started_anew), (1, None));

    drop(other);
    std::fs::remove_file(filler).unwrap();
    state.write(&sections(3)).unwrap();
    drop(state);
    assert_eq!(count(&StateDir::open(path).unwrap().1.sections), 3);
}
