//! Conditions of volumes and sandboxes.

use crate::model::{Severity, SubjectKind};

use super::{Condition, Threshold, Unit};

/// Volume is close to its quota.
pub static VOLUME_NEAR_QUOTA: Condition = Condition {
    id: "volume_near_quota",
    alert: "PlimsollVolumeNearQuota",
    severity: Severity::Warning,
    subject: SubjectKind::Volume,
    threshold: Some(Threshold { key: "volume_near_quota", unit: Unit::Ratio, margin: 0.03 }),
    hold_seconds: 300.0,
    summary: "Volume is close to its quota",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} holds {{ \
          $value | humanizePercentage }} of its quota.",
    expr: Some(
        "plimsoll_volume_used_bytes{source!=\"other\"} / (plimsoll_volume_quota_bytes > 0) >= \
        $threshold",
    ),
    meaning: "The volume holds most of the bytes it was created with. What happens past them \
          depends on its enforcement, which the finding names: the task is killed, its \
          writes fail, or it grows on into the space of others.",
    check: "`plimsoll volumes` shows bytes, quota and enforcement; the growth of \
          `plimsoll_volume_used_bytes` tells how soon.",
    action: "Delete or compact data in the application, or grow the volume: the master's \
          call GROW_VOLUME adds unreserved or reserved disk of the same role to it (a \
          ROOT or PATH disk; a MOUNT disk has the size of its filesystem).",
    next: "Free space in the application, or grow the volume with the master's call \
          GROW_VOLUME.",
};

/// Volume is over a quota that is enforced.
pub static VOLUME_OVER_QUOTA: Condition = Condition {
    id: "volume_over_quota",
    alert: "PlimsollVolumeOverQuota",
    severity: Severity::Critical,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 0.0,
    summary: "Volume is over a quota that is enforced",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} holds {{ \
          $value | humanizePercentage }} of its quota, and that is enforced.",
    expr: Some(
        "plimsoll_volume_used_bytes / (plimsoll_volume_quota_bytes > 0) >= 1 and on (job, \
        instance, source, role, volume, disk) \
        plimsoll_volume_info{enforcement!~\"none|accounting\"}",
    ),
    meaning: "The volume holds all of its quota or more, and something enforces it. With \
          `soft_kill` the agent kills the task that holds it at its next look \
          (`--container_disk_watch_interval`, 15 seconds by default); with `hard_quota` \
          and `filesystem` writes fail already.",
    check: "`plimsoll volumes` names the enforcement and the holders; the agent's log says \
          `Disk usage … exceeds quota` when it kills.",
    action: "Free space in the application at once, or grow the volume (GROW_VOLUME). A \
          task that was killed for it will be killed again after its restart as long as \
          the bytes are there.",
    next: "Free space at once or grow the volume: a task killed for it is killed again \
          after its restart.",
};

/// Volume is over its quota and nothing enforces it.
pub static VOLUME_OVER_QUOTA_UNENFORCED: Condition = Condition {
    id: "volume_over_quota_unenforced",
    alert: "PlimsollVolumeOverQuotaUnenforced",
    severity: Severity::Warning,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 60.0,
    summary: "Volume is over its quota and nothing enforces it",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} holds {{ \
          $value | humanizePercentage }} of its quota; nothing stops it.",
    expr: Some(
        "plimsoll_volume_used_bytes / (plimsoll_volume_quota_bytes > 0) >= 1 and on (job, \
        instance, source, role, volume, disk) \
        plimsoll_volume_info{enforcement=~\"none|accounting\"}",
    ),
    meaning: "The volume holds more than it was promised. The agent does not enforce quotas \
          (no disk isolator, or `--enforce_container_disk_quota` is off), so that it \
          lives on space promised to others until the filesystem is full.",
    check: "`plimsoll volumes` shows how far over it is, \
          `plimsoll_filesystem_available_bytes` what is left for all.",
    action: "Free space in the application or grow the volume, before the quota is enforced \
          one day: with `--enforce_container_disk_quota` the task would be killed at the \
          agent's next look.",
    next: "Free space in the application or grow the volume; switching enforcement on \
          would kill the task.",
};

/// Data that nobody claims.
pub static VOLUME_ORPHANED: Condition = Condition {
    id: "volume_orphaned",
    alert: "PlimsollVolumeOrphaned",
    severity: Severity::Warning,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 0.0,
    summary: "Data that nobody claims",
    description: "The data of {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} \
          ({{ $value | humanize1024 }}B, as far as it is measured) is claimed by no source of truth.",
    expr: Some(
        "(plimsoll_volume_used_bytes or max without (state) \
        (plimsoll_volume_state{state=\"orphaned\"}) * 0) and on (job, instance, source, role, \
        volume, disk) plimsoll_volume_state{state=\"orphaned\"} == 1",
    ),
    meaning: "A directory lies where a volume would, or a MOUNT disk holds data, and the \
          agent's list of volumes, read whole, does not know it. It stayed so for \
          `orphans.grace`. Nothing will ever remove it: it takes space of everybody \
          else, or it is the only copy of something somebody misses.",
    check: "`plimsoll orphans` shows bytes, files, age, the newest change, whether something still \
          mounts it and which processes hold files in it open. Look who wrote it last (owner of the \
          files, role in the path) before anything else.",
    action: "To keep it: reserve disk for the role and create a volume with the same id on \
          the same disk; the agent takes the directory over with its data. To drop it: \
          do the same, then destroy that volume, so that the agent removes the data \
          itself. Only a directory that nothing mounts or holds open may be removed by hand, by \
          someone who is sure.",
    next: "See plimsoll orphans for the exact call that takes it back or drops it.",
};

/// Volume whose role nobody uses any more.
pub static VOLUME_UNOWNED: Condition = Condition {
    id: "volume_unowned",
    alert: "PlimsollVolumeUnowned",
    severity: Severity::Info,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 3600.0,
    summary: "Volume that no registered framework can use",
    description: "No registered framework uses the role of volume {{ $labels.role }}/{{ \
          $labels.volume }} on {{ $labels.disk }}.",
    expr: Some("max without (state) (plimsoll_volume_state{state=\"unowned\"}) == 1"),
    meaning: "The agent lists the volume and nobody holds it; the master knows no framework \
          registered in its role (asked only with `mesos.master_url`). Its framework was \
          torn down without destroying its volumes, or is away for longer than usual.",
    check: "The master's `/frameworks` and `/roles`; ask the role's owner. `plimsoll volumes` \
          shows when it was last used and how much it holds.",
    action: "Nothing if the framework comes back: it is offered the volume again. If the data \
          may go, DESTROY_VOLUMES, then UNRESERVE_RESOURCES through the master.",
    next: "Ask the role's owner; if its data may go, DESTROY_VOLUMES through the master.",
};

/// Directory that nobody has used for long.
pub static VOLUME_UNUSED: Condition = Condition {
    id: "volume_unused",
    alert: "PlimsollVolumeUnused",
    severity: Severity::Info,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 300.0,
    summary: "Directory that nobody has used for long",
    description: "Nobody has used {{ $labels.volume }} for {{ $value | humanizeDuration }}.",
    expr: Some(
        "time() - plimsoll_volume_unused_since_timestamp_seconds >= \
         plimsoll_volume_unused_after_seconds",
    ),
    meaning: "The configuration names the directory; no container has it mounted, no process holds \
          anything in it open, and nothing in it has changed for longer than its \
          `unused_after`.",
    check: "`plimsoll volumes` shows since when and how much it holds; the label `principal` says \
          who answers for it. A service that opens its files only now and then is seen by the \
          newest change.",
    action: "Ask its owner. If the data may go, its owner removes it; if it shall stay, give it a \
          longer `unused_after`.",
    next: "Ask its owner whether the data may go, or give it a longer unused_after.",
};

/// Volume was created over data that was already there.
pub static VOLUME_REATTACHED: Condition = Condition {
    id: "volume_reattached",
    alert: "PlimsollVolumeReattached",
    severity: Severity::Info,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 0.0,
    summary: "Volume was created over data that was already there",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} was \
          created where unclaimed data lay.",
    expr: None,
    meaning: "Data that was an orphan is claimed again: a volume with the same role, id and \
          disk was created, and the agent took the old directory over with what was in \
          it. That is how data is rescued; by accident it hands one tenant's data to \
          another.",
    check: "The finding names the bytes; `ls -ln` of the directory shows whose files they \
          are.",
    action: "Nothing if it was meant. If not: stop the task before it writes over the data, \
          and move the data aside.",
    next: "Nothing if it was meant; if not, stop the task before it writes over what was \
          there.",
};

/// Volume is claimed but its directory is gone.
pub static VOLUME_MISSING: Condition = Condition {
    id: "volume_missing",
    alert: "PlimsollVolumeMissing",
    severity: Severity::Critical,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 60.0,
    summary: "Volume is claimed but its directory is gone",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} is listed \
          by the agent, but its directory is gone.",
    expr: Some("max without (state) (plimsoll_volume_state{state=\"missing\"}) == 1"),
    meaning: "The agent promises this volume to its role, and there is no data behind it: \
          the directory was removed by hand, its disk is not mounted, or the work \
          directory was restored without it. A task that starts on it fails, or starts \
          with nothing.",
    check: "Is the disk mounted (`findmnt`, `plimsoll_filesystem_readonly`)? See whether the path is \
          there under another name.",
    action: "Mount the disk or restore the directory before a task is launched on the \
          volume. If the data is lost, destroy the volume and create it anew, so that \
          the application knows.",
    next: "Mount its disk or restore the directory before a task is launched on it.",
};

/// Volume that is not shared has several holders.
pub static VOLUME_CONFLICT: Condition = Condition {
    id: "volume_conflict",
    alert: "PlimsollVolumeConflict",
    severity: Severity::Warning,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 120.0,
    summary: "Volume that is not shared has several holders",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} is not \
          shared, and several executors use it at once.",
    expr: None,
    meaning: "Two or more executors use one volume that was not created as shared. Mesos \
          never offers it twice, so one of them is a leftover: an executor the agent \
          lost track of. Both write to the same files.",
    check: "`plimsoll volumes --output json` lists the holders with their containers; \
          compare with the framework's own list.",
    action: "Find out which executor the framework knows, and end the other one. Check the \
          data for damage (a database's own check) before trusting it.",
    next: "End the executor the framework does not know, then check the data.",
};

/// Volume is still mounted in a container that ended.
pub static VOLUME_DANGLING_MOUNT: Condition = Condition {
    id: "volume_dangling_mount",
    alert: "PlimsollVolumeDanglingMount",
    severity: Severity::Warning,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 300.0,
    summary: "Volume is still mounted in a container that ended",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} is still \
          mounted in a container that ended.",
    expr: None,
    meaning: "The mount table shows the volume in the sandbox of a container that is over. \
          The unmount failed or the agent was not there to do it. Removing that sandbox \
          by hand, or by the agent's garbage collection, would go through the mount into \
          the volume's data.",
    check: "`findmnt` with the mount point of the finding; `fuser -m` for who still holds \
          it.",
    action: "Unmount it (`umount` the named mount point) before anything removes the \
          sandbox. Never `rm -r` a sandbox that has a mount in it.",
    next: "Unmount it before anything removes that sandbox; never rm -r through it.",
};

/// Volume is mounted outside any container.
pub static VOLUME_MOUNTED_ELSEWHERE: Condition = Condition {
    id: "volume_mounted_elsewhere",
    alert: "PlimsollVolumeMountedElsewhere",
    severity: Severity::Info,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 300.0,
    summary: "Volume is mounted outside any container",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} is \
          mounted at a place that belongs to no container.",
    expr: None,
    meaning: "Somebody bind-mounted the volume's directory somewhere else on the host: a \
          backup, an operator at work, or a leftover of one.",
    check: "`findmnt` with the mount point of the finding.",
    action: "Nothing while it is in use; unmount it afterwards. A DESTROY meanwhile removes \
          the data below that mount too.",
    next: "Unmount it when its use is over.",
};

/// Volume is mounted twice in one container.
pub static VOLUME_MOUNTED_TWICE: Condition = Condition {
    id: "volume_mounted_twice",
    alert: "PlimsollVolumeMountedTwice",
    severity: Severity::Warning,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 300.0,
    summary: "Volume is mounted twice in one container",
    description: "Volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk }} is \
          mounted more often in a container than its holders asked for.",
    expr: None,
    meaning: "One container has more mounts of this volume than it has uses for it: one lies \
          over another or beside it, as after a failed launch that was tried again. The \
          unmount at the end of the task takes only one of them away.",
    check: "`findmnt` of the mount points in the finding.",
    action: "When the task has ended, unmount what is left; while it runs leave it alone.",
    next: "Leave it while the task runs; unmount what is left afterwards.",
};

/// Volume cannot be measured.
pub static VOLUME_UNMEASURED: Condition = Condition {
    id: "volume_unmeasured",
    alert: "PlimsollVolumeUnmeasured",
    severity: Severity::Warning,
    subject: SubjectKind::Volume,
    threshold: None,
    hold_seconds: 600.0,
    summary: "Volume cannot be measured",
    description: "The use of volume {{ $labels.role }}/{{ $labels.volume }} on {{ $labels.disk \
          }} cannot be measured.",
    expr: None,
    meaning: "The newest attempts to measure the volume failed. Its last value stays and \
          ages; the finding says what failed.",
    check: "`plimsoll check` as the service's user; the error in the finding names path \
          and operation.",
    action: "For `permission`, give the service CAP_DAC_READ_SEARCH; for `io`, look at the \
          kernel's log; for `unresponsive`, at the mount.",
    next: "See the error: permission needs CAP_DAC_READ_SEARCH, io the kernel's log.",
};

/// Sandbox is close to a quota that is enforced.
pub static SANDBOX_NEAR_QUOTA: Condition = Condition {
    id: "sandbox_near_quota",
    alert: "PlimsollSandboxNearQuota",
    severity: Severity::Warning,
    subject: SubjectKind::Sandbox,
    threshold: Some(Threshold { key: "sandbox_near_quota", unit: Unit::Ratio, margin: 0.03 }),
    hold_seconds: 120.0,
    summary: "Sandbox is close to a quota that is enforced",
    description: "The sandbox of {{ $labels.executor }} (container {{ $labels.container }}) \
          holds {{ $value | humanizePercentage }} of its quota.",
    expr: Some(
        "plimsoll_sandbox_used_bytes / (plimsoll_sandbox_quota_bytes > 0) >= $threshold \
        and on (job, instance, source, framework, executor, container) \
        plimsoll_sandbox_info{enforcement!~\"none|accounting\"}",
    ),
    meaning: "The task has written most of the disk it asked for, and the quota is enforced: \
          past it the task is killed or its writes fail.",
    check: "`plimsoll sandboxes`, then `plimsoll scan` of the sandbox's subdirectories: \
          usually it is a log or a core file.",
    action: "Rotate or delete what grows, or ask for more `disk` in the task's definition.",
    next: "Rotate logs or ask for more disk in the task's definition.",
};

/// Sandbox is over a quota that is enforced.
pub static SANDBOX_OVER_QUOTA: Condition = Condition {
    id: "sandbox_over_quota",
    alert: "PlimsollSandboxOverQuota",
    severity: Severity::Critical,
    subject: SubjectKind::Sandbox,
    threshold: None,
    hold_seconds: 0.0,
    summary: "Sandbox is over a quota that is enforced",
    description: "The sandbox of {{ $labels.executor }} (container {{ $labels.container }}) \
          holds {{ $value | humanizePercentage }} of its quota, and that is enforced.",
    expr: Some(
        "plimsoll_sandbox_used_bytes / (plimsoll_sandbox_quota_bytes > 0) >= 1 and on (job, \
        instance, source, framework, executor, container) \
        plimsoll_sandbox_info{enforcement!~\"none|accounting\"}",
    ),
    meaning: "The task has written all the disk it asked for. With `soft_kill` it will be \
          killed at the agent's next du (`--container_disk_watch_interval`, 15 seconds \
          by default); with `hard_quota` its writes fail.",
    check: "`plimsoll sandboxes`; the agent's log says `Disk usage … exceeds quota`.",
    action: "Delete what can go at once. Then ask for more `disk`, or make the task rotate \
          its logs.",
    next: "Delete what can go at once, then ask for more disk.",
};

/// Sandbox is over its quota and nothing enforces it.
pub static SANDBOX_OVER_QUOTA_UNENFORCED: Condition = Condition {
    id: "sandbox_over_quota_unenforced",
    alert: "PlimsollSandboxOverQuotaUnenforced",
    severity: Severity::Info,
    subject: SubjectKind::Sandbox,
    threshold: None,
    hold_seconds: 60.0,
    summary: "Sandbox is over its quota and nothing enforces it",
    description: "The sandbox of {{ $labels.executor }} (container {{ $labels.container }}) \
          holds {{ $value | humanizePercentage }} of its quota; nothing stops it.",
    expr: Some(
        "plimsoll_sandbox_used_bytes / (plimsoll_sandbox_quota_bytes > 0) >= 1 and on (job, \
        instance, source, framework, executor, container) \
        plimsoll_sandbox_info{enforcement=~\"none|accounting\"}",
    ),
    meaning: "The task has written more than the disk it asked for, and nothing enforces \
          that: it lives on space of others.",
    check: "`plimsoll sandboxes` shows how far over it is.",
    action: "Ask for as much `disk` as the task needs, so that offers tell the truth.",
    next: "Ask for as much disk as the task needs.",
};

/// Sandbox of a running container is gone.
pub static SANDBOX_MISSING: Condition = Condition {
    id: "sandbox_missing",
    alert: "PlimsollSandboxMissing",
    severity: Severity::Warning,
    subject: SubjectKind::Sandbox,
    threshold: None,
    hold_seconds: 120.0,
    summary: "Sandbox of a running container is gone",
    description: "The container of {{ $labels.executor }} (container {{ $labels.container }}) \
          runs, but its sandbox is gone.",
    expr: Some("max without (state) (plimsoll_sandbox_state{state=\"missing\"}) == 1"),
    meaning: "The agent lists the run as running, and its directory is not there: somebody \
          removed it. What the task writes there goes to deleted files, which still take \
          space.",
    check: "`ls -l /proc/PID/cwd` of the executor says `(deleted)`.",
    action: "Restart the task; its logs from before are lost.",
    next: "Restart the task.",
};

/// Sandboxes the agent will never remove.
pub static SANDBOXES_LEAKED: Condition = Condition {
    id: "sandboxes_leaked",
    alert: "PlimsollSandboxesLeaked",
    severity: Severity::Warning,
    subject: SubjectKind::Framework,
    threshold: None,
    hold_seconds: 0.0,
    summary: "Sandboxes the agent will never remove",
    description: "Framework {{ $labels.framework }} has sandboxes on this host that the agent \
          will never remove.",
    expr: Some("sum without (state) (plimsoll_finished_sandboxes{state=\"leaked\"}) > 0"),
    meaning: "Directories of runs below the present agent id that neither the API nor the \
          checkpoint knows. Frameworks that do not checkpoint leave them behind whenever \
          the agent restarts. The agent's garbage collection does not see them.",
    check: "`plimsoll sandboxes` lists them with state `leaked`; make sure that no process \
          runs there (`fuser`).",
    action: "Copy what is needed, make sure nothing is mounted below (`findmnt`), then \
          remove the directories by hand. Run the framework with checkpointing to have \
          no more of them.",
    next: "Remove them by hand once nothing is mounted below; run the framework with \
          checkpointing.",
};

/// Sandboxes of a former agent.
pub static SANDBOXES_ABANDONED: Condition = Condition {
    id: "sandboxes_abandoned",
    alert: "PlimsollSandboxesAbandoned",
    severity: Severity::Info,
    subject: SubjectKind::Framework,
    threshold: None,
    hold_seconds: 3600.0,
    summary: "Sandboxes of a former agent",
    description: "Framework {{ $labels.framework }} has sandboxes below a former agent id.",
    expr: Some("sum without (state) (plimsoll_finished_sandboxes{state=\"abandoned\"}) > 0"),
    meaning: "The agent registered with a new id (its host was renamed, its resources \
          changed, or `meta/slaves/latest` was removed), and the sandboxes of the former \
          id are still there. The agent removes the whole directory of the former id \
          after `--gc_delay`.",
    check: "`plimsoll sandboxes` lists them with state `abandoned`.",
    action: "Nothing, unless the space is needed sooner than the agent frees it.",
    next: "The agent removes them after gc_delay; only act when the space is needed \
          sooner.",
};
