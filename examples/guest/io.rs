//! Containers that write through limits of cgroup v2, on disks of their own for the test: bytes and
//! operations exact, the limit in force the tightest of a group and those above it, and the seconds
//! during which writers stood at it as they measured them themselves.

use std::fs;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::disks::{self, SCRATCH, SECOND};
use crate::files::MIB;
use crate::host::{Host, eventually, series};
use crate::report::Report;

const ROOT: &str = "/sys/fs/cgroup";
/// As Docker names its groups.
const NEIGHBOUR: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// How long those write that stand at their limit all the time.
const SECONDS: u64 = 32;
/// What `io.sample_interval` is by default: so much more or less may be counted.
const SAMPLE: f64 = 1.0;

/// A container, its limits, and what it writes.
struct Container {
    name: &'static str,
    group: PathBuf,
    disk: &'static str,
    /// Line of `io.max` without the device.
    own: &'static str,
    /// Limit in force, and its family.
    in_force: Option<(&'static str, u64)>,
    block: u64,
    blocks: u64,
    /// Blocks a second, where the writer itself is slow.
    pace: u64,
    /// Whether it stands at the limit for as long as it writes.
    held_back: bool,
}

/// The scenario.
pub fn run(report: &mut Report) {
    let work = Path::new("/mnt/work");
    disks::fresh("ext4", disks::EXT4, work, "rw");
    let host = Host::create(work, "io:\n  interval: 1s\n");
    let daemon = host.serve();
    let groups = groups(&daemon);
    let containers = containers(&groups);
    for container in &containers {
        limit(&container.group, container.disk, container.own);
    }
    // On the disk of the second container alone.
    limit(&Path::new(ROOT).join("mesos"), SECOND, "wbps=1048576");

    let info = |container: &Container| {
        series(&daemon, "plimsoll_container_io_info", &[("container", id(container))])
    };
    // One of Docker's is known by the mounts of its processes, so not before it has any.
    let of_mesos = &containers[..containers.len() - 1];
    let known = eventually(40, || of_mesos.iter().all(|each| info(each) == Some(1.0)));
    report.equal("the groups are found", known, true);
    for container in of_mesos {
        report.name = container.name.to_owned();
        limits_are_told(report, &daemon, container);
    }

    let writers: Vec<Child> = containers.iter().enumerate().map(start).collect();
    let took: Vec<f64> = writers.into_iter().map(seconds).collect();
    for (container, took) in containers.iter().zip(took) {
        report.name = container.name.to_owned();
        counted(report, &daemon, container, took);
    }
    pressure(report, &daemon, &containers[0]);
    drop(daemon);
    drop(host);
    report.equal("unmounted", disks::unmount(work), Ok(()));
}

/// Groups where the agent has those of its containers, and one of Docker's.
fn groups(daemon: &Daemon) -> Vec<PathBuf> {
    let rows = daemon.json("/api/v1/sandboxes");
    let live = rows.as_array().into_iter().flatten();
    let live = live.filter(|row| row["state"] == "live" && row["kind"] != "nested");
    let ids = live.filter_map(|row| row["container"].as_str().map(str::to_owned));
    let root = Path::new(ROOT);
    let mut groups: Vec<PathBuf> = ids.map(|id| root.join("mesos").join(id)).take(4).collect();
    groups.push(root.join("docker").join(NEIGHBOUR));
    fs::write(root.join("cgroup.subtree_control"), "+io").expect("the controller is there");
    for group in &groups {
        let above = group.parent().expect("mesos or docker");
        fs::create_dir_all(above).expect("root");
        fs::write(above.join("cgroup.subtree_control"), "+io").expect("handed down");
        fs::create_dir(group).expect("a new group");
    }
    groups
}

fn containers(groups: &[PathBuf]) -> Vec<Container> {
    let bytes = "plimsoll_container_io_write_limit_bytes_per_second";
    let operations = "plimsoll_container_io_write_limit_operations_per_second";
    let [own, above, operated, slow, neighbour] = groups else {
        panic!("the scene has at least four live containers: {groups:?}");
    };
    vec![
        Container {
            name: "its own limit",
            group: own.clone(),
            disk: SCRATCH,
            own: "wbps=2097152",
            in_force: Some((bytes, 2 * MIB)),
            block: MIB / 4,
            blocks: 8 * SECONDS,
            pace: 0,
            held_back: true,
        },
        Container {
            name: "the limit above",
            group: above.clone(),
            disk: SECOND,
            own: "wbps=8388608",
            in_force: Some((bytes, MIB)),
            block: MIB / 8,
            blocks: 8 * SECONDS,
            pace: 0,
            held_back: true,
        },
        Container {
            name: "operations",
            group: operated.clone(),
            disk: SCRATCH,
            own: "wiops=40",
            in_force: Some((operations, 40)),
            block: 4_096,
            blocks: 40 * SECONDS,
            pace: 0,
            held_back: true,
        },
        Container {
            name: "below its limit",
            group: slow.clone(),
            disk: SCRATCH,
            own: "wbps=4194304",
            in_force: Some((bytes, 4 * MIB)),
            block: MIB / 8,
            blocks: 8 * SECONDS,
            pace: 8,
            held_back: false,
        },
        Container {
            name: "the neighbour",
            group: neighbour.clone(),
            disk: SCRATCH,
            own: "wbps=max",
            in_force: None,
            block: MIB / 8,
            blocks: 4 * SECONDS,
            pace: 4,
            held_back: false,
        },
    ]
}

fn id(container: &Container) -> &str {
    container.group.file_name().and_then(|name| name.to_str()).expect("a name")
}

fn limit(group: &Path, disk: &str, line: &str) {
    let text = format!("{} {line}", disks::number(disk));
    fs::write(group.join("io.max"), &text).unwrap_or_else(|error| panic!("{text}: {error}"));
}

fn told(daemon: &Daemon, container: &Container, family: &str) -> Option<f64> {
    let device = container.disk.trim_start_matches("/dev/");
    series(daemon, family, &[("container", id(container)), ("device", device)])
}

fn limits_are_told(report: &mut Report, daemon: &Daemon, container: &Container) {
    for family in ["bytes", "operations"] {
        let family = format!("plimsoll_container_io_write_limit_{family}_per_second");
        let expected = container.in_force.filter(|(name, _)| *name == family);
        let expected = expected.map(|(_, limit)| limit as f64);
        let told = || told(daemon, container, &family);
        eventually(20, || told() == expected);
        report.equal(&family, told(), expected);
    }
}

/// Bytes and operations are exact, and the seconds are what the writer measured.
fn counted(report: &mut Report, daemon: &Daemon, container: &Container, took: f64) {
    let bytes = (container.block * container.blocks) as f64;
    let written = || told(daemon, container, "plimsoll_container_io_written_bytes_total");
    eventually(20, || written() == Some(bytes));
    report.equal("bytes", written(), Some(bytes));
    limits_are_told(report, daemon, container);
    let operations = told(daemon, container, "plimsoll_container_io_writes_total");
    report.equal("operations", operations, Some(container.blocks as f64));
    let throttled = told(daemon, container, "plimsoll_container_io_write_throttled_seconds_total");
    println!("{}: {took:.1} s of writing, throttled {throttled:?} s", container.name);
    if container.in_force.is_none() {
        return report.equal("throttled seconds of no limit", throttled, None);
    }
    let expected = if container.held_back { took } else { 0.0 };
    let off = throttled.map(|throttled| (throttled - expected).abs());
    let most = if container.held_back { 0.1 * took + SAMPLE } else { 0.0 };
    report.holds("throttled seconds", off.is_some_and(|off| off <= most), || {
        format!("{throttled:?}, expected {expected:.1} within {most:.1}")
    });
    let long = !container.held_back || took >= 30.0;
    report.holds("long enough to tell", long, || format!("{took:.1} s"));
}

/// `io.pressure` as the kernel has it.
fn pressure(report: &mut Report, daemon: &Daemon, container: &Container) {
    let text = fs::read_to_string(container.group.join("io.pressure")).expect("PSI is on");
    let total = text.split_whitespace().find_map(|word| word.strip_prefix("total="));
    let seconds = total.and_then(|total| total.parse::<f64>().ok()).expect("some") / 1e6;
    let family = "plimsoll_container_io_pressure_some_seconds_total";
    let some = || series(daemon, family, &[("container", id(container))]);
    report.holds("it waited for I/O", seconds > 1.0, || text.clone());
    let same = eventually(10, || some().is_some_and(|some| (some - seconds).abs() < 0.01));
    report.holds("pressure", same, || format!("{:?}, expected {seconds}", some()));
}

fn start((index, container): (usize, &Container)) -> Child {
    let program = std::env::current_exe().expect("its own path");
    // Each has a part of the disk.
    let offset = index as u64 * 100 * MIB;
    let numbers = [offset, container.block, container.blocks, container.pace];
    Command::new(program)
        .args(["direct", &container.group.display().to_string(), container.disk])
        .args(numbers.map(|number| number.to_string()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("started")
}

fn seconds(mut writer: Child) -> f64 {
    let mut said = String::new();
    writer.stdout.take().expect("piped").read_to_string(&mut said).expect("read");
    assert!(writer.wait().expect("waited for").success(), "a writer failed: {said}");
    said.trim().parse().expect("seconds")
}

/// A writer's life, within `group`: whole blocks past the page cache. Prints how long it wrote.
pub fn direct(group: &str, disk: &str, numbers: [u64; 4]) {
    let [offset, block, blocks, pace] = numbers;
    fs::write(Path::new(group).join("cgroup.procs"), "0").expect("moved into the group");
    let disk = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(disk);
    let disk = disk.expect("a disk");
    // Memory must be aligned as the disk's blocks are.
    let mut memory = vec![7_u8; block as usize + 4_096];
    let begin = memory.as_ptr().align_offset(4_096);
    let data = &mut memory[begin..begin + block as usize];
    let began = Instant::now();
    for index in 0..blocks {
        disk.write_all_at(data, offset + index * block).expect("written");
        if pace > 0 {
            let due = Duration::from_secs_f64((index + 1) as f64 / pace as f64);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
    println!("{}", began.elapsed().as_secs_f64());
}
