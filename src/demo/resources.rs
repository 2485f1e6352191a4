//! Resources of the scene: how to make them, add them up and write them down.

use serde_json::{Map, Value, json};

use crate::discover::mesos::proto;
use crate::model::{
    DiskInfo, DiskSource, Persistence, Quantity, Reservation, Resource, VolumeSpec,
};

/// A scalar: cores, or mebibytes.
pub fn scalar(name: &str, amount: f64) -> Resource {
    Resource {
        name: name.to_owned(),
        quantity: Quantity::Scalar(amount),
        reservations: Vec::new(),
        allocated_to: None,
        disk: None,
        shared: false,
        revocable: false,
        provider_id: None,
    }
}

/// One range of ports.
pub fn ports(begin: u64, end: u64) -> Resource {
    Resource { quantity: Quantity::Ranges(vec![(begin, end)]), ..scalar("ports", 0.0) }
}

/// Steps by which the script makes a resource.
pub trait Make {
    /// With one more layer of reservation: static without a principal, dynamic with one.
    fn reserved(self, role: &str, principal: Option<&str>) -> Self;
    /// On another disk than the work directory's.
    fn on(self, source: DiskSource) -> Self;
    /// As a persistent volume of that id.
    fn volume(self, id: &str, principal: &str, container_path: &str) -> Self;
    /// As a task or executor of that role holds it.
    fn allocated(self, role: &str) -> Self;
}

impl Make for Resource {
    fn reserved(mut self, role: &str, principal: Option<&str>) -> Self {
        self.reservations.push(Reservation {
            dynamic: principal.is_some(),
            role: role.to_owned(),
            principal: principal.map(str::to_owned),
        });
        self
    }

    fn on(mut self, source: DiskSource) -> Self {
        self.disk = Some(DiskInfo { persistence: None, volume: None, source });
        self
    }

    fn volume(mut self, id: &str, principal: &str, container_path: &str) -> Self {
        let source = self.disk_source();
        let container_path = container_path.to_owned();
        self.disk = Some(DiskInfo {
            persistence: Some(Persistence {
                id: id.to_owned(),
                principal: Some(principal.to_owned()),
            }),
            volume: Some(VolumeSpec { container_path, read_only: false }),
            source,
        });
        self
    }

    fn allocated(mut self, role: &str) -> Self {
        self.allocated_to = Some(role.to_owned());
        self
    }
}

/// Sum of the scalars of that name.
pub fn total<'a>(resources: impl IntoIterator<Item = &'a Resource>, name: &str) -> f64 {
    let of_name = resources.into_iter().filter(|resource| resource.name == name);
    of_name.map(|resource| resource.quantity.amount()).sum()
}

/// `{disk, mem, gpus, cpus}` as `/state` sums them up.
pub fn summed<'a>(resources: impl IntoIterator<Item = &'a Resource> + Clone) -> Value {
    let mut sums = Map::new();
    for name in ["disk", "mem", "gpus", "cpus"] {
        sums.insert(name.to_owned(), json!(total(resources.clone(), name)));
    }
    let ranges: Vec<String> = resources
        .into_iter()
        .filter_map(|resource| match &resource.quantity {
            Quantity::Ranges(ranges) => Some(ranges.iter().map(|(b, e)| format!("{b}-{e}"))),
            _ => None,
        })
        .flatten()
        .collect();
    if !ranges.is_empty() {
        sums.insert("ports".to_owned(), json!(format!("[{}]", ranges.join(", "))));
    }
    Value::Object(sums)
}

/// Which of the two formats of reservations is written in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// v1: `reservations` only.
    V1,
    /// `/state`: the old fields beside the new ones, where one layer allows it.
    State,
}

/// A resource as the agent's API prints it.
pub fn to_json(resource: &Resource, format: Format) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(resource.name));
    match &resource.quantity {
        Quantity::Scalar(value) => {
            out.insert("type".into(), json!("SCALAR"));
            out.insert("scalar".into(), json!({ "value": value }));
        }
        Quantity::Ranges(ranges) => {
            let ranges: Vec<Value> =
                ranges.iter().map(|(begin, end)| json!({"begin": begin, "end": end})).collect();
            out.insert("type".into(), json!("RANGES"));
            out.insert("ranges".into(), json!({ "range": ranges }));
        }
        Quantity::Set(items) => {
            out.insert("type".into(), json!("SET"));
            out.insert("set".into(), json!({ "item": items }));
        }
    }
    if let Some(role) = &resource.allocated_to {
        out.insert("allocation_info".into(), json!({ "role": role }));
    }
    if format == Format::State && resource.reservations.len() < 2 {
        out.insert("role".into(), json!(resource.role()));
        let principal = resource.reservations.last().and_then(|layer| layer.principal.as_ref());
        if let Some(principal) = principal {
            out.insert("reservation".into(), json!({ "principal": principal }));
        }
    }
    if !resource.reservations.is_empty() {
        let layers: Vec<Value> = resource.reservations.iter().map(layer_to_json).collect();
        out.insert("reservations".into(), json!(layers));
    }
    if let Some(disk) = &resource.disk {
        out.insert("disk".into(), disk_to_json(disk));
    }
    if resource.shared {
        out.insert("shared".into(), json!({}));
    }
    Value::Object(out)
}

fn layer_to_json(layer: &Reservation) -> Value {
    let kind = if layer.dynamic { "DYNAMIC" } else { "STATIC" };
    let mut out = json!({ "type": kind, "role": layer.role });
    if let Some(principal) = &layer.principal {
        out["principal"] = json!(principal);
    }
    out
}

fn disk_to_json(disk: &DiskInfo) -> Value {
    let mut out = Map::new();
    if let Some(persistence) = &disk.persistence {
        out.insert(
            "persistence".into(),
            json!({ "id": persistence.id, "principal": persistence.principal }),
        );
    }
    if let Some(volume) = &disk.volume {
        let mode = if volume.read_only { "RO" } else { "RW" };
        let spec = json!({ "mode": mode, "container_path": volume.container_path });
        out.insert("volume".into(), spec);
    }
    if let DiskSource::Path { root } = &disk.source {
        out.insert("source".into(), json!({ "type": "PATH", "path": { "root": root } }));
    }
    Value::Object(out)
}

/// A resource as a checkpoint holds it. `old`: with `role` and one `reservation`, which is what
/// the agent writes wherever a single layer allows it.
pub fn to_proto(resource: &Resource, old: bool) -> proto::Resource {
    use proto::resource::{AllocationInfo, ReservationInfo, SharedInfo};
    let mut out = proto::Resource { name: Some(resource.name.clone()), ..Default::default() };
    match &resource.quantity {
        Quantity::Scalar(value) => {
            out.set_type(proto::value::Type::Scalar);
            out.scalar = Some(proto::value::Scalar { value: Some(*value) });
        }
        Quantity::Ranges(ranges) => {
            let range = |&(begin, end): &(u64, u64)| proto::value::Range {
                begin: Some(begin),
                end: Some(end),
            };
            out.set_type(proto::value::Type::Ranges);
            out.ranges = Some(proto::value::Ranges { range: ranges.iter().map(range).collect() });
        }
        Quantity::Set(items) => {
            out.set_type(proto::value::Type::Set);
            out.set = Some(proto::value::Set { item: items.clone() });
        }
    }
    let layer = |layer: &Reservation, old: bool| {
        let mut info = ReservationInfo { principal: layer.principal.clone(), ..Default::default() };
        if !old {
            info.role = Some(layer.role.clone());
            info.set_type(match layer.dynamic {
                true => proto::resource::reservation_info::Type::Dynamic,
                false => proto::resource::reservation_info::Type::Static,
            });
        }
        info
    };
    if old && resource.reservations.len() < 2 {
        out.role = Some(resource.role().to_owned());
        let dynamic = resource.reservations.last().filter(|layer| layer.dynamic);
        out.reservation = dynamic.map(|dynamic| Box::new(layer(dynamic, true)));
    } else {
        out.reservations = resource.reservations.iter().map(|l| layer(l, false)).collect();
    }
    out.allocation_info =
        resource.allocated_to.clone().map(|role| AllocationInfo { role: Some(role) });
    out.disk = resource.disk.as_ref().map(|disk| Box::new(disk_to_proto(disk)));
    out.shared = resource.shared.then_some(SharedInfo {});
    out
}

fn disk_to_proto(disk: &DiskInfo) -> proto::resource::DiskInfo {
    use proto::resource::disk_info::{Persistence, Source, source};
    let persistence = disk.persistence.as_ref();
    let volume = disk.volume.as_ref();
    proto::resource::DiskInfo {
        persistence: persistence.map(|persistence| Persistence {
            id: Some(persistence.id.clone()),
            principal: persistence.principal.clone(),
        }),
        volume: volume.map(|volume| {
            let mut out = proto::Volume {
                container_path: Some(volume.container_path.clone()),
                ..Default::default()
            };
            out.set_mode(match volume.read_only {
                true => proto::volume::Mode::Ro,
                false => proto::volume::Mode::Rw,
            });
            out
        }),
        source: match &disk.source {
            DiskSource::Path { root } => {
                let path = Some(source::Path { root: Some(root.clone()) });
                let mut out = Source { path, ..Default::default() };
                out.set_type(source::Type::Path);
                Some(out)
            }
            _ => None,
        },
    }
}
