//! Hot files: what is remembered of a subject's tree between two full passes, and how a value is
//! made of it by looking only at what is likely to have moved.
//!
//! A full pass (an ordinary [walk](super::Walk)) leaves a [`Tree`]: every directory with its change
//! time, inode, size and allocated blocks of every file, and the *hot* files by name: those that
//! changed within the last [`WINDOW`]. A refresh looks at every directory (a tenth of the cost
//! of a pass or less), lists again those whose change time moved and looks at what is new there,
//! and looks at the hot files: at each one while it changes, at one that was still for a time after
//! an eighth of that, and at one that was only made after half. So it sees every file that comes,
//! goes or is renamed, and growth in place of all that changed lately; it is blind to a file that
//! was still for a whole window and then changes in place, unless something outside
//! [hints](Hint) at it, and to most of what `known` says about inodes that are used again. What that amounts to is measured by each full pass
//! ([`drift`]) and published as the error bound.
//!
//! Ages are told by a clock that nobody sets. The wall clock is needed once, to tell from its change
//! time how long ago a file that is new to the tree changed: set back, it makes files hot that are
//! not; set forward, it hides none that was known to be hot.
//!
//! Where the kernel [tells](super::fanotify) what changed, a refresh looks only there and at the hot
//! files: see `told`.
//!
//! Change times of directories cannot be set by a task, only moved on; one that is so young that a
//! second change could bear the same time is read again next time. Hard links count once: a link
//! whose other names are in directories not looked at is searched by its inode, and those
//! directories are read again. What this layer cannot follow (a mount that appeared, another
//! device, very deep trees, more directories than memory allows) it refuses, and a full pass
//! takes its place.

mod drift;
mod hints;
mod keep;
mod known;
mod record;
mod records;
mod refresh;
mod reread;
mod told;
mod tree;

use std::time::Duration;

pub use drift::{Drift, Missed, drift, untold};
pub use hints::{Changed, Hint};
pub use record::Recorder;
pub use refresh::Refreshed;
pub use tree::Tree;

/// How long a file stays hot after its last change: longer than the time between two full passes
/// as they are asked for, so that what one pass saw moving is followed at least until the next.
pub const WINDOW: Duration = Duration::from_secs(30 * 60);
