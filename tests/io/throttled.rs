//! A container at its limit and an unlimited one beside it, as the daemon publishes them.

use std::time::Duration;

use crate::daemon::{Daemon, value};
use crate::groups::{Place, counted};

const MIB: usize = 1 << 20;
/// Bytes a second.
const LIMIT: usize = 2 * MIB;
/// Seconds the limited writer takes at least.
const SECONDS: usize = 32;

/// Ids as Docker gives them: groups of that name are found without any agent.
fn id(digit: char) -> String {
    std::iter::repeat_n(digit, 64).collect()
}

fn series(family: &str, container: &str, device: &str) -> String {
    let device = if device.is_empty() { String::new() } else { format!(",device=\"{device}\"") };
    format!(
        "plimsoll_container_io_{family}{{source=\"docker\",framework=\"\",executor=\"\",\
         container=\"{container}\"{device}}}"
    )
}

#[test]
fn bytes_and_limits_are_exact_and_throttled_seconds_true() {
    let Some(place) = Place::make("throttled seconds of a real limit") else { return };
    let (limited, free, idle) = (id('a'), id('b'), id('c'));
    let group = place.group(&limited);
    place.limit(&group, "write_bps", LIMIT as u64).expect("limit");
    place.limit(&group, "write_iops", 5000).expect("limit");
    let neighbour = place.group(&free);
    let quiet = place.group(&idle);
    // As a container's first process.
    let _alive = [&group, &neighbour, &quiet].map(|group| place.sleeper(group));
    let accounting = DelayAccounting::switch_on();
    let config = place.files.path().join("plimsoll.yml");
    std::fs::write(
        &config,
        "mesos: {enabled: false}\nio: {interval: 1s}\nstorage: {enabled: false}\n",
    )
    .expect("write");
    let daemon = Daemon::serve(&config, &[]);
    let device = name_of(&place.device);

    daemon.wait_for("the first look", Duration::from_secs(20), |daemon| {
        daemon.get("/metrics").body.contains(&limited).then_some(())
    });
    // Both at the same time: 64 MiB at 2 MiB/s, and as much in pauses beside it.
    let writer = place.writer(&group, "limited", SECONDS * LIMIT, MIB / 2);
    let mut beside = Vec::new();
    let rounds = 12;
    for round in 0..rounds {
        let writer = place.writer(&neighbour, &format!("free-{round}"), 4 * MIB, MIB);
        beside.push(writer.seconds());
        std::thread::sleep(Duration::from_millis(1500));
    }
    let truth = writer.seconds();
    assert!(truth >= 30.0, "the kernel held it back for {truth} s only");
    assert!(beside.iter().sum::<f64>() < truth / 2.0, "the neighbour was not held back");

    let written = |daemon: &Daemon, container: &str| {
        value(&daemon.get("/metrics").body, &series("written_bytes_total", container, &device))
    };
    let settled = daemon.wait_for("the last reading", Duration::from_secs(20), |daemon| {
        let all = written(daemon, &limited) == Some(counted(&group, SECONDS * LIMIT) as f64);
        all.then(|| daemon.get("/metrics").body)
    });
    let of = |family: &str, container: &str| value(&settled, &series(family, container, &device));
    let bytes = counted(&neighbour, rounds * 4 * MIB);
    assert_eq!(of("written_bytes_total", &free), Some(bytes as f64));
    let writes = of("writes_total", &limited).expect("it wrote");
    let least = (SECONDS * LIMIT / (MIB / 2)) as f64;
    assert!((least..least + 20.0).contains(&writes), "{writes} writes");
    assert_eq!(of("write_limit_bytes_per_second", &limited), Some(LIMIT as f64));
    assert_eq!(of("write_limit_operations_per_second", &limited), Some(5000.0));
    assert_eq!(of("read_limit_bytes_per_second", &limited), None);

    let throttled = of("write_throttled_seconds_total", &limited).expect("it has a limit");
    println!("throttled {throttled:.2} s of {truth:.2} s");
    assert!(
        (throttled - truth).abs() <= truth * 0.1 + 1.0,
        "{throttled} throttled seconds seen where the writer took {truth}"
    );
    assert_eq!(of("write_throttled_seconds_total", &free).unwrap_or(0.0), 0.0);
    assert!(settled.contains(&format!("container=\"{idle}\",cgroup_version=\"v1\"")));
    let counted = format!("container=\"{idle}\",device=");
    assert!(!settled.contains(&counted), "what was not counted is absent, not 0");

    if accounting.is_on() {
        let waited = daemon.wait_for("the delay", Duration::from_secs(20), |daemon| {
            value(&daemon.get("/metrics").body, &series("delay_seconds_total", &limited, ""))
        });
        println!("block I/O delay {waited:.2} s of {truth:.2} s");
        // What it waited between the last look and its end is not known: ten seconds, and as much
        // again on a busy machine.
        assert!((truth - 20.0..=truth + 1.0).contains(&waited), "{waited} s of delay");
    } else {
        eprintln!("SKIPPED block I/O delay: kernel.task_delayacct cannot be switched on");
        assert_eq!(value(&settled, &series("delay_seconds_total", &limited, "")), None);
    }

    let row = daemon.json("/api/v1/io").as_array().expect("a list").clone();
    let row = row.iter().find(|row| row["container"] == limited.as_str()).expect("a row").clone();
    assert_eq!(row["cgroup_version"], "v1");
    let write = &row["devices"][0]["write"];
    assert_eq!(write["limit_bytes"]["per_second"], LIMIT as u64);
    assert_eq!(write["limit_bytes"]["group"], place.group.join(&limited).to_str().expect("UTF-8"));
}

/// The kernel's delay accounting, switched on for as long as this lives.
struct DelayAccounting(Option<String>);

impl DelayAccounting {
    const SWITCH: &str = "/proc/sys/kernel/task_delayacct";

    fn switch_on() -> Self {
        let before = std::fs::read_to_string(Self::SWITCH).ok();
        Self(before.filter(|_| std::fs::write(Self::SWITCH, "1").is_ok()))
    }

    fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for DelayAccounting {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = std::fs::write(Self::SWITCH, before);
        }
    }
}

fn name_of(device: &str) -> String {
    let (major, minor) = device.split_once(':').expect("MAJ:MIN");
    let number = |part: &str| part.parse().expect("a number");
    let sysfs = plimsoll::host::devices::Sysfs::new(std::path::Path::new("/sys"));
    sysfs.name((number(major), number(minor))).unwrap_or_else(|| device.to_owned())
}
