//! Families of sandboxes: live, finished and nested ones.

use super::families;

/// Labels that name a sandbox.
pub const IDENTITY: &[&str] = &["source", "framework", "executor", "container"];
/// Labels that name the sandbox of a nested container.
pub const NESTED: &[&str] = &["source", "framework", "executor", "container", "nested"];
/// Labels of the sums over finished sandboxes.
pub const FINISHED: &[&str] = &["source", "framework", "state"];

const PER_SANDBOX: &str = "one per live sandbox";
const PER_NESTED: &str = "one per live nested sandbox";
const PER_FINISHED: &str = "one per framework and state";

families! {
    "Sandboxes",
    "A sandbox is the directory of one run of an executor or container. Only those of running containers \
     (and of containers that may be running) have series of their own; the finished ones are summed per \
     framework, so that a cluster's churn does not become series. `/api/v1/sandboxes` lists every one. Nested \
     containers have families of their own, because their bytes are part of their parent's: a sum over \
     `plimsoll_sandbox_used_bytes` counts nothing twice.";

    USED_BYTES = Gauge "plimsoll_sandbox_used_bytes", Some("bytes"), IDENTITY, [], PER_SANDBOX,
        "Bytes allocated to the sandbox, as du -s counts them, with what the container wrote to its root \
         filesystem, without volumes. Measured on Plimsoll's own schedule; see \
         plimsoll_sandbox_measured_timestamp_seconds.";
    APPARENT_BYTES = Gauge "plimsoll_sandbox_apparent_bytes", Some("bytes"), IDENTITY, [], PER_SANDBOX,
        "Sum of the file sizes in the sandbox, holes included. Measured on Plimsoll's own schedule; see \
         plimsoll_sandbox_measured_timestamp_seconds.";
    QUOTA_BYTES = Gauge "plimsoll_sandbox_quota_bytes", Some("bytes"), IDENTITY, [], PER_SANDBOX,
        "Bytes of disk the executor and its tasks asked for, volumes not counted. No series where they \
         asked for none.";
    FILES = Gauge "plimsoll_sandbox_files", None, IDENTITY, [], PER_SANDBOX,
        "Inodes in the sandbox, its own directory included. Measured on Plimsoll's own schedule; see \
         plimsoll_sandbox_measured_timestamp_seconds.";
    KERNEL_LIMIT_BYTES = Gauge "plimsoll_sandbox_kernel_limit_bytes", Some("bytes"), IDENTITY, [], PER_SANDBOX,
        "Bytes past which the kernel itself refuses writes: the hard limit of the sandbox's project quota, by \
         the kernel's own record. Needs CAP_SYS_ADMIN; no series without such a limit.";
    KERNEL_LIMIT_FILES = Gauge "plimsoll_sandbox_kernel_limit_files", None, IDENTITY, [], PER_SANDBOX,
        "Inodes past which the kernel itself refuses new ones, as plimsoll_sandbox_kernel_limit_bytes.";
    PEAK_BYTES = Gauge "plimsoll_sandbox_peak_bytes", Some("bytes"), IDENTITY, [], PER_SANDBOX,
        "Most bytes the sandbox was ever measured to hold, as far as history reaches.";
    OVER_QUOTA_BYTES = Gauge "plimsoll_sandbox_over_quota_bytes", Some("bytes"), IDENTITY, [], PER_SANDBOX,
        "Bytes the sandbox holds beyond its quota, 0 when it holds no more than that. No series where \
         there is no quota, or before the first measurement.";
    OVER_QUOTA_SINCE = Gauge "plimsoll_sandbox_over_quota_since_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_SANDBOX,
        "Since when the sandbox holds more than its quota. No series while it does not.";
    STATE = Gauge "plimsoll_sandbox_state", None, IDENTITY, ["state"], "four per live sandbox",
        "1 for the state the sandbox is in, 0 for the others: live, standalone, missing (its container runs, \
         but the directory is gone), unknown. Finished sandboxes are in plimsoll_finished_sandboxes.";
    ERROR_BOUND_BYTES = Gauge "plimsoll_sandbox_error_bound_bytes", Some("bytes"), IDENTITY, [], PER_SANDBOX,
        "By how much plimsoll_sandbox_used_bytes may be off: 0 when the value is exact, and for the method \
         incremental an estimate from what full passes found to have been missed before; no series \
         before the first such pass. Measured on Plimsoll's own schedule.";
    MEASURED = Gauge "plimsoll_sandbox_measured_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_SANDBOX,
        "When the last whole measurement of the sandbox ended. No series before the first one.";
    MEASURE_FAILED = Gauge "plimsoll_sandbox_measure_failed", None, IDENTITY, [], PER_SANDBOX,
        "1 when the newest attempt to measure the sandbox failed; the values shown are then those of the \
         last good one.";
    GROWTH = Gauge "plimsoll_sandbox_growth_bytes_per_second", None, IDENTITY, [], PER_SANDBOX,
        "Robust rate at which the sandbox grows (its peaks, where it rises and falls), negative when it shrinks. \
         No series until enough was seen to be confident.";
    FULL_AT = Gauge "plimsoll_sandbox_full_timestamp_seconds", Some("seconds"), IDENTITY, [], PER_SANDBOX,
        "When its quota or its filesystem is full, whichever comes first, at the rate seen. No series when it is not growing, or when what was seen does not bear \
         out a prediction.";
    QUOTA_FULL_AT = Gauge "plimsoll_sandbox_quota_full_timestamp_seconds", Some("seconds"), IDENTITY, [], "one per sandbox that fills its quota",
        "The same, where it is the quota that is full first. Where it is the filesystem, that tells it.";
    INFO = Info "plimsoll_sandbox_info", None, IDENTITY,
        ["path", "kind", "containerizer", "framework_name", "role", "task", "task_name", "enforcement", "method", "filesystem"],
        PER_SANDBOX,
        "Facts of the sandbox. The labels task and task_name are empty when several tasks share it; \
         enforcement is what happens past the quota; filesystem is the mount_point of the \
         plimsoll_filesystem_ families.";
    LABEL_INFO = Info "plimsoll_sandbox_label_info", None, IDENTITY, ["label", "value"],
        "one per live sandbox and label of docker.labels that it has",
        "A label that the engine knows of the container; which ones is configured (`docker.labels`).";

    FINISHED_SANDBOXES = Gauge "plimsoll_finished_sandboxes", None, FINISHED, [], PER_FINISHED,
        "Sandboxes on disk of runs that are over, by state: awaiting_gc (the agent will remove it), \
         abandoned (below a former agent id), leaked (the agent will never remove it), exited (of a Docker \
         container that does not run), missing, unknown.";
    FINISHED_USED_BYTES = Gauge "plimsoll_finished_sandbox_used_bytes", Some("bytes"), FINISHED, [], PER_FINISHED,
        "Bytes allocated to finished sandboxes, as far as they are measured; see \
         plimsoll_finished_sandboxes_unmeasured. Measured on Plimsoll's own schedule.";
    FINISHED_UNMEASURED = Gauge "plimsoll_finished_sandboxes_unmeasured", None, FINISHED, [], PER_FINISHED,
        "Finished sandboxes whose bytes are not known yet, and so not in \
         plimsoll_finished_sandbox_used_bytes.";

    NESTED_USED_BYTES = Gauge "plimsoll_nested_sandbox_used_bytes", Some("bytes"), NESTED, [], PER_NESTED,
        "Bytes allocated to the sandbox of a nested container: a part of its parent's. Measured on \
         Plimsoll's own schedule.";
    NESTED_APPARENT_BYTES = Gauge "plimsoll_nested_sandbox_apparent_bytes", Some("bytes"), NESTED, [], PER_NESTED,
        "Sum of the file sizes in the sandbox of a nested container: a part of its parent's. Measured on \
         Plimsoll's own schedule.";
    NESTED_FILES = Gauge "plimsoll_nested_sandbox_files", None, NESTED, [], PER_NESTED,
        "Inodes in the sandbox of a nested container: a part of its parent's. Measured on Plimsoll's own \
         schedule.";
    NESTED_INFO = Info "plimsoll_nested_sandbox_info", None, NESTED,
        ["path", "framework_name", "task", "task_name", "enforcement", "method", "filesystem"],
        PER_NESTED,
        "Facts of the sandbox of a nested container.";
}
