//! An agent's resources, summed the way metrics, API and status page show them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Agent, DiskSource, Resource, mebibytes_to_bytes};

/// The four resources that are summed, each absent where the agent has none of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amounts {
    /// Cores.
    pub cpus: Option<f64>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Bytes of disk.
    pub disk_bytes: Option<u64>,
    /// Number of ports.
    pub ports: Option<u64>,
}

/// Sums by role and kind of reservation.
#[derive(Clone, Debug, PartialEq)]
pub struct ReservedAmounts<'a> {
    /// Role, `*` when unreserved.
    pub role: &'a str,
    /// `unreserved`, `static`, `dynamic`, `refined`.
    pub reservation: &'static str,
    /// What there is.
    pub total: Amounts,
    /// What running tasks and executors hold; absent when that is not known.
    pub allocated: Option<Amounts>,
}

/// Disk promised to persistent volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersistentDisk<'a> {
    /// Role of the volumes.
    pub role: &'a str,
    /// `ROOT`, or the root of the PATH or MOUNT disk.
    pub disk: Cow<'a, str>,
    /// Sum of their sizes.
    pub bytes: u64,
}

/// Sums before they are rounded: cores, mebibytes, ports.
#[derive(Clone, Copy, Default)]
struct Sums {
    cpus: Option<f64>,
    mem: Option<f64>,
    disk: Option<f64>,
    ports: Option<f64>,
}

impl Sums {
    fn add(&mut self, resource: &Resource) {
        let sum = match resource.name.as_str() {
            "cpus" => &mut self.cpus,
            "mem" => &mut self.mem,
            "disk" => &mut self.disk,
            "ports" => &mut self.ports,
            _ => return,
        };
        *sum = Some(sum.unwrap_or(0.0) + resource.quantity.amount());
    }

    fn finish(self) -> Amounts {
        Amounts {
            // Mesos keeps three decimals (`common/values.cpp`); more is noise of the addition.
            cpus: self.cpus.map(|cpus| (cpus * 1000.0).round() / 1000.0),
            memory_bytes: self.mem.and_then(mebibytes_to_bytes),
            disk_bytes: self.disk.and_then(mebibytes_to_bytes),
            ports: self.ports.map(|ports| ports as u64),
        }
    }
}

/// Sums by role and reservation, sorted by both. What is allocated is zero, not absent, for a
/// resource that the agent has and nobody holds.
pub fn by_reservation(agent: &Agent) -> Vec<ReservedAmounts<'_>> {
    let mut groups: BTreeMap<(&str, &'static str), (Sums, Sums)> = BTreeMap::new();
    for resource in counted(&agent.resources) {
        groups.entry(group(resource)).or_default().0.add(resource);
    }
    for resource in counted(agent.allocated.as_deref().unwrap_or_default()) {
        groups.entry(group(resource)).or_default().1.add(resource);
    }
    groups
        .into_iter()
        .map(|((role, reservation), (total, mut held))| {
            held.cpus = held.cpus.or(total.cpus.map(|_| 0.0));
            held.mem = held.mem.or(total.mem.map(|_| 0.0));
            held.disk = held.disk.or(total.disk.map(|_| 0.0));
            held.ports = held.ports.or(total.ports.map(|_| 0.0));
            ReservedAmounts {
                role,
                reservation,
                total: total.finish(),
                allocated: agent.allocated.as_ref().map(|_| held.finish()),
            }
        })
        .collect()
}

/// Sizes of the persistent volumes by role and disk, sorted by both.
pub fn persistent_disk(agent: &Agent) -> Vec<PersistentDisk<'_>> {
    let mut sums: BTreeMap<(&str, Cow<'_, str>), u64> = BTreeMap::new();
    for resource in counted(&agent.resources) {
        if resource.persistence().is_some()
            && let Some(bytes) = resource.bytes()
        {
            let sum = sums.entry((resource.role(), disk_name(resource))).or_default();
            *sum = sum.saturating_add(bytes);
        }
    }
    sums.into_iter().map(|((role, disk), bytes)| PersistentDisk { role, disk, bytes }).collect()
}

fn group(resource: &Resource) -> (&str, &'static str) {
    (resource.role(), resource.reservation_kind().as_str())
}

/// Resources that count: not the revocable ones, which are lent twice, and a shared volume once
/// however many tasks hold it.
pub(super) fn counted(resources: &[Resource]) -> impl Iterator<Item = &Resource> {
    let mut shared = BTreeSet::new();
    resources.iter().filter(move |resource| {
        if resource.revocable {
            return false;
        }
        match resource.persistence() {
            Some(volume) if resource.shared => {
                shared.insert((resource.role(), volume.id.as_str(), disk_name(resource)))
            }
            _ => true,
        }
    })
}

/// The value of the label `disk`.
fn disk_name(resource: &Resource) -> Cow<'_, str> {
    match resource.disk.as_ref().map(|disk| &disk.source) {
        None | Some(DiskSource::Root) => Cow::Borrowed("ROOT"),
        Some(DiskSource::Path { root } | DiskSource::Mount { root }) => Cow::Borrowed(root),
        Some(DiskSource::Block { id } | DiskSource::Raw { id }) => Cow::Borrowed(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DiskInfo, Persistence, Quantity, Reservation};

    fn resource(name: &str, amount: f64, role: Option<&str>) -> Resource {
        Resource {
            name: name.into(),
            quantity: Quantity::Scalar(amount),
            reservations: role
                .map(|role| Reservation { dynamic: true, role: role.into(), principal: None })
                .into_iter()
                .collect(),
            allocated_to: None,
            disk: None,
            shared: false,
            revocable: false,
            provider_id: None,
        }
    }

    fn shared_volume(size: f64) -> Resource {
        Resource {
            disk: Some(DiskInfo {
                persistence: Some(Persistence { id: "v".into(), principal: None }),
                volume: None,
                source: DiskSource::Mount { root: "/mnt/a".into() },
            }),
            shared: true,
            ..resource("disk", size, Some("db"))
        }
    }

    #[test]
    fn sums_by_role_and_reservation() {
        let agent = Agent {
            resources: vec![
                resource("cpus", 0.1, None),
                resource("cpus", 0.2, None),
                resource("mem", 1024.0, None),
                Resource { revocable: true, ..resource("cpus", 9.0, None) },
                Resource {
                    quantity: Quantity::Ranges(vec![(31000, 31009), (32000, 32000)]),
                    ..resource("ports", 0.0, None)
                },
                resource("disk", 100.0, Some("db")),
                resource("gpus", 1.0, Some("db")),
                shared_volume(50.0),
            ],
            allocated: Some(vec![
                resource("cpus", 0.2, None),
                shared_volume(50.0),
                shared_volume(50.0),
            ]),
            ..Agent::default()
        };
        let mebibyte = 1_048_576;
        let none = Amounts::default();
        assert_eq!(
            by_reservation(&agent),
            [
                ReservedAmounts {
                    role: "*",
                    reservation: "unreserved",
                    total: Amounts {
                        cpus: Some(0.3),
                        memory_bytes: Some(1024 * mebibyte),
                        disk_bytes: None,
                        ports: Some(11),
                    },
                    allocated: Some(Amounts {
                        cpus: Some(0.2),
                        memory_bytes: Some(0),
                        disk_bytes: None,
                        ports: Some(0),
                    }),
                },
                ReservedAmounts {
                    role: "db",
                    reservation: "dynamic",
                    total: Amounts { disk_bytes: Some(150 * mebibyte), ..none },
                    allocated: Some(Amounts { disk_bytes: Some(50 * mebibyte), ..none }),
                },
            ]
        );
        assert_eq!(
            persistent_disk(&agent),
            [PersistentDisk { role: "db", disk: "/mnt/a".into(), bytes: 50 * mebibyte }]
        );
    }

    #[test]
    fn allocation_that_is_not_known_is_absent() {
        let agent = Agent { resources: vec![resource("cpus", 4.0, None)], ..Agent::default() };
        assert_eq!(by_reservation(&agent)[0].allocated, None);
        assert_eq!(persistent_disk(&agent), []);
    }
}
