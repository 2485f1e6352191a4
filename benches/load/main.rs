//! Many scrapers at once: the daemon with 20,000 series, asked for its page in gzip a thousand times
//! a second, and then without compression as often as it can, with slow, mute and broken clients
//! beside them.
//!
//! `cargo bench --bench load [-- SECONDS [RATE]]`; 60 and 1000 by default. The time of an answer
//! counts from when it should have been asked for, so that a server that falls behind is not
//! spared the questions. Daemon and clients share the machine.
#![allow(missing_docs)]

#[path = "../../tests/support/daemon.rs"]
#[allow(dead_code)]
mod daemon;

mod clients;
mod strangers;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use clients::{Answered, Kind, Schedule};
use daemon::{Daemon, value};

const SERIES: usize = 20_000;
/// Connections that scrape: kept, as Prometheus keeps its own.
const SCRAPERS: usize = 64;
/// As many as have no more than one request each under way when it is asked as often as it can.
const EAGER: usize = 4;

fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u64>().ok());
    let seconds = numbers.next().unwrap_or(60);
    let rate = numbers.next().unwrap_or(1000);
    let dir = tempfile::tempdir().expect("a directory");
    let daemon = serve(dir.path());
    let page = daemon.get("/metrics").body;
    println!(
        "{} series, {} bytes; daemon at rest: {:.1} MB",
        series(&page),
        page.len(),
        memory(daemon.pid(), "VmRSS:")
    );
    println!("{}", Answered::header());
    let for_so_long = Duration::from_secs(seconds);
    let phases = [
        ("gzip, asked for", Kind::Gzip, Schedule::Rate(rate), SCRAPERS),
        ("gzip, as often as it can", Kind::Gzip, Schedule::Eager, EAGER),
        ("plain, as often as it can", Kind::Plain, Schedule::Eager, EAGER),
    ];
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let mut lost = 0;
    for (name, kind, schedule, connections) in phases {
        let (cpu, start) = (cpu_seconds(daemon.pid()), Instant::now());
        let address = daemon.url.trim_start_matches("http://").to_owned();
        let answered = runtime.block_on(async {
            let strangers = strangers::start(&address);
            let answered = clients::run(&address, kind, schedule, connections, for_so_long).await;
            strangers.abort();
            answered
        });
        let cores = (cpu_seconds(daemon.pid()) - cpu) / start.elapsed().as_secs_f64();
        println!("{}", answered.row(name));
        println!(
            "    daemon: {cores:.2} cores, {:.1} MB, at most {:.1} MB; load average {}",
            memory(daemon.pid(), "VmRSS:"),
            memory(daemon.pid(), "VmHWM:"),
            load()
        );
        for error in answered.errors.iter().take(5) {
            println!("    LOST: {error}");
        }
        lost += answered.errors.len();
    }
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(lost, 0, "every request is answered whole");
}

/// The daemon on directories, as many as it takes.
fn serve(dir: &Path) -> Daemon {
    let data = dir.join("data");
    let mut made = 0;
    let mut grow = |to: usize| {
        while made < to {
            let one = data.join(format!("service-{made:05}"));
            fs::create_dir_all(&one).expect("made");
            fs::write(one.join("base"), [7; 3000]).expect("written");
            made += 1;
        }
    };
    let config = dir.join("plimsoll.yml");
    let text = format!(
        "mesos: {{enabled: false}}\ndocker: {{enabled: false}}\nstorage: {{path: {}}}\n\
         directories: [{{path: '{}/*', role: load, quota: 1MiB}}]\n",
        dir.join("state").display(),
        data.display(),
    );
    fs::write(&config, text).expect("written");
    // How many series one of them makes.
    grow(100);
    let trial = Daemon::serve(&config, &[]);
    trial.wait_ready();
    measured(&trial);
    let each = series(&trial.get("/metrics").body) / 100;
    assert_eq!(trial.stop(), Some(0));
    grow(SERIES / each + 1);
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();
    measured(&daemon);
    // Rates come with the second look at each.
    daemon.wait_for("all series", Duration::from_secs(300), |daemon| {
        (series(&daemon.get("/metrics").body) >= SERIES).then_some(())
    });
    daemon
}

fn measured(daemon: &Daemon) {
    daemon.wait_for("first values", Duration::from_secs(300), |daemon| {
        let body = daemon.get("/metrics").body;
        (value(&body, "plimsoll_usage_pending_subjects") == Some(0.0)).then_some(())
    });
}

/// Samples of a page.
fn series(page: &str) -> usize {
    page.lines().filter(|line| !line.starts_with('#')).count()
}

/// User and system time of a process, from `/proc/PID/stat` in ticks of a hundredth of a second.
fn cpu_seconds(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after_name = text.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

/// A line of `/proc/PID/status`, in megabytes.
fn memory(pid: u32, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("there");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024.0 / 1e6
}

/// Of one, five and fifteen minutes.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").expect("read");
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
