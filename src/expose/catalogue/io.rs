//! Families of containers' block I/O.

use super::families;

/// Labels that name a container.
pub const CONTAINER: &[&str] = &["source", "framework", "executor", "container"];
/// Labels that name what one device does for a container.
pub const DEVICE: &[&str] = &["source", "framework", "executor", "container", "device"];

const PER_CONTAINER: &str = "one per running container with a control group";
const PER_DEVICE: &str = "one per running container and device";
const PER_LIMIT: &str = "one per running container and limited device";

families! {
    "Block I/O of containers",
    "What the control group of each running container counted, by device. The labels are those of the sandbox; a \
     Docker container that belongs to no task has the source `docker` and its full id as `container`. Nested \
     containers are part of their parents' numbers; `/api/v1/io` lists them apart. A device that is not there was \
     not counted, which is not the same as 0: cgroup v1 from kernel 6.10 on counts a device only once some limit \
     was written for it. On cgroup v1 buffered writes are charged to the root group, so that written bytes are only \
     those that the container itself synced or wrote directly. Read every `io.interval`. A counter starts anew when \
     the group is made anew.";

    READ_BYTES = Counter "plimsoll_container_io_read_bytes_total", Some("bytes"), DEVICE, [], PER_DEVICE,
        "Bytes the container read from the device.";
    WRITTEN_BYTES = Counter "plimsoll_container_io_written_bytes_total", Some("bytes"), DEVICE, [], PER_DEVICE,
        "Bytes the container wrote to the device; on cgroup v1 without buffered writes.";
    DISCARDED_BYTES = Counter "plimsoll_container_io_discarded_bytes_total", Some("bytes"), DEVICE, [], PER_DEVICE,
        "Bytes the container discarded on the device.";
    DISCARDS = Counter "plimsoll_container_io_discards_total", None, DEVICE, [], PER_DEVICE,
        "Discards of the container on the device.";
    READS = Counter "plimsoll_container_io_reads_total", None, DEVICE, [], PER_DEVICE,
        "Read operations of the container on the device.";
    WRITES = Counter "plimsoll_container_io_writes_total", None, DEVICE, [], PER_DEVICE,
        "Write operations of the container on the device; on cgroup v1 without buffered writes.";
    READ_LIMIT_BYTES = Gauge "plimsoll_container_io_read_limit_bytes_per_second", None, DEVICE, [], PER_LIMIT,
        "Bytes a second the container may read: the tightest limit of its group and, on cgroup v2, of all groups \
         above it. No series where there is none.";
    WRITE_LIMIT_BYTES = Gauge "plimsoll_container_io_write_limit_bytes_per_second", None, DEVICE, [], PER_LIMIT,
        "Bytes a second the container may write: the tightest limit of its group and, on cgroup v2, of all groups \
         above it. No series where there is none.";
    READ_LIMIT_OPERATIONS = Gauge "plimsoll_container_io_read_limit_operations_per_second", None, DEVICE, [], PER_LIMIT,
        "Read operations a second the container may do, as with bytes.";
    WRITE_LIMIT_OPERATIONS = Gauge "plimsoll_container_io_write_limit_operations_per_second", None, DEVICE, [], PER_LIMIT,
        "Write operations a second the container may do, as with bytes.";
    READ_LIMIT_USED = Gauge "plimsoll_container_io_read_limit_used_ratio", None, DEVICE, [], PER_LIMIT,
        "How much of a limit reads took in the last sample, 1 for all of it: of bytes or operations, of the container's \
         group or (cgroup v2) one above it with all that is in it, whichever is closest to its own limit.";
    WRITE_LIMIT_USED = Gauge "plimsoll_container_io_write_limit_used_ratio", None, DEVICE, [], PER_LIMIT,
        "How much of a limit writes took in the last sample, as with reads.";
    READ_THROTTLED = Counter "plimsoll_container_io_read_throttled_seconds_total", Some("seconds"), DEVICE, [], PER_LIMIT,
        "Seconds during which the container's reads stood at a limit of bytes or operations, its own or (cgroup v2) \
         that of a group above it. Measured by sampling every io.sample_interval: no kernel file tells it.";
    WRITE_THROTTLED = Counter "plimsoll_container_io_write_throttled_seconds_total", Some("seconds"), DEVICE, [], PER_LIMIT,
        "Seconds during which the container's writes stood at a limit of bytes or operations, its own or (cgroup v2) \
         that of a group above it. Measured by sampling every io.sample_interval: no kernel file tells it.";
    READ_WAIT = Counter "plimsoll_container_io_read_wait_seconds_total", Some("seconds"), DEVICE, [], PER_DEVICE,
        "Seconds the container's reads waited in the queue of the CFQ or BFQ scheduler, where it counts them.";
    WRITE_WAIT = Counter "plimsoll_container_io_write_wait_seconds_total", Some("seconds"), DEVICE, [], PER_DEVICE,
        "Seconds the container's writes waited in the queue of the CFQ or BFQ scheduler, where it counts them.";
    READ_SERVICE = Counter "plimsoll_container_io_read_service_seconds_total", Some("seconds"), DEVICE, [], PER_DEVICE,
        "Seconds the device took to serve the container's reads, where the CFQ or BFQ scheduler counts them.";
    WRITE_SERVICE = Counter "plimsoll_container_io_write_service_seconds_total", Some("seconds"), DEVICE, [], PER_DEVICE,
        "Seconds the device took to serve the container's writes, where the CFQ or BFQ scheduler counts them.";
    READS_MERGED = Counter "plimsoll_container_io_reads_merged_total", None, DEVICE, [], PER_DEVICE,
        "Reads of the container that were merged into others, where the CFQ or BFQ scheduler counts them.";
    WRITES_MERGED = Counter "plimsoll_container_io_writes_merged_total", None, DEVICE, [], PER_DEVICE,
        "Writes of the container that were merged into others, where the CFQ or BFQ scheduler counts them.";
    READS_QUEUED = Gauge "plimsoll_container_io_reads_queued", None, DEVICE, [], PER_DEVICE,
        "Reads of the container in the scheduler's queue now, where CFQ or BFQ counts them.";
    WRITES_QUEUED = Gauge "plimsoll_container_io_writes_queued", None, DEVICE, [], PER_DEVICE,
        "Writes of the container in the scheduler's queue now, where CFQ or BFQ counts them.";
    COST_USAGE = Counter "plimsoll_container_io_cost_usage_seconds_total", Some("seconds"), DEVICE, [], PER_DEVICE,
        "Seconds of the device's time that the kernel's cost model (cgroup v2, io.cost.qos) charged the container.";
    COST_WAIT = Counter "plimsoll_container_io_cost_wait_seconds_total", Some("seconds"), DEVICE, [], PER_DEVICE,
        "Seconds the kernel's cost model held the container's I/O back, where the kernel tells it (blkcg_debug_stats).";
    PRESSURE_SOME = Counter "plimsoll_container_io_pressure_some_seconds_total", Some("seconds"), CONTAINER, [], PER_CONTAINER,
        "Seconds during which at least one task of the container waited for I/O (PSI, some).";
    PRESSURE_FULL = Counter "plimsoll_container_io_pressure_full_seconds_total", Some("seconds"), CONTAINER, [], PER_CONTAINER,
        "Seconds during which every task of the container that was not idle waited for I/O (PSI, full).";
    DELAY = Counter "plimsoll_container_io_delay_seconds_total", Some("seconds"), CONTAINER, [], PER_CONTAINER,
        "Seconds the container's threads waited for block I/O, added over all threads, as far as they were seen \
         alive (every 10 s). No series where the kernel's delay accounting is off.";
    INFO = Info "plimsoll_container_io_info", None, CONTAINER, ["cgroup_version", "group"], PER_CONTAINER,
        "Control group the numbers come from.";
}
