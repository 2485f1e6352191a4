//! Families of the agent and its resources.

use super::families;

/// Labels of the agent's resources: role (`*` when unreserved) and kind of the reservation.
pub const RESOURCE: &[&str] = &["role", "reservation"];

const ONE: &str = "one";
const PER_RESERVATION: &str = "one per role and kind of reservation";

families! {
    "Agent",
    "Absent on a host without a Mesos or Clusterd agent. Resources are given by `role` (`*` when unreserved) \
     and `reservation` (`unreserved`, `static`, `dynamic`, `refined`); those that may be taken back (revocable) \
     are not counted. What is idle is the difference between a resource and its `_allocated` twin, which has no \
     series when the list of running tasks could not be read whole.";

    UP = Gauge "plimsoll_agent_up", None, &[], [], ONE,
        "1 when the agent's API answered in the last round; 0 while it recovers.";
    RECOVERING = Gauge "plimsoll_agent_recovering", None, &[], [], ONE,
        "1 when the agent answered that it is still recovering.";
    INFO = Info "plimsoll_agent_info", None, &[], ["id", "hostname", "version", "url", "work_dir", "runtime_dir"], ONE,
        "Facts of the agent.";
    CPUS = Gauge "plimsoll_agent_cpus", None, RESOURCE, [], PER_RESERVATION,
        "CPU cores the agent offers.";
    CPUS_ALLOCATED = Gauge "plimsoll_agent_cpus_allocated", None, RESOURCE, [], PER_RESERVATION,
        "CPU cores that running tasks and executors hold.";
    MEMORY_BYTES = Gauge "plimsoll_agent_memory_bytes", Some("bytes"), RESOURCE, [], PER_RESERVATION,
        "Memory the agent offers.";
    MEMORY_ALLOCATED_BYTES = Gauge "plimsoll_agent_memory_allocated_bytes", Some("bytes"), RESOURCE, [], PER_RESERVATION,
        "Memory that running tasks and executors hold.";
    DISK_BYTES = Gauge "plimsoll_agent_disk_bytes", Some("bytes"), RESOURCE, [], PER_RESERVATION,
        "Disk the agent offers, persistent volumes included.";
    DISK_ALLOCATED_BYTES = Gauge "plimsoll_agent_disk_allocated_bytes", Some("bytes"), RESOURCE, [], PER_RESERVATION,
        "Disk that running tasks and executors hold, persistent volumes included, a shared volume once.";
    PORTS = Gauge "plimsoll_agent_ports", None, RESOURCE, [], PER_RESERVATION,
        "Ports the agent offers.";
    PORTS_ALLOCATED = Gauge "plimsoll_agent_ports_allocated", None, RESOURCE, [], PER_RESERVATION,
        "Ports that running tasks and executors hold.";
    PERSISTENT_DISK_BYTES = Gauge "plimsoll_agent_persistent_disk_bytes", Some("bytes"), &["role", "disk"], [],
        "one per role and disk",
        "Disk promised to persistent volumes: a part of plimsoll_agent_disk_bytes.";
    GC_PATH_REMOVALS_PENDING = Gauge "plimsoll_agent_gc_path_removals_pending", None, &[], [], ONE,
        "Paths that wait for the agent's garbage collection.";
    GC_DELAY = Gauge "plimsoll_gc_delay_seconds", Some("seconds"), &[], [], "one",
        "Time after which the agent removes a finished sandbox, at the present use of its disk: gc_delay * max(0, 1 - gc_disk_headroom - use).";
    GC_PENDING_BYTES = Gauge "plimsoll_gc_pending_bytes", Some("bytes"), &[], [], "one",
        "Bytes of finished sandboxes that wait for the agent's garbage collection, as far as they are measured.";
    GC_NEXT_REMOVAL = Gauge "plimsoll_gc_next_removal_timestamp_seconds", Some("seconds"), &[], [], "one",
        "When the first of them is expected to go. No series when none waits.";
}
