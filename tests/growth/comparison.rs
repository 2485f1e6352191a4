//! Cases that must stay silent, stores that fill, and the table of docs/growth.md.

use crate::prometheus::{Answers, Prometheus};
use crate::series::*;

pub type Case = (&'static str, Series, f64);

/// From `from` to `to` bytes between two times, as a throttled copy writes.
fn copy(t: f64, begin: f64, end: f64, from: f64, to: f64) -> f64 {
    from + (to - from) * ((t - begin) / (end - begin)).clamp(0.0, 1.0)
}

/// The recorded dumps beside a database, four times over: a day.
fn backup_trace() -> Series {
    let recorded = trace("mariadb-backup");
    let length = recorded[recorded.len() - 1].0 + MINUTE;
    (0..4)
        .flat_map(|turn| {
            recorded.iter().map(move |(t, bytes)| (t + f64::from(turn) * length, *bytes))
        })
        .collect()
}

/// None of these reaches its quota, however steep it looks for a while.
pub fn silent() -> Vec<Case> {
    let transfer = |t: f64| match t {
        // A node that held 55 GiB is wiped and refilled by its donor within 25 minutes.
        t if t < 6.0 * HOUR => 55.0 * GIB,
        t => copy(t, 6.1 * HOUR, 6.5 * HOUR, 0.5 * GIB, 56.0 * GIB) + 0.02 * GIB * noise(t),
    };
    let bootstrap = |t: f64| {
        // Streams for 6 hours; compaction needs up to 8 GiB more for a while.
        let tooth = t / 2_400.0;
        let compaction = if t < 12.0 * HOUR { 8.0 * GIB * (tooth - tooth.floor()) } else { 0.0 };
        copy(t, 0.0, 6.0 * HOUR, 0.1 * GIB, 60.0 * GIB) + compaction * (t / (6.0 * HOUR)).min(1.0)
    };
    let rebalance = |t: f64| copy(t, 8.0 * HOUR, 13.0 * HOUR, 42.0 * GIB, 60.0 * GIB);
    let backup = |t: f64| {
        // Every night a dump grows for 40 minutes, is kept for an hour, and goes.
        let night = (t + 20.0 * HOUR) % (24.0 * HOUR);
        let dump =
            if night < 1.7 * HOUR { 18.0 * GIB * (night / (0.7 * HOUR)).min(1.0) } else { 0.0 };
        50.0 * GIB + 0.01 * GIB * t / HOUR + dump
    };
    let step = |t: f64| if t < 5.0 * HOUR { 30.0 * GIB } else { 60.0 * GIB };
    let spike = |t: f64| if (t / MINUTE) as u64 == 300 { 95.0 * GIB } else { 30.0 * GIB };
    vec![
        ("Galera state transfer", made(12.0, transfer), 100.0 * GIB),
        ("Cassandra bootstrap", made(24.0, bootstrap), 100.0 * GIB),
        ("HDFS rebalance", made(24.0, rebalance), 100.0 * GIB),
        ("mysqld with nightly backup", made(72.0, backup), 100.0 * GIB),
        ("One step", made(12.0, step), 100.0 * GIB),
        ("One spike", made(12.0, spike), 100.0 * GIB),
        ("MariaDB with dumps beside it (recorded)", backup_trace(), 400e6),
        ("RabbitMQ fills and drains (recorded)", trace("rabbitmq"), 350e6),
        ("fjall, compaction (recorded)", trace("fjall"), 600e6),
    ]
}

/// Recorded stores with a quota that they reach.
pub fn filling() -> Vec<Case> {
    vec![
        ("MariaDB, inserts (recorded)", trace("mariadb"), 240e6),
        ("PostgreSQL, inserts (recorded)", trace("postgresql"), 155e6),
        ("Block files (recorded)", trace("blocks"), 290e6),
        ("redb, B-tree (recorded)", trace("redb"), 140e6),
        ("RabbitMQ fills (recorded)", trace("rabbitmq"), 130e6),
    ]
}

/// How long before it is full the verdict came to stay: from there on it is told in at least three
/// samples of four.
pub fn lead(verdicts: &[(f64, bool)], truth: f64) -> f64 {
    let (mut told, mut all, mut since) = (0, 0, truth);
    for (t, verdict) in verdicts.iter().rev().skip_while(|(t, _)| *t >= truth) {
        all += 1;
        told += u32::from(*verdict);
        if *verdict && told * 4 >= all * 3 {
            since = *t;
        }
    }
    truth - since
}

/// What the page shows: verdicts, and how far off the pace was an hour ahead.
struct Tables {
    verdicts: String,
    errors: String,
}

fn tables(cases: &[Case], prometheus: &Prometheus) -> Tables {
    let mut verdicts = String::from(
        "| series | quota reached after | Plimsoll, 4 h | Plimsoll, 24 h | `predict_linear` 1 h → 4 h | `predict_linear` 6 h → 24 h |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut errors = String::from(
        "| series | Plimsoll tells at | off by | 9 in 10 within | `deriv` tells at | off by | 9 in 10 within |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (at, (name, series, quota)) in cases.iter().enumerate() {
        let ask = |expression: &str| prometheus.at_each_sample(expression, at, series);
        let truth = full_at(series, *quota);
        let cell = |verdicts: Vec<(f64, bool)>| match truth {
            Some(truth) => format!("{:.0} min before", lead(&verdicts, truth) / MINUTE),
            None => match verdicts.iter().filter(|(_, told)| *told).count() {
                0 => "silent".into(),
                minutes => format!("**wrong for {minutes} min**"),
            },
        };
        let judged = judged(series, *quota);
        let ours = |horizon| cell(crate::within(&judged, horizon));
        let theirs = |expression: &str| {
            let answers = ask(expression);
            let told = answers.iter().map(|answer| answer.is_some_and(|bytes| bytes >= *quota));
            cell(series.iter().map(|(t, _)| *t).zip(told).collect())
        };
        let reached = truth.map_or("never".into(), |t| format!("{:.0} min", t / MINUTE));
        verdicts += &format!(
            "| {name} | {reached} | {} | {} | {} | {} |\n",
            ours(4.0 * HOUR),
            ours(24.0 * HOUR),
            theirs("predict_linear($[1h], 4 * 3600)"),
            theirs("predict_linear($[6h], 24 * 3600)"),
        );
        let ahead: Answers = judged
            .iter()
            .zip(series)
            .map(|((_, growth), (_, bytes))| {
                Some(bytes + growth.as_ref()?.confident_rate()? * HOUR)
            })
            .collect();
        let hour_ahead = ask("$ + deriv($[1h]) * 3600");
        let [ours, theirs] = [ahead, hour_ahead].map(|ahead| off_by(series, &ahead, *quota));
        errors += &format!("| {name} | {ours} | {theirs} |\n");
    }
    Tables { verdicts, errors }
}

/// At how many moments the bytes an hour later were told, and how far they were off then, as a
/// part of the quota: the median and nine tenths.
fn off_by(series: &Series, ahead: &Answers, quota: f64) -> String {
    let later = &series[(HOUR / MINUTE) as usize..];
    let mut errors: Vec<f64> = ahead
        .iter()
        .zip(later)
        .filter_map(|(told, (_, bytes))| Some(((*told)? - bytes).abs() / quota))
        .collect();
    errors.sort_by(f64::total_cmp);
    let told = errors.len() * 100 / later.len();
    let at = |part: f64| match errors.get((errors.len() as f64 * part) as usize) {
        Some(error) => format!("{:.1} %", error * 100.0),
        None => "–".into(),
    };
    format!("{told} % | {} | {}", at(0.5), at(0.9))
}

fn cases() -> Vec<Case> {
    filling().into_iter().chain(silent()).collect()
}

/// What a real Prometheus answers is what the formula says: neither was misunderstood.
fn agrees(cases: &[Case], prometheus: &Prometheus) {
    for (range, horizon) in [(HOUR, 4.0 * HOUR), (6.0 * HOUR, 24.0 * HOUR)] {
        let expression = format!("predict_linear($[{range}s], {horizon})");
        let mut compared = 0;
        for (at, (name, series, quota)) in cases.iter().enumerate() {
            let answers = prometheus.at_each_sample(&expression, at, series);
            let computed = predict_linear(series, range, horizon, prometheus.left_open);
            for ((computed, answer), (t, _)) in computed.iter().zip(&answers).zip(series) {
                let same = match (computed, answer) {
                    (Some(computed), Some(answer)) => (computed - answer).abs() <= 1e-6 * quota,
                    (computed, answer) => computed.is_none() && answer.is_none(),
                };
                assert!(same, "{name} after {t} s: {expression} is {answer:?}, not {computed:?}");
                compared += usize::from(answer.is_some());
            }
        }
        assert!(compared > 10_000, "{compared} moments of {expression}");
    }
}

/// The part of a page between two marks: before, inside, after.
fn parts<'a>(page: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
    let begin = format!("<!-- {name}: written by `UPDATE_DOCS=1 cargo test --test growth` -->\n");
    let end = format!("<!-- end of {name} -->");
    let at = page.find(&begin).unwrap_or_else(|| panic!("{begin}")) + begin.len();
    let to = at + page[at..].find(&end).unwrap_or_else(|| panic!("{end}"));
    (&page[..at], &page[at..to], &page[to..])
}

/// Asks a real Prometheus. `UPDATE_DOCS=1 cargo test --test growth` writes the tables anew.
#[test]
fn the_page_shows_what_is_measured() {
    let cases = cases();
    let series: Vec<&Series> = cases.iter().map(|(_, series, _)| series).collect();
    let prometheus = Prometheus::holding(&series);
    agrees(&cases, &prometheus);
    let tables = tables(&cases, &prometheus);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/growth.md");
    let mut page = std::fs::read_to_string(path).expect("docs/growth.md");
    let update = std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1");
    for (name, table) in [("verdicts", tables.verdicts), ("errors", tables.errors)] {
        let (before, shown, after) = parts(&page, name);
        if prometheus.left_open && !update {
            eprintln!("{name}: SKIPPED, the page was made with Prometheus 2, this is a later one");
        } else if update {
            page = format!("{before}{table}{after}");
        } else {
            assert_eq!(shown, table, "docs/growth.md: UPDATE_DOCS=1 cargo test --test growth");
        }
    }
    if update {
        std::fs::write(path, page).expect("written");
    }
}
