//! What is looked at, and whether it stayed flat.

use std::time::Instant;

use crate::daemon::Daemon;

/// Most of a drift over the whole run, in parts of the median.
const DRIFT: f64 = 0.05;
/// The start of the run, in parts of it, that is not judged: caches and arenas fill.
const WARM_UP: f64 = 0.25;

/// Name, the drift that is nothing whatever the median is, and decimals.
const COLUMNS: [(&str, f64, usize); 6] = [
    ("RSS MB", 2.0, 1),
    ("of it anonymous", 2.0, 1),
    ("descriptors", 2.0, 0),
    ("threads", 2.0, 0),
    ("series", 10.0, 0),
    ("page kB", 5.0, 1),
];

#[derive(Default)]
pub struct Samples {
    start: Option<Instant>,
    /// Minutes since the start, and a value for each column.
    rows: Vec<(f64, [f64; 6])>,
    printed: f64,
}

impl Samples {
    pub fn header(&self) {
        let names = COLUMNS.map(|(name, ..)| format!("{name:>15}"));
        println!("{:>6} {}  load average", "minute", names.join(" "));
    }

    pub fn look(&mut self, daemon: &Daemon) {
        let start = *self.start.get_or_insert_with(Instant::now);
        let minute = start.elapsed().as_secs_f64() / 60.0;
        let status = read(&format!("/proc/{}/status", daemon.pid()));
        let line = |name: &str| -> f64 {
            let found = status.lines().find_map(|line| line.strip_prefix(name));
            let number = found.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            number.unwrap_or_else(|| panic!("{name} in {status}"))
        };
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("it runs");
        let page = daemon.get("/metrics").body;
        let series = page.lines().filter(|line| !line.starts_with('#')).count();
        let row = [
            line("VmRSS:") * 1024.0 / 1e6,
            line("RssAnon:") * 1024.0 / 1e6,
            descriptors.count() as f64,
            line("Threads:"),
            series as f64,
            page.len() as f64 / 1e3,
        ];
        self.rows.push((minute, row));
        if minute >= self.printed {
            self.printed += 1.0;
            let cells = std::array::from_fn::<_, 6, _>(|column| {
                let decimals = COLUMNS[column].2;
                format!("{:>15.decimals$}", row[column])
            });
            println!("{minute:>6.0} {}  {}", cells.join(" "), load());
        }
    }

    /// Prints it, a line for each column.
    pub fn verdict(&self) -> bool {
        let whole = self.rows.last().map_or(0.0, |(minute, _)| *minute);
        let judged: Vec<_> =
            self.rows.iter().filter(|(minute, _)| *minute >= whole * WARM_UP).collect();
        println!("\njudged: {} looks of the last {:.0} %", judged.len(), (1.0 - WARM_UP) * 100.0);
        let mut all = true;
        for (column, (name, nothing, decimals)) in COLUMNS.into_iter().enumerate() {
            let points: Vec<(f64, f64)> =
                judged.iter().map(|(minute, row)| (*minute, row[column])).collect();
            let mut values: Vec<f64> = points.iter().map(|point| point.1).collect();
            values.sort_by(f64::total_cmp);
            let (Some(least), Some(most)) = (values.first(), values.last()) else { return false };
            let median = values[values.len() / 2];
            let slope = slope(&points);
            let drift = slope * whole * (1.0 - WARM_UP);
            let flat = drift <= nothing.max(DRIFT * median);
            all &= flat;
            println!(
                "{name:>15}: median {median:.decimals$}, from {least:.decimals$} to \
                 {most:.decimals$}, slope {:+.2} an hour, drift {drift:+.2}: {}",
                slope * 60.0,
                if flat { "flat" } else { "NOT FLAT" }
            );
        }
        all
    }
}

/// Theil and Sen: the median of the slopes between all pairs, which what comes and goes does not
/// bend.
fn slope(points: &[(f64, f64)]) -> f64 {
    let mut slopes: Vec<f64> = points
        .iter()
        .enumerate()
        .flat_map(|(index, a)| points[index + 1..].iter().map(move |b| (b.1 - a.1) / (b.0 - a.0)))
        .collect();
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or(0.0)
}

/// Of one, five and fifteen minutes.
pub fn load() -> String {
    read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
