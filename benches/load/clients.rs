//! Scrapers: what they ask for and when, and what became of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One answer in so many is unpacked and looked at whole; all are counted to the last byte.
const LOOK: u64 = 100;
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Gzip,
    Plain,
}

#[derive(Clone, Copy)]
pub enum Schedule {
    /// So many a second, whatever becomes of them.
    Rate(u64),
    /// The next one as soon as the last is answered.
    Eager,
}

/// What became of all of them.
#[derive(Default)]
pub struct Answered {
    /// Seconds of each answer.
    times: Vec<f64>,
    bytes: u64,
    seconds: f64,
    pub errors: Vec<String>,
}

impl Answered {
    pub fn header() -> String {
        format!(
            "{:<26} {:>8} {:>5} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "", "answers", "lost", "a second", "MB/s", "50 % ms", "90 %", "99 %", "99.9 %", "all"
        )
    }

    pub fn row(&self, name: &str) -> String {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        let part = |part: f64| {
            let index = ((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1));
            times.get(index).map_or(f64::NAN, |seconds| seconds * 1e3)
        };
        format!(
            "{name:<26} {:>8} {:>5} {:>9.1} {:>9.1} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2}",
            times.len(),
            self.errors.len(),
            times.len() as f64 / self.seconds,
            self.bytes as f64 / self.seconds / 1e6,
            part(0.5),
            part(0.9),
            part(0.99),
            part(0.999),
            part(1.0),
        )
    }
}

struct Plan {
    address: String,
    kind: Kind,
    schedule: Schedule,
    start: Instant,
    time: Duration,
    next: AtomicU64,
}

impl Plan {
    /// The number of the next request, and when it is due.
    fn take(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = match self.schedule {
            Schedule::Rate(rate) => {
                self.start + Duration::from_nanos(number * 1_000_000_000 / rate)
            }
            Schedule::Eager => Instant::now(),
        };
        (due < self.start + self.time).then_some((number, due))
    }
}

pub async fn run(
    address: &str,
    kind: Kind,
    schedule: Schedule,
    connections: usize,
    time: Duration,
) -> Answered {
    let plan = Arc::new(Plan {
        address: address.to_owned(),
        kind,
        schedule,
        start: Instant::now(),
        time,
        next: AtomicU64::new(0),
    });
    let scrapers: Vec<_> =
        (0..connections).map(|_| tokio::spawn(scraper(Arc::clone(&plan)))).collect();
    let mut all = Answered::default();
    for scraper in scrapers {
        let one = scraper.await.expect("a scraper");
        all.times.extend(one.times);
        all.errors.extend(one.errors);
        all.bytes += one.bytes;
    }
    all.seconds = plan.start.elapsed().as_secs_f64();
    all
}

async fn scraper(plan: Arc<Plan>) -> Answered {
    let mut own = Answered::default();
    let mut stream: Option<TcpStream> = None;
    while let Some((number, due)) = plan.take() {
        tokio::time::sleep_until(due.into()).await;
        let answer = async {
            // The daemon ends a connection after some minutes; that is no loss.
            if let Some(kept) = stream.take()
                && let Ok((kept, size)) = scrape(kept, &plan, number).await
            {
                return Ok((kept, size));
            }
            let fresh = TcpStream::connect(&plan.address).await.map_err(|e| e.to_string())?;
            scrape(fresh, &plan, number).await
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok((kept, size))) => {
                own.times.push(due.elapsed().as_secs_f64());
                own.bytes += size as u64;
                stream = Some(kept);
            }
            Ok(Err(error)) => own.errors.push(error),
            Err(_) => own.errors.push(format!("no answer in {PATIENCE:?}")),
        }
    }
    own
}

/// One request on a connection; returns it with the bytes of the body.
async fn scrape(
    mut stream: TcpStream,
    plan: &Plan,
    number: u64,
) -> Result<(TcpStream, usize), String> {
    let encoding = if plan.kind == Kind::Gzip { "Accept-Encoding: gzip\r\n" } else { "" };
    let request = format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{encoding}\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(64 << 10);
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await.map_err(|error| error.to_string())? == 0 {
            return Err(format!("it broke off after {} bytes", bytes.len()));
        }
        let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse::<usize>().ok());
        break (end + 4, length.ok_or_else(|| format!("no length in {head}"))?);
    };
    let start = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if !start.starts_with("http/1.1 200 ") {
        return Err(start);
    }
    if start.contains("content-encoding: gzip") != (plan.kind == Kind::Gzip) {
        return Err("the encoding is another".into());
    }
    bytes.reserve_exact((head + length).saturating_sub(bytes.len()));
    while bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await.map_err(|error| error.to_string())? == 0 {
            return Err(format!("{} of {length} bytes came", bytes.len() - head));
        }
    }
    if number.is_multiple_of(LOOK) {
        look(&bytes[head..], plan.kind)?;
    }
    Ok((stream, length))
}

/// The page is whole.
fn look(body: &[u8], kind: Kind) -> Result<(), String> {
    let page = match kind {
        Kind::Gzip => std::io::read_to_string(flate2::read::MultiGzDecoder::new(body)),
        Kind::Plain => std::io::read_to_string(body),
    };
    let page = page.map_err(|error| error.to_string())?;
    let series = super::series(&page);
    if series < super::SERIES || !page.contains("plimsoll_build_info{") {
        return Err(format!("{series} series"));
    }
    Ok(())
}
