//! Cases that must stay silent, stores that fill, and the table of docs/growth.md.

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

fn table() -> String {
    let mut out = String::from(
        "| series | quota reached after | Plimsoll, 4 h | Plimsoll, 24 h | `predict_linear` 1 h → 4 h | `predict_linear` 6 h → 24 h |\n\
         |---|---|---|---|---|---|\n",
    );
    for (name, series, quota) in filling().into_iter().chain(silent()) {
        let truth = full_at(&series, quota);
        let cell = |verdicts: Vec<(f64, bool)>| match truth {
            Some(truth) => format!("{:.0} min before", lead(&verdicts, truth) / MINUTE),
            None => match verdicts.iter().filter(|(_, told)| *told).count() {
                0 => "silent".into(),
                minutes => format!("**wrong for {minutes} min**"),
            },
        };
        let judged = judged(&series, quota);
        let ours = |horizon| cell(crate::within(&judged, horizon));
        let theirs = |range, horizon| {
            let verdicts = predict_linear(&series, quota, range, horizon);
            cell(series.iter().map(|(t, _)| *t).zip(verdicts).collect())
        };
        let reached = truth.map_or("never".into(), |t| format!("{:.0} min", t / MINUTE));
        out += &format!(
            "| {name} | {reached} | {} | {} | {} | {} |\n",
            ours(4.0 * HOUR),
            ours(24.0 * HOUR),
            theirs(HOUR, 4.0 * HOUR),
            theirs(6.0 * HOUR, 24.0 * HOUR),
        );
    }
    out
}

/// `UPDATE_DOCS=1 cargo test --test growth` writes the table anew.
#[test]
fn the_page_shows_what_is_measured() {
    const BEGIN: &str = "<!-- table: written by `UPDATE_DOCS=1 cargo test --test growth` -->\n";
    const END: &str = "<!-- end of table -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/growth.md");
    let page = std::fs::read_to_string(path).expect("docs/growth.md");
    let (before, rest) = page.split_once(BEGIN).expect("the table's begin");
    let (shown, after) = rest.split_once(END).expect("the table's end");
    let table = table();
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).expect("written");
        return;
    }
    assert_eq!(shown, table, "docs/growth.md: UPDATE_DOCS=1 cargo test --test growth");
}
