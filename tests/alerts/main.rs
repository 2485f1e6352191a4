//! The rules for Prometheus, as Prometheus itself reads and evaluates them (`promtool`): each alert
//! fires for the host that it is about, with the labels it should have, and not where it must not.
//! And the files that are shipped.

mod alertmanager;
mod annotations;
mod cases;
mod command;
mod each;
mod monitoring;
mod promtool;
mod quiet;
mod samples;
mod shipped;
mod stages;
