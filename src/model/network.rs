//! Network filesystems: what the kernel's clients tell of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::VolumeKey;

/// What names a network filesystem: the three identity labels. One for each superblock: mounts
/// of one export that share their counters are one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct NetworkKey {
    /// Host, address or monitors, as the mount names them; empty where it names none.
    pub server: String,
    /// Exported path, share, volume or bucket.
    pub export: String,
    /// Mount point on the host, the key of the filesystem's sample; `CONTAINER:PATH` where only
    /// a container sees it.
    pub mount_point: String,
}

/// Bytes that applications moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BytesMoved {
    /// Through the page cache.
    pub buffered: u64,
    /// Past it (O_DIRECT).
    pub direct: u64,
}

/// Counters of one sort of request since the mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct OperationStats {
    /// Requests that are over, failed ones too.
    pub requests: u64,
    /// Those that failed; absent where the client does not count them.
    pub errors: Option<u64>,
    /// Times a request was sent again.
    pub retransmissions: Option<u64>,
    /// Times a request was given up on and begun anew (major time-outs).
    pub timeouts: Option<u64>,
    /// Seconds requests waited to be sent, added up.
    pub queue_seconds: Option<f64>,
    /// Seconds from sending to the answer, added up.
    pub response_seconds: Option<f64>,
    /// Seconds from the beginning to the end of requests, added up: both of these, and more.
    pub execute_seconds: Option<f64>,
}

impl OperationStats {
    /// Adds the counters of another sort to this one.
    pub fn add(&mut self, other: &Self) {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        let seconds = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
        };
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = sum(self.errors, other.errors);
        self.retransmissions = sum(self.retransmissions, other.retransmissions);
        self.timeouts = sum(self.timeouts, other.timeouts);
        self.queue_seconds = seconds(self.queue_seconds, other.queue_seconds);
        self.response_seconds = seconds(self.response_seconds, other.response_seconds);
        self.execute_seconds = seconds(self.execute_seconds, other.execute_seconds);
    }
}

/// What happened within the last minutes; filled in by judgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Recent {
    /// Seconds it covers.
    pub window_seconds: f64,
    /// Requests that were over in it.
    pub requests: u64,
    /// Mean seconds one took from its beginning to its end; absent without requests or times.
    pub mean_execute_seconds: Option<f64>,
    /// Times a request was sent again.
    pub retransmissions: u64,
    /// Times a request was given up on and begun anew.
    pub timeouts: u64,
}

/// A container in whose mount namespace a network filesystem is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct MountUser {
    /// Source of the container's sandbox (`mesos`).
    pub source: String,
    /// Framework id.
    pub framework: String,
    /// Executor id.
    pub executor: String,
    /// Container id.
    pub container: String,
}

/// One network filesystem.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NetworkFilesystem {
    /// Identity.
    #[serde(flatten)]
    pub key: NetworkKey,
    /// Type, as the mount table names it.
    pub fstype: String,
    /// `major:minor` of the superblock.
    pub device_number: (u32, u32),
    /// Version of the protocol (`4.2`, `3.1.1`); empty where it is not told.
    pub version: String,
    /// Transport (`tcp`, `udp`, `rdma`); empty where it is not told.
    pub protocol: String,
    /// Address of the server; empty where it is not told.
    pub address: String,
    /// Mounts of it in the host's table.
    pub mounts: usize,
    /// It answered within the time-out; absent where it cannot be asked (only a container sees
    /// it) or must not be (an automounted one would never be unmounted).
    pub responsive: Option<bool>,
    /// Seconds since it was mounted.
    pub age_seconds: Option<u64>,
    /// Bytes read from the server.
    pub read_bytes: Option<u64>,
    /// Bytes written to the server.
    pub written_bytes: Option<u64>,
    /// Bytes applications read.
    pub application_read: Option<BytesMoved>,
    /// Bytes applications wrote.
    pub application_written: Option<BytesMoved>,
    /// Requests that wait for an answer now.
    pub waiting: Option<u64>,
    /// The client lost its connection.
    pub disconnected: Option<bool>,
    /// By name of the request, only those that occurred. `SESSION`: upkeep that all filesystems of
    /// a server share; `OTHER`: all names that are not well known.
    pub operations: BTreeMap<String, OperationStats>,
    /// Within the last minutes; filled in by judgement.
    pub recent: Option<Recent>,
    /// Containers that have it mounted, sorted.
    pub users: Vec<MountUser>,
    /// Volumes on it, sorted; filled in by judgement.
    pub volumes: Vec<VolumeKey>,
}

/// Name under which upkeep of the connection is counted.
pub const SESSION: &str = "SESSION";

impl NetworkFilesystem {
    /// All requests of its own, upkeep of the shared connection left out.
    pub fn total(&self) -> OperationStats {
        let mut total = OperationStats::default();
        for (name, operation) in &self.operations {
            if name != SESSION {
                total.add(operation);
            }
        }
        total
    }
}

/// The connections to one server: filesystems of a server share them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkTransport {
    /// Address of the server.
    pub address: String,
    /// Transport (`tcp`, `udp`, `rdma`).
    pub protocol: String,
    /// Sockets or queue pairs open to it.
    pub sockets: u64,
    /// Times a connection was made; absent for datagrams.
    pub connects: Option<u64>,
    /// Requests sent.
    pub sends: u64,
    /// Answers received.
    pub receives: u64,
    /// Answers to no request that was known.
    pub bad_replies: u64,
}
