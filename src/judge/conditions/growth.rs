//! Conditions of what will be, by the growth seen.

use crate::model::{Severity, SubjectKind};

use super::{Condition, Threshold, Unit};

/// Volume fills within a day.
pub static VOLUME_FILLS_SOON: Condition = Condition {
    id: "volume_fills_soon",
    alert: "PlimsollVolumeFillsSoon",
    severity: Severity::Warning,
    subject: SubjectKind::Volume,
    threshold: Some(Threshold { key: "fills_soon", unit: Unit::Within, margin: 10_800.0 }),
    hold_seconds: 600.0,
    summary: "Volume fills within a day",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} is \
          full in {{ $value | humanizeDuration }}, at the pace seen.",
    expr: Some("plimsoll_volume_quota_full_timestamp_seconds - time() <= $threshold"),
    meaning: "At the pace seen, its quota is used up within the time: then its task is \
          killed or its writes fail, if the quota is enforced. A prediction is only made where the \
          growth went on long enough to bear it out (`docs/growth.md`). When the filesystem is \
          full before the quota is, the filesystem's finding tells it, once.",
    check: "`plimsoll volumes` shows bytes, growth and quota; the graph of \
          `plimsoll_volume_used_bytes` shows since when it grows.",
    action: "Find in the application what grows and whether it should; free space, or grow \
          the volume (GROW_VOLUME) in time.",
    next: "Find what grows in the application; free space or grow the volume before then.",
};

/// Volume fills within hours.
pub static VOLUME_FILLS_NOW: Condition = Condition {
    id: "volume_fills_now",
    alert: "PlimsollVolumeFillsNow",
    severity: Severity::Critical,
    subject: SubjectKind::Volume,
    threshold: Some(Threshold { key: "fills_now", unit: Unit::Within, margin: 1_800.0 }),
    hold_seconds: 300.0,
    summary: "Volume fills within hours",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} is \
          full in {{ $value | humanizeDuration }}, at the pace seen.",
    expr: Some("plimsoll_volume_quota_full_timestamp_seconds - time() <= $threshold"),
    meaning: "At the pace seen, its quota is used up within the time: then its task is \
          killed or its writes fail, if the quota is enforced. A prediction is only made where the \
          growth went on long enough to bear it out (`docs/growth.md`). When the filesystem is \
          full before the quota is, the filesystem's finding tells it, once.",
    check: "`plimsoll volumes` shows bytes, growth and quota; the graph of \
          `plimsoll_volume_used_bytes` shows since when it grows.",
    action: "Find in the application what grows and whether it should; free space, or grow \
          the volume (GROW_VOLUME) in time.",
    next: "Find what grows in the application; free space or grow the volume before then.",
};

/// Sandbox fills within a day.
pub static SANDBOX_FILLS_SOON: Condition = Condition {
    id: "sandbox_fills_soon",
    alert: "PlimsollSandboxFillsSoon",
    severity: Severity::Warning,
    subject: SubjectKind::Sandbox,
    threshold: Some(Threshold { key: "fills_soon", unit: Unit::Within, margin: 10_800.0 }),
    hold_seconds: 600.0,
    summary: "Sandbox fills within a day",
    description: "The sandbox of {{ $labels.executor }} (container {{ $labels.container }}) \
          is full in {{ $value | humanizeDuration }}, at the pace seen.",
    expr: Some(
        "plimsoll_sandbox_quota_full_timestamp_seconds - time() <= $threshold and on (job, \
        instance, source, framework, executor, container) \
        plimsoll_sandbox_info{enforcement!~\"none|accounting\"}",
    ),
    meaning: "At the pace seen, the disk its task asked for is used up within the time, and \
          that is enforced: the task is killed or its writes fail. A prediction is only made where \
          the growth went on long enough to bear it out (`docs/growth.md`). When the filesystem is \
          full before the quota is, the filesystem's finding tells it, once.",
    check: "`plimsoll sandboxes` shows bytes, growth and quota; the graph of \
          `plimsoll_sandbox_used_bytes` shows since when it grows.",
    action: "Find what grows (usually a log or a core file) with `plimsoll scan` of its \
          subdirectories; rotate it, or ask for more `disk` in the task's definition.",
    next: "Find what grows in the sandbox, usually a log, and rotate it before then.",
};

/// Sandbox fills within hours.
pub static SANDBOX_FILLS_NOW: Condition = Condition {
    id: "sandbox_fills_now",
    alert: "PlimsollSandboxFillsNow",
    severity: Severity::Critical,
    subject: SubjectKind::Sandbox,
    threshold: Some(Threshold { key: "fills_now", unit: Unit::Within, margin: 1_800.0 }),
    hold_seconds: 300.0,
    summary: "Sandbox fills within hours",
    description: "The sandbox of {{ $labels.executor }} (container {{ $labels.container }}) \
          is full in {{ $value | humanizeDuration }}, at the pace seen.",
    expr: Some(
        "plimsoll_sandbox_quota_full_timestamp_seconds - time() <= $threshold and on (job, \
        instance, source, framework, executor, container) \
        plimsoll_sandbox_info{enforcement!~\"none|accounting\"}",
    ),
    meaning: "At the pace seen, the disk its task asked for is used up within the time, and \
          that is enforced: the task is killed or its writes fail. A prediction is only made where \
          the growth went on long enough to bear it out (`docs/growth.md`). When the filesystem is \
          full before the quota is, the filesystem's finding tells it, once.",
    check: "`plimsoll sandboxes` shows bytes, growth and quota; the graph of \
          `plimsoll_sandbox_used_bytes` shows since when it grows.",
    action: "Find what grows (usually a log or a core file) with `plimsoll scan` of its \
          subdirectories; rotate it, or ask for more `disk` in the task's definition.",
    next: "Find what grows in the sandbox, usually a log, and rotate it before then.",
};

/// Filesystem fills within a day.
pub static FILESYSTEM_FILLS_SOON: Condition = Condition {
    id: "filesystem_fills_soon",
    alert: "PlimsollFilesystemFillsSoon",
    severity: Severity::Warning,
    subject: SubjectKind::Filesystem,
    threshold: Some(Threshold { key: "fills_soon", unit: Unit::Within, margin: 10_800.0 }),
    hold_seconds: 600.0,
    summary: "Filesystem fills within a day",
    description: "Filesystem {{ $labels.mount_point }} is full in {{ $value | \
          humanizeDuration }}, at the pace seen.",
    expr: Some(
        "plimsoll_filesystem_full_timestamp_seconds - time() <= $threshold unless on (job, \
        instance, mount_point) plimsoll_filesystem_responsive == 0",
    ),
    meaning: "At the pace seen, ordinary users can write no more within the time: writes of \
          every tenant then fail with ENOSPC, whatever their quota. A prediction is only made \
          where the growth went on long enough to bear it out (`docs/growth.md`).",
    check: "The status page shows which volumes and sandboxes on it grow; growth nobody \
          explains (`plimsoll_filesystem_unattributed_bytes`) is images, caches or logs of the \
          host.",
    action: "Slow or move what grows fastest; free what is finished or orphaned (`plimsoll \
          orphans`) to win time.",
    next: "Look which volume or sandbox on it grows fastest; free what is orphaned to win time.",
};

/// Filesystem fills within hours.
pub static FILESYSTEM_FILLS_NOW: Condition = Condition {
    id: "filesystem_fills_now",
    alert: "PlimsollFilesystemFillsNow",
    severity: Severity::Critical,
    subject: SubjectKind::Filesystem,
    threshold: Some(Threshold { key: "fills_now", unit: Unit::Within, margin: 1_800.0 }),
    hold_seconds: 300.0,
    summary: "Filesystem fills within hours",
    description: "Filesystem {{ $labels.mount_point }} is full in {{ $value | \
          humanizeDuration }}, at the pace seen.",
    expr: Some(
        "plimsoll_filesystem_full_timestamp_seconds - time() <= $threshold unless on (job, \
        instance, mount_point) plimsoll_filesystem_responsive == 0",
    ),
    meaning: "At the pace seen, ordinary users can write no more within the time: writes of \
          every tenant then fail with ENOSPC, whatever their quota. A prediction is only made \
          where the growth went on long enough to bear it out (`docs/growth.md`).",
    check: "The status page shows which volumes and sandboxes on it grow; growth nobody \
          explains (`plimsoll_filesystem_unattributed_bytes`) is images, caches or logs of the \
          host.",
    action: "Slow or move what grows fastest; free what is finished or orphaned (`plimsoll \
          orphans`) to win time.",
    next: "Look which volume or sandbox on it grows fastest; free what is orphaned to win time.",
};
