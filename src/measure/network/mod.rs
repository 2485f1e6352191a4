//! Network filesystems: bytes, requests and their times as the kernel's clients count them, and
//! whether the server answers.
//!
//! Counters come from `/proc` and `/sys` alone: no mount is touched for them, and none is walked.
//! The one call into a mount is a guarded `statfs` that tells whether it answers.

pub mod ceph;
pub mod cifs;
mod meter;
pub mod mountstats;
mod namespaces;
mod readers;
mod report;

#[cfg(test)]
mod scene_tests;
#[cfg(test)]
mod tests;

pub use meter::{NetworkMeter, NetworkReport};
