//! Families about Plimsoll itself.

use super::families;

const ONE: &str = "one";
const PER_COLLECTOR: &str = "one per collector";

families! {
    "Plimsoll itself",
    "How well it sees, and what it costs.";

    COLLECTOR_SUCCESS = Gauge "plimsoll_collector_success", None, &[], ["collector"], PER_COLLECTOR,
        "1 when the collector read what it should in its last run.";
    COLLECTOR_DURATION = Gauge "plimsoll_collector_duration_seconds", Some("seconds"), &[], ["collector"], PER_COLLECTOR,
        "How long the collector's last run took.";
    DISAGREEMENTS = Gauge "plimsoll_disagreements", None, &[], [], ONE,
        "Subjects on which two sources of truth do not agree; /api/v1/disagreements lists them.";
    SNAPSHOT_TIMESTAMP = Gauge "plimsoll_snapshot_timestamp_seconds", Some("seconds"), &[], [], ONE,
        "When the snapshot that this page shows was made.";
    SERIES_DROPPED = Gauge "plimsoll_series_dropped", None, &[], [], ONE,
        "Series folded into subjects whose labels all say other, because the bound on series was reached.";
    SOURCE_ERRORS = Counter "plimsoll_source_errors_total", None, &[], ["collector", "reason"], "one per collector and reason",
        "Things a collector could not read, by reason.";
    USAGE_CPU_SECONDS = Counter "plimsoll_usage_cpu_seconds_total", Some("seconds"), &[], [], ONE,
        "CPU time spent measuring usage.";
    USAGE_INODES = Counter "plimsoll_usage_inodes_total", None, &[], [], ONE,
        "Inodes looked at while measuring usage.";
    USAGE_PASSES = Counter "plimsoll_usage_passes_total", None, &[], ["outcome"], "one per outcome",
        "Measurements of one subject, by outcome: complete (a full pass), incremental, stale (what was \
         remembered could not be followed; a full pass comes next), or the reason of the failure.";
    USAGE_DEBT_SECONDS = Gauge "plimsoll_usage_debt_seconds", Some("seconds"), &[], [], ONE,
        "By how much the most overdue subject is past the greatest age that was asked for. Subjects that \
         cannot be measured do not count.";
    USAGE_PENDING_SUBJECTS = Gauge "plimsoll_usage_pending_subjects", None, &[], [], ONE,
        "Subjects that wait to be measured.";
    USAGE_THROTTLED = Gauge "plimsoll_usage_throttled", None, &[], [], ONE,
        "1 while measuring steps aside because tasks of the host wait for I/O.";
    USAGE_REMEMBERED_BYTES = Gauge "plimsoll_usage_remembered_bytes", Some("bytes"), &[], [], ONE,
        "Memory that is taken by what is remembered of trees between full passes.";
    USAGE_REMEMBERED_SUBJECTS = Gauge "plimsoll_usage_remembered_subjects", None, &[], [], ONE,
        "Subjects of which a tree is remembered, so that refreshes can go between full passes.";
    USAGE_UNREMEMBERED_SUBJECTS = Gauge "plimsoll_usage_unremembered_subjects", None, &[], [], ONE,
        "Subjects that are measured by full passes only because their tree found no room in usage.memory, or cannot be remembered.";
    USAGE_BOUND_CHECKED = Counter "plimsoll_usage_bound_checked_total", None, &[], [], ONE,
        "Full passes that found by how much an incremental value before them was off.";
    USAGE_BOUND_EXCEEDED = Counter "plimsoll_usage_bound_exceeded_total", None, &[], [], ONE,
        "Full passes that found an incremental value before them further off than its published error bound.";
    USAGE_FANOTIFY_FILESYSTEMS = Gauge "plimsoll_usage_fanotify_filesystems", None, &[], ["trust"], "two where usage.fanotify is on",
        "Filesystems with subjects whose changes the kernel was asked to tell, by whether it is found to tell them: trusted or \
         untrusted. Absent while usage.fanotify is off or of no use here.";
    USAGE_FANOTIFY_SUBJECTS = Gauge "plimsoll_usage_fanotify_subjects", None, &[], [], "one where usage.fanotify is on",
        "Subjects whose refreshes look only where the kernel told of a change, and at files that changed lately.";
    USAGE_FANOTIFY_EVENTS = Counter "plimsoll_usage_fanotify_events_total", None, &[], [], "one where usage.fanotify is on",
        "Changes that the kernel told.";
    USAGE_FANOTIFY_OVERFLOWS = Counter "plimsoll_usage_fanotify_overflows_total", None, &[], [], "one where usage.fanotify is on",
        "Times that the kernel told that it lost changes: refreshes look at all directories then until the next full pass.";
    USAGE_FANOTIFY_DIRECTORIES = Gauge "plimsoll_usage_fanotify_directories", None, &[], [], "one where usage.fanotify is on",
        "Directories in which something changed and that some refresh has yet to look at, or did lately.";
    RELOAD_SUCCESSFUL = Gauge "plimsoll_config_last_reload_successful", None, &[], [], ONE,
        "1 when the configuration was taken up the last time it was read, 0 when it was refused: the one before stays in force.";
    RELOAD_TIMESTAMP = Gauge "plimsoll_config_last_reload_success_timestamp_seconds", Some("seconds"), &[], [], ONE,
        "When the configuration in force was read.";
    BUILD_INFO = Info "plimsoll_build_info", None, &[], ["version", "revision", "rustversion"], ONE,
        "The running build.";
    PROCESS_CPU = Counter "process_cpu_seconds_total", Some("seconds"), &[], [], ONE,
        "Total user and system CPU time spent in seconds.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds", None, &[], [], ONE,
        "Number of open file descriptors.";
    PROCESS_MAX_FDS = Gauge "process_max_fds", None, &[], [], ONE,
        "Maximum number of open file descriptors.";
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes", Some("bytes"), &[], [], ONE,
        "Virtual memory size in bytes.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes", Some("bytes"), &[], [], ONE,
        "Resident memory size in bytes.";
    PROCESS_START = Gauge "process_start_time_seconds", Some("seconds"), &[], [], ONE,
        "Start time of the process since unix epoch in seconds.";
    PROCESS_THREADS = Gauge "process_threads", None, &[], [], ONE,
        "Number of OS threads in the process.";
}
