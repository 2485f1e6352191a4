//! Families of network filesystems.

use super::families;

/// Labels that name a network filesystem.
pub const IDENTITY: &[&str] = &["server", "export", "mount_point"];
/// Labels that name the connections to a server.
pub const TRANSPORT: &[&str] = &["address", "protocol"];

const PER_FILESYSTEM: &str = "one per network filesystem";
const PER_OPERATION: &str =
    "one per network filesystem and sort of request that occurred, at most 21";
const PER_TRANSPORT: &str = "one per server address and protocol";

families! {
    "Network filesystems",
    "NFS, CIFS, CephFS, and what is served by a process (FUSE: GlusterFS, HDFS, S3, sshfs), as far as the kernel \
     counts; a value it does not count has no series. One subject per superblock: mounts that share their counters \
     are one, named by the shortest mount point. `mount_point` is that of the plimsoll_filesystem_ families, or \
     `CONTAINER:PATH` where only a container has it mounted. Counters start with the mount. At most a quarter of \
     metrics.max_series; past that those in use and in trouble stay, and the rest loses its operations first.";

    READ_BYTES = Counter "plimsoll_network_filesystem_read_bytes_total", Some("bytes"), IDENTITY, [], PER_FILESYSTEM,
        "Bytes read from the server. NFS, CIFS, CephFS. Directories below one CIFS share count together, with the first of them.";
    WRITTEN_BYTES = Counter "plimsoll_network_filesystem_written_bytes_total", Some("bytes"), IDENTITY, [], PER_FILESYSTEM,
        "Bytes written to the server. NFS, CIFS, CephFS.";
    APPLICATION_READ_BYTES = Counter "plimsoll_network_filesystem_application_read_bytes_total", Some("bytes"), IDENTITY, ["access"],
        "two per NFS filesystem",
        "Bytes applications read: buffered through the page cache, or direct. NFS.";
    APPLICATION_WRITTEN_BYTES = Counter "plimsoll_network_filesystem_application_written_bytes_total", Some("bytes"), IDENTITY, ["access"],
        "two per NFS filesystem",
        "Bytes applications wrote: buffered through the page cache, or direct. NFS.";
    OPERATIONS = Counter "plimsoll_network_filesystem_operations_total", None, IDENTITY, ["operation"], PER_OPERATION,
        "Requests that ended, failed ones too, by the protocol's name. SESSION is upkeep of the connection, which every \
         filesystem of a server counts whole; OTHER is all that has no name of its own here. NFS, CIFS, CephFS.";
    QUEUE_SECONDS = Counter "plimsoll_network_filesystem_operation_queue_seconds_total", Some("seconds"), IDENTITY, ["operation"], PER_OPERATION,
        "Seconds requests waited on this host to be sent, added up. NFS.";
    RESPONSE_SECONDS = Counter "plimsoll_network_filesystem_operation_response_seconds_total", Some("seconds"), IDENTITY, ["operation"], PER_OPERATION,
        "Seconds from sending a request to its answer (round trip), added up. NFS.";
    EXECUTE_SECONDS = Counter "plimsoll_network_filesystem_operation_execute_seconds_total", Some("seconds"), IDENTITY, ["operation"], PER_OPERATION,
        "Seconds from the beginning of a request to its end, added up: queue, response, and sending again. NFS; CephFS from \
         its means; CIFS in ticks of the kernel's clock, where it has CONFIG_CIFS_STATS2 and one share of the server is \
         mounted.";
    ERRORS = Counter "plimsoll_network_filesystem_errors_total", None, IDENTITY, [], PER_FILESYSTEM,
        "Requests that ended with an error, a file that is not there among them. NFS from Linux 5.3, CIFS from SMB 2. SESSION is left out.";
    RETRANSMISSIONS = Counter "plimsoll_network_filesystem_retransmissions_total", None, IDENTITY, [], PER_FILESYSTEM,
        "Times a request was sent again. NFS. SESSION is left out.";
    TIMEOUTS = Counter "plimsoll_network_filesystem_timeouts_total", None, IDENTITY, [], PER_FILESYSTEM,
        "Times a request got no answer however often it was sent, and was begun anew (major time-outs); counted when it ends. NFS. \
         SESSION is left out.";
    WAITING = Gauge "plimsoll_network_filesystem_waiting_operations", None, IDENTITY, [], PER_FILESYSTEM,
        "Requests that wait for an answer now. FUSE where its control filesystem is mounted, CephFS where debugfs can be read.";
    CONNECTED = Gauge "plimsoll_network_filesystem_connected", None, IDENTITY, [], PER_FILESYSTEM,
        "0 while the client has lost its connection. CIFS.";
    RESPONSIVE = Gauge "plimsoll_network_filesystem_responsive", None, IDENTITY, [], PER_FILESYSTEM,
        "0 when it did not answer within the time-out, or said that its server is not there. No series where it cannot be \
         asked: only a container has it mounted, or an automount would never unmount it.";
    MOUNTS = Gauge "plimsoll_network_filesystem_mounts", None, IDENTITY, [], PER_FILESYSTEM,
        "Mounts of it in the host's mount table.";
    AGE = Gauge "plimsoll_network_filesystem_age_seconds", Some("seconds"), IDENTITY, [], PER_FILESYSTEM,
        "Seconds since it was mounted. NFS.";
    INFO = Info "plimsoll_network_filesystem_info", None, IDENTITY, ["fstype", "device_number", "version", "protocol", "address"], PER_FILESYSTEM,
        "Facts of the network filesystem: version and transport of its protocol, and the server's address, as the mount tells them.";
    VOLUME_INFO = Info "plimsoll_network_filesystem_volume_info", None, IDENTITY, ["source", "role", "volume", "disk"],
        "one per volume on a network filesystem, at most 100 each",
        "A volume on the network filesystem, by the labels of the plimsoll_volume_ families; plimsoll_volume_holder_info names the tasks.";
    HOLDER_INFO = Info "plimsoll_network_filesystem_holder_info", None, IDENTITY, ["source", "framework", "executor", "container"],
        "one per container that has it mounted, at most 100 each",
        "A container in whose mount namespace it was mounted at a place where the host has no such mount.";
    SOCKETS = Gauge "plimsoll_network_transport_sockets", None, TRANSPORT, [], PER_TRANSPORT,
        "Connections of the NFS client to a server; all filesystems of the server share them.";
    CONNECTS = Counter "plimsoll_network_transport_connects_total", None, TRANSPORT, [], PER_TRANSPORT,
        "Times these connections were made, the first included. No series for datagrams.";
    SENDS = Counter "plimsoll_network_transport_sends_total", None, TRANSPORT, [], PER_TRANSPORT,
        "Requests sent on them, each time anew.";
    RECEIVES = Counter "plimsoll_network_transport_receives_total", None, TRANSPORT, [], PER_TRANSPORT,
        "Answers received on them.";
    BAD_REPLIES = Counter "plimsoll_network_transport_bad_replies_total", None, TRANSPORT, [], PER_TRANSPORT,
        "Answers to no request that was waited for: late ones, to requests sent again.";
}
