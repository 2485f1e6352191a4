//! The language every room shares: what exists, what was measured, what it means.
//!
//! Types only. Nothing here reads a file, a socket or a clock; times are handed in as
//! seconds since the Unix epoch ([`Timestamp`]).
//!
//! Two customs hold everywhere: `Option` means *absent* (not known, does not apply) and zero
//! means zero; a measurement that failed is an error beside the last good value, never a number.

mod clock;
mod device;
mod engine;
mod finding;
mod growth;
mod history;
mod inventory;
mod io;
mod network;
mod open_files;
mod resource;
mod sample;
mod sandbox;
mod snapshot;
mod volume;

pub use clock::ClockStep;
pub use device::{Device, DeviceCounters, DeviceKind, FilesystemDevice};
pub use engine::{EngineContainer, EngineVolume};
pub use finding::{Finding, FindingSubject, Severity, SubjectKind};
pub use growth::{FullBy, Growth};
pub use history::{History, Peak, QuotaChange, RoleOwners};
pub use inventory::{
    Agent, Disagreement, DiskType, Inventory, SourceError, SourceHealth, SourceKind, SourceReport,
};
pub use io::{
    CgroupVersion, ContainerIo, ContainerRef, DeviceIo, DeviceNumber, Direction, DirectionIo,
    IoLimit, IoPressure, LimitKind,
};
pub use network::{
    BytesMoved, MountUser, NetworkFilesystem, NetworkKey, NetworkTransport, OperationStats, Recent,
    SESSION,
};
pub use open_files::{FileUser, HeldOpen, OpenFiles};
pub use resource::{
    DiskInfo, DiskSource, Persistence, Quantity, Reservation, ReservationKind, Resource, VolumeSpec,
};
pub use sample::{
    FilesystemSample, FilesystemUsage, KernelLimit, MeasureFailure, Measured, Method, NewestChange,
    Subject, UsageSample,
};
pub use sandbox::{
    Containerizer, ExecutorKind, Sandbox, SandboxKey, SandboxKind, SandboxState, TaskRef,
};
pub use snapshot::{CollectorRun, GcView, SandboxView, Snapshot, VolumeView};
pub use volume::{
    Claims, Enforcement, Holder, MountUse, OrphanReason, Presence, Sees, Volume, VolumeKey,
    VolumeKind, VolumeState, Witness,
};

/// Seconds since the Unix epoch, with a fraction. The unit of every `*_timestamp_seconds` metric.
pub type Timestamp = f64;

/// Mesos counts disk and memory in mebibytes (`Megabytes(…)` in stout is 1024 * 1024 bytes).
///
/// Rounds to the nearest byte; a negative or not-a-number amount (a corrupt file) is absent.
pub fn mebibytes_to_bytes(mebibytes: f64) -> Option<u64> {
    let bytes = mebibytes * 1_048_576.0;
    (bytes.is_finite() && bytes >= 0.0 && bytes < u64::MAX as f64).then(|| bytes.round() as u64)
}
