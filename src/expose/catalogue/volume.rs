//! Families of volumes.

use super::families;

/// Labels that name a volume.
pub const IDENTITY: &[&str] = &["source", "role", "volume", "disk"];

const PER_VOLUME: &str = "one per volume";

families! {
    "Volumes",
    "A volume is a directory or filesystem that outlives a task. The label `disk` is `ROOT`, the root of a \
     PATH or MOUNT disk, or the kind (`HOST_PATH`, `DOCKER`, `CSI`, `TMPFS`, `LOG`) of data outside the agent's resources.";

    USED_BYTES = Gauge "plimsoll_volume_used_bytes", Some("bytes"), IDENTITY, [], PER_VOLUME,
        "Bytes allocated to the volume, as du -s counts them (a MOUNT disk: as df does). Measured on \
         Plimsoll's own schedule; see plimsoll_volume_measured_timestamp_seconds.";
    APPARENT_BYTES = Gauge "plimsoll_volume_apparent_bytes", Some("bytes"), IDENTITY, [], PER_VOLUME,
        "Sum of the file sizes in the volume, holes included. Measured on Plimsoll's own schedule; see \
         plimsoll_volume_measured_timestamp_seconds.";
    QUOTA_BYTES = Gauge "plimsoll_volume_quota_bytes", Some("bytes"), IDENTITY, [], PER_VOLUME,
        "Bytes the volume may hold. No series where there is no quota.";
    AVAILABLE_BYTES = Gauge "plimsoll_volume_available_bytes", Some("bytes"), IDENTITY, [], PER_VOLUME,
        "Bytes that can still be written before the quota is reached (where something enforces it) or the \
         filesystem is full, whichever comes first.";
    FILES = Gauge "plimsoll_volume_files", None, IDENTITY, [], PER_VOLUME,
        "Inodes in the volume, its own directory included. Measured on Plimsoll's own schedule; see \
         plimsoll_volume_measured_timestamp_seconds.";
    LOG_LIMIT_BYTES = Gauge "plimsoll_volume_log_limit_bytes", Some("bytes"), IDENTITY, [], "one per log of a Docker container that is rotated",
        "Bytes after which the engine throws away the oldest of a container's log (max-size times max-file). No \
         series for a log that is kept for ever, nor for anything that is no log.";
    KERNEL_LIMIT_BYTES = Gauge "plimsoll_volume_kernel_limit_bytes", Some("bytes"), IDENTITY, [], PER_VOLUME,
        "Bytes past which the kernel itself refuses writes: the hard limit of the volume's project quota, by \
         the kernel's own record. Needs CAP_SYS_ADMIN; no series without such a limit.";
    KERNEL_LIMIT_FILES = Gauge "plimsoll_volume_kernel_limit_files", None, IDENTITY, [], PER_VOLUME,
        "Inodes past which the kernel itself refuses new ones, as plimsoll_volume_kernel_limit_bytes.";
    PEAK_BYTES = Gauge "plimsoll_volume_peak_bytes", Some("bytes"), IDENTITY, [], PER_VOLUME,
        "Most bytes the volume was ever measured to hold, as far as history reaches.";
    OVER_QUOTA_BYTES = Gauge "plimsoll_volume_over_quota_bytes", Some("bytes"), IDENTITY, [], PER_VOLUME,
        "Bytes the volume holds beyond its quota, 0 when it holds no more than that. No series where \
         there is no quota, or before the first measurement.";
    OVER_QUOTA_SINCE = Gauge "plimsoll_volume_over_quota_since_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_VOLUME,
        "Since when the volume holds more than its quota. No series while it does not.";
    LAST_USED = Gauge "plimsoll_volume_last_used_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_VOLUME,
        "When the volume last had a holder. No series when it never had one, as far as history reaches.";
    UNUSED_SINCE = Gauge "plimsoll_volume_unused_since_timestamp_seconds", Some("seconds"), IDENTITY, [], "one per idle directory of the configuration",
        "Since when nobody uses a directory of the configuration, by its last use and the newest change in it. No \
         series while somebody does, or while that is not known.";
    UNUSED_AFTER = Gauge "plimsoll_volume_unused_after_seconds", Some("seconds"), IDENTITY, [], "one per directory of the configuration",
        "Seconds without a user after which that is told, as the configuration says.";
    STATE = Gauge "plimsoll_volume_state", None, IDENTITY, ["state"], "six per volume",
        "1 for the state the volume is in, 0 for the others: in_use, idle, unowned (claimed, but no registered framework uses its role), orphaned (no readable source of \
         truth claims the data), missing (claimed, but the directory is gone), unknown.";
    HOLDERS = Gauge "plimsoll_volume_holders", None, IDENTITY, [], PER_VOLUME,
        "Live tasks and containers that use the volume.";
    MOUNTS = Gauge "plimsoll_volume_mounts", None, IDENTITY, [], PER_VOLUME,
        "Places where the volume is mounted in the host's mount table, its own disk not counted.";
    CREATED = Gauge "plimsoll_volume_created_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_VOLUME,
        "When the directory was made; on filesystems that do not keep that, when an entry was last added to \
         or removed from it.";
    NEWEST_CHANGE = Gauge "plimsoll_volume_newest_change_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_VOLUME,
        "When anything in the volume was last changed: over all its inodes the newest modification time that \
         can be true, which is one no later than the inode's change time. Read with the other values of a walk. \
         No series before the first one.";
    OPEN_FILES = Gauge "plimsoll_volume_open_files", None, IDENTITY, [], "one per volume that nobody claims",
        "Files in the volume that processes have open or mapped. Only looked up where nobody claims the volume; \
         no series where not all processes could be looked into.";
    ERROR_BOUND_BYTES = Gauge "plimsoll_volume_error_bound_bytes", Some("bytes"), IDENTITY, [], PER_VOLUME,
        "By how much plimsoll_volume_used_bytes may be off: 0 when the value is exact, and for the method \
         incremental an estimate from what full passes found to have been missed before; no series \
         before the first such pass. Measured on Plimsoll's own schedule.";
    MEASURED = Gauge "plimsoll_volume_measured_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_VOLUME,
        "When the last whole measurement of the volume ended. No series before the first one.";
    MEASURE_FAILED = Gauge "plimsoll_volume_measure_failed", None, IDENTITY, [], PER_VOLUME,
        "1 when the newest attempt to measure the volume failed; the values shown are then those of the \
         last good one.";
    GROWTH = Gauge "plimsoll_volume_growth_bytes_per_second", None, IDENTITY, [], PER_VOLUME,
        "Robust rate at which the volume grows (its peaks, where it rises and falls), negative when it shrinks. \
         No series until enough was seen to be confident.";
    FULL_AT = Gauge "plimsoll_volume_full_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_VOLUME,
        "When its quota or its filesystem is full, whichever comes first, at the rate seen. No series when it is not growing, or when what was seen does not bear \
         out a prediction.";
    QUOTA_FULL_AT = Gauge "plimsoll_volume_quota_full_timestamp_seconds", Some("seconds"), IDENTITY, [], "one per volume that fills its quota",
        "The same, where it is the quota that is full first. Where it is the filesystem, that tells it.";
    INFO = Info "plimsoll_volume_info", None, IDENTITY,
        ["path", "principal", "disk_type", "kind", "reservation", "shared", "enforcement", "method", "driver", "filesystem", "remote"],
        PER_VOLUME,
        "Facts of the volume. The label filesystem is the mount_point of the plimsoll_filesystem_ families; \
         enforcement is what happens past the quota; method is how used bytes were obtained; remote is the \
         server and export of a volume on the network, the same on every host, and empty for local ones.";
    LABEL_INFO = Info "plimsoll_volume_label_info", None, IDENTITY, ["label", "value"],
        "one per volume and label of docker.labels that it has",
        "A label that the engine knows of the volume; which ones is configured (`docker.labels`).";
    HOLDER_INFO = Info "plimsoll_volume_holder_info", None, IDENTITY,
        ["framework", "framework_name", "executor", "task", "container", "container_path", "read_only"],
        "one per holder of a volume",
        "A live task or container that uses the volume.";
}
