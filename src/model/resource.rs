//! Resources of a Mesos agent, in one form whichever of the two formats they came in.
//!
//! Source: `include/mesos/mesos.proto`, message `Resource`. The old ("pre-reservation-refinement")
//! format has `role` and one `reservation`; the new one a stack of `reservations`. Both are
//! turned into the stack here.

use serde::Serialize;

/// How much of a resource there is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// `cpus` in cores, `mem` and `disk` in mebibytes.
    Scalar(f64),
    /// `ports`: inclusive ranges.
    Ranges(Vec<(u64, u64)>),
    /// A set of names.
    Set(Vec<String>),
}

impl Quantity {
    /// The scalar itself, the number of ports in the ranges, or the size of the set.
    pub fn amount(&self) -> f64 {
        match self {
            Self::Scalar(value) => *value,
            Self::Ranges(ranges) => ranges
                .iter()
                .map(|(begin, end)| end.saturating_sub(*begin).saturating_add(1) as f64)
                .sum(),
            Self::Set(items) => items.len() as f64,
        }
    }
}

/// How a resource is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationKind {
    /// Not reserved: role `*`.
    Unreserved,
    /// By the agent's `--resources`.
    Static,
    /// By an operator or a framework, with a RESERVE operation.
    Dynamic,
    /// A reservation made on top of another one (a stack of two or more).
    Refined,
}

impl ReservationKind {
    /// The value of the label `reservation`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreserved => "unreserved",
            Self::Static => "static",
            Self::Dynamic => "dynamic",
            Self::Refined => "refined",
        }
    }
}

/// One layer of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reservation {
    /// `true` for a DYNAMIC reservation, `false` for a STATIC one.
    pub dynamic: bool,
    /// Role the layer reserves for, as Mesos writes it (`eng/storage`).
    pub role: String,
    /// Principal that made it; absent for static ones.
    pub principal: Option<String>,
}

/// Identity of a persistent volume inside a disk resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Persistence {
    /// Unique per role and disk only.
    pub id: String,
    /// Principal of the CREATE.
    pub principal: Option<String>,
}

/// Where and how a volume appears in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VolumeSpec {
    /// Path in the container; relative paths are below the sandbox.
    pub container_path: String,
    /// `true` for mode RO.
    pub read_only: bool,
}

/// The disk a `disk` resource is carved from (`Resource.DiskInfo.Source`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DiskSource {
    /// No source: the filesystem of the agent's work directory.
    Root,
    /// A directory that may be shared out; a relative root is below the work directory.
    Path {
        /// Directory of the disk.
        root: String,
    },
    /// A whole filesystem; the volume is its root.
    Mount {
        /// Mount point of the disk.
        root: String,
    },
    /// A block device of a resource provider.
    Block {
        /// CSI volume id.
        id: String,
    },
    /// Storage of a resource provider that is not yet a volume.
    Raw {
        /// CSI volume id, empty for a storage pool.
        id: String,
    },
}

/// The `disk` part of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiskInfo {
    /// Present: this resource is a persistent volume.
    pub persistence: Option<Persistence>,
    /// Container path of the volume; for a shared volume each task has its own.
    pub volume: Option<VolumeSpec>,
    /// Which disk.
    pub source: DiskSource,
}

/// One resource, as the agent, a task or an executor holds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resource {
    /// `cpus`, `mem`, `disk`, `ports`, `gpus`, …
    pub name: String,
    /// How much.
    pub quantity: Quantity,
    /// Stack of reservations, the outermost first; empty means unreserved.
    pub reservations: Vec<Reservation>,
    /// Role it is allocated to, for resources of tasks and executors.
    pub allocated_to: Option<String>,
    /// Only on `disk`.
    pub disk: Option<DiskInfo>,
    /// `shared` is set: several tasks may use the volume at once.
    pub shared: bool,
    /// Oversubscribed: may be taken back.
    pub revocable: bool,
    /// Resource provider it comes from; absent for the agent's own.
    pub provider_id: Option<String>,
}

impl Resource {
    /// Role of the innermost reservation, `*` when unreserved.
    pub fn role(&self) -> &str {
        self.reservations.last().map_or("*", |layer| layer.role.as_str())
    }

    /// Kind of the whole stack of reservations.
    pub fn reservation_kind(&self) -> ReservationKind {
        match self.reservations.as_slice() {
            [] => ReservationKind::Unreserved,
            [only] if only.dynamic => ReservationKind::Dynamic,
            [_] => ReservationKind::Static,
            _ => ReservationKind::Refined,
        }
    }

    /// Disk of a `disk` resource: [`DiskSource::Root`] when it names none.
    pub fn disk_source(&self) -> DiskSource {
        self.disk.as_ref().map_or(DiskSource::Root, |disk| disk.source.clone())
    }

    /// The persistent volume this resource is, if it is one.
    pub fn persistence(&self) -> Option<&Persistence> {
        self.disk.as_ref()?.persistence.as_ref()
    }

    /// Bytes of a `disk` or `mem` resource (mebibytes in Mesos).
    pub fn bytes(&self) -> Option<u64> {
        match self.quantity {
            Quantity::Scalar(mebibytes) => super::mebibytes_to_bytes(mebibytes),
            _ => None,
        }
    }
}
