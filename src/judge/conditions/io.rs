//! Conditions of containers' block I/O.

use crate::model::{Severity, SubjectKind};

use super::{Condition, Threshold, Unit};

/// A container stands at its I/O limit.
pub static IO_THROTTLED: Condition = Condition {
    id: "io_throttled",
    alert: "PlimsollIoThrottled",
    severity: Severity::Warning,
    subject: SubjectKind::Sandbox,
    threshold: Some(Threshold { key: "io_throttled", unit: Unit::Ratio, margin: 0.1 }),
    hold_seconds: 300.0,
    summary: "Container stands at its I/O limit",
    description: "The I/O of {{ $labels.executor }} (container {{ $labels.container }}) stood at a \
          limit for {{ $value | humanizePercentage }} of the last five minutes.",
    expr: Some(
        "max without (device) \
        (rate(plimsoll_container_io_read_throttled_seconds_total[5m])) >= $threshold or \
        max without (device) (rate(plimsoll_container_io_write_throttled_seconds_total[5m])) >= $threshold",
    ),
    meaning: "The container would move more bytes or do more operations than the limit on its \
          control group, or (cgroup v2) on one above it, allows: its tasks wait, and their \
          latency grows. That may be what the limit is for.",
    check: "`/api/v1/io` names the device, the direction, the limit and the group it is written \
          to; `plimsoll_container_io_write_limit_bytes_per_second` and its like have it too.",
    action: "Decide whether the task may have more: raise the limit (`blkio.throttle.*_device`, \
          `io.max`), or make the task do less. A limit on a group above it is shared with all \
          containers there.",
    next: "Raise the limit of its control group, or make the task do less I/O.",
};

/// A container waits for I/O.
pub static IO_PRESSURE: Condition = Condition {
    id: "io_pressure",
    alert: "PlimsollIoPressure",
    severity: Severity::Warning,
    subject: SubjectKind::Sandbox,
    threshold: Some(Threshold { key: "io_pressure", unit: Unit::Ratio, margin: 0.1 }),
    hold_seconds: 300.0,
    summary: "Container does little but wait for I/O",
    description: "Every task of {{ $labels.executor }} (container {{ $labels.container }}) waited \
          for I/O in {{ $value | humanizePercentage }} of the last five minutes.",
    expr: Some("rate(plimsoll_container_io_pressure_full_seconds_total[5m]) >= $threshold"),
    meaning: "For much of the time no task of the container could go on, because all that were \
          not idle waited for I/O (pressure stall information, `full`).",
    check: "`/api/v1/io`: is it held back by a limit (`throttled_ratio`), or does another \
          container take the device (`bytes_per_second`)? If neither, the device itself is slow.",
    action: "If a limit holds it back, see PlimsollIoThrottled; if a neighbour takes the device, \
          see PlimsollIoNeighbour; else the device is too slow for the task, or failing (`dmesg`, \
          `smartctl`).",
    next: "Look at /api/v1/io whether a limit, a neighbour or the device itself holds it back.",
};

/// A container takes most of a device while another waits.
pub static IO_NEIGHBOUR: Condition = Condition {
    id: "io_neighbour",
    alert: "PlimsollIoNeighbour",
    severity: Severity::Warning,
    subject: SubjectKind::Sandbox,
    threshold: Some(Threshold { key: "io_neighbour", unit: Unit::Ratio, margin: 0.1 }),
    hold_seconds: 300.0,
    summary: "Container takes most of a device while others wait for it",
    description: "{{ $labels.executor }} (container {{ $labels.container }}) takes {{ $value | \
          humanizePercentage }} of what all containers move on a device that others wait for.",
    // In PromQL it takes a dozen rates over every container and device of the fleet: half of what all
    // rules cost together with 10 000 hosts. The finding has judged it already.
    expr: None,
    meaning: "One container moves most of the bytes of a device, and another that uses the same \
          device waits for I/O without standing at a limit of its own: the one slows the other.",
    check: "`/api/v1/io`: `bytes_per_second` of both on that device, and the pressure of the one \
          that waits, or its `delay_ratio` where there is no pressure (cgroup v1). Containers without \
          a control group of their own, and buffered writes on cgroup v1, are not seen; without \
          pressure and delay accounting nobody is seen to wait.",
    action: "Give the container that takes most a limit (`io.max`, `blkio.throttle.*_device`) or \
          a lower weight, or move one of the two to another disk.",
    next: "Limit it, lower its weight, or move one of the two to another disk.",
};
