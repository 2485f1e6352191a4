//! The real binary on a captured scene: what a person, Prometheus and a browser see of it.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod bombs;
mod browser;
mod directories;
mod golden;
mod history;
mod hung;
mod network;
mod notice;
mod prometheus;
mod scene;
mod service_discovery;
mod service_manager;
mod surfaces;
mod web;
