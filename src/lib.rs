//! Plimsoll: the load line for the storage of a cluster's tasks.
//!
//! Data flows one way, and the modules are named after it:
//! [`discover`] → `measure` → `judge` → `expose`, with [`model`] as the language they share.
//! [`host`] is the ground they stand on.

pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod discover;
pub mod expose;
pub mod host;
pub mod judge;
pub mod measure;
pub mod model;
pub mod pipeline;
pub mod text;

// The tests' sample snapshots name this crate as users of it do.
#[cfg(test)]
extern crate self as plimsoll;
