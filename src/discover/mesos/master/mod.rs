//! The master, asked as little as can be: which roles have a registered framework ([`roles`]), and
//! for service discovery which agents there are ([`agents`]). A standby's redirect to the leader is
//! followed.

pub mod agents;
mod ask;
pub mod roles;
#[cfg(test)]
mod testing;

pub use roles::MasterSource;
