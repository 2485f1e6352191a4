//! Who exists and who holds what.
pub mod mesos;
pub mod watch;
