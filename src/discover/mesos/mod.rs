//! An Apache Mesos or Clusterd agent.
//!
//! Three witnesses are read on their own and know nothing of each other; each returns plain
//! facts ([`facts`]): the API ([`api`]), the checkpoint ([`checkpoint`]), and what lies on disk
//! ([`layout`], [`runtime`]). [`join`] is the only place where they meet, and [`MesosSource`] runs
//! one round of it all.

pub mod api;
pub mod checkpoint;
mod containers;
pub mod external;
mod external_places;
pub mod facts;
pub mod flags;
pub mod join;
pub mod layout;
pub mod locate;
pub mod master;
pub mod proto;
mod report;
pub mod resource;
pub mod runtime;
pub mod settings;
mod source;
#[cfg(test)]
mod testing;
mod watched;

pub use source::MesosSource;
