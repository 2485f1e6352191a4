//! Mesos' `Resource` message, in either of its two formats, as the model's.
//!
//! Source: `include/mesos/mesos.proto`. Files that older agents must be able to read
//! (`resources.info`, `slave.info`, `task.info`, `executor.info`) are written in the old format
//! where that is possible, `resources_and_operations.state` in the new one.

use super::proto::{self, resource as wire, value};
use crate::model::{
    DiskInfo, DiskSource, Persistence, Quantity, Reservation, Resource, VolumeSpec,
};

/// A resource that says too little to mean anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("resource {name:?}: {problem}")]
pub struct ResourceError {
    /// Name of the resource, empty when it has none.
    pub name: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Turns both formats of a reservation into the stack, the outermost layer first.
///
/// `reservations` is the new format and wins when it is not empty. Otherwise `role` and
/// `reservation` are the old one: no role or `*` is unreserved, a role alone a static
/// reservation, a role with a `reservation` (whose principal may be absent) a dynamic one.
pub fn reservation_stack(
    role: Option<&str>,
    reservation: Option<Option<String>>,
    reservations: Vec<Reservation>,
) -> Vec<Reservation> {
    if !reservations.is_empty() {
        return reservations;
    }
    match role {
        None | Some("*" | "") => Vec::new(),
        Some(role) => vec![Reservation {
            dynamic: reservation.is_some(),
            role: role.to_owned(),
            principal: reservation.flatten(),
        }],
    }
}

/// One resource of the model from Mesos' message.
pub fn from_proto(resource: proto::Resource) -> Result<Resource, ResourceError> {
    let name = resource.name.clone().unwrap_or_default();
    convert(resource).map_err(|problem| ResourceError { name, problem })
}

/// A whole list; one meaningless resource spoils it.
pub fn all_from_proto(resources: Vec<proto::Resource>) -> Result<Vec<Resource>, ResourceError> {
    resources.into_iter().map(from_proto).collect()
}

fn convert(resource: proto::Resource) -> Result<Resource, &'static str> {
    let kind = resource.r#type.ok_or("no type")?;
    let quantity = match value::Type::try_from(kind) {
        Ok(value::Type::Scalar) => {
            let amount = resource.scalar.and_then(|scalar| scalar.value).ok_or("no scalar")?;
            if !amount.is_finite() || amount < 0.0 {
                return Err("a scalar that is negative or not a number");
            }
            Quantity::Scalar(amount)
        }
        Ok(value::Type::Ranges) => Quantity::Ranges(ranges(resource.ranges.unwrap_or_default())?),
        Ok(value::Type::Set) => Quantity::Set(resource.set.unwrap_or_default().item),
        Ok(value::Type::Text) | Err(_) => return Err("a type that resources do not have"),
    };
    let stack = resource.reservations.into_iter().map(layer).collect::<Result<_, _>>()?;
    Ok(Resource {
        name: resource.name.filter(|name| !name.is_empty()).ok_or("no name")?,
        quantity,
        reservations: reservation_stack(
            resource.role.as_deref(),
            resource.reservation.map(|reservation| reservation.principal),
            stack,
        ),
        allocated_to: resource.allocation_info.and_then(|allocation| allocation.role),
        disk: resource.disk.map(|disk| convert_disk(*disk)).transpose()?,
        shared: resource.shared.is_some(),
        revocable: resource.revocable.is_some(),
        provider_id: resource.provider_id.and_then(|id| id.value),
    })
}

fn ranges(ranges: value::Ranges) -> Result<Vec<(u64, u64)>, &'static str> {
    let one = |range: value::Range| match (range.begin, range.end) {
        (Some(begin), Some(end)) if begin <= end => Ok((begin, end)),
        _ => Err("a range without begin or end, or that ends before it begins"),
    };
    ranges.range.into_iter().map(one).collect()
}

fn layer(reservation: wire::ReservationInfo) -> Result<Reservation, &'static str> {
    use wire::reservation_info::Type;
    let dynamic = match reservation.r#type.map(Type::try_from) {
        Some(Ok(Type::Static)) => false,
        Some(Ok(Type::Dynamic)) => true,
        _ => return Err("a reservation that is neither static nor dynamic"),
    };
    let role = reservation.role.ok_or("a reservation without a role")?;
    Ok(Reservation { dynamic, role, principal: reservation.principal })
}

fn convert_disk(disk: wire::DiskInfo) -> Result<DiskInfo, &'static str> {
    let persistence = match disk.persistence {
        None => None,
        Some(persistence) => Some(Persistence {
            id: persistence.id.ok_or("a volume without an id")?,
            principal: persistence.principal,
        }),
    };
    let volume = match disk.volume {
        None => None,
        Some(volume) => Some(VolumeSpec {
            read_only: is_read_only(&volume),
            container_path: volume.container_path.ok_or("a volume without a container path")?,
        }),
    };
    let source = disk.source.map_or(Ok(DiskSource::Root), convert_source)?;
    Ok(DiskInfo { persistence, volume, source })
}

fn convert_source(source: wire::disk_info::Source) -> Result<DiskSource, &'static str> {
    use wire::disk_info::source::Type;
    let root = |root: Option<String>| {
        root.filter(|root| !root.is_empty()).ok_or("a PATH or MOUNT disk without a root")
    };
    let id = source.id.unwrap_or_default();
    match source.r#type.map(Type::try_from) {
        Some(Ok(Type::Path)) => {
            Ok(DiskSource::Path { root: root(source.path.and_then(|path| path.root))? })
        }
        Some(Ok(Type::Mount)) => {
            Ok(DiskSource::Mount { root: root(source.mount.and_then(|mount| mount.root))? })
        }
        Some(Ok(Type::Block)) => Ok(DiskSource::Block { id }),
        Some(Ok(Type::Raw)) => Ok(DiskSource::Raw { id }),
        Some(Ok(Type::Unknown) | Err(_)) | None => Err("a disk of a type that is not known"),
    }
}

/// Mode RO of a volume; anything else may be written.
pub(super) fn is_read_only(volume: &proto::Volume) -> bool {
    volume.mode == Some(proto::volume::Mode::Ro as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ReservationKind;

    fn scalar(name: &str, amount: f64) -> proto::Resource {
        proto::Resource {
            name: Some(name.into()),
            r#type: Some(value::Type::Scalar as i32),
            scalar: Some(value::Scalar { value: Some(amount) }),
            ..Default::default()
        }
    }

    fn info(role: &str, kind: i32, principal: Option<&str>) -> wire::ReservationInfo {
        wire::ReservationInfo {
            role: Some(role.into()),
            r#type: Some(kind),
            principal: principal.map(Into::into),
        }
    }

    #[test]
    fn both_formats_give_the_same_stack() {
        let layer = |dynamic, role: &str, principal: Option<&str>| Reservation {
            dynamic,
            role: role.into(),
            principal: principal.map(Into::into),
        };
        for unreserved in [None, Some("*"), Some("")] {
            assert_eq!(reservation_stack(unreserved, None, vec![]), []);
        }
        assert_eq!(reservation_stack(Some("db"), None, vec![]), [layer(false, "db", None)]);
        assert_eq!(
            reservation_stack(Some("db"), Some(Some("ops".into())), vec![]),
            [layer(true, "db", Some("ops"))]
        );
        assert_eq!(reservation_stack(Some("db"), Some(None), vec![]), [layer(true, "db", None)]);
        // JSON endpoints give both formats at once; the new one says more.
        let stack = vec![layer(false, "eng", None), layer(true, "eng/db", Some("ops"))];
        assert_eq!(reservation_stack(Some("eng/db"), Some(None), stack.clone()), stack);
    }

    #[test]
    fn a_stack_of_two_is_a_refined_reservation() {
        let mut resource = scalar("disk", 10.5);
        resource.reservations = vec![info("eng", 1, None), info("eng/db", 2, Some("ops"))];
        let resource = from_proto(resource).unwrap();
        assert_eq!(resource.role(), "eng/db");
        assert_eq!(resource.reservation_kind(), ReservationKind::Refined);
        assert_eq!(resource.bytes(), Some(11_010_048));
    }

    #[test]
    fn what_means_nothing_is_an_error_that_says_so() {
        let problem = |resource| from_proto(resource).unwrap_err().to_string();
        let mut bare = scalar("disk", 1.0);
        bare.r#type = None;
        assert_eq!(problem(bare), "resource \"disk\": no type");
        assert_eq!(
            problem(scalar("disk", f64::NAN)),
            "resource \"disk\": a scalar that is negative or not a number"
        );
        assert_eq!(problem(scalar("", 1.0)), "resource \"\": no name");
        let mut text = scalar("disk", 1.0);
        text.r#type = Some(value::Type::Text as i32);
        assert_eq!(problem(text), "resource \"disk\": a type that resources do not have");
        let mut stack = scalar("cpus", 1.0);
        stack.reservations = vec![info("db", 0, None)];
        assert_eq!(
            problem(stack),
            "resource \"cpus\": a reservation that is neither static nor dynamic"
        );
        let mut disk = scalar("disk", 1.0);
        let source = wire::disk_info::Source { r#type: Some(1), ..Default::default() };
        disk.disk = Some(Box::new(wire::DiskInfo { source: Some(source), ..Default::default() }));
        assert_eq!(problem(disk), "resource \"disk\": a PATH or MOUNT disk without a root");
    }

    #[test]
    fn ranges_and_sets_keep_their_items() {
        let ports = proto::Resource {
            name: Some("ports".into()),
            r#type: Some(value::Type::Ranges as i32),
            ranges: Some(value::Ranges {
                range: vec![value::Range { begin: Some(1), end: Some(9) }],
            }),
            ..Default::default()
        };
        assert_eq!(from_proto(ports).unwrap().quantity, Quantity::Ranges(vec![(1, 9)]));
        let set = proto::Resource {
            name: Some("gpus".into()),
            r#type: Some(value::Type::Set as i32),
            set: Some(value::Set { item: vec!["a".into(), "b".into()] }),
            ..Default::default()
        };
        assert_eq!(from_proto(set).unwrap().quantity, Quantity::Set(vec!["a".into(), "b".into()]));
    }
}
