//! Block I/O of containers, on the control groups of this very kernel.
//!
//! Needs root and a writable cgroup v1 `blkio` hierarchy that can limit the disk below `target/`;
//! where there is none, each test says loudly what it skips. Cgroup v2 is tested in the guest.

mod churn;
mod fixtures;
mod groups;
mod identity;
mod throttled;

#[path = "../support/daemon.rs"]
#[allow(dead_code)]
mod daemon;
