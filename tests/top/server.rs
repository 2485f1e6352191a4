//! The real HTTP server on a made-up snapshot, in this process.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use plimsoll::expose::{AppState, BuildInfo, Telemetry, serve};
use plimsoll::model::Snapshot;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Ended when dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    /// Serves a snapshot on that port of 127.0.0.1; 0 is any.
    pub fn on(port: u16, snapshot: Snapshot) -> Self {
        let build =
            BuildInfo { version: "0".into(), revision: "0".into(), rustversion: "0".into() };
        let telemetry = Arc::new(Telemetry::new(&build, 1_700_000_000.0).expect("our own metrics"));
        let state = AppState::new(Arc::new(ArcSwap::from_pointee(snapshot)), telemetry, build);
        let runtime = Runtime::new().expect("threads");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).expect("a port");
        let address = listener.local_addr().expect("bound");
        runtime.spawn(serve(listener, Arc::new(state), std::future::pending()));
        Self { address, _runtime: runtime }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
