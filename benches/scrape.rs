//! What a scrape costs: our page against the `prometheus` crate's text encoder, in CPU time of
//! this thread, over the same series, the two taking turns.
//!
//! `cargo bench --bench scrape`. Theirs is given a head start: the names, labels and values of
//! every series lie ready as borrowed strings and doubles, and what is counted is building the
//! `MetricFamily` values from them, encoding them, and dropping them, which a collector that is
//! asked at each scrape must do. Ours starts from the snapshot.
//! Compression is counted apart, theirs at the usual level 6, ours at the level the server uses.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use plimsoll::expose::exposition::{Format, recycle};
use plimsoll::expose::render::{render, render_into};
use plimsoll::expose::rendered::Rendered;
use plimsoll::expose::{BuildInfo, Telemetry};
use plimsoll::model::Snapshot;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use rustix::time::{ClockId, clock_gettime};

#[path = "../tests/support/sample_snapshot.rs"]
mod sample_snapshot;

/// A bound that nothing reaches.
const ALL: usize = usize::MAX / 8;

struct Series {
    labels: Vec<(String, String)>,
    value: f64,
}

struct Family {
    name: String,
    help: String,
    counter: bool,
    series: Vec<Series>,
}

fn main() {
    for volumes in [34, 340, 3_450] {
        measure(&sample_snapshot::scaled(volumes));
    }
}

fn measure(snapshot: &Snapshot) {
    let page = render(snapshot, Format::Text, ALL);
    let text = String::from_utf8(page.chunks.concat()).expect("UTF-8");
    let families = parse(&text);
    let built = build(&families);
    assert_eq!(lines(&encode(&built)), lines(&text), "both write the same samples");

    let telemetry = Telemetry::new(&BuildInfo::default(), 0.0).expect("names are valid");
    let shared = Arc::new(snapshot.clone());
    let rounds = (3_000_000 / page.series).clamp(20, 2_000);
    let mut spare = recycle(page.chunks);
    let mut times: [Vec<Duration>; 9] = Default::default();
    let mut size = 0;
    for _ in 0..rounds {
        let mut encoded = String::new();
        times[0].push(cpu(|| encoded = encode(&built)));
        times[1].push(cpu(|| drop(black_box(encode(&build(&families))))));
        times[2].push(cpu(|| drop(black_box(gzip(encoded.as_bytes())))));

        times[3].push(cpu(|| drop(black_box(render(snapshot, Format::Text, ALL)))));
        times[4].push(cpu(|| {
            spare = recycle(
                render_into(snapshot, Format::Text, ALL, std::mem::take(&mut spare)).chunks,
            );
        }));
        let rendered = Rendered::new(Arc::clone(&shared), ALL);
        rendered.metrics(Format::Text, false, &telemetry);
        times[5].push(cpu(|| drop(black_box(rendered.metrics(Format::Text, false, &telemetry)))));
        times[6].push(cpu(|| drop(black_box(rendered.metrics(Format::Text, true, &telemetry)))));
        times[7].push(cpu(|| drop(black_box(rendered.metrics(Format::Text, true, &telemetry)))));
        times[8].push(cpu(|| drop(black_box(telemetry.render(Format::Text)))));
        size =
            rendered.metrics(Format::Text, true, &telemetry).iter().map(|chunk| chunk.len()).sum();
    }
    let [encode, build_encode, their_gzip, fresh, ours, again, gzip, gzip_again, own] =
        times.map(median);
    let theirs = build_encode.as_secs_f64();
    println!(
        "\n{} series, {} bytes, gzip {size} bytes (CPU, median of {rounds})",
        page.series,
        text.len()
    );
    println!("  prometheus crate: encode only                {}", show(encode));
    println!("  prometheus crate: build families and encode  {}", show(build_encode));
    println!(
        "  ours: render into fresh memory               {}  1/{:.1}",
        show(fresh),
        theirs / fresh.as_secs_f64()
    );
    println!(
        "  ours: render into the page before            {}  1/{:.1}",
        show(ours),
        theirs / ours.as_secs_f64()
    );
    println!(
        "  ours: scrape again before the next snapshot  {}  1/{:.1}",
        show(again),
        theirs / again.as_secs_f64()
    );
    println!("     of it, Plimsoll's own counters            {}", show(own));
    println!("  gzip of the crate's page                     {}", show(their_gzip));
    println!("  ours: gzip                                   {}", show(gzip));
    println!("  ours: gzip again before the next snapshot    {}", show(gzip_again));
}

fn gzip(page: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(page).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// CPU time this thread spends in `work`.
fn cpu(work: impl FnOnce()) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    };
    let start = now();
    work();
    now() - start
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn show(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

fn encode(families: &[MetricFamily]) -> String {
    let mut out = Vec::new();
    TextEncoder::new().encode(families, &mut out).expect("writing to memory");
    String::from_utf8(out).expect("UTF-8")
}

fn build(families: &[Family]) -> Vec<MetricFamily> {
    families
        .iter()
        .map(|family| {
            let mut built = MetricFamily::default();
            built.set_name(family.name.clone());
            built.set_help(family.help.clone());
            built.set_field_type(if family.counter {
                MetricType::COUNTER
            } else {
                MetricType::GAUGE
            });
            let series: Vec<Metric> = family
                .series
                .iter()
                .map(|series| {
                    let labels: Vec<LabelPair> = series
                        .labels
                        .iter()
                        .map(|(name, value)| {
                            let mut pair = LabelPair::default();
                            pair.set_name(name.clone());
                            pair.set_value(value.clone());
                            pair
                        })
                        .collect();
                    let mut metric = Metric::from_label(labels);
                    if family.counter {
                        let mut counter = Counter::default();
                        counter.set_value(series.value);
                        metric.set_counter(counter);
                    } else {
                        let mut gauge = Gauge::default();
                        gauge.set_value(series.value);
                        metric.set_gauge(gauge);
                    }
                    metric
                })
                .collect();
            built.set_metric(series);
            built
        })
        .collect()
}

/// Takes a page of ours apart; the sample snapshots hold no character that is escaped.
fn parse(page: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("help");
            families.push(Family {
                name: name.into(),
                help: help.into(),
                counter: false,
                series: Vec::new(),
            });
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            families.last_mut().expect("help comes first").counter = rest.ends_with(" counter");
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let labels =
                series.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
            let labels = labels
                .split_terminator("\",")
                .map(|pair| pair.split_once("=\"").expect("a label"))
                .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()))
                .collect();
            let value = value.parse().expect("a number");
            families.last_mut().expect("help comes first").series.push(Series { labels, value });
        }
    }
    families
}

/// Lines with their values as doubles, so that forms of one number are equal.
fn lines(page: &str) -> Vec<(&str, f64)> {
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').expect("a value"))
        .map(|(series, value)| (series, value.parse().expect("a number")))
        .collect()
}
