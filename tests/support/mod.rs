//! Fixtures that several integration tests share.
#![allow(dead_code, missing_docs)]

pub mod du;
pub mod hungfs;
pub mod mounts;
