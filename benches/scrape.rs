//! What a scrape costs: our page against the `prometheus` crate's text encoder, in CPU time of
//! this thread, over the same series, the two taking turns.
//!
//! `cargo bench --bench scrape`. Theirs is given a head start: the names, labels and values of
//! every series lie ready as borrowed strings and doubles, and what is counted is building the
//! `MetricFamily` values from them, encoding them, and dropping them, which a collector that is
//! asked at each scrape must do. Ours starts from the snapshot.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use plimsoll::expose::exposition::Format;
use plimsoll::expose::render::render;
use plimsoll::expose::rendered::Rendered;
use plimsoll::expose::{BuildInfo, Telemetry};
use plimsoll::model::Snapshot;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use rustix::time::{ClockId, clock_gettime};

#[path = "../tests/support/sample_snapshot.rs"]
mod sample_snapshot;

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
    println!(
        "series    bytes      crate: encode   build+encode   ours: render   ratio      second scrape   gzip: first   second   size"
    );
    for volumes in [34, 340, 3_450] {
        measure(&sample_snapshot::scaled(volumes));
    }
}

fn measure(snapshot: &Snapshot) {
    let page = render(snapshot, Format::Text, usize::MAX / 8);
    let text = String::from_utf8(page.chunks.concat()).expect("UTF-8");
    let families = parse(&text);
    let built = build(&families);
    let theirs = encode(&built);
    assert_eq!(theirs.lines().count(), text.lines().count());
    assert_eq!(lines(&theirs), lines(&text), "both write the same samples");

    let rounds = (3_000_000 / page.series).clamp(20, 2_000);
    let (mut only_encode, mut build_encode, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        only_encode.push(cpu(|| drop(black_box(encode(&built)))));
        build_encode.push(cpu(|| drop(black_box(encode(&build(&families))))));
        ours.push(cpu(|| drop(black_box(render(snapshot, Format::Text, usize::MAX / 8)))));
    }
    let (only_encode, build_encode, ours) =
        (median(only_encode), median(build_encode), median(ours));

    let telemetry = Telemetry::new(&BuildInfo::default()).expect("names are valid");
    let shared = Arc::new(snapshot.clone());
    let (mut again, mut gzip_first, mut gzip_again, mut size) =
        (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..(rounds / 20).max(5) {
        let rendered = Rendered::new(Arc::clone(&shared), usize::MAX / 8);
        rendered.metrics(Format::Text, false, &telemetry);
        again.push(cpu(|| drop(black_box(rendered.metrics(Format::Text, false, &telemetry)))));
        gzip_first.push(cpu(|| drop(black_box(rendered.metrics(Format::Text, true, &telemetry)))));
        gzip_again.push(cpu(|| drop(black_box(rendered.metrics(Format::Text, true, &telemetry)))));
        size =
            rendered.metrics(Format::Text, true, &telemetry).iter().map(|chunk| chunk.len()).sum();
    }
    println!(
        "{:<9} {:<10} {:<15} {:<14} {:<14} 1/{:<8.1} {:<15} {:<13} {:<8} {size}",
        page.series,
        text.len(),
        show(only_encode),
        show(build_encode),
        show(ours),
        build_encode.as_secs_f64() / ours.as_secs_f64(),
        show(median(again)),
        show(median(gzip_first)),
        show(median(gzip_again)),
    );
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
