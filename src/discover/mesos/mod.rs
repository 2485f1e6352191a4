//! An Apache Mesos or Clusterd agent.
//!
//! Three witnesses are read on their own and know nothing of each other; each returns plain
//! facts ([`facts`]). Joining them into one inventory is the only place where they meet.

pub mod checkpoint;
pub mod dirs;
pub mod external;
pub mod facts;
pub mod flags;
pub mod layout;
pub mod proto;
pub mod resource;
pub mod runtime;
#[cfg(test)]
mod testing;
