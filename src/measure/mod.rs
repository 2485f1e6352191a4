//! How much: samples of usage and of filesystems, taken on schedules of their own.

pub mod filesystems;
pub mod io;
pub mod network;
pub mod open_files;
pub mod targets;
pub mod tmpfs;
pub mod usage;
