//! Plimsoll: the load line for the storage of a cluster's tasks.
//!
//! Data flows one way, and the modules are named after it:
//! [`discover`] → `measure` → `judge` → `expose`, with [`model`] as the language they share.
//! [`host`] is the ground they stand on.

pub mod demo;
pub mod discover;
pub mod host;
pub mod model;
