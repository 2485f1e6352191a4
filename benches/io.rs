//! CPU of one pass over the I/O of many containers: their groups read through kept descriptors,
//! against opening each file anew.
//!
//! `cargo bench --bench io [-- GROUPS]`; 1,000 real cgroup v1 groups by default, removed afterwards.
//! Needs root and a writable `blkio` hierarchy.
#![allow(missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll::host::sys::thread_cpu_seconds;
use plimsoll::host::{MountTable, Roots};
use plimsoll::measure::io::IoMeter;
use plimsoll::measure::io::cgroup::{DescriptorRoom, Hierarchies};
use plimsoll::model::{ContainerRef, SandboxKey, SourceKind};

const PASSES: u32 = 50;

/// Groups that go with the bench.
struct Groups(PathBuf);

impl Drop for Groups {
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = fs::remove_dir(entry.path());
        }
        let _ = fs::remove_dir(&self.0);
    }
}

fn main() {
    let groups = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1000);
    let roots = Roots::default();
    let table = MountTable::read(&roots).expect("the mount table");
    let Some(blkio) = Hierarchies::find(&table, &roots).blkio else {
        println!("SKIPPED: no cgroup v1 hierarchy with blkio");
        return;
    };
    let name = format!("plimsoll-bench-{}", std::process::id());
    let made = Groups(blkio.mount_point.join(&name));
    if let Err(error) = fs::create_dir(&made.0) {
        println!("SKIPPED: make {}: {error}", made.0.display());
        return;
    }
    let device = whole_disk();
    let containers: Vec<ContainerRef> = (0..groups)
        .map(|number| {
            let id = format!("c{number:05}");
            let directory = made.0.join(&id);
            fs::create_dir(&directory).expect("make a group");
            // From kernel 6.10 on a limit makes the rows; every tenth has one that stays.
            if let Some(device) = &device {
                let limit = directory.join("blkio.throttle.write_bps_device");
                fs::write(&limit, format!("{device} 1073741824")).expect("limit");
                if number % 10 != 0 {
                    fs::write(&limit, format!("{device} 0")).expect("no limit");
                }
            }
            ContainerRef {
                key: SandboxKey {
                    source: SourceKind::Mesos,
                    framework: "F".into(),
                    executor: format!("e{number:05}"),
                    container: id.clone(),
                },
                nested: false,
                pid: None,
                group: Some(Path::new("/").join(&name).join(&id).display().to_string()),
                directory: vec![id],
            }
        })
        .collect();

    println!("{groups} groups of cgroup v1; CPU of the measuring thread, mean of {PASSES}");
    let mut kept = None;
    for (label, room) in [
        ("kept descriptors", DescriptorRoom::of_process()),
        ("each file opened anew", DescriptorRoom::new(0)),
    ] {
        let mut meter = IoMeter::new(roots.clone(), room);
        let first = timed(1, || {
            meter.look(&containers, &table);
        });
        meter.pass(0.0);
        meter.sample();
        let shown = meter.pass(0.0).io.len();
        assert!(shown >= groups, "{shown} of {groups} groups are seen");
        let pass = timed(PASSES, || {
            meter.pass(0.0);
        });
        let sample = timed(PASSES, || meter.sample());
        let look = timed(PASSES / 5, || {
            meter.look(&containers, &table);
        });
        let against = kept.get_or_insert(pass);
        println!(
            "{label:>22}: pass {:6.2} ms ({:.2} of kept), sample of a tenth {:5.2} ms, look {:6.2} \
             ms, first look {:6.2} ms",
            pass * 1e3,
            pass / *against,
            sample * 1e3,
            look * 1e3,
            first * 1e3
        );
    }
}

fn timed(times: u32, mut work: impl FnMut()) -> f64 {
    let began = thread_cpu_seconds();
    for _ in 0..times {
        work();
    }
    (thread_cpu_seconds() - began) / f64::from(times)
}

/// The number of some disk that can be limited.
fn whole_disk() -> Option<String> {
    let disks = fs::read_dir("/sys/block").ok()?;
    let number = disks.flatten().find_map(|disk| {
        let name = disk.file_name();
        let name = name.to_str()?;
        let data = ["sd", "vd", "nvme", "xvd"].iter().any(|prefix| name.starts_with(prefix));
        data.then(|| fs::read_to_string(disk.path().join("dev")).ok()).flatten()
    })?;
    Some(number.trim().to_owned())
}
