//! Control groups: where they are, and what their files say.
//!
//! The parsers take bytes and touch no operating system.

mod files;
mod find;
mod hierarchies;
mod kept;
mod membership;
mod rwstat;
mod text;
mod unified;

pub use files::{
    GroupFiles, GroupSettings, LimitFiles, Limits, Lost, RawDevice, RawDirection, Reading, Scope,
    settings,
};
pub use find::{Finder, Found, docker_id};
pub use hierarchies::{Hierarchies, Hierarchy};
pub use kept::{DescriptorRoom, KeptFile};
pub use membership::{Membership, own_group, parse_membership};
pub use rwstat::{Rwstat, parse_number, parse_per_device, parse_rwstat};
pub use text::Malformed;
pub use unified::{
    IoMax, IoStat, Pressure, parse_io_latency, parse_io_max, parse_io_stat, parse_pressure,
};
