//! The last room from outside: pages, formats, and the server over real sockets.
#![recursion_limit = "256"] // a whole row as one json!

#[path = "../support/sample_snapshot.rs"]
mod sample_snapshot;

mod api;
mod bound;
mod catalogue;
mod formats;
mod http;
mod openmetrics;
mod status;

use bytes::Bytes;
use plimsoll::expose::exposition::Format;
use plimsoll::expose::render::render;
use plimsoll::expose::telemetry::Told;
use plimsoll::expose::{BuildInfo, Telemetry};
use plimsoll::model::Snapshot;

/// A whole page, with something in every family of the telemetry.
fn page(snapshot: &Snapshot, format: Format) -> String {
    let mut chunks = render(snapshot, format, 100_000).chunks;
    chunks.push(telemetry().render(format).into());
    text(&chunks)
}

fn text(chunks: &[Bytes]) -> String {
    String::from_utf8(chunks.concat()).expect("UTF-8")
}

fn telemetry() -> Telemetry {
    let telemetry = Telemetry::new(&build(), 1_700_000_000.0).expect("names are valid");
    telemetry.source_error("mesos_checkpoint", "malformed");
    telemetry.usage_cpu(12.5);
    telemetry.usage_inodes(1_000_000);
    telemetry.usage_passes("complete", 1);
    telemetry.usage_fanotify(&Told::default()).expect("names are valid");
    let alerting = telemetry.alerting();
    alerting.alerts(2, 0);
    alerting.begin("am1:9093");
    alerting.request("am1:9093", 0.02);
    alerting.accepted("am1:9093", 2, 1_700_000_000.0);
    alerting.failed("am2:9093", "refused");
    alerting.pending("am2:9093", 2);
    telemetry
}

fn build() -> BuildInfo {
    BuildInfo {
        version: "0.1.0".into(),
        revision: "0123456789abcdef".into(),
        rustversion: "1.88.0".into(),
    }
}
