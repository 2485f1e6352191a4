//! Who exists and who holds what.
//!
//! Each source ([`mesos`], [`docker`], [`directories`]) finds its own subjects; [`unite`] makes one
//! inventory of them, in which a directory is one subject whoever reports it.

pub mod directories;
pub mod dirs;
pub mod docker;
pub mod http;
pub mod mesos;
mod round;
mod sources;
mod unite;
pub mod watch;

pub use round::{Inode, Round};
pub use sources::Sources;
pub use unite::unite;
