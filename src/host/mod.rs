//! The host underneath: where its roots are, what is mounted, and how to touch a path without
//! being caught by a hung mount. Every room uses this one; it knows nothing of Mesos or metrics.

pub mod names;
pub mod roots;

pub use roots::Roots;
