//! Serves a made-up host, to look at the status page and the metrics while working on them:
//! `cargo run --example sample_server [well|troubled|empty] [ADDRESS]`.

use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use plimsoll::expose::{AppState, BuildInfo, Telemetry, serve};
use plimsoll::model::Snapshot;

#[path = "../tests/support/sample_snapshot.rs"]
mod sample_snapshot;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut snapshot = match arguments.next().as_deref() {
        Some("well") => sample_snapshot::well(),
        Some("empty") => Snapshot::default(),
        _ => sample_snapshot::troubled(),
    };
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:10061".into());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    let later = now - 4.0 - snapshot.taken_at;
    shift(&mut snapshot, later);

    let build = BuildInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: "unknown".into(),
        rustversion: "unknown".into(),
    };
    let telemetry = Arc::new(Telemetry::new(&build, 1_700_000_000.0)?);
    let state = AppState::new(Arc::new(ArcSwap::from_pointee(snapshot)), telemetry, build);
    let listener = tokio::net::TcpListener::bind(&address)
        .await
        .with_context(|| format!("listening on {address}"))?;
    println!("http://{address}/");
    serve(listener, Arc::new(state), std::future::pending()).await?;
    Ok(())
}

/// Moves a snapshot in time, so that its ages look as they would on a live host.
fn shift(snapshot: &mut Snapshot, seconds: f64) {
    snapshot.taken_at += seconds;
    for view in &mut snapshot.volumes {
        view.volume.created = view.volume.created.map(|at| at + seconds);
        view.measured.sample.iter_mut().for_each(|sample| sample.measured_at += seconds);
    }
    for view in &mut snapshot.sandboxes {
        view.measured.sample.iter_mut().for_each(|sample| sample.measured_at += seconds);
    }
    for sample in &mut snapshot.filesystems {
        sample.usage.iter_mut().for_each(|usage| usage.measured_at += seconds);
    }
}
