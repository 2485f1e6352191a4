//! The agent: who it is, and its resources by role and reservation.

use std::collections::BTreeMap;

use crate::model::{Agent, Quantity, Resource};

use super::super::facts::AgentFacts;
use super::{Authority, Index, Witnesses};

pub(super) fn agent(witnesses: &Witnesses<'_>, index: &Index<'_>) -> Agent {
    let (api, checkpoint) = (witnesses.api, witnesses.checkpoint);
    let said = |pick: fn(&AgentFacts) -> Option<String>| {
        api.agent.as_ref().and_then(pick).or_else(|| checkpoint.agent.as_ref().and_then(pick))
    };
    let attributes = api
        .agent
        .as_ref()
        .map(|agent| &agent.attributes)
        .filter(|attributes| !attributes.is_empty())
        .or(checkpoint.agent.as_ref().map(|agent| &agent.attributes));
    Agent {
        id: witnesses.present_agent_id().map(str::to_string),
        hostname: said(|agent| agent.hostname.clone()),
        version: said(|agent| agent.version.clone()),
        url: (!api.url.is_empty()).then(|| api.url.clone()),
        up: api.up,
        recovering: api.recovering,
        work_dir: Some(witnesses.work_dir.to_path_buf()),
        runtime_dir: Some(witnesses.runtime_dir.to_path_buf()),
        attributes: attributes.cloned().unwrap_or_default(),
        flags: api.flags.clone().unwrap_or_default(),
        resources: resources(witnesses),
        allocated: allocated(witnesses, index),
        gc_path_removals_pending: api.gc_path_removals_pending,
    }
}

/// The API's whole list; from the checkpoint, the static resources with the reservations and
/// volumes carved out of them.
fn resources(witnesses: &Witnesses<'_>) -> Vec<Resource> {
    let filtered = witnesses.api.authority == Authority::Filtered;
    if let (false, Some(resources)) = (filtered, &witnesses.api.resources) {
        return resources.clone();
    }
    let stat = witnesses.api.agent_resources.as_ref();
    let Some(total) = stat.or(witnesses.checkpoint.agent_resources.as_ref()) else {
        return Vec::new();
    };
    carve(total, witnesses.checkpoint.resources.as_deref().unwrap_or_default())
}

/// Takes each checkpointed reservation or volume out of the resource it was made from.
///
/// Both are listed by the agent as the state *after* the operation: a RESERVE adds one layer to
/// the stack of what it took, a CREATE keeps the stack.
fn carve(total: &[Resource], checkpointed: &[Resource]) -> Vec<Resource> {
    let mut rest: Vec<Resource> = total.to_vec();
    for part in checkpointed {
        let origin = rest.iter_mut().find(|whole| {
            whole.name == part.name
                && whole.persistence().is_none()
                && whole.disk_source() == part.disk_source()
                && part.reservations.starts_with(&whole.reservations)
                && part
                    .reservations
                    .get(whole.reservations.len()..)
                    .is_some_and(|layers| layers.iter().all(|layer| layer.dynamic))
                && whole.quantity.amount() >= part.quantity.amount()
        });
        if let Some(origin) = origin {
            subtract(&mut origin.quantity, &part.quantity);
        }
    }
    rest.retain(|resource| resource.quantity.amount() > 0.0);
    rest.extend(checkpointed.iter().cloned());
    rest
}

fn subtract(from: &mut Quantity, part: &Quantity) {
    match (from, part) {
        (Quantity::Scalar(whole), Quantity::Scalar(part)) => *whole -= part,
        (Quantity::Ranges(whole), Quantity::Ranges(part)) => {
            for &(begin, end) in part {
                *whole = whole
                    .iter()
                    .flat_map(|&(low, high)| {
                        if end < low || begin > high {
                            return vec![(low, high)];
                        }
                        let mut left = Vec::new();
                        if low < begin {
                            left.push((low, begin - 1));
                        }
                        if end < high {
                            left.push((end + 1, high));
                        }
                        left
                    })
                    .collect();
            }
        }
        (Quantity::Set(whole), Quantity::Set(part)) => whole.retain(|item| !part.contains(item)),
        _ => {}
    }
}

/// What live executors and tasks hold; absent unless every one of them is known.
fn allocated(witnesses: &Witnesses<'_>, index: &Index<'_>) -> Option<Vec<Resource>> {
    let api = witnesses.api;
    let whole = api.up && api.authority == Authority::Whole;
    let executors: Vec<_> =
        api.executors.as_ref()?.iter().filter(|executor| !executor.completed).collect();
    let every_resource = api.tasks_have_resources && api.executors_have_resources;
    if !whole || api.tasks.is_none() || !every_resource {
        return None;
    }
    let mut shared: BTreeMap<String, Resource> = BTreeMap::new();
    let mut held = Vec::new();
    let resources = executors
        .iter()
        .flat_map(|executor| &executor.resources)
        .chain(index.tasks.iter().flat_map(|task| &task.resources));
    for resource in resources {
        match super::volumes::key_of(resource) {
            // One volume, however many tasks share it.
            Some(key) if resource.shared => {
                shared.entry(format!("{key:?}")).or_insert_with(|| resource.clone());
            }
            _ => held.push(resource.clone()),
        }
    }
    held.extend(shared.into_values());
    Some(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reservation, ReservationKind};

    fn resource(name: &str, quantity: Quantity, layers: &[(bool, &str)]) -> Resource {
        Resource {
            name: name.into(),
            quantity,
            reservations: layers
                .iter()
                .map(|(dynamic, role)| Reservation {
                    dynamic: *dynamic,
                    role: role.to_string(),
                    principal: None,
                })
                .collect(),
            allocated_to: None,
            disk: None,
            shared: false,
            revocable: false,
            provider_id: None,
        }
    }

    #[test]
    fn reservations_are_carved_out_of_what_they_were_made_from() {
        let total = [
            resource("disk", Quantity::Scalar(1000.0), &[]),
            resource("disk", Quantity::Scalar(500.0), &[(false, "a")]),
            resource("ports", Quantity::Ranges(vec![(100, 199)]), &[]),
        ];
        let checkpointed = [
            resource("disk", Quantity::Scalar(300.0), &[(true, "b")]),
            resource("disk", Quantity::Scalar(200.0), &[(false, "a"), (true, "a/x")]),
            resource("ports", Quantity::Ranges(vec![(150, 159)]), &[(true, "b")]),
        ];
        let carved = carve(&total, &checkpointed);
        let amounts: Vec<(&str, f64, &str, ReservationKind)> = carved
            .iter()
            .map(|r| (r.name.as_str(), r.quantity.amount(), r.role(), r.reservation_kind()))
            .collect();
        use ReservationKind::*;
        assert_eq!(
            amounts,
            [
                ("disk", 700.0, "*", Unreserved),
                ("disk", 300.0, "a", Static),
                ("ports", 90.0, "*", Unreserved),
                ("disk", 300.0, "b", Dynamic),
                ("disk", 200.0, "a/x", Refined),
                ("ports", 10.0, "b", Dynamic),
            ]
        );
        assert_eq!(carved[2].quantity, Quantity::Ranges(vec![(100, 149), (160, 199)]));
    }
}
