//! What was made of one snapshot, kept until the next one.
//!
//! Each form is made at most once, when it is first asked for, and shared by every answer. Only
//! the few families of [`Telemetry`] are written anew at each scrape, because they change
//! between snapshots; they are the page's last part, in its compressed form too.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::api::Resource;
use super::exposition::{Format, recycle};
use super::render::render_into;
use super::telemetry::Telemetry;
use crate::model::Snapshot;

/// A gzip header without name and time, made on Unix (RFC 1952, section 2.3).
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// Forms of one snapshot.
#[derive(Debug)]
pub struct Rendered {
    snapshot: Arc<Snapshot>,
    max_series: usize,
    metrics: [Lazy; 2],
    api: [Lazy; Resource::ALL.len()],
    /// Memory of the page before, for the first page that is made.
    spare: Mutex<Vec<Vec<u8>>>,
}

#[derive(Debug, Default)]
struct Lazy {
    plain: OnceLock<Vec<Bytes>>,
    packed: OnceLock<Packed>,
}

/// Start of a gzip member: header and deflate blocks up to a byte boundary, not yet ended.
#[derive(Debug)]
struct Packed {
    bytes: Bytes,
    /// Checksum and length of what is inside.
    crc: Crc,
}

impl Rendered {
    /// Nothing is made yet.
    pub fn new(snapshot: Arc<Snapshot>, max_series: usize) -> Self {
        Self {
            snapshot,
            max_series,
            metrics: Default::default(),
            api: Default::default(),
            spare: Mutex::default(),
        }
    }

    /// The same, made in the memory of an older one that nobody uses any more.
    fn after(old: Self, snapshot: Arc<Snapshot>, max_series: usize) -> Self {
        let pages = old.metrics.into_iter().filter_map(|lazy| lazy.plain.into_inner());
        let spare = pages.flat_map(recycle).collect();
        Self { spare: Mutex::new(spare), ..Self::new(snapshot, max_series) }
    }

    /// The snapshot all this is made of.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// `/metrics`, as chunks that follow each other.
    pub fn metrics(&self, format: Format, gzip: bool, telemetry: &Telemetry) -> Vec<Bytes> {
        let lazy = &self.metrics[match format {
            Format::Text => 0,
            Format::OpenMetrics => 1,
        }];
        let tail = telemetry.render(format);
        let plain = || lazy.plain.get_or_init(|| self.page(format));
        if !gzip {
            let mut chunks = plain().clone();
            chunks.push(tail.into());
            return chunks;
        }
        let packed = lazy.packed.get_or_init(|| pack(plain()));
        vec![packed.bytes.clone(), finish(packed, &tail)]
    }

    fn page(&self, format: Format) -> Vec<Bytes> {
        let spare = std::mem::take(&mut *self.spare.lock().unwrap_or_else(PoisonError::into_inner));
        render_into(&self.snapshot, format, self.max_series, spare).chunks
    }

    /// An answer of the API.
    pub fn api(&self, resource: Resource, gzip: bool) -> Result<Vec<Bytes>, serde_json::Error> {
        let position = Resource::ALL.iter().position(|listed| *listed == resource).unwrap_or(0);
        let lazy = &self.api[position];
        let plain = match lazy.plain.get() {
            Some(plain) => plain,
            None => {
                let made = resource.render(&self.snapshot)?;
                lazy.plain.get_or_init(|| vec![made.into()])
            }
        };
        if !gzip {
            return Ok(plain.clone());
        }
        let packed = lazy.packed.get_or_init(|| pack(plain));
        Ok(vec![packed.bytes.clone(), finish(packed, b"")])
    }
}

/// Keeps the forms of the newest snapshot that was asked for.
#[derive(Debug, Default)]
pub struct Cache {
    newest: Mutex<Option<Arc<Rendered>>>,
}

impl Cache {
    /// The forms of this snapshot: those kept, when they are of the same one.
    pub fn of(&self, snapshot: Arc<Snapshot>, max_series: usize) -> Arc<Rendered> {
        // The lock is held for a comparison only; a panic elsewhere cannot have left it half done.
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = newest.as_ref()
            && Arc::ptr_eq(&kept.snapshot, &snapshot)
            && kept.max_series == max_series
        {
            return Arc::clone(kept);
        }
        let old = newest.take().and_then(Arc::into_inner);
        let fresh = Arc::new(match old {
            Some(old) => Rendered::after(old, snapshot, max_series),
            None => Rendered::new(snapshot, max_series),
        });
        *newest = Some(Arc::clone(&fresh));
        fresh
    }
}

/// One whole gzip member.
pub fn gzip(data: Bytes) -> Vec<Bytes> {
    let packed = pack(&[data]);
    vec![packed.bytes.clone(), finish(&packed, b"")]
}

fn pack(chunks: &[Bytes]) -> Packed {
    let mut bytes = GZIP_HEADER.to_vec();
    let mut crc = Crc::new();
    // Level 1: pages of metrics shrink to a tenth anyway, and higher levels cost several times
    // the CPU for a fifth less.
    let mut stream = Compress::new(Compression::fast(), false);
    for chunk in chunks {
        crc.update(chunk);
        deflate(&mut stream, chunk, FlushCompress::None, &mut bytes);
    }
    // A sync flush ends on a byte boundary without ending the stream.
    deflate(&mut stream, b"", FlushCompress::Sync, &mut bytes);
    bytes.shrink_to_fit();
    Packed { bytes: bytes.into(), crc }
}

/// The rest of a gzip member: the tail's own blocks, which refer to nothing before them, then the
/// trailer over the whole. One member, because some clients read only the first of several.
fn finish(packed: &Packed, tail: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    let mut stream = Compress::new(Compression::fast(), false);
    deflate(&mut stream, tail, FlushCompress::Finish, &mut bytes);
    let mut of_tail = Crc::new();
    of_tail.update(tail);
    let mut whole = Crc::new();
    whole.combine(&packed.crc);
    whole.combine(&of_tail);
    bytes.extend_from_slice(&whole.sum().to_le_bytes());
    bytes.extend_from_slice(&whole.amount().to_le_bytes());
    bytes.into()
}

fn deflate(stream: &mut Compress, data: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
    let before = stream.total_in();
    loop {
        out.reserve(4096 + data.len() / 8);
        let read = (stream.total_in() - before) as usize;
        match stream.compress_vec(&data[read..], out, flush) {
            Ok(Status::StreamEnd) => return,
            Ok(_) if matches!(flush, FlushCompress::Finish) => {}
            Ok(_) => {
                // Room that is left shows that nothing waits inside to be written.
                let all_read = (stream.total_in() - before) as usize == data.len();
                if all_read && out.len() < out.capacity() {
                    return;
                }
            }
            Err(error) => unreachable!("deflate has no invalid input: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::expose::telemetry::BuildInfo;

    /// Decodes one member and demands that nothing follows it.
    fn unpack(chunks: &[Bytes]) -> Vec<u8> {
        let bytes = chunks.concat();
        let mut decoder = GzDecoder::new(bytes.as_slice());
        let mut out = Vec::new();
        decoder.read_to_end(&mut out).expect("valid gzip");
        assert!(decoder.into_inner().is_empty(), "bytes after the member");
        out
    }

    #[test]
    fn start_and_tail_make_one_member() {
        let noise: Vec<u8> =
            (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for data in [&b""[..], b"a", b"abc abc abc abc", &noise, &vec![b'x'; 3_000_000]] {
            let data = Bytes::copy_from_slice(data);
            assert!(unpack(&gzip(data.clone())) == data);
            let half = data.len() / 2;
            let packed = pack(&[data.slice(..half), data.slice(half..)]);
            for tail in [&b""[..], b"tail", &noise] {
                let whole = unpack(&[packed.bytes.clone(), finish(&packed, tail)]);
                assert!(whole == [&data, tail].concat());
            }
        }
        assert!(gzip(vec![b'x'; 3_000_000].into()).concat().len() < 30_000);
    }

    #[test]
    fn forms_are_made_once_per_snapshot() {
        let telemetry = Telemetry::new(&BuildInfo::default(), 0.0).expect("names are valid");
        let cache = Cache::default();
        let snapshot = Arc::new(Snapshot::default());
        let first = cache.of(Arc::clone(&snapshot), 100);
        let again = cache.of(Arc::clone(&snapshot), 100);
        assert!(Arc::ptr_eq(&first, &again));
        let a = first.metrics(Format::Text, false, &telemetry);
        let b = again.metrics(Format::Text, false, &telemetry);
        assert_eq!(a[0].as_ptr(), b[0].as_ptr());
        let a = first.metrics(Format::OpenMetrics, true, &telemetry);
        let b = again.metrics(Format::OpenMetrics, true, &telemetry);
        assert_eq!(a[0].as_ptr(), b[0].as_ptr());
        assert!(unpack(&a).ends_with(b"\n# EOF\n"));

        let next = cache.of(Arc::new(Snapshot { sequence: 1, ..Snapshot::default() }), 100);
        assert_eq!(next.snapshot().sequence, 1);
        assert_eq!(first.snapshot().sequence, 0);
    }
}
