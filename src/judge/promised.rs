//! Bytes promised of each filesystem: what the agent may give away of it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::model::{Agent, DiskSource, Resource};

use super::agent_resources::counted;

/// Directories the agent's disk resources are carved from, each once: the work directory and the
/// roots of PATH and MOUNT disks.
pub fn disk_roots(agent: &Agent) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> =
        agent.resources.iter().filter_map(|resource| root(agent, resource)).collect();
    roots.sort();
    roots.dedup();
    roots
}

/// Sum of the disk resources (unreserved, reserved and volumes) by mount point of the filesystem
/// they are carved from. `filesystem_of` names it for a root of [`disk_roots`]; what lies on a
/// filesystem that is not known is left out.
pub fn promised_bytes(
    agent: &Agent,
    filesystem_of: &HashMap<PathBuf, PathBuf>,
) -> BTreeMap<PathBuf, u64> {
    let mut sums = BTreeMap::new();
    for resource in counted(&agent.resources) {
        if let Some(root) = root(agent, resource)
            && let Some(mount_point) = filesystem_of.get(&root)
            && let Some(bytes) = resource.bytes()
        {
            let sum: &mut u64 = sums.entry(mount_point.clone()).or_default();
            *sum = sum.saturating_add(bytes);
        }
    }
    sums
}

/// Root of the disk a resource is carved from. A relative PATH root lies below the work
/// directory; BLOCK and RAW disks have none.
fn root(agent: &Agent, resource: &Resource) -> Option<PathBuf> {
    if resource.name != "disk" {
        return None;
    }
    match resource.disk_source() {
        DiskSource::Root => agent.work_dir.clone(),
        DiskSource::Path { root } | DiskSource::Mount { root } => {
            if Path::new(&root).is_absolute() {
                Some(root.into())
            } else {
                Some(agent.work_dir.as_ref()?.join(root))
            }
        }
        DiskSource::Block { .. } | DiskSource::Raw { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DiskInfo, Persistence, Quantity};

    fn disk(mebibytes: f64, source: DiskSource, id: Option<&str>) -> Resource {
        Resource {
            name: "disk".into(),
            quantity: Quantity::Scalar(mebibytes),
            reservations: vec![],
            allocated_to: None,
            disk: Some(DiskInfo {
                persistence: id.map(|id| Persistence { id: id.into(), principal: None }),
                volume: None,
                source,
            }),
            shared: false,
            revocable: false,
            provider_id: None,
        }
    }

    #[test]
    fn reservations_and_volumes_count_where_they_lie() {
        let revocable = Resource { revocable: true, ..disk(9.0, DiskSource::Root, None) };
        let agent = Agent {
            work_dir: Some("/w".into()),
            resources: vec![
                disk(1.0, DiskSource::Root, None),
                disk(2.0, DiskSource::Root, Some("v")),
                disk(4.0, DiskSource::Path { root: "extra".into() }, None),
                disk(8.0, DiskSource::Mount { root: "/mnt/a".into() }, None),
                disk(16.0, DiskSource::Raw { id: "r".into() }, None),
                revocable,
            ],
            ..Agent::default()
        };
        assert_eq!(
            disk_roots(&agent),
            [PathBuf::from("/mnt/a"), PathBuf::from("/w"), PathBuf::from("/w/extra")]
        );
        let known = HashMap::from([
            (PathBuf::from("/w"), PathBuf::from("/")),
            (PathBuf::from("/w/extra"), PathBuf::from("/")),
        ]);
        let promised = promised_bytes(&agent, &known);
        assert_eq!(promised, BTreeMap::from([(PathBuf::from("/"), 7 << 20)]));
    }
}
