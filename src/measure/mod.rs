//! How much: samples of usage and of filesystems, taken on schedules of their own.

pub mod filesystems;
pub mod io;
pub mod targets;
pub mod usage;
