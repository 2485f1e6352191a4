//! Real control groups, and processes that write in them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use plimsoll::host::{MountTable, Roots};
use plimsoll::measure::io::cgroup::Hierarchies;

/// `O_DIRECT` wants memory and lengths in multiples of this.
const ALIGN: usize = 4096;

/// The place below which tests make groups, and the disk they write to. Removed when dropped.
pub struct Place {
    /// Directory of the test's own group.
    pub directory: PathBuf,
    /// The same below the root of the hierarchy.
    pub group: PathBuf,
    /// `MAJ:MIN` of the disk that holds `target/`.
    pub device: String,
    /// Where writers write.
    pub files: tempfile::TempDir,
    _turn: Turn,
}

/// Groups named as Docker names its own are seen by every test that looks for groups: a test that
/// makes hundreds of them runs alone.
static HOST: RwLock<()> = RwLock::new(());

#[allow(dead_code)] // Held, not looked at.
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Place {
    /// `None`, with a loud word: this kernel, or its user, cannot.
    pub fn make(test: &str) -> Option<Self> {
        Self::or_skip(test, Turn::Shared(HOST.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The same while no other test of this program has a place.
    pub fn alone(test: &str) -> Option<Self> {
        Self::or_skip(test, Turn::Alone(HOST.write().unwrap_or_else(PoisonError::into_inner)))
    }

    fn or_skip(test: &str, turn: Turn) -> Option<Self> {
        match Self::try_make(turn) {
            Ok(place) => Some(place),
            Err(reason) => {
                eprintln!("SKIPPED {test}: {reason}");
                None
            }
        }
    }

    fn try_make(turn: Turn) -> Result<Self, String> {
        let table = MountTable::read(&Roots::default()).map_err(|error| error.to_string())?;
        let blkio = Hierarchies::find(&table, &Roots::default())
            .blkio
            .ok_or("no cgroup v1 hierarchy with blkio is mounted")?;
        let files = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .map_err(|error| format!("make a directory: {error}"))?;
        let device = fs::metadata(files.path()).map_err(|error| error.to_string())?.dev();
        let device = format!("{}:{}", libc::major(device), libc::minor(device));
        // Never one that was left by a run that was killed.
        let directory = tempfile::Builder::new()
            .prefix("plimsoll-test-")
            .tempdir_in(&blkio.mount_point)
            .map_err(|error| format!("make a group in {}: {error}", blkio.mount_point.display()))?
            .keep();
        let group = blkio.root.join(directory.file_name().expect("a name"));
        let place = Self { directory, group, device, files, _turn: turn };
        // Only a whole disk, and one with a queue, can be limited.
        place
            .limit(&place.directory, "write_bps", 1 << 40)
            .map_err(|error| format!("limit device {}: {error}", place.device))?;
        Ok(place)
    }

    /// Makes a group below; one whose I/O is counted from kernel 6.10 on, too.
    pub fn group(&self, name: &str) -> PathBuf {
        let directory = self.directory.join(name);
        fs::create_dir(&directory).expect("make a group");
        directory
    }

    /// Writes a limit of `kind` (`write_bps`, `read_iops`, …).
    pub fn limit(&self, group: &Path, kind: &str, per_second: u64) -> io::Result<()> {
        let file = group.join(format!("blkio.throttle.{kind}_device"));
        fs::write(file, format!("{} {per_second}", self.device))
    }

    /// A process that does nothing in a group.
    pub fn sleeper(&self, group: &Path) -> Sleeper {
        let child = Command::new("sleep").arg("600").spawn().expect("start a sleeper");
        fs::write(group.join("cgroup.procs"), child.id().to_string()).expect("join the group");
        Sleeper(child)
    }

    /// Starts this test binary again as a process of a group, writing `total` bytes in requests of
    /// `request` bytes past the page cache.
    pub fn writer(&self, group: &Path, name: &str, total: usize, request: usize) -> Writer {
        let file = self.files.path().join(name);
        let child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "groups::direct_writer", "--nocapture", "--ignored"])
            .env("PLIMSOLL_WRITER_FILE", &file)
            .env("PLIMSOLL_WRITER_TOTAL", total.to_string())
            .env("PLIMSOLL_WRITER_REQUEST", request.to_string())
            .env("PLIMSOLL_WRITER_GROUP", group)
            .stdout(Stdio::null())
            .spawn()
            .expect("start a writer");
        Writer { child, took: PathBuf::from(format!("{}.took", file.display())) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// What the kernel says a group wrote: what was written to the file, and at most a few blocks of the
/// filesystem's journal that a writer must make room in now and then.
pub fn counted(group: &Path, file: usize) -> u64 {
    let text = fs::read_to_string(group.join("blkio.throttle.io_service_bytes")).expect("counters");
    let line = text.lines().find_map(|line| line.split_once(" Write ")).expect("a row").1;
    let written: u64 = line.parse().expect("a number");
    let file = file as u64;
    assert!((file..=file + (256 << 10)).contains(&written), "{written} bytes for {file}");
    written
}

/// Removes a group and those below it, waiting for processes that are just ending.
pub fn remove(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    for _ in 0..200 {
        match fs::remove_dir(directory) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    eprintln!("could not remove {}", directory.display());
}

/// A process that does nothing, ended when dropped.
pub struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A writing process.
pub struct Writer {
    child: Child,
    took: PathBuf,
}

impl Writer {
    /// Waits for its end and tells the seconds its writes took.
    pub fn seconds(mut self) -> f64 {
        assert!(self.child.wait().expect("wait").success(), "the writer failed");
        fs::read_to_string(&self.took).expect("its word").parse().expect("a number")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the process that [`Place::writer`] starts.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn direct_writer() {
    let variable = |name: &str| std::env::var(format!("PLIMSOLL_WRITER_{name}")).ok();
    let Some(file) = variable("FILE") else { return };
    let number = |name: &str| -> usize { variable(name).expect(name).parse().expect(name) };
    let (total, request) = (number("TOTAL"), number("REQUEST"));
    let path = PathBuf::from(&file);
    // Made whole before, so that only data is written in the group.
    File::create(&path).and_then(|file| file.set_len(total as u64)).expect("make the file");
    allocate(&path, total);
    let group = variable("GROUP").expect("a group");
    fs::write(Path::new(&group).join("cgroup.procs"), std::process::id().to_string())
        .expect("join the group");
    let mut out = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(&path)
        .expect("open past the page cache");
    let memory = vec![7; request + ALIGN];
    let start = memory.as_ptr().align_offset(ALIGN);
    let began = Instant::now();
    for _ in 0..total / request {
        out.write_all(&memory[start..start + request]).expect("write");
    }
    let took = began.elapsed().as_secs_f64();
    // The word of how long it took is not the group's.
    fs::write(format!("{file}.took"), took.to_string()).expect("tell");
}

/// Writes the file once and syncs it, outside of any group of a test.
fn allocate(path: &Path, total: usize) {
    let mut file = OpenOptions::new().write(true).open(path).expect("open");
    let zeros = vec![0; 1 << 20];
    for _ in 0..total.div_ceil(zeros.len()) {
        file.write_all(&zeros).expect("fill");
    }
    file.set_len(total as u64).expect("cut");
    file.sync_all().expect("sync");
}

impl Sleeper {
    /// Process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}
