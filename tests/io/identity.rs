//! Which group is whose, and when it is another one.

use std::fs;
use std::path::Path;

use plimsoll::host::{MountTable, Roots};
use plimsoll::measure::io::IoMeter;
use plimsoll::measure::io::cgroup::DescriptorRoom;
use plimsoll::model::{ContainerIo, ContainerRef, SandboxKey, SourceKind};

use crate::groups::{Place, counted, remove};

const MIB: usize = 1 << 20;

pub fn container(place: &Place, id: &str) -> ContainerRef {
    ContainerRef {
        key: SandboxKey {
            source: SourceKind::Mesos,
            framework: "F".into(),
            executor: "e".into(),
            container: id.into(),
        },
        nested: false,
        pid: None,
        group: Some(place.group.join(id).display().to_string()),
        directory: vec![id.into()],
    }
}

pub fn written(io: &[ContainerIo], id: &str) -> Option<u64> {
    let io = io.iter().find(|io| io.key.container == id)?;
    io.devices.first()?.write.bytes
}

/// Its own alone: groups of other tests, and Docker's, are on this host too.
fn look(meter: &mut IoMeter, containers: &[ContainerRef]) -> Vec<ContainerIo> {
    let table = MountTable::read(&Roots::default()).expect("the mount table");
    meter.look(containers, &table);
    let round = meter.pass(1.0);
    assert_eq!(round.errors, [""; 0]);
    round.io.into_iter().filter(|io| io.key.source == SourceKind::Mesos).collect()
}

#[test]
fn a_group_made_again_under_the_same_path_is_another_one() {
    let Some(place) = Place::make("a group that is made again") else { return };
    let containers = [container(&place, "again")];
    // With a kept descriptor, and without.
    for room in [100, 0] {
        let mut meter = IoMeter::new(Roots::default(), DescriptorRoom::new(room));
        let group = place.group("again");
        place.limit(&group, "write_bps", 1 << 40).expect("limit");
        place.writer(&group, "first", 3 * MIB, MIB).seconds();
        let first = look(&mut meter, &containers);
        assert_eq!(written(&first, "again"), Some(counted(&group, 3 * MIB)));
        let limit = first[0].devices[0].write.limit_bytes.as_ref().expect("a limit");
        assert_eq!((limit.per_second, limit.group.as_str()), (1 << 40, first[0].group.as_str()));
        meter.sample();

        remove(&group);
        let group = place.group("again");
        // What was kept of the old one does not speak for the new one.
        let round = meter.pass(2.0);
        assert!(round.look_again && round.errors.is_empty());
        assert!(!round.io.iter().any(|io| io.key == containers[0].key));
        meter.sample();
        place.writer(&group, "second", MIB, MIB).seconds();
        place.limit(&group, "write_iops", 900).expect("limit");
        let second = look(&mut meter, &containers);
        assert_eq!(written(&second, "again"), Some(counted(&group, MIB)));
        assert_eq!(second[0].devices[0].write.limit_bytes, None);
        let limit = second[0].devices[0].write.limit_operations.as_ref().expect("a limit");
        assert_eq!(limit.per_second, 900);
        assert_eq!(second[0].devices[0].write.throttled_seconds, None);
        remove(&group);
        assert!(meter.pass(3.0).look_again);
        assert!(look(&mut meter, &containers).is_empty());
    }
}

#[test]
fn a_container_is_found_by_its_process_wherever_its_group_is() {
    let Some(place) = Place::make("a group found by its process") else { return };
    let own = place.group("parent");
    let own = {
        fs::create_dir(own.join("c-1")).expect("make");
        fs::create_dir(own.join("c-1/deeper")).expect("make");
        own.join("c-1")
    };
    let sleeper = place.sleeper(&own.join("deeper"));
    place.writer(&own.join("deeper"), "below", 2 * MIB, MIB).seconds();
    let mut meter = IoMeter::new(Roots::default(), DescriptorRoom::new(100));
    let mut found = container(&place, "c-1");
    found.group = Some("/nowhere/c-1".into());
    found.pid = Some(sleeper.pid());
    // Another container's process in the same group: it has none of its own.
    let mut shared = container(&place, "c-2");
    shared.group = None;
    shared.pid = found.pid;
    let io = look(&mut meter, &[found, shared]);
    assert_eq!(io.len(), 1);
    assert_eq!(Path::new(&io[0].group), place.group.join("parent/c-1"));
    // With what was moved in the groups below it.
    assert_eq!(written(&io, "c-1"), Some(counted(&own.join("deeper"), 2 * MIB)));
}
