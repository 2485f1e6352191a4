//! `/sys/kernel/debug/ceph/FSID.clientID/`: what the CephFS client counts.
//!
//! Source: `fs/ceph/debugfs.c` and `net/ceph/debugfs.c` of the kernel. The table of latencies came
//! with Linux 5.8 (`metrics`, a directory of the same name since 5.14). Debugfs is for root only.

/// One row of a table: count, then what the table is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `read`, `write`, `metadata`, `copyfrom`.
    pub item: String,
    /// Requests.
    pub total: u64,
    /// Mean microseconds of a request, in a table of latencies.
    pub mean_micros: Option<u64>,
    /// Bytes in all, in a table of sizes.
    pub bytes: Option<u64>,
}

/// Reads `metrics/latency`, `metrics/size`, or `metrics` of older kernels, which holds both tables
/// one after the other.
pub fn parse_metrics(text: &[u8]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut table = Table::Unknown;
    for line in String::from_utf8_lossy(text).lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["item", _, second, ..] if second.starts_with("avg_lat") => table = Table::Latency,
            ["item", _, second, ..] if second.starts_with("avg_sz") => table = Table::Size,
            ["item", ..] => table = Table::Unknown,
            [item, total, mean, _, _, last] => {
                let (Ok(total), Ok(mean)) = (total.parse(), mean.parse()) else { continue };
                let item = (*item).to_owned();
                match table {
                    Table::Latency => {
                        rows.push(Row { item, total, mean_micros: Some(mean), bytes: None });
                    }
                    Table::Size => {
                        let Ok(bytes) = last.parse() else { continue };
                        rows.push(Row { item, total, mean_micros: None, bytes: Some(bytes) });
                    }
                    Table::Unknown => {}
                }
            }
            _ => {}
        }
    }
    rows
}

#[derive(Clone, Copy)]
enum Table {
    Latency,
    Size,
    Unknown,
}

/// Requests to the storage daemons that wait for an answer: the head of `osdc`.
pub fn parse_osdc(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.strip_prefix("REQUESTS ")?.split_ascii_whitespace().next()?.parse().ok()
}

/// Requests to the metadata servers that wait for an answer: a line each in `mdsc`.
pub fn parse_mdsc(text: &[u8]) -> u64 {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count() as u64
}
