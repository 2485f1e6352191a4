//! Conditions of filesystems, of the agent, of sources and of Plimsoll itself.

use crate::model::{Severity, SubjectKind};

use super::{Condition, Threshold, Unit};

/// Types of filesystem that nobody writes to: that they take no writes says nothing, and neither
/// does that they are full.
pub const NEVER_WRITTEN: [&str; 6] = ["cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"];

/// Filesystem is filling.
pub static FILESYSTEM_FILLING: Condition = Condition {
    id: "filesystem_filling",
    alert: "PlimsollFilesystemFilling",
    severity: Severity::Warning,
    subject: SubjectKind::Filesystem,
    threshold: Some(Threshold { key: "filesystem_filling", unit: Unit::Ratio, margin: 0.02 }),
    hold_seconds: 300.0,
    summary: "Filesystem is filling",
    description: "Filesystem {{ $labels.mount_point }} is {{ $value | humanizePercentage }} \
          full.",
    expr: Some(
        "1 - plimsoll_filesystem_available_bytes / (plimsoll_filesystem_size_bytes - \
        plimsoll_filesystem_free_bytes + plimsoll_filesystem_available_bytes) >= \
        $threshold \
        unless on (job, instance, mount_point) plimsoll_filesystem_readonly == 1",
    ),
    meaning: "Most of the bytes ordinary users can have are used (as `df` counts). The agent \
          shortens the life of finished sandboxes as its own filesystem fills.",
    check: "The status page shows which volumes and sandboxes take it and how much nobody \
          explains (`plimsoll_filesystem_unattributed_bytes`: images, caches, logs).",
    action: "Free what is finished or orphaned first (`plimsoll orphans`); then move or \
          shrink tenants.",
    next: "Free what is orphaned first: plimsoll orphans.",
};

/// Filesystem is full.
pub static FILESYSTEM_FULL: Condition = Condition {
    id: "filesystem_full",
    alert: "PlimsollFilesystemFull",
    severity: Severity::Critical,
    subject: SubjectKind::Filesystem,
    threshold: Some(Threshold { key: "filesystem_full", unit: Unit::Ratio, margin: 0.01 }),
    hold_seconds: 60.0,
    summary: "Filesystem is full",
    description: "Filesystem {{ $labels.mount_point }} is {{ $value | humanizePercentage }} \
          full.",
    expr: Some(
        "1 - plimsoll_filesystem_available_bytes / (plimsoll_filesystem_size_bytes - \
        plimsoll_filesystem_free_bytes + plimsoll_filesystem_available_bytes) >= \
        $threshold \
        unless on (job, instance, mount_point) plimsoll_filesystem_readonly == 1",
    ),
    meaning: "Next to nothing is left: writes of every tenant fail with ENOSPC now or in a \
          moment, whatever their quota.",
    check: "`df`, and the status page for who takes it.",
    action: "Free space now: finished sandboxes, orphans, images. Then find whose growth \
          did it.",
    next: "Free space now: finished sandboxes, orphans, images.",
};

/// Filesystem is running out of inodes.
pub static FILESYSTEM_INODES_LOW: Condition = Condition {
    id: "filesystem_inodes_low",
    alert: "PlimsollFilesystemInodesLow",
    severity: Severity::Warning,
    subject: SubjectKind::Filesystem,
    threshold: Some(Threshold { key: "filesystem_inodes_low", unit: Unit::Ratio, margin: 0.02 }),
    hold_seconds: 300.0,
    summary: "Filesystem is running out of inodes",
    description: "Filesystem {{ $labels.mount_point }} uses {{ $value | humanizePercentage }} of \
          its inodes.",
    expr: Some(
        "1 - plimsoll_filesystem_files_free / (plimsoll_filesystem_files > 0) >= \
        $threshold \
        unless on (job, instance, mount_point) plimsoll_filesystem_readonly == 1",
    ),
    meaning: "Most of the inodes are used: many small files. When they are gone no file can \
          be made, however many bytes are free.",
    check: "`df -i`; `plimsoll_volume_files` and `plimsoll_sandbox_files` tell who has \
          them.",
    action: "Delete or pack small files. On ext4 the number of inodes is fixed when the \
          filesystem is made.",
    next: "Delete or pack small files of whoever has the most.",
};

/// Filesystem has no inodes left.
pub static FILESYSTEM_INODES_EXHAUSTED: Condition = Condition {
    id: "filesystem_inodes_exhausted",
    alert: "PlimsollFilesystemInodesExhausted",
    severity: Severity::Critical,
    subject: SubjectKind::Filesystem,
    threshold: Some(Threshold {
        key: "filesystem_inodes_exhausted",
        unit: Unit::Ratio,
        margin: 0.01,
    }),
    hold_seconds: 60.0,
    summary: "Filesystem has no inodes left",
    description: "Filesystem {{ $labels.mount_point }} uses {{ $value | humanizePercentage }} of \
          its inodes.",
    expr: Some(
        "1 - plimsoll_filesystem_files_free / (plimsoll_filesystem_files > 0) >= \
        $threshold \
        unless on (job, instance, mount_point) plimsoll_filesystem_readonly == 1",
    ),
    meaning: "Next to no inode is left: making a file fails with ENOSPC although bytes are \
          free.",
    check: "`df -i`.",
    action: "Delete small files now: finished sandboxes and caches first.",
    next: "Delete small files now: finished sandboxes and caches first.",
};

/// More is promised of a filesystem than it has.
pub static FILESYSTEM_OVERCOMMITTED: Condition = Condition {
    id: "filesystem_overcommitted",
    alert: "PlimsollFilesystemOvercommitted",
    severity: Severity::Warning,
    subject: SubjectKind::Filesystem,
    threshold: Some(Threshold { key: "filesystem_overcommitted", unit: Unit::Ratio, margin: 0.0 }),
    hold_seconds: 600.0,
    summary: "More is promised of a filesystem than it has",
    description: "{{ $value | humanizePercentage }} of filesystem {{ $labels.mount_point }} is \
          promised.",
    expr: Some(
        "plimsoll_filesystem_promised_bytes / (plimsoll_filesystem_size_bytes > 0) > \
        $threshold",
    ),
    meaning: "The agent's disk resources on this filesystem add up to more than its size: \
          tenants that all stay within their quota can still fill it. Several disks on \
          one filesystem, a `--resources` written by hand, or a filesystem that was \
          replaced by a smaller one.",
    check: "`plimsoll_filesystem_promised_bytes` against `plimsoll_filesystem_size_bytes`; \
          the agent's `--resources`.",
    action: "Lower the disk in the agent's `--resources` (it takes a drained agent), or \
          give each disk a filesystem of its own.",
    next: "Lower the disk in the agent's --resources, or give each disk a filesystem of \
          its own.",
};

/// Filesystem is read-only.
pub static FILESYSTEM_READONLY: Condition = Condition {
    id: "filesystem_readonly",
    alert: "PlimsollFilesystemReadonly",
    severity: Severity::Warning,
    subject: SubjectKind::Filesystem,
    threshold: None,
    hold_seconds: 60.0,
    summary: "Filesystem is read-only",
    description: "Filesystem {{ $labels.mount_point }} is read-only.",
    expr: Some(
        "plimsoll_filesystem_readonly == 1 unless on (job, instance, mount_point) \
        plimsoll_filesystem_info{remote=\"true\"} unless on (job, instance, mount_point) \
        plimsoll_filesystem_info{fstype=~\"cramfs|erofs|iso9660|romfs|squashfs|udf\"}",
    ),
    meaning: "A filesystem that holds volumes or sandboxes takes no writes. If it was not \
          mounted so, the kernel turned it after an error. Not told of filesystems on the network, \
          where the server decides, nor of types that are never written (`iso9660`, `squashfs`, …).",
    check: "`dmesg` for I/O errors; `findmnt` for the mount options.",
    action: "After an error: drain the host, check the filesystem (`fsck`, `xfs_repair`) \
          and the disk before it is mounted again.",
    next: "See the kernel's log for the error that turned it; check the disk before \
          mounting it again.",
};

/// Filesystem does not answer.
pub static FILESYSTEM_UNRESPONSIVE: Condition = Condition {
    id: "filesystem_unresponsive",
    alert: "PlimsollFilesystemUnresponsive",
    severity: Severity::Critical,
    subject: SubjectKind::Filesystem,
    threshold: None,
    hold_seconds: 30.0,
    summary: "Filesystem does not answer",
    description: "Filesystem {{ $labels.mount_point }} does not answer.",
    expr: Some(
        "plimsoll_filesystem_responsive == 0 unless on (job, instance, mount_point) \
        plimsoll_network_filesystem_responsive",
    ),
    meaning: "A call into the mount did not come back within `filesystems.timeout`. Tasks \
          that touch it hang and cannot be killed. Plimsoll shows its last values and \
          waits with one thread at most.",
    check: "Is its server there, does the device answer (`dmesg`)? `plimsoll check` lists \
          such mounts.",
    action: "Bring the server or device back; as a last resort `umount -l`, and restart the \
          tasks that used it.",
    next: "Bring its server or device back.",
};

/// Agent does not answer.
pub static AGENT_DOWN: Condition = Condition {
    id: "agent_down",
    alert: "PlimsollAgentDown",
    severity: Severity::Critical,
    subject: SubjectKind::Agent,
    threshold: None,
    hold_seconds: 120.0,
    summary: "Agent does not answer",
    description: "The agent of {{ $labels.instance }} does not answer.",
    expr: Some("plimsoll_agent_up == 0 unless on (job, instance) plimsoll_agent_recovering == 1"),
    meaning: "The agent's API did not answer. Running tasks go on; nothing new is launched, \
          finished sandboxes are not removed, quotas are not enforced. Plimsoll judges \
          from the checkpoint and the directories meanwhile.",
    check: "Is the process there? `systemctl status mesos-agent`; `plimsoll check` shows \
          the address that was asked and the error.",
    action: "Start the agent. If it refuses to recover, its log names the file.",
    next: "Start the agent; plimsoll check shows the error.",
};

/// Agent has been recovering for long.
pub static AGENT_RECOVERING: Condition = Condition {
    id: "agent_recovering",
    alert: "PlimsollAgentRecovering",
    severity: Severity::Warning,
    subject: SubjectKind::Agent,
    threshold: None,
    hold_seconds: 600.0,
    summary: "Agent has been recovering for long",
    description: "The agent of {{ $labels.instance }} is still recovering.",
    expr: Some("plimsoll_agent_recovering == 1"),
    meaning: "The agent started and is still taking up its tasks. For a minute that is \
          normal; for longer, it waits for executors that do not come back, or for the \
          master.",
    check: "The agent's log; `--recovery_timeout`.",
    action: "See which executor it waits for; check that the master can be reached.",
    next: "See in the agent's log which executor it waits for.",
};

/// Finished sandboxes stay longer than they should.
pub static GC_BEHIND: Condition = Condition {
    id: "gc_behind",
    alert: "PlimsollGcBehind",
    severity: Severity::Warning,
    subject: SubjectKind::Agent,
    threshold: Some(Threshold { key: "gc_behind", unit: Unit::Seconds, margin: 600.0 }),
    hold_seconds: 600.0,
    summary: "Finished sandboxes stay longer than they should",
    description: "Finished sandboxes of {{ $labels.instance }} are overdue.",
    expr: Some("time() - plimsoll_gc_next_removal_timestamp_seconds >= $threshold"),
    meaning: "Sandboxes of finished runs are there well after the agent should have removed \
          them (`--gc_delay`, shortened as the disk fills). A mount inside one, a \
          permission, or an agent that is down or very busy.",
    check: "The agent's log says `Failed to delete`; `findmnt` shows mounts below the \
          sandboxes. `gc/path_removals_failed` in the agent's metrics counts.",
    action: "Unmount what is below, then the agent retries at its next start; or remove the \
          directories by hand once nothing is mounted below.",
    next: "Look for mounts below the overdue sandboxes and for removal errors in the \
          agent's log.",
};

/// Reservation has been idle for long.
pub static RESERVATION_IDLE: Condition = Condition {
    id: "reservation_idle",
    alert: "PlimsollReservationIdle",
    severity: Severity::Info,
    subject: SubjectKind::Reservation,
    threshold: None,
    hold_seconds: 604800.0,
    summary: "Reservation has been idle for long",
    description: "Role {{ $labels.role }} has used nothing of its {{ $labels.reservation }} \
          reservation for a week.",
    expr: None,
    meaning: "Resources of this host are reserved for a role, and for a week no task of it \
          ran here: nobody else can use them. Often the framework is gone or its task \
          could not be placed again.",
    check: "`plimsoll_agent_*_allocated` by role; ask the role's owner.",
    action: "If it is not needed: destroy its volumes (DESTROY_VOLUMES) when their data may \
          go, then UNRESERVE_RESOURCES through the master. A static reservation is in \
          the agent's `--resources`.",
    next: "If it is not needed: DESTROY_VOLUMES, then UNRESERVE_RESOURCES through the \
          master.",
};

/// Source of truth cannot be read whole.
pub static SOURCE_UNREADABLE: Condition = Condition {
    id: "source_unreadable",
    alert: "PlimsollSourceUnreadable",
    severity: Severity::Warning,
    subject: SubjectKind::Collector,
    threshold: None,
    hold_seconds: 120.0,
    summary: "Source of truth cannot be read whole",
    description: "Collector {{ $labels.collector }} of {{ $labels.instance }} could not read its \
          source whole.",
    expr: Some("plimsoll_collector_success{collector!~\"filesystems|io\"} == 0"),
    meaning: "One of the sources Plimsoll judges from failed, wholly or in part. What only \
          it tells is unknown, and nothing is called an orphan on the word of the others \
          alone if they may be filtered.",
    check: "`plimsoll check` as the service's user says what failed and what to do.",
    action: "Follow the hint of the finding: usually credentials, a permission or a \
          capability.",
    next: "Run plimsoll check: it says what failed and what to do.",
};

/// Sources of truth contradict each other.
pub static SOURCES_DISAGREE: Condition = Condition {
    id: "sources_disagree",
    alert: "PlimsollSourcesDisagree",
    severity: Severity::Warning,
    subject: SubjectKind::Disagreement,
    threshold: None,
    hold_seconds: 300.0,
    summary: "Sources of truth contradict each other",
    description: "Sources of truth on {{ $labels.instance }} contradict each other about \
          {{ $labels.subject }}.",
    // The metric plimsoll_disagreements does not name the subject, which the finding does.
    expr: None,
    meaning: "Two sources say different things about one subject for minutes: the agent's \
          API and its checkpoint, or one of them and the mount table. Short \
          contradictions while something changes are normal and not told.",
    check: "`/api/v1/disagreements` has both sides.",
    action: "Usually an agent restart settles it. A checkpoint restored from a backup, or \
          files changed by hand, do not settle.",
    next: "Compare both sides; an agent restart usually settles it.",
};

/// Measurements are older than they should be.
pub static MEASUREMENTS_OVERDUE: Condition = Condition {
    id: "measurements_overdue",
    alert: "PlimsollMeasurementsOverdue",
    severity: Severity::Warning,
    subject: SubjectKind::Plimsoll,
    threshold: Some(Threshold { key: "measurements_overdue", unit: Unit::Seconds, margin: 60.0 }),
    hold_seconds: 600.0,
    summary: "Measurements are older than they should be",
    description: "The most overdue subject on {{ $labels.instance }} is {{ $value | \
          humanizeDuration }} late.",
    expr: Some("plimsoll_usage_debt_seconds >= $threshold"),
    meaning: "The walks do not get around all subjects within `usage.max_age` on their CPU \
          budget: values are right but old.",
    check: "`plimsoll_usage_debt_seconds`, `plimsoll_usage_pending_subjects`, \
          `plimsoll_usage_cpu_seconds_total`.",
    action: "Raise `usage.cpu_budget` or `usage.max_age`.",
    next: "Raise usage.cpu_budget or usage.max_age.",
};

/// Subjects are folded into others.
pub static SERIES_DROPPED: Condition = Condition {
    id: "series_dropped",
    alert: "PlimsollSeriesDropped",
    severity: Severity::Info,
    subject: SubjectKind::Plimsoll,
    threshold: None,
    hold_seconds: 600.0,
    summary: "Subjects are folded into others",
    description: "{{ $value }} series of {{ $labels.instance }} are folded into subjects named \
          other.",
    expr: Some("plimsoll_series_dropped > 0"),
    meaning: "This host has more subjects than `metrics.max_series` leaves room for: the \
          smaller ones that are well are summed into `other` on `/metrics`. The API and \
          the commands still show all.",
    check: "`plimsoll_series_dropped`.",
    action: "Raise `metrics.max_series` if Prometheus can take it.",
    next: "Raise metrics.max_series if Prometheus can take it.",
};
