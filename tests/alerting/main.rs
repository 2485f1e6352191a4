//! Alerts end to end: the real daemon, the real Alertmanager and Prometheus, and a webhook that takes
//! down who is told of what.

#[path = "../support/mod.rs"]
mod support;

#[path = "../daemon/scene.rs"]
#[allow(dead_code)] // each test binary uses its own part of this
mod scene;

#[path = "../io/groups.rs"]
#[allow(dead_code)]
mod groups;

mod alertmanager;
mod alone;
mod beside;
mod conditions;
mod host;
mod outages;
mod prometheus;
mod secured;
mod webhook;
