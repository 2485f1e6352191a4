//! The agent as a row.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::expose::agent_resources::{
    PersistentDisk, ReservedAmounts, by_reservation, persistent_disk,
};
use crate::expose::paths::display;
use crate::model::Agent;

/// The agent. Its flags are left out: they may name secrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgentRow<'a> {
    /// Present agent id.
    pub id: Option<&'a str>,
    /// Host name.
    pub hostname: Option<&'a str>,
    /// Version of Mesos or Clusterd.
    pub version: Option<&'a str>,
    /// Base URL of its API.
    pub url: Option<&'a str>,
    /// The API answered in the last round.
    pub up: bool,
    /// It is still recovering.
    pub recovering: bool,
    /// Work directory.
    pub work_dir: Option<Cow<'a, str>>,
    /// Runtime directory.
    pub runtime_dir: Option<Cow<'a, str>>,
    /// Attributes.
    pub attributes: &'a BTreeMap<String, String>,
    /// Paths waiting for its garbage collection.
    pub gc_path_removals_pending: Option<u64>,
    /// Resources by role and kind of reservation.
    pub resources: Vec<ResourceRow<'a>>,
    /// Disk promised to persistent volumes.
    pub persistent_disk: Vec<PersistentDiskRow<'a>>,
}

/// Resources of one role and kind of reservation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceRow<'a> {
    /// Role, `*` when unreserved.
    pub role: &'a str,
    /// Kind of reservation.
    pub reservation: &'static str,
    /// Cores.
    pub cpus: Option<f64>,
    /// Cores held.
    pub cpus_allocated: Option<f64>,
    /// Memory.
    pub memory_bytes: Option<u64>,
    /// Memory held.
    pub memory_allocated_bytes: Option<u64>,
    /// Disk, persistent volumes included.
    pub disk_bytes: Option<u64>,
    /// Disk held.
    pub disk_allocated_bytes: Option<u64>,
    /// Number of ports.
    pub ports: Option<u64>,
    /// Ports held.
    pub ports_allocated: Option<u64>,
}

impl<'a> From<ReservedAmounts<'a>> for ResourceRow<'a> {
    fn from(amounts: ReservedAmounts<'a>) -> Self {
        let held = amounts.allocated.unwrap_or_default();
        Self {
            role: amounts.role,
            reservation: amounts.reservation,
            cpus: amounts.total.cpus,
            cpus_allocated: held.cpus,
            memory_bytes: amounts.total.memory_bytes,
            memory_allocated_bytes: held.memory_bytes,
            disk_bytes: amounts.total.disk_bytes,
            disk_allocated_bytes: held.disk_bytes,
            ports: amounts.total.ports,
            ports_allocated: held.ports,
        }
    }
}

/// Disk promised to persistent volumes of one role on one disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersistentDiskRow<'a> {
    /// Role.
    pub role: &'a str,
    /// Disk.
    pub disk: Cow<'a, str>,
    /// Bytes.
    pub bytes: u64,
}

impl<'a> From<PersistentDisk<'a>> for PersistentDiskRow<'a> {
    fn from(sum: PersistentDisk<'a>) -> Self {
        Self { role: sum.role, disk: sum.disk, bytes: sum.bytes }
    }
}

impl<'a> From<&'a Agent> for AgentRow<'a> {
    fn from(agent: &'a Agent) -> Self {
        Self {
            id: agent.id.as_deref(),
            hostname: agent.hostname.as_deref(),
            version: agent.version.as_deref(),
            url: agent.url.as_deref(),
            up: agent.up,
            recovering: agent.recovering,
            work_dir: agent.work_dir.as_deref().map(display),
            runtime_dir: agent.runtime_dir.as_deref().map(display),
            attributes: &agent.attributes,
            gc_path_removals_pending: agent.gc_path_removals_pending,
            resources: by_reservation(agent).into_iter().map(ResourceRow::from).collect(),
            persistent_disk: persistent_disk(agent)
                .into_iter()
                .map(PersistentDiskRow::from)
                .collect(),
        }
    }
}
