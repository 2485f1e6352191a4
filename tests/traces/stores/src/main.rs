//! Embedded stores at work, for `scripts/record-traces` to watch: `trace-stores STORE DIR SECONDS`.
//!
//! - `fjall`: a log-structured store with compaction. Most writes replace old values; a few are new.
//! - `redb`: a copy-on-write B-tree, committed once a second, with savings by deletion.
//! - `blocks`: files that only grow to a block's size and then stay, with a checksum beside each,
//!   as a data node of HDFS keeps them.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn Error>>;

/// Xorshift64: the payload must not compress.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// Calls `work` ten times a second until the time is over.
fn at_ten_hertz(seconds: u64, mut work: impl FnMut(u64) -> Outcome) -> Outcome {
    let started = Instant::now();
    for tick in 0..seconds * 10 {
        work(tick)?;
        let due = Duration::from_millis((tick + 1) * 100);
        std::thread::sleep(due.saturating_sub(started.elapsed()));
    }
    Ok(())
}

/// 1.5 MB/s of writes, of which 250 kB/s are keys never seen before.
fn fjall(dir: &Path, seconds: u64) -> Outcome {
    let db = fjall::Database::builder(dir).open()?;
    let options = || fjall::KeyspaceCreateOptions::default().max_memtable_size(6_000_000);
    let keyspace = db.keyspace("data", options)?;
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let mut keys: u64 = 20_000;
    for key in 0..keys {
        keyspace.insert(key.to_be_bytes(), noise.bytes(1_000))?;
    }
    at_ten_hertz(seconds, |_| {
        for _ in 0..125 {
            let key = noise.next() % keys;
            keyspace.insert(key.to_be_bytes(), noise.bytes(1_000))?;
        }
        for _ in 0..25 {
            keyspace.insert(keys.to_be_bytes(), noise.bytes(1_000))?;
            keys += 1;
        }
        Ok(())
    })
}

/// 500 kB/s of new rows; every minute the oldest tenth of them goes.
fn redb(dir: &Path, seconds: u64) -> Outcome {
    const ROWS: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("rows");
    let db = redb::Database::create(dir.join("data.redb"))?;
    let mut noise = Noise(0xD1B5_4A32_D192_ED03);
    let (mut oldest, mut newest) = (0_u64, 0_u64);
    at_ten_hertz(seconds, |tick| {
        if tick % 10 != 0 {
            return Ok(());
        }
        let write = db.begin_write()?;
        {
            let mut rows = write.open_table(ROWS)?;
            for _ in 0..500 {
                rows.insert(newest, noise.bytes(1_000).as_slice())?;
                newest += 1;
            }
            if tick % 600 == 590 {
                let end = oldest + (newest - oldest) / 10;
                while oldest < end {
                    rows.remove(oldest)?;
                    oldest += 1;
                }
            }
        }
        write.commit()?;
        Ok(())
    })
}

/// 1.2 MB/s into blocks of 8 MB, each with a checksum file (8 bytes a kilobyte).
fn blocks(dir: &Path, seconds: u64) -> Outcome {
    const BLOCK: usize = 8_000_000;
    const PACKET: usize = 120_000;
    let mut noise = Noise(0x2545_F491_4F6C_DD1D);
    let (mut number, mut held) = (0, BLOCK);
    let mut open = None;
    at_ten_hertz(seconds, |_| {
        if held >= BLOCK {
            number += 1;
            held = 0;
            let data = std::fs::File::create(dir.join(format!("blk_{number}")))?;
            let sums = std::fs::File::create(dir.join(format!("blk_{number}.meta")))?;
            open = Some((data, sums));
        }
        if let Some((data, sums)) = &mut open {
            data.write_all(&noise.bytes(PACKET))?;
            sums.write_all(&noise.bytes(PACKET / 128))?;
            held += PACKET;
        }
        Ok(())
    })
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, dir, seconds] = arguments.as_slice() else {
        return Err("usage: trace-stores fjall|redb|blocks DIR SECONDS".into());
    };
    let (dir, seconds) = (Path::new(dir), seconds.parse()?);
    match store.as_str() {
        "fjall" => fjall(dir, seconds),
        "redb" => redb(dir, seconds),
        "blocks" => blocks(dir, seconds),
        other => Err(format!("no such store: {other}").into()),
    }
}
