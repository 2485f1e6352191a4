//! Hundreds of groups that come and go while they are measured.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plimsoll::expose::exposition::Format;
use plimsoll::expose::render::render;
use plimsoll::host::{MountTable, Roots};
use plimsoll::measure::io::IoMeter;
use plimsoll::measure::io::cgroup::DescriptorRoom;
use plimsoll::model::{ContainerRef, Snapshot};

use crate::daemon::{Daemon, value};
use crate::groups::{Place, Sleeper, counted, remove};
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
        let open = descriptors("self", &place.directory);
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
    assert_eq!(descriptors("self", &place.directory), 0);
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

/// Descriptors of files below a directory that a process has open.
fn descriptors(process: &str, directory: &Path) -> usize {
    let open = fs::read_dir(format!("/proc/{process}/fd")).expect("descriptors").flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|target| target.starts_with(directory))
        .count()
}

/// Containers that come and go at once.
const CONTAINERS: usize = 150;

#[test]
fn scrapes_of_containers_that_come_and_go_show_no_step_back_and_leave_nothing() {
    let Some(place) = Place::alone("scrapes of containers that come and go") else { return };
    // Ids as Docker gives them: groups of that name are found without any agent.
    let ours = format!("{:08x}c0ffee", std::process::id());
    let id = |round: usize, number: usize| format!("{ours}{round:04x}{number:046x}");
    let (stays, empty) = (id(0xffff, 0), id(0xffff, 1));
    let group = place.group(&stays);
    place.limit(&group, "write_bps", 1 << 40).expect("limit");
    let _alive = place.sleeper(&group);
    // While a group has no process yet, all groups are looked for every second.
    place.group(&empty);
    let config = place.files.path().join("plimsoll.yml");
    let text = "mesos: {enabled: false}\nio: {interval: 1s}\nstorage: {enabled: false}\n";
    fs::write(&config, text).expect("write");
    let daemon = Daemon::serve(&config, &[]);
    let series = |family: &str| format!("plimsoll_container_io_{family}");
    let shown = |daemon: &Daemon| {
        let body = daemon.get("/metrics").body;
        let infos = body.lines().filter(|line| line.starts_with(&series("info{")));
        infos.filter(|line| line.contains(&ours)).count()
    };
    let wait = |what: &str, number: usize| {
        daemon.wait_for(what, Duration::from_secs(60), |daemon| {
            (shown(daemon) == number).then_some(())
        });
    };

    place.writer(&group, "first", MIB, MIB).seconds();
    wait("the first container", 1);
    let written = |daemon: &Daemon, megabytes: usize| {
        let name = series("written_bytes_total{");
        daemon.wait_for("what was written", Duration::from_secs(60), |daemon| {
            let body = daemon.get("/metrics").body;
            let mut lines = body.lines().filter(|line| line.starts_with(&name));
            let line = lines.find(|line| line.contains(&stays))?;
            let labels = line.rsplit_once(' ')?.0;
            (value(&body, labels)? == counted(&group, megabytes * MIB) as f64).then_some(())
        });
    };
    written(&daemon, 1);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut last: HashMap<String, f64> = HashMap::new();
            let mut scrapes = 0;
            while !done.load(Ordering::Relaxed) {
                rising(&daemon.get("/metrics").body, &ours, &mut last);
                scrapes += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            (scrapes, last.len())
        });
        let ends_scrapes = Raised(&done);
        for round in 0..3 {
            let come = come(&place, (0..CONTAINERS).map(|number| id(round, number)));
            place.writer(&group, "stays", MIB, MIB).seconds();
            place.writer(&place.directory.join(id(round, 0)), "goes", MIB, MIB).seconds();
            wait("all came", CONTAINERS + 1);
            written(&daemon, 2 + round);
            drop(come);
            (0..CONTAINERS).for_each(|number| remove(&place.directory.join(id(round, number))));
            wait("all went", 1);
        }
        drop(ends_scrapes);
        let (scrapes, counters) = scraper.join().expect("no counter went back");
        println!("{scrapes} scrapes, {counters} counters");
        assert!(scrapes > 10 && counters >= CONTAINERS, "{scrapes} scrapes, {counters} counters");
    });
    let body = daemon.get("/metrics").body;
    let left = body.lines().filter(|line| line.contains(&ours) && !line.contains(&stays));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0], "series of containers that went");
    let pid = daemon.pid().to_string();
    let open = descriptors(&pid, &group);
    assert!(open > 0 && descriptors(&pid, &place.directory) == open, "descriptors of those");
}

/// Raises a flag when it is dropped, in a panic too.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Containers with a process each, a limit on every third.
fn come(place: &Place, ids: impl Iterator<Item = String>) -> Vec<Sleeper> {
    ids.enumerate()
        .map(|(number, id)| {
            let group = place.group(&id);
            if number % 3 == 0 {
                place.limit(&group, "write_bps", 1 << 30).expect("limit");
            }
            place.sleeper(&group)
        })
        .collect()
}

/// Counters of these containers, none of which goes back.
fn rising(body: &str, ours: &str, last: &mut HashMap<String, f64>) {
    for line in body.lines().filter(|line| line.starts_with("plimsoll_container_io_")) {
        let Some((series, number)) = line.rsplit_once(' ') else { continue };
        if !series.contains(ours) || !series.contains("_total{") {
            continue;
        }
        let number: f64 = number.parse().expect("a number");
        let before = last.insert(series.to_owned(), number).unwrap_or(0.0);
        assert!(number >= before, "{series} went from {before} to {number}");
    }
}
