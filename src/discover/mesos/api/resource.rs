//! JSON `Resource` in both formats.
//!
//! Source: `include/mesos/mesos.proto`, message `Resource`; `src/common/resources_utils.cpp` for
//! what the older format means. `/state` entries carry both forms at once: `reservations` wins.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json::{Id, ParseError};
use crate::model::{
    DiskInfo, DiskSource, Persistence, Quantity, Reservation, Resource, VolumeSpec,
};

/// A resource as the agent writes it.
#[derive(Debug, Deserialize)]
pub(super) struct ResourceJson {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    scalar: Option<ScalarJson>,
    ranges: Option<RangesJson>,
    set: Option<SetJson>,
    role: Option<String>,
    reservation: Option<PrincipalJson>,
    #[serde(default)]
    reservations: Vec<ReservationJson>,
    allocation_info: Option<AllocationJson>,
    disk: Option<DiskJson>,
    shared: Option<IgnoredAny>,
    revocable: Option<IgnoredAny>,
    provider_id: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct ScalarJson {
    value: f64,
}

#[derive(Debug, Deserialize)]
struct RangesJson {
    #[serde(default)]
    range: Vec<RangeJson>,
}

#[derive(Debug, Deserialize)]
struct RangeJson {
    begin: u64,
    end: u64,
}

#[derive(Debug, Deserialize)]
struct SetJson {
    #[serde(default)]
    item: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct PrincipalJson {
    principal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ReservationJson {
    #[serde(rename = "type")]
    kind: String,
    role: String,
    principal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct AllocationJson {
    role: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DiskJson {
    persistence: Option<PersistenceJson>,
    volume: Option<VolumeJson>,
    source: Option<SourceJson>,
}

#[derive(Debug, Deserialize)]
struct PersistenceJson {
    id: String,
    principal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct VolumeJson {
    container_path: String,
    mode: Option<String>,
}

#[derive(Debug, Deserialize)]
struct SourceJson {
    #[serde(rename = "type")]
    kind: String,
    path: Option<RootJson>,
    mount: Option<RootJson>,
    id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RootJson {
    root: Option<String>,
}

/// Turns a list; the error names the entry.
pub(super) fn resources(list: Vec<ResourceJson>) -> Result<Vec<Resource>, ParseError> {
    let mut resources = Vec::with_capacity(list.len());
    for (index, json) in list.into_iter().enumerate() {
        let name = json.name.clone();
        let resource = convert(json)
            .map_err(|text| ParseError::new(format!("resource {index} ({name}): {text}")))?;
        resources.push(resource);
    }
    Ok(resources)
}

fn convert(json: ResourceJson) -> Result<Resource, String> {
    let quantity = match json.kind.as_str() {
        "SCALAR" => Quantity::Scalar(json.scalar.ok_or("a SCALAR without scalar")?.value),
        "RANGES" => {
            let ranges = json.ranges.map(|ranges| ranges.range).unwrap_or_default();
            Quantity::Ranges(ranges.into_iter().map(|range| (range.begin, range.end)).collect())
        }
        "SET" => Quantity::Set(json.set.map(|set| set.item).unwrap_or_default()),
        other => return Err(format!("unknown type {other:?}")),
    };
    let reservations = if json.reservations.is_empty() {
        old_format(json.role, json.reservation)
    } else {
        json.reservations.into_iter().map(layer).collect::<Result<_, _>>()?
    };
    Ok(Resource {
        name: json.name,
        quantity,
        reservations,
        allocated_to: json.allocation_info.and_then(|info| info.role),
        disk: json.disk.map(disk).transpose()?,
        shared: json.shared.is_some(),
        revocable: json.revocable.is_some(),
        provider_id: json.provider_id.map(Id::into_string),
    })
}

/// A role without `reservation` is static, one with it dynamic, `*` is none at all.
fn old_format(role: Option<String>, reservation: Option<PrincipalJson>) -> Vec<Reservation> {
    match role {
        Some(role) if role != "*" => vec![Reservation {
            dynamic: reservation.is_some(),
            role,
            principal: reservation.and_then(|reservation| reservation.principal),
        }],
        _ => Vec::new(),
    }
}

fn layer(json: ReservationJson) -> Result<Reservation, String> {
    let dynamic = match json.kind.as_str() {
        "DYNAMIC" => true,
        "STATIC" => false,
        other => return Err(format!("unknown type of reservation {other:?}")),
    };
    Ok(Reservation { dynamic, role: json.role, principal: json.principal })
}

fn disk(json: DiskJson) -> Result<DiskInfo, String> {
    let source = match json.source {
        None => DiskSource::Root,
        Some(source) => {
            let root = |json: Option<RootJson>| json.and_then(|json| json.root).unwrap_or_default();
            let id = source.id.unwrap_or_default();
            match source.kind.as_str() {
                // A CSI disk that is not published yet has no root.
                "PATH" => DiskSource::Path { root: root(source.path) },
                "MOUNT" => DiskSource::Mount { root: root(source.mount) },
                "BLOCK" => DiskSource::Block { id },
                "RAW" => DiskSource::Raw { id },
                other => return Err(format!("unknown type of disk source {other:?}")),
            }
        }
    };
    Ok(DiskInfo {
        persistence: json.persistence.map(|persistence| Persistence {
            id: persistence.id,
            principal: persistence.principal,
        }),
        volume: json.volume.map(|volume| VolumeSpec {
            container_path: volume.container_path,
            read_only: volume.mode.as_deref() == Some("RO"),
        }),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;
    use crate::model::ReservationKind;

    fn one(text: &str) -> Result<Resource, ParseError> {
        resources(vec![parse(text.as_bytes())?]).map(|mut list| list.remove(0))
    }

    #[test]
    fn both_formats_of_reservations() {
        let scalar = r#""name":"disk","type":"SCALAR","scalar":{"value":1.5}"#;
        let cases = [
            ("", ReservationKind::Unreserved, "*"),
            (r#","role":"*""#, ReservationKind::Unreserved, "*"),
            (r#","role":"a""#, ReservationKind::Static, "a"),
            (r#","role":"a","reservation":{"principal":"p"}"#, ReservationKind::Dynamic, "a"),
            (r#","role":"a","reservation":{}"#, ReservationKind::Dynamic, "a"),
            (r#","reservations":[{"type":"STATIC","role":"a"}]"#, ReservationKind::Static, "a"),
            (
                r#","reservations":[{"type":"STATIC","role":"a"},
                    {"type":"DYNAMIC","role":"a/b","principal":"p"}]"#,
                ReservationKind::Refined,
                "a/b",
            ),
            // Both at once: the newer form wins.
            (
                r#","role":"old","reservations":[{"type":"DYNAMIC","role":"new"}]"#,
                ReservationKind::Dynamic,
                "new",
            ),
        ];
        for (rest, kind, role) in cases {
            let resource = one(&format!("{{{scalar}{rest}}}")).unwrap();
            assert_eq!((resource.reservation_kind(), resource.role()), (kind, role), "{rest}");
            assert_eq!(resource.bytes(), Some(1_572_864));
        }
    }

    #[test]
    fn every_sort_of_disk_and_quantity() {
        let disk = |source: &str| {
            one(&format!(
                r#"{{"name":"disk","type":"SCALAR","scalar":{{"value":1}},"disk":{{"source":{source}}}}}"#
            ))
        };
        let source = |text| disk(text).map(|resource| resource.disk_source());
        let path = DiskSource::Path { root: "/p".into() };
        assert_eq!(source(r#"{"type":"PATH","path":{"root":"/p"}}"#), Ok(path));
        assert_eq!(source(r#"{"type":"MOUNT"}"#), Ok(DiskSource::Mount { root: "".into() }));
        let block = DiskSource::Block { id: "b".into() };
        assert_eq!(source(r#"{"type":"BLOCK","id":"b"}"#), Ok(block));
        assert_eq!(source(r#"{"type":"RAW"}"#), Ok(DiskSource::Raw { id: "".into() }));
        assert!(source(r#"{"type":"TAPE"}"#).is_err());
        let ports =
            one(r#"{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":3}]}}"#)
                .unwrap();
        assert_eq!(ports.quantity, Quantity::Ranges(vec![(1, 3)]));
        let set = one(r#"{"name":"s","type":"SET","set":{"item":["x"]},"revocable":{},
            "provider_id":{"value":"rp"},"allocation_info":{"role":"r"},"shared":{}}"#)
        .unwrap();
        assert_eq!(set.quantity, Quantity::Set(vec!["x".into()]));
        assert_eq!((set.revocable, set.shared), (true, true));
        assert_eq!(set.provider_id.as_deref(), Some("rp"));
        assert_eq!(set.allocated_to.as_deref(), Some("r"));
    }

    #[test]
    fn malformed() {
        for text in [
            r#"{"name":"disk","type":"SCALAR"}"#,
            r#"{"name":"disk","type":"SCALAR","scalar":{"value":"1"}}"#,
            r#"{"name":"disk","type":"TEXT"}"#,
            r#"{"type":"SCALAR","scalar":{"value":1}}"#,
            r#"{"name":"x","type":"SET","reservations":[{"type":"ODD","role":"r"}]}"#,
            r#"{"name":"x","type":"RANGES","ranges":{"range":[{"begin":-1,"end":3}]}}"#,
        ] {
            assert!(one(text).is_err(), "{text}");
        }
        let error = one(r#"{"name":"disk","type":"SCALAR"}"#).unwrap_err();
        assert_eq!(error.0, "resource 0 (disk): a SCALAR without scalar");
    }
}
