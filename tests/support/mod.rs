//! What the integration tests share.
#![allow(dead_code)] // each test binary uses its own part of this

pub mod changes;
pub mod daemon;
pub mod denied;
pub mod du;
pub mod engine;
pub mod hungfs;
pub mod master;
pub mod mmap;
pub mod mounts;
pub mod podman;
pub mod process;
pub mod replay;
