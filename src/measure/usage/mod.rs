//! How much each subject holds, by the cheapest exact means its filesystem allows.
//!
//! A [`Walk`] counts one tree in slices; the [`UsageMeter`] spreads slices of all subjects over
//! time within a CPU budget; [`measure_once`] does without a budget, for one-shot commands.

mod budget;
mod crew;
mod entry;
pub mod hot;
mod links;
mod meter;
mod once;
mod order;
mod pass;
mod pressure;
pub mod quota;
mod scheduler;
mod skip;
mod target;
mod walk;

pub use meter::UsageMeter;
pub use once::{OnceProgress, measure_once, measure_once_with, usual_threads};
pub use target::{How, MeterStats, Target, UsageConfig};
pub use walk::{Newest, Progress, Totals, Walk, WalkError};
