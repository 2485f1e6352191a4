//! Everything on the host that comes and goes, one step a second.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plimsoll::demo::Scene;

use crate::agent::{Agent, Mood, Run};
use crate::hungfs::{HungFs, Mood as Disk};
use crate::mounts::Mounted;

/// Seconds of a run until it is over, and until its sandbox is collected.
const RUN: (u64, u64) = (60, 90);
/// Seconds of a volume until nobody claims it, and until it is removed.
const VOLUME: (u64, u64) = (60, 120);
/// Seconds of a mount.
const MOUNT: u64 = 40;
/// An agent restarts so often, is down and recovers for so long, in seconds.
const AGENT: (u64, u64, u64) = (120, 15, 20);
/// A filesystem hangs so often, and for so long, in seconds.
const HANG: (u64, u64) = (180, 20);

#[derive(Default)]
struct Count {
    runs: usize,
    volumes: usize,
    mounts: usize,
    hangs: usize,
    restarts: usize,
}

/// Goes on until `stopped`; returns what there was, in words.
pub fn run(scene: &Scene, agent: &Agent, mounts: &Path, stopped: impl Fn() -> bool) -> String {
    let executors = executors(scene.work_dir());
    let volumes = scene.work_dir().join("volumes/roles/analytics");
    let mut count = Count::default();
    let mut runs: VecDeque<(u64, Run)> = VecDeque::new();
    let mut claims: VecDeque<(u64, String, bool)> = VecDeque::new();
    let mut mounted: VecDeque<(u64, PathBuf, Mounted)> = VecDeque::new();
    let mut hung: Option<(u64, PathBuf, HungFs)> = None;
    let mut next = Instant::now();
    for second in 0_u64.. {
        if stopped() {
            break;
        }
        if second.is_multiple_of(2) {
            let name = format!("churn-{second}");
            let sandbox = executors.join(&name).join(format!("runs/container-{name}"));
            fs::create_dir_all(sandbox.join("data")).expect("made");
            fs::write(sandbox.join("stdout"), vec![7; 20_000]).expect("written");
            runs.push_back((second, Run { name, sandbox, completed: false }));
            count.runs += 1;
        }
        for (_, run) in runs.iter().filter(|(_, run)| !run.completed) {
            let log = run.sandbox.join("stdout");
            let mut log = fs::OpenOptions::new().append(true).open(log).expect("it is there");
            log.write_all(&[7; 3000]).expect("written");
        }
        for (since, run) in &mut runs {
            run.completed = second >= *since + RUN.0;
        }
        while runs.front().is_some_and(|(since, _)| second >= since + RUN.1) {
            let (_, run) = runs.pop_front().expect("looked at");
            fs::remove_dir_all(executors.join(&run.name)).expect("removed");
        }

        if second.is_multiple_of(5) {
            let id = format!("soak-{second}");
            fs::create_dir_all(volumes.join(&id)).expect("made");
            fs::write(volumes.join(&id).join("data"), vec![7; 50_000]).expect("written");
            // Every third is nobody's from the start.
            claims.push_back((second, id, !second.is_multiple_of(15)));
            count.volumes += 1;
        }
        while claims.front().is_some_and(|(since, ..)| second >= since + VOLUME.1) {
            let (_, id, _) = claims.pop_front().expect("looked at");
            fs::remove_dir_all(volumes.join(id)).expect("removed");
        }

        if second % 15 == 7 {
            let place = mounts.join(format!("m-{second}"));
            fs::create_dir(&place).expect("made");
            mounted.push_back((second, place.clone(), Mounted::tmpfs(&place, "1m")));
            fs::write(place.join("file"), vec![7; 30_000]).expect("written");
            count.mounts += 1;
        }
        while mounted.front().is_some_and(|(since, ..)| second >= since + MOUNT) {
            let (_, place, mount) = mounted.pop_front().expect("looked at");
            drop(mount);
            fs::remove_dir(place).expect("unmounted");
        }

        if second % HANG.0 == HANG.0 / 2 {
            let place = mounts.join(format!("hung-{second}"));
            fs::create_dir(&place).expect("made");
            let filesystem = HungFs::mount(&place);
            filesystem.set(Disk::Hang);
            hung = Some((second, place, filesystem));
            count.hangs += 1;
        }
        if hung.as_ref().is_some_and(|(since, ..)| second >= since + HANG.1) {
            let (_, place, filesystem) = hung.take().expect("looked at");
            drop(filesystem);
            fs::remove_dir(place).expect("unmounted");
        }

        let into = second % AGENT.0;
        let mood = match () {
            () if second < AGENT.0 || into >= AGENT.2 => Mood::Up,
            () if into < AGENT.1 => Mood::Down,
            () => Mood::Recovering,
        };
        let mut told = agent.told();
        count.restarts += usize::from(told.mood == Mood::Up && mood == Mood::Down);
        told.mood = mood;
        told.runs = runs.iter().map(|(_, run)| run.clone()).collect();
        let claimed =
            claims.iter().filter(|(since, _, claimed)| *claimed && second < since + VOLUME.0);
        told.volumes = claimed.map(|(_, id, _)| id.clone()).collect();
        drop(told);

        next += Duration::from_secs(1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let Count { runs, volumes, mounts, hangs, restarts } = count;
    format!(
        "{runs} runs, {volumes} volumes and {mounts} mounts came and went; a filesystem hung \
         {hangs} times; the agent restarted {restarts} times"
    )
}

/// `executors` of the framework whose runs are added to (the second of `/state`).
fn executors(work: &Path) -> PathBuf {
    let latest = fs::read_link(work.join("meta/slaves/latest")).expect("the agent's own link");
    let agent = latest.file_name().expect("an id").to_owned();
    let frameworks = work.join("slaves").join(agent).join("frameworks");
    let found =
        fs::read_dir(&frameworks).expect("frameworks").map(|entry| entry.expect("an entry").path());
    let found = found.filter(|path| path.to_string_lossy().ends_with("-0001")).min();
    found.expect("the second framework").join("executors")
}
