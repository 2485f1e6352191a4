//! Alerts end to end: the real daemon, the real Alertmanager and Prometheus, and a webhook that takes
//! down who is told of what.

#[path = "../support/mod.rs"]
mod support;

#[path = "../daemon/scene.rs"]
mod scene;

mod alertmanager;
mod alone;
mod beside;
mod conditions;
mod host;
mod outages;
mod prometheus;
mod secured;
mod webhook;
