//! The last room: turns one immutable [`Snapshot`](crate::model::Snapshot) into what is asked
//! for. Nothing here touches a path of a watched tree: a scrape costs memory and CPU only.
//!
//! [`catalogue`] declares every metric, [`render`] writes them in the formats of [`exposition`],
//! [`rows`] is the JSON API's and the command line's form of the same facts, [`status`] the page
//! for people, [`rules`] are Prometheus' alerts of the same conditions, [`rendered`] keeps what was made of a snapshot, [`http`] serves it all,
//! and [`web`] stands before it.

pub use crate::judge::agent_resources;
pub mod alertmanager;
pub mod api;
pub mod catalogue;
pub mod exposition;
pub mod http;
pub mod paths;
pub mod process;
pub mod render;
pub mod rendered;
pub mod rows;
pub mod rules;
pub mod service_discovery;
pub mod status;
pub mod telemetry;
pub mod web;

pub use http::{AppState, Reloader, serve};
pub use telemetry::{BuildInfo, Telemetry};
