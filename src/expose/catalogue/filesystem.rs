//! Families of filesystems.

use super::families;

/// Label that names a filesystem.
pub const IDENTITY: &[&str] = &["mount_point"];

const PER_FILESYSTEM: &str = "one per filesystem that holds a volume or a sandbox";

families! {
    "Filesystems",
    "Only filesystems that hold a volume or a sandbox. A filesystem that does not answer keeps its last values \
     and says so in `plimsoll_filesystem_responsive`.";

    SIZE_BYTES = Gauge "plimsoll_filesystem_size_bytes", Some("bytes"), IDENTITY, [], PER_FILESYSTEM,
        "Size of the filesystem. Read on Plimsoll's own schedule, never by a scrape.";
    FREE_BYTES = Gauge "plimsoll_filesystem_free_bytes", Some("bytes"), IDENTITY, [], PER_FILESYSTEM,
        "Free bytes, those reserved for root included. Read on Plimsoll's own schedule, never by a scrape.";
    AVAILABLE_BYTES = Gauge "plimsoll_filesystem_available_bytes", Some("bytes"), IDENTITY, [], PER_FILESYSTEM,
        "Bytes free for ordinary users. Read on Plimsoll's own schedule, never by a scrape.";
    UNATTRIBUTED_BYTES = Gauge "plimsoll_filesystem_unattributed_bytes", Some("bytes"), IDENTITY, [], PER_FILESYSTEM,
        "Used bytes that no measured volume or sandbox explains: images, caches, logs, deleted files still \
         open. No series until all of them are measured.";
    PROMISED_BYTES = Gauge "plimsoll_filesystem_promised_bytes", Some("bytes"), IDENTITY, [], PER_FILESYSTEM,
        "Sum of the agent's disk resources carved from it: unreserved, reserved and volumes. More than its size \
         is overcommitted. No series where the agent has no disk on it.";
    FILES = Gauge "plimsoll_filesystem_files", None, IDENTITY, [], PER_FILESYSTEM,
        "Inodes in all. No series on filesystems without a limit of them.";
    FILES_FREE = Gauge "plimsoll_filesystem_files_free", None, IDENTITY, [], PER_FILESYSTEM,
        "Free inodes. No series on filesystems without a limit of them.";
    READONLY = Gauge "plimsoll_filesystem_readonly", None, IDENTITY, [], PER_FILESYSTEM,
        "1 when it is mounted read-only, or turned read-only after an error.";
    RESPONSIVE = Gauge "plimsoll_filesystem_responsive", None, IDENTITY, [], PER_FILESYSTEM,
        "0 when it did not answer within the time-out.";
    MEASURED = Gauge "plimsoll_filesystem_measured_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_FILESYSTEM,
        "When its values were read.";
    GROWTH = Gauge "plimsoll_filesystem_growth_bytes_per_second", None, IDENTITY, [], PER_FILESYSTEM,
        "Robust rate at which the filesystem grows (its peaks, where it rises and falls), negative when it shrinks. \
         No series until enough was seen to be confident.";
    FULL_AT = Gauge "plimsoll_filesystem_full_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_FILESYSTEM,
        "When ordinary users can write no more, at the rate seen. No series when it is not growing, or when what was seen does not bear \
         out a prediction.";
    INFO = Info "plimsoll_filesystem_info", None, IDENTITY, ["device", "fstype", "device_number", "remote"], PER_FILESYSTEM,
        "Facts of the filesystem. Remote ones are on the network or in user space and are not walked.";
}
