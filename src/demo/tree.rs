//! The directories of the scene, with what lies in them at the start.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

use super::DemoError;
use super::cast::{Cast, Executor, Framework};

const MIB: u64 = 1 << 20;

/// What lies in the scene at the start: name of a volume, executor, nested task or standalone
/// container; file; bytes.
const FILES: [(&str, &str, u64); 12] = [
    ("cassandra-0", "ks/orders/mc-1-big-Data.db", 6 * MIB),
    ("mysql-0", "ibdata1", super::writers::MYSQL_START),
    ("search-index-0", "segments/_0.cfs", 10 * MIB),
    ("orders-db-0", "base/16384/2619", 6 * MIB),
    ("archive-2025", "2025-06.tar", 8 * MIB),
    ("galera-2", "ibdata1", 10 * MIB),
    ("report-42", "work/spill-0.tmp", super::writers::REPORT_START),
    ("nightly-etl", "work/part-0.parquet", 4 * MIB),
    ("adhoc-import", "dump.sql", 5 * MIB),
    ("backfill-2024", "work/part-0.parquet", 6 * MIB),
    ("maint-scrub-1", "scrub.log", 3 * MIB),
    ("orders-backup-1", "wal/000000010000000000000001", MIB),
];

/// Bytes that [`build`] fills files with.
pub const INITIAL_BYTES: u64 = {
    let (mut sum, mut index) = (0, 0);
    while index < FILES.len() {
        sum += FILES[index].2;
        index += 1;
    }
    sum
};

/// Makes the work directory, without `meta`, and the PATH disk.
pub fn build(cast: &Cast) -> Result<(), DemoError> {
    for framework in &cast.frameworks {
        for executor in &framework.executors {
            run(cast, &cast.agent_id, framework, executor)?;
        }
    }
    for executor in &cast.leaked.executors {
        run(cast, &cast.agent_id, &cast.leaked, executor)?;
    }
    for executor in &cast.former.executors {
        run(cast, &cast.former_agent_id, &cast.former, executor)?;
    }
    let standalone = cast.standalone_dir();
    sandbox_dir(&standalone)?;
    fill(&cast.standalone, &standalone)?;
    volumes(cast)
}

fn volumes(cast: &Cast) -> Result<(), DemoError> {
    for volume in &cast.reserved {
        let (Some(persistence), Some(dir)) = (volume.persistence(), cast.volume_dir(volume)) else {
            continue;
        };
        if cast.missing.contains(&persistence.id) {
            // The role's directory stays when a volume's is lost.
            make_dir(dir.parent().unwrap_or(&dir))?;
        } else {
            make_dir(&dir)?;
            fill(&persistence.id, &dir)?;
        }
    }
    for (role, id) in &cast.orphans {
        let dir = Cast::volume_below(&cast.work_dir, role, id);
        make_dir(&dir)?;
        fill(id, &dir)?;
    }
    Ok(())
}

/// The sandbox of one run, `runs/latest`, and for a pod its nested sandboxes.
fn run(
    cast: &Cast,
    agent: &str,
    framework: &Framework,
    executor: &Executor,
) -> Result<(), DemoError> {
    let sandbox = cast.sandbox(agent, framework, executor);
    sandbox_dir(&sandbox)?;
    fill(&executor.id, &sandbox)?;
    if let Some(runs) = sandbox.parent() {
        link(&sandbox, &runs.join("latest"))?;
    }
    for task in &executor.tasks {
        if let Some(child) = &task.child {
            let nested = sandbox.join("containers").join(child);
            sandbox_dir(&nested)?;
            fill(&task.id, &nested)?;
            make_dir(&sandbox.join("tasks"))?;
            link(&nested, &sandbox.join("tasks").join(&task.id))?;
        }
        if executor.completed {
            continue; // the agent has removed its links
        }
        for volume in &task.resources {
            // What the isolator filesystem/posix does: an absolute link in the top sandbox.
            let spec = volume.disk.as_ref().and_then(|disk| disk.volume.as_ref());
            if let (Some(dir), Some(spec)) = (cast.volume_dir(volume), spec) {
                link(&dir, &sandbox.join(&spec.container_path))?;
            }
        }
    }
    Ok(())
}

/// A sandbox as the agent makes it: mode 750, with the two files of the task's output.
fn sandbox_dir(path: &Path) -> Result<(), DemoError> {
    make_dir(path.parent().unwrap_or(path))?;
    let made = fs::DirBuilder::new().mode(0o750).create(path);
    made.map_err(DemoError::file("create", path))?;
    write(&path.join("stdout"), b"Registered executor on demo\nStarting task\n")?;
    write(&path.join("stderr"), b"")
}

/// Writes the files that `name` starts with.
fn fill(name: &str, dir: &Path) -> Result<(), DemoError> {
    for (_, file, bytes) in FILES.iter().filter(|(owner, _, _)| *owner == name) {
        let path = dir.join(file);
        make_dir(path.parent().unwrap_or(dir))?;
        let mut out = fs::File::create(&path).map_err(DemoError::file("create", &path))?;
        let mut noise = Noise::new(*bytes);
        let mut left = *bytes;
        while left > 0 {
            let chunk = left.min(MIB);
            out.write_all(noise.bytes(chunk as usize)).map_err(DemoError::file("write", &path))?;
            left -= chunk;
        }
    }
    Ok(())
}

/// Makes a directory and those above it.
pub fn make_dir(path: &Path) -> Result<(), DemoError> {
    fs::create_dir_all(path).map_err(DemoError::file("create", path))
}

/// Makes a file and the directories above it.
pub fn write(path: &Path, content: &[u8]) -> Result<(), DemoError> {
    make_dir(path.parent().unwrap_or(path))?;
    fs::write(path, content).map_err(DemoError::file("write", path))
}

/// Makes an absolute symbolic link.
pub fn link(target: &Path, here: &Path) -> Result<(), DemoError> {
    symlink(target, here).map_err(DemoError::file("link", here))
}

/// Bytes that no filesystem compresses away (xorshift).
pub struct Noise {
    state: u64,
    buffer: Vec<u8>,
}

impl Noise {
    /// Different seeds give different bytes.
    pub fn new(seed: u64) -> Self {
        Self { state: seed | 1, buffer: Vec::new() }
    }

    /// The next `count` bytes, up to seven more at times cut off.
    pub fn bytes(&mut self, count: usize) -> &[u8] {
        self.buffer.clear();
        while self.buffer.len() < count {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            self.buffer.extend_from_slice(&self.state.to_le_bytes());
        }
        &self.buffer[..count]
    }
}
