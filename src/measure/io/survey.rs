//! What this host lets one see of its containers' I/O, for `check`.

use crate::host::{MountTable, Roots};
use crate::model::ContainerRef;

use super::IoMeter;
use super::cgroup::{DescriptorRoom, Hierarchies};
use super::delay::Accounting;

/// One line: what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What was found.
    pub value: String,
    /// What it means, or what to do; empty when all is well.
    pub hint: String,
}

/// Looks once.
pub fn survey(containers: &[ContainerRef], table: &MountTable, roots: &Roots) -> Vec<Fact> {
    let hierarchies = Hierarchies::find(table, roots);
    let mut facts = vec![hierarchy(&hierarchies)];
    let mut meter = IoMeter::new(roots.clone(), DescriptorRoom::new(0));
    meter.look(containers, table);
    let round = meter.pass(0.0);
    let counted = round.io.iter().filter(|io| io.devices.iter().any(has_counters)).count();
    let hint = if let Some(error) = round.errors.first() {
        error.clone()
    } else if round.io.is_empty() && containers.is_empty() {
        String::new()
    } else if round.io.is_empty() {
        "the containers have no groups of their own with I/O counters: enable the agent's isolator \
         cgroups/blkio (v1), or cgroups/all with the controller io (v2)"
            .into()
    } else if counted < round.io.len() && hierarchies.blkio.is_some() {
        "no row yet in the others: they did no I/O, or (v1 from kernel 6.10 on) no limit was ever \
         written for the device; their I/O is absent, not 0"
            .into()
    } else {
        String::new()
    };
    facts.push(Fact {
        name: "I/O counters",
        value: format!("{counted} of {} groups", round.io.len()),
        hint,
    });
    facts.push(delays(Accounting::of(roots)));
    facts
}

fn has_counters(device: &crate::model::DeviceIo) -> bool {
    device.read.bytes.is_some() || device.write.bytes.is_some()
}

fn hierarchy(hierarchies: &Hierarchies) -> Fact {
    let at = |hierarchy: &Option<super::cgroup::Hierarchy>| {
        hierarchy.as_ref().map(|found| found.mount_point.display().to_string())
    };
    let unified = at(&hierarchies.unified);
    let (value, hint) = match (at(&hierarchies.blkio), unified) {
        (Some(v1), None) => (format!("v1, blkio at {v1}"), V1),
        (Some(v1), Some(v2)) => (format!("v1, blkio at {v1}; unified beside it at {v2}"), V1),
        (None, Some(v2)) if hierarchies.unified_counts() => (format!("v2 at {v2}"), ""),
        (None, Some(v2)) => (
            format!("v2 at {v2}, without the controller io"),
            "boot with cgroup_no_v1=all, or a kernel with CONFIG_BLK_CGROUP: no I/O is counted",
        ),
        (None, None) => (
            "none that counts I/O".into(),
            "mount /sys/fs/cgroup, or give its place with --path.sysfs: no I/O is counted",
        ),
    };
    Fact { name: "cgroups", value, hint: hint.into() }
}

/// What v1 cannot tell.
const V1: &str = "v1 charges buffered writes to the root group: a container shows only what it \
                  reads, syncs or writes directly";

fn delays(accounting: Accounting) -> Fact {
    let (value, hint) = match accounting {
        Accounting::On => ("on", ""),
        Accounting::Off => (
            "off",
            "I/O delay of containers is absent, and on cgroup v1 so is whom a neighbour slows; switch \
             it on with sysctl kernel.task_delayacct=1 (kernel 5.14 and newer), or boot without \
             nodelayacct",
        ),
        Accounting::Unknown => ("as the kernel was built", ""),
    };
    Fact { name: "I/O delays", value: value.into(), hint: hint.into() }
}
