//! Soak: the real daemon on a host where everything comes and goes, for as long as it is told to:
//! tasks with their sandboxes, volumes with and without an owner, mounts, a filesystem that hangs,
//! an agent that restarts, an Alertmanager that is away, scrapers, and clients that misbehave.
//!
//! `scripts/soak MINUTES`. Once in five seconds resident memory, descriptors, threads and series of
//! the daemon are looked at; a line a minute is printed, and in the end whether each of them stayed
//! flat. It begins with all the memory of the past that it ever keeps (`past.rs`). Mounts need root;
//! Alertmanager is that of Debian's package.
#![allow(missing_docs)]

#[path = "../../tests/support/daemon.rs"]
#[allow(dead_code)]
mod daemon;
#[path = "../../tests/support/hungfs.rs"]
#[allow(dead_code)]
mod hungfs;
#[path = "../../tests/support/mounts.rs"]
#[allow(dead_code)]
mod mounts;

mod agent;
mod alertmanager;
mod churn;
mod clients;
mod past;
mod samples;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use daemon::Daemon;
use plimsoll::demo::Scene;

/// Between two looks at the daemon.
const LOOK: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let Some(minutes) = std::env::args().find_map(|arg| arg.parse::<u64>().ok()) else {
        eprintln!("usage: scripts/soak MINUTES");
        return ExitCode::SUCCESS;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let scene = Scene::create(dir.path()).expect("the demo scene");
    let agent = agent::Agent::before(&scene);
    let alertmanager = alertmanager::Alertmanager::new(dir.path());
    let mounted = dir.path().join("mounts");
    std::fs::create_dir(&mounted).expect("made");
    let config = dir.path().join("plimsoll.yml");
    configure(&config, &scene, &agent.url(), &alertmanager.url(), &mounted, dir.path());
    past::remember(&dir.path().join("state"));
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();

    let stop = AtomicBool::new(false);
    let stopped = || stop.load(Ordering::Relaxed);
    let mut samples = samples::Samples::default();
    let told = std::thread::scope(|scope| {
        let churn = scope.spawn(|| churn::run(&scene, &agent, &mounted, stopped));
        let away = scope.spawn(|| alertmanager.come_and_go(stopped));
        let asked = scope.spawn(|| clients::run(&daemon, stopped));
        let until = Instant::now() + Duration::from_secs(60 * minutes);
        let mut next = Instant::now();
        samples.header();
        while Instant::now() < until {
            samples.look(&daemon);
            next += LOOK;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        stop.store(true, Ordering::Relaxed);
        let (churned, outages) = (churn.join().expect("churn"), away.join().expect("outages"));
        let asked = asked.join().expect("clients");
        format!("{churned}; Alertmanager was away {outages} times; {asked}")
    });
    println!("\n{told}");
    println!("load average in the end: {}", samples::load());
    let flat = samples.verdict();
    let code = daemon.stop();
    println!("the daemon ended with {code:?}");
    if flat && code == Some(0) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn configure(
    path: &Path,
    scene: &Scene,
    agent: &str,
    alertmanager: &str,
    mounts: &Path,
    dir: &Path,
) {
    let text = format!(
        "mesos:\n  work_dir: {}\n  runtime_dir: {}\n  agent_url: {agent}\n  poll_interval: 2s\n  \
         timeout: 2s\ndocker: {{enabled: false}}\ndirectories: ['{}/*']\n\
         filesystems: {{timeout: 1s, interval: 5s}}\norphans: {{grace: 0s}}\n\
         usage: {{cpu_budget: 0.1, max_age: 10s}}\n\
         alerting: {{alertmanagers: ['{alertmanager}'], resend_interval: 5s, timeout: 2s, \
         beside_prometheus: false}}\nstorage: {{path: {}}}\n",
        scene.work_dir().display(),
        scene.runtime_dir().display(),
        mounts.display(),
        dir.join("state").display(),
    );
    std::fs::write(path, text).expect("written");
}
