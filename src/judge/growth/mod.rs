//! Growth and time until full, from the use seen over minutes to days.
//!
//! Three questions, each answered in a file of its own: what is remembered ([`History`]), how
//! steep it is (`slope`), and what may be said of the future (`predict`). `docs/growth.md`
//! explains the rules to an operator and compares them with a straight line through all samples.

mod compact;
mod histories;
mod history;
mod predict;
mod slope;
mod stored;

pub use histories::Histories;
pub use history::{Bucket, History};
pub use stored::StoredHistories;

use crate::model::{FullBy, Growth};

/// Growth of a subject beside that of its filesystem: whichever is full first counts.
pub fn first_full(own: Option<Growth>, filesystem: Option<&Growth>) -> Option<Growth> {
    let mut growth = own?;
    let other = filesystem.and_then(|growth| growth.full_at);
    match (growth.full_at, other) {
        (own, Some(other)) if own.is_none_or(|own| other < own) => {
            growth.full_at = Some(other);
            growth.full_by = Some(FullBy::Filesystem);
        }
        _ => {}
    }
    Some(growth)
}
