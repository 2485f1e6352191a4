//! The tasks of the scene: threads that write. Each one is bounded, in bytes and in bytes per
//! second, and touches nothing but its own volume or sandbox.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::DemoError;
use super::cast::Cast;
use super::script::MYSQL_MIB;
use super::tree::Noise;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// How often each task writes.
const PERIOD: Duration = Duration::from_secs(1);

/// Size of the growing volume's data file at the start.
pub const MYSQL_START: u64 = 12 * MIB;
/// What it grows by each second: full after ten minutes.
const MYSQL_STEP: u64 = 88 * KIB;
/// It stops this short of its quota, as a database that waits for space: log and directories
/// count too.
const MYSQL_MARGIN: u64 = 3 * MIB / 2;
/// Its redo log, written over and over.
const MYSQL_LOG: u64 = MIB;
/// Spilled data of the task over its quota (8 MiB), at the start and at most.
pub const REPORT_START: u64 = 12 * MIB;
const REPORT_MAX: u64 = 16 * MIB;
/// Cassandra-like volume: size of a flushed table, when to compact, and what is left then.
const TABLE: u64 = MIB;
const TABLES: usize = 30;
const COMPACTED: u64 = 8 * MIB;
/// Log files of a sandbox: size at rotation, and how many are kept.
const LOG: u64 = 2 * MIB;
const LOGS: usize = 5;
/// Segments of the shared volume.
const SEGMENT: u64 = MIB;
const SEGMENTS: usize = 8;

/// Most bytes all writers ever hold together, beyond what lay there at the start. The largest
/// moment of the Cassandra-like volume is the end of a compaction: old tables and the new one.
pub const MAX_BYTES: u64 = (TABLES as u64 + 2) * TABLE
    + 2 * COMPACTED
    + (MYSQL_MIB * MIB - MYSQL_START)
    + MYSQL_LOG
    + (REPORT_MAX - REPORT_START)
    + (LOGS as u64 + 1) * LOG
    + (SEGMENTS as u64 + 1) * SEGMENT;

/// Most bytes a writer writes in one second.
pub const MAX_STEP: u64 = MIB;

/// The running tasks; they end when this is dropped.
pub struct Writers {
    stop: Arc<(Mutex<bool>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    /// Starts them all.
    pub fn start(cast: &Cast) -> Result<Self, DemoError> {
        let mut writers = Self { stop: Arc::default(), threads: Vec::new() };
        for (name, writer) in roles(cast) {
            writers.spawn(name, writer)?;
        }
        Ok(writers)
    }

    fn spawn(&mut self, name: String, mut writer: Box<dyn Writer>) -> Result<(), DemoError> {
        let stop = self.stop.clone();
        let thread = std::thread::Builder::new().name(format!("demo-{name}"));
        let thread = thread.spawn(move || {
            let (stopped, wake) = &*stop;
            let mut failed = false;
            loop {
                // A full disk is said once; the task goes on when there is room again.
                match writer.write() {
                    Ok(()) => failed = false,
                    Err(error) if !failed => {
                        failed = true;
                        tracing::warn!(task = name, %error, "demo: a task cannot write");
                    }
                    Err(_) => {}
                }
                let guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = wake.wait_timeout_while(guard, PERIOD, |stopped| !*stopped);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    return;
                }
            }
        });
        self.threads.push(thread.map_err(DemoError::Thread)?);
        Ok(())
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        let (stopped, wake) = &*self.stop;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A task: writes at most [`MAX_STEP`] bytes each time it is called.
pub trait Writer: Send {
    fn write(&mut self) -> io::Result<()>;
}

/// Which task writes where.
pub fn roles(cast: &Cast) -> Vec<(String, Box<dyn Writer>)> {
    let mut roles: Vec<(String, Box<dyn Writer>)> = Vec::new();
    for volume in &cast.reserved {
        let (Some(persistence), Some(dir)) = (volume.persistence(), cast.volume_dir(volume)) else {
            continue;
        };
        let writer: Box<dyn Writer> = match persistence.id.as_str() {
            "cassandra-0" => Box::new(Tables::new(dir.join("ks/orders"))),
            "mysql-0" => {
                let limit = volume.bytes().unwrap_or(0).saturating_sub(MYSQL_MARGIN);
                Box::new(Growing::new(&dir, limit))
            }
            "events" => Box::new(Ring::new(&dir, "segment", SEGMENT, SEGMENTS, 64 * KIB)),
            _ => continue,
        };
        roles.push((persistence.id.clone(), writer));
    }
    for (framework, executor) in cast.live() {
        let dir = cast.sandbox(&cast.agent_id, framework, executor);
        let writer: Box<dyn Writer> = match executor.id.as_str() {
            "web-logs" => Box::new(Ring::new(&dir.join("logs"), "access.log", LOG, LOGS, 96 * KIB)),
            "report-42" => Box::new(Spill { path: dir.join("work/spill-0.tmp"), noise: noise(42) }),
            _ => continue,
        };
        roles.push((executor.id.clone(), writer));
    }
    roles
}

fn noise(seed: u64) -> Noise {
    Noise::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
}

/// A log-structured database: flushes a table every other second, and when there are many merges
/// them into one. Its use goes up slowly and down at once.
struct Tables {
    dir: PathBuf,
    noise: Noise,
    generation: u64,
    /// Flush this time, or rest.
    flush: bool,
    /// The compacted table that is being written, and how far it is.
    merging: Option<(PathBuf, u64)>,
}

impl Tables {
    fn new(dir: PathBuf) -> Self {
        Self { dir, noise: noise(1), generation: 1, flush: false, merging: None }
    }

    fn next(&mut self) -> PathBuf {
        self.generation += 1;
        self.dir.join(format!("mc-{}-big-Data.db", self.generation))
    }

    fn tables(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.path()));
        let mut list: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
        list.retain(|path| path.extension().is_some_and(|extension| extension == "db"));
        Ok(list)
    }
}

impl Writer for Tables {
    fn write(&mut self) -> io::Result<()> {
        if let Some((path, done)) = &mut self.merging {
            append(path, self.noise.bytes(MAX_STEP as usize))?;
            *done += MAX_STEP;
            if *done < COMPACTED {
                return Ok(());
            }
            let finished = path.with_extension("db");
            for old in self.tables()? {
                fs::remove_file(old)?;
            }
            if let Some((path, _)) = self.merging.take() {
                fs::rename(path, finished)?;
            }
            return Ok(());
        }
        if self.tables()?.len() > TABLES {
            self.merging = Some((self.next().with_extension("tmp"), 0));
            return Ok(());
        }
        self.flush = !self.flush;
        if !self.flush {
            return Ok(());
        }
        let table = self.next();
        append(&table, self.noise.bytes(TABLE as usize))
    }
}

/// A database that only grows, its files open all the time, until there is no more room.
struct Growing {
    data: PathBuf,
    log: PathBuf,
    files: Option<(File, File)>,
    size: u64,
    limit: u64,
    position: u64,
    noise: Noise,
}

impl Growing {
    fn new(dir: &Path, limit: u64) -> Self {
        Self {
            data: dir.join("ibdata1"),
            log: dir.join("ib_logfile0"),
            files: None,
            size: MYSQL_START,
            limit: limit.saturating_sub(MYSQL_LOG),
            position: 0,
            noise: noise(2),
        }
    }
}

impl Writer for Growing {
    fn write(&mut self) -> io::Result<()> {
        if self.files.is_none() {
            let data = OpenOptions::new().append(true).open(&self.data)?;
            let log =
                OpenOptions::new().create(true).truncate(false).write(true).open(&self.log)?;
            self.files = Some((data, log));
        }
        let Some((data, log)) = &mut self.files else { return Ok(()) };
        log.seek(SeekFrom::Start(self.position))?;
        log.write_all(self.noise.bytes(32 * KIB as usize))?;
        self.position = (self.position + 32 * KIB) % MYSQL_LOG;
        if self.size + MYSQL_STEP <= self.limit {
            data.write_all(self.noise.bytes(MYSQL_STEP as usize))?;
            self.size += MYSQL_STEP;
        }
        Ok(())
    }
}

/// Files of one size of which the oldest goes when a new one comes: rotated logs, segments of a
/// queue.
struct Ring {
    dir: PathBuf,
    stem: &'static str,
    size: u64,
    keep: usize,
    step: u64,
    written: u64,
    number: u64,
    files: VecDeque<PathBuf>,
    noise: Noise,
}

impl Ring {
    fn new(dir: &Path, stem: &'static str, size: u64, keep: usize, step: u64) -> Self {
        let (dir, files) = (dir.to_path_buf(), VecDeque::new());
        Self { dir, stem, size, keep, step, written: 0, number: 0, files, noise: noise(size) }
    }
}

impl Writer for Ring {
    fn write(&mut self) -> io::Result<()> {
        if self.files.is_empty() || self.written >= self.size {
            fs::create_dir_all(&self.dir)?;
            self.number += 1;
            self.files.push_back(self.dir.join(format!("{}.{}", self.stem, self.number)));
            self.written = 0;
        }
        let Some(newest) = self.files.back() else { return Ok(()) };
        append(newest, self.noise.bytes(self.step as usize))?;
        self.written += self.step;
        while self.files.len() > self.keep {
            if let Some(oldest) = self.files.pop_front() {
                fs::remove_file(oldest)?;
            }
        }
        Ok(())
    }
}

/// A job that spills more than it asked for, and goes on.
struct Spill {
    path: PathBuf,
    noise: Noise,
}

impl Writer for Spill {
    fn write(&mut self) -> io::Result<()> {
        if fs::metadata(&self.path)?.len() + 16 * KIB <= REPORT_MAX {
            append(&self.path, self.noise.bytes(16 * KIB as usize))?;
        }
        Ok(())
    }
}
