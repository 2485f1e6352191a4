//! Volumes: directories and filesystems that outlive a task.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DiskType, EngineVolume, ReservationKind, SourceKind, Timestamp};

/// What names a volume, across restarts and on every surface: the four identity labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VolumeKey {
    /// Source that reports it.
    pub source: SourceKind,
    /// Role as Mesos writes it (`eng/storage`), empty where it does not apply.
    pub role: String,
    /// Persistence id; the path or name of a directory; the host path, Docker volume name or CSI volume id of data outside the
    /// agent's resources; empty for a MOUNT disk that holds data but no volume.
    pub volume: String,
    /// `ROOT`, or the root of the PATH or MOUNT disk, or the kind (`HOST_PATH`, `DOCKER`, `CSI`,
    /// `DIRECTORY`, `TMPFS`, `LOG`) of data outside the agent's resources.
    pub disk: String,
}

/// What sort of thing a volume is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeKind {
    /// Mesos persistent volume, or a directory that lies where one would.
    Persistent,
    /// Data on a MOUNT disk on which the agent knows no volume.
    Disk,
    /// A host path given to a container, outside the agent's resources.
    HostPath,
    /// A volume of a Docker volume driver, mounted by the `docker/volume` isolator or by Docker.
    DockerVolume,
    /// A CSI volume mounted by the `volume/csi` isolator.
    Csi,
    /// A directory that the configuration names.
    Directory,
    /// Memory mounted into a Docker container.
    Tmpfs,
    /// Output of a Docker container, which the engine keeps in files.
    ContainerLog,
}

impl VolumeKind {
    /// The value of the label `kind`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::Disk => "disk",
            Self::HostPath => "host_path",
            Self::DockerVolume => "docker_volume",
            Self::Csi => "csi",
            Self::Directory => "directory",
            Self::Tmpfs => "tmpfs",
            Self::ContainerLog => "container_log",
        }
    }
}

/// What one source of truth says of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// It lists the volume.
    Claims,
    /// It was read whole, is known not to be filtered, and does not list the volume.
    Denies,
    /// It could not be read whole, or may be filtered: it proves nothing.
    Silent,
}

/// What the sources of truth say of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The agent's API (`/state`); of a source that is no agent, its own list. An anonymous Docker
    /// volume belongs to the container it was made for: what claims it is the list of containers.
    pub api: Witness,
    /// The checkpoint (`meta/resources/`).
    pub checkpoint: Witness,
}

impl Claims {
    /// Some readable source lists it.
    pub fn claimed(&self) -> bool {
        self.api == Witness::Claims || self.checkpoint == Witness::Claims
    }

    /// Nothing lists it, and at least one source that would have was read whole.
    pub fn denied(&self) -> bool {
        !self.claimed() && (self.api == Witness::Denies || self.checkpoint == Witness::Denies)
    }
}

/// Whether a subject's directory is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It was seen.
    Present,
    /// Its parent was read and it is not there.
    Missing,
    /// It could not be looked at (permission, hung mount, no path known).
    Unknown,
}

/// A live task or container that uses a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Holder {
    /// Framework id, empty for a standalone container.
    pub framework: String,
    /// Framework name, empty when not known.
    pub framework_name: String,
    /// Executor id.
    pub executor: String,
    /// Task id, empty when an executor itself, or only a mount, holds the volume.
    pub task: String,
    /// Container id; nested ids are joined with a dot (`parent.child`).
    pub container: String,
    /// Path in the container.
    pub container_path: String,
    /// Mounted read-only in this container.
    pub read_only: bool,
    /// How much of it the container sees.
    pub sees: Sees,
}

/// How much of a volume a container sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// The volume itself is mounted into it.
    #[default]
    Whole,
    /// A directory below it is.
    Part,
    /// A directory above it is: with much else the volume lies at the path given.
    Within,
}

impl Sees {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Part => "part",
            Self::Within => "within",
        }
    }
}

impl Holder {
    /// It uses the volume. Whoever may only read a directory far above it (a backup, a monitor)
    /// sees it, and that is all.
    pub fn uses(&self) -> bool {
        !(self.sees == Sees::Within && self.read_only)
    }
}

/// A place where a volume is mounted in the host's mount table, apart from its own disk's mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MountUse {
    /// Mount point.
    pub mount_point: PathBuf,
    /// Container in whose sandbox the mount point lies; empty when it lies elsewhere.
    pub container: String,
}

/// State of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeState {
    /// A live holder, or mounted in a live container.
    InUse,
    /// Known, no holder.
    Idle,
    /// Claimed, no holder, and no registered framework uses its role.
    Unowned,
    /// Data on disk that no readable source of truth claims.
    Orphaned,
    /// Claimed, but its directory is gone.
    Missing,
    /// No authoritative list could be read, or the grace period is not over.
    Unknown,
}

impl VolumeState {
    /// Every state, in the order they are exposed.
    pub const ALL: [Self; 6] =
        [Self::InUse, Self::Idle, Self::Unowned, Self::Orphaned, Self::Missing, Self::Unknown];

    /// The value of the label `state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "in_use",
            Self::Idle => "idle",
            Self::Unowned => "unowned",
            Self::Orphaned => "orphaned",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a volume is an orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrphanReason {
    /// No source of truth was ever seen to claim it.
    NeverClaimed,
    /// It was claimed once; its volume was destroyed and the data stayed.
    Destroyed,
    /// A MOUNT disk holds data but no volume.
    DiskWithoutVolume,
    /// An anonymous Docker volume to which no container refers any more.
    DanglingAnonymous,
}

impl OrphanReason {
    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverClaimed => "never_claimed",
            Self::Destroyed => "destroyed",
            Self::DiskWithoutVolume => "disk_without_volume",
            Self::DanglingAnonymous => "dangling_anonymous",
        }
    }
}

/// What happens when a subject holds more than its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// Nothing: it may grow until its filesystem is full.
    None,
    /// It is counted, nothing more.
    Accounting,
    /// It is polled; past the quota the task is killed.
    SoftKill,
    /// Writes fail with EDQUOT.
    HardQuota,
    /// Writes fail with ENOSPC at the size of its own filesystem.
    Filesystem,
    /// The agent's isolators are not known.
    Unknown,
}

impl Enforcement {
    /// The value of the label `enforcement`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Accounting => "accounting",
            Self::SoftKill => "soft_kill",
            Self::HardQuota => "hard_quota",
            Self::Filesystem => "filesystem",
            Self::Unknown => "unknown",
        }
    }
}

/// A volume, as discovery found it. Its state is judged from these facts, not stored here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Volume {
    /// Identity.
    pub key: VolumeKey,
    /// What it is.
    pub kind: VolumeKind,
    /// Sort of disk it lives on.
    pub disk_type: DiskType,
    /// Where its data lies on the host (before `--path.rootfs`); absent when that cannot be told.
    pub path: Option<PathBuf>,
    /// Whether `path` is there.
    pub presence: Presence,
    /// A filesystem is mounted exactly there: what it holds is what the filesystem holds.
    pub own_filesystem: bool,
    /// Principal that created it; the owner that the configuration names for a directory.
    pub principal: Option<String>,
    /// How the disk space under it is reserved.
    pub reservation: Option<ReservationKind>,
    /// Several tasks may use it at once.
    pub shared: bool,
    /// Path in the container that the CREATE named.
    pub container_path: Option<String>,
    /// Volume driver or CSI plugin, for data outside the agent's resources.
    pub driver: Option<String>,
    /// Bytes it may hold.
    pub quota_bytes: Option<u64>,
    /// Who lists it.
    pub claims: Claims,
    /// Who uses it, sorted.
    pub holders: Vec<Holder>,
    /// Where it is mounted, sorted by mount point.
    pub mounts: Vec<MountUse>,
    /// When its directory was made or last had an entry added or removed, whichever is known
    /// (`stx_btime`, else `stx_mtime`).
    pub created: Option<Timestamp>,
    /// Seconds without a user after which that is worth telling; only where the configuration
    /// says so of this one.
    pub unused_after: Option<f64>,
    /// The server and export it lies on, the same on every host that mounts it, without
    /// credentials; absent for what lies on this host.
    pub remote: Option<String>,
    /// What a container engine says of it; only of its own volumes.
    pub engine: Option<EngineVolume>,
}

impl Volume {
    /// Its path, where that is to be measured. One whose disk could not be listed is looked at all
    /// the same: then its last value stays beside what is wrong.
    pub fn to_measure(&self) -> Option<&Path> {
        let asked = match self.presence {
            // The place where an engine mounts a network filesystem while somebody uses it holds
            // nothing itself.
            _ if self.engine.is_some() && self.remote.is_some() => false,
            Presence::Present => true,
            // Where a MOUNT disk is not mounted lies something else.
            Presence::Unknown => self.disk_type != DiskType::Mount,
            Presence::Missing => false,
        };
        self.path.as_deref().filter(|_| asked)
    }
}
