//! What was measured: numbers with their method and their time.

use std::path::PathBuf;

use serde::Serialize;

use super::{Growth, SandboxKey, Timestamp, VolumeKey};

/// Something that is measured on its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A volume.
    Volume(VolumeKey),
    /// A sandbox, nested ones too.
    Sandbox(SandboxKey),
}

/// How a value was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Every inode was looked at.
    Walk,
    /// The filesystem's own count (`statfs`), as `df` prints it; metadata included.
    Statfs,
    /// The kernel's record of the project the subject makes up (`quotactl_fd`). Unlinked files that
    /// are still open count, which no walk can see.
    ProjectQuota,
    /// The same, as far as `statfs` shows it without a capability.
    ProjectQuotaStatfs,
    /// The last walk, brought up to date by looking at what is likely to have moved.
    Incremental,
}

impl Method {
    /// The value of the label `method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Walk => "walk",
            Self::Statfs => "statfs",
            Self::ProjectQuota => "project_quota",
            Self::ProjectQuotaStatfs => "project_quota_statfs",
            Self::Incremental => "incremental",
        }
    }
}

/// Use of one subject. Only whole passes become samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct UsageSample {
    /// Allocated bytes: `st_blocks * 512`, hard links once, as `du -s` counts.
    pub used_bytes: u64,
    /// Sum of `st_size` of everything, hard links once, as `du -s --apparent-size` counts.
    pub apparent_bytes: Option<u64>,
    /// Inodes, the subject's own directory included, hard links once, as `du -s --inodes` counts.
    pub files: Option<u64>,
    /// How `used_bytes` was obtained.
    pub method: Method,
    /// By how much `used_bytes` may be off because something changed that was not looked at: 0 for
    /// everything but [`Method::Incremental`]. Absent as long as no full pass has shown what is
    /// missed between two of them.
    pub error_bound_bytes: Option<u64>,
    /// When the pass ended.
    pub measured_at: Timestamp,
    /// From its first to its last system call, pauses for the budget included, in seconds.
    pub duration_seconds: f64,
}

/// Why a subject has no fresh value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasureFailure {
    /// Short fixed word for metrics: `permission`, `io`, `unresponsive`, `missing`, `replaced`,
    /// `remote`, `disturbed` (moved about during the pass), `too_large`, `internal`.
    pub reason: &'static str,
    /// What and where.
    pub message: String,
    /// When it happened.
    pub at: Timestamp,
}

/// What is known of a subject's use: the last whole pass, and the failure since, if any.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Last good value.
    pub sample: Option<UsageSample>,
    /// Set when the newest attempt failed.
    pub failure: Option<MeasureFailure>,
    /// The limits the kernel itself has for the subject; absent where it has none, or they could
    /// not be read.
    pub kernel_limit: Option<KernelLimit>,
    /// The newest change that a look at its inodes found; absent before the first one.
    pub newest_change: Option<NewestChange>,
}

/// The newest change of a subject's tree, as of the last time that its inodes were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NewestChange {
    /// When: over all inodes the newest modification that can be true, that is one no later than
    /// the inode's own `ctime`, which only the kernel sets.
    pub at: Timestamp,
    /// The newest `mtime` as it stands there. A task can set it to anything: where it is later than
    /// `at`, somebody did.
    pub claimed: Timestamp,
    /// When those inodes had all been looked at.
    pub seen_at: Timestamp,
}

impl NewestChange {
    /// A modification time that lay ahead of the clock when it was seen: set by hand, and no sign
    /// of use.
    pub fn in_the_future(&self) -> Option<Timestamp> {
        // A file that is written while it is looked at is not meant.
        (self.claimed > self.at && self.claimed > self.seen_at + 1.0).then_some(self.claimed)
    }
}

/// Limits of a project quota, from the kernel's own record. Absent: without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KernelLimit {
    /// Project id.
    pub project: u32,
    /// Bytes past which writes fail with `EDQUOT`.
    pub bytes_hard: Option<u64>,
    /// Bytes that may be exceeded for the time of grace only.
    pub bytes_soft: Option<u64>,
    /// Inodes past which none can be made.
    pub files_hard: Option<u64>,
    /// Inodes that may be exceeded for the time of grace only.
    pub files_soft: Option<u64>,
    /// The mount enforces limits; without it they are only written down.
    pub enforced: bool,
}

/// Numbers of one filesystem, from `statvfs`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FilesystemUsage {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Free bytes, those reserved for root included.
    pub free_bytes: u64,
    /// Bytes free for ordinary users.
    pub available_bytes: u64,
    /// Inodes in all; absent on filesystems without a limit (btrfs says 0).
    pub files: Option<u64>,
    /// Free inodes.
    pub files_free: Option<u64>,
    /// Mounted read-only, or turned read-only after an error.
    pub readonly: bool,
    /// When it was read.
    pub measured_at: Timestamp,
}

/// One filesystem that holds a subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilesystemSample {
    /// Mount point (the shortest one whose root is `/`, where there are several).
    pub mount_point: PathBuf,
    /// Device or export, as the mount table names it.
    pub device: String,
    /// Type, as the mount table names it.
    pub fstype: String,
    /// `major:minor`.
    pub device_number: (u32, u32),
    /// On the network or in user space: never walked by default.
    pub remote: bool,
    /// It answered within the time-out.
    pub responsive: bool,
    /// Last numbers; absent when it never answered.
    pub usage: Option<FilesystemUsage>,
    /// Used bytes that no measured subject explains; absent until all its subjects are measured.
    pub unattributed_bytes: Option<i64>,
    /// How fast its used bytes grow; filled in by judgement, absent until there is enough to tell.
    pub growth: Option<Growth>,
    /// Sum of the agent's disk resources that are carved from it (unreserved, reserved and
    /// volumes); absent where none is.
    pub promised_bytes: Option<u64>,
}
