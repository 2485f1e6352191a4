//! Hundreds of groups that come and go while they are measured.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use plimsoll::expose::exposition::Format;
use plimsoll::expose::render::render;
use plimsoll::host::{MountTable, Roots};
use plimsoll::measure::io::IoMeter;
use plimsoll::measure::io::cgroup::DescriptorRoom;
use plimsoll::model::{ContainerRef, Snapshot};

use crate::groups::{Place, counted, remove};
use crate::identity::{container, written};

const GROUPS: usize = 300;
const MIB: usize = 1 << 20;

#[test]
fn hundreds_of_groups_come_and_go_without_a_leak_or_a_step_back() {
    let Some(place) = Place::make("hundreds of groups") else { return };
    let table = MountTable::read(&Roots::default()).expect("the mount table");
    let room = DescriptorRoom::new(1000);
    let mut meter = IoMeter::new(Roots::default(), room.clone());
    let stays = place.group("stays");
    let id = |round: usize, number: usize| format!("r{round}-g{number}");
    let mut last: HashMap<String, u64> = HashMap::new();
    for round in 0..4 {
        let mut containers = vec![container(&place, "stays")];
        for number in 0..GROUPS {
            let group = place.group(&id(round, number));
            if number % 3 == 0 {
                place.limit(&group, "write_bps", 1 << 30).expect("limit");
            }
            containers.push(container(&place, &id(round, number)));
        }
        place.writer(&stays, "stays", MIB, MIB).seconds();
        look_and_check(&mut meter, &containers, &table, &mut last, GROUPS + 1);
        let open = descriptors(&place);
        assert!(open > GROUPS && open <= 1000, "{open} descriptors");
        // A third goes while it is measured, under the eyes of a pass.
        let victims: Vec<_> =
            (0..GROUPS).step_by(3).map(|number| place.directory.join(id(round, number))).collect();
        let remover = std::thread::spawn(move || victims.iter().for_each(|group| remove(group)));
        let until = Instant::now() + Duration::from_millis(300);
        while Instant::now() < until {
            meter.sample();
            check(&mut meter, &mut last);
        }
        remover.join().expect("removed");
        look_and_check(&mut meter, &containers, &table, &mut last, GROUPS - GROUPS / 3 + 1);
        for number in 0..GROUPS {
            remove(&place.directory.join(id(round, number)));
        }
        look_and_check(&mut meter, &containers[..1], &table, &mut last, 1);
    }
    assert_eq!(last["stays"], counted(&stays, 4 * MIB));
    remove(&stays);
    meter.pass(1.0);
    meter.look(&[], &table);
    assert_eq!(descriptors(&place), 0);
    // Docker's containers on this host are measured, too.
    drop(meter);
    assert_eq!(room.left(), 1000, "every descriptor was given back");
}

fn look_and_check(
    meter: &mut IoMeter,
    containers: &[ContainerRef],
    table: &MountTable,
    last: &mut HashMap<String, u64>,
    expected: usize,
) {
    meter.look(containers, table);
    let shown = check(meter, last);
    assert_eq!(shown, expected);
}

/// Nothing goes back, and what is not there has no series.
fn check(meter: &mut IoMeter, last: &mut HashMap<String, u64>) -> usize {
    let round = meter.pass(1.0);
    assert_eq!(round.errors, [""; 0]);
    let ours = |key: &str| key == "stays" || key.starts_with('r');
    let io: Vec<_> = round.io.into_iter().filter(|io| ours(&io.key.container)).collect();
    for container in &io {
        let id = &container.key.container;
        let Some(bytes) = written(&io, id) else { continue };
        let before = last.insert(id.clone(), bytes).unwrap_or(0);
        assert!(bytes >= before, "{id} went from {before} to {bytes}");
    }
    let shown = io.len();
    let snapshot = Snapshot { io: std::sync::Arc::new(io), ..Snapshot::default() };
    let page = render(&snapshot, Format::Text, 100_000);
    let text = String::from_utf8(page.chunks.concat()).expect("UTF-8");
    let series = text.lines().filter(|line| line.starts_with("plimsoll_container_io_info{"));
    assert_eq!(series.count(), shown);
    shown
}

/// Descriptors of files in the groups of this test.
fn descriptors(place: &Place) -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("own descriptors").flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|target| target.starts_with(&place.directory))
        .count()
}
