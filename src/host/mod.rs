//! The host underneath: where its roots are, what is mounted, and how to touch a path without
//! being caught by a hung mount. Every room uses this one; it knows nothing of Mesos or metrics.

pub mod capabilities;
pub mod devices;
pub mod errno;
pub mod guard;
pub mod landlock;
mod lane;
pub mod mounts;
pub mod names;
mod resolve;
pub mod roots;
pub mod source;
pub mod sys;
mod table;

pub use guard::{Guard, GuardError, Ticket, UnresponsiveMount};
pub use mounts::{MountEntry, MountTable};
pub use resolve::Resolution;
pub use roots::Roots;
