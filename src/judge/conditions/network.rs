//! Conditions of network filesystems. Their subjects carry server and export, so that alerts of a
//! whole fleet about one server can be told together.

use crate::model::{Severity, SubjectKind};

use super::{Condition, Threshold, Unit};

/// Network storage does not answer.
pub static NETWORK_STORAGE_UNRESPONSIVE: Condition = Condition {
    id: "network_storage_unresponsive",
    alert: "PlimsollNetworkStorageUnresponsive",
    severity: Severity::Critical,
    subject: SubjectKind::NetworkFilesystem,
    threshold: None,
    hold_seconds: 30.0,
    summary: "Network storage does not answer",
    description: "{{ $labels.export }} of {{ $labels.server }}, mounted at \
          {{ $labels.mount_point }}, does not answer.",
    expr: Some("plimsoll_network_filesystem_responsive == 0"),
    meaning: "A call into the mount did not come back within `filesystems.timeout`, or came back \
          with an error that says that the server, or the process that serves it, is not there. \
          Tasks that touch a hard mount hang and cannot be killed until it answers.",
    check: "Is the server there, and the network to it? Other hosts with the same `server` and \
          `export` tell whether it is the server or this host. Group these alerts by them, and one \
          dead server is one page. `plimsoll_network_filesystem_volume_info` and `_holder_info` \
          name the volumes and tasks on it.",
    action: "Bring the server back: mounts recover by themselves, and Plimsoll notices. As a last \
          resort `umount -f`, then `umount -l`, and restart the tasks that used it.",
    next: "Bring its server back, or the process that serves it.",
};

/// Network storage is slow.
pub static NETWORK_STORAGE_SLOW: Condition = Condition {
    id: "network_storage_slow",
    alert: "PlimsollNetworkStorageSlow",
    severity: Severity::Warning,
    subject: SubjectKind::NetworkFilesystem,
    threshold: Some(Threshold { key: "network_storage_slow", unit: Unit::Seconds, margin: 0.25 }),
    hold_seconds: 300.0,
    summary: "Network storage is slow",
    description: "Requests to {{ $labels.export }} of {{ $labels.server }} take \
          {{ $value | humanizeDuration }} on the average.",
    expr: Some(
        "sum without (operation) \
        (rate(plimsoll_network_filesystem_operation_execute_seconds_total{operation!=\"SESSION\"}[5m])) \
        / sum without (operation) \
        (rate(plimsoll_network_filesystem_operations_total{operation!=\"SESSION\"}[5m])) >= \
        $threshold \
        and sum without (operation) \
        (increase(plimsoll_network_filesystem_operations_total{operation!=\"SESSION\"}[5m])) >= 10",
    ),
    meaning: "From its beginning to its end a request took this long, over five minutes: waiting \
          for a free slot, on the network, at the server, and sent again where it was lost.",
    check: "`plimsoll_network_filesystem_operation_queue_seconds_total` is the wait on this host \
          (too few slots, too many requests), `_operation_response_seconds_total` network and \
          server. Compare with other hosts of the same `server`.",
    action: "A long response on every host: look at the server's disks and load. On this host \
          alone: its network. A long queue: fewer or larger requests, `nconnect`, another mount.",
    next: "Compare queue and response times, and other hosts of the same server.",
};

/// Requests to network storage are lost.
pub static NETWORK_STORAGE_RETRANSMITTING: Condition = Condition {
    id: "network_storage_retransmitting",
    alert: "PlimsollNetworkStorageRetransmitting",
    severity: Severity::Warning,
    subject: SubjectKind::NetworkFilesystem,
    threshold: Some(Threshold {
        key: "network_storage_retransmitting",
        unit: Unit::Ratio,
        margin: 0.01,
    }),
    hold_seconds: 300.0,
    summary: "Requests to network storage are sent again",
    description: "{{ $value | humanizePercentage }} of the requests to {{ $labels.export }} of \
          {{ $labels.server }} are sent again.",
    expr: Some(
        "rate(plimsoll_network_filesystem_retransmissions_total[5m]) / sum without (operation) \
        (rate(plimsoll_network_filesystem_operations_total{operation!=\"SESSION\"}[5m])) >= \
        $threshold \
        and sum without (operation) \
        (increase(plimsoll_network_filesystem_operations_total{operation!=\"SESSION\"}[5m])) >= 10",
    ),
    meaning: "The client got no answer in time, or lost its connection, and sent requests again. \
          With TCP that is never normal: the server stalls, or a firewall drops the connection.",
    check: "`plimsoll_network_filesystem_timeouts_total`, and \
          `plimsoll_network_transport_connects_total` for connections made anew; the kernel's log \
          for `not responding`.",
    action: "Find what drops or delays: the server, a link with errors (`ip -s link`), a firewall \
          that forgets idle connections.",
    next: "Look for a stalling server or a network that drops connections.",
};
