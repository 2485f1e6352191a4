//! The daemon on an agent with many sandboxes, read from its checkpoint while its API is down: time from start to ready, to the
//! first value of every sandbox, resident memory, and the CPU of one minute after that.
//!
//! `cargo bench --bench daemon [-- SANDBOXES…]`; 500 and 2000 by default, each with 12 files.
#![allow(missing_docs)]

#[path = "../tests/support/daemon.rs"]
#[allow(dead_code)]
mod daemon;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use daemon::Daemon;
use plimsoll::discover::mesos::proto;
use prost::Message;

const AGENT: &str = "0f0e0d0c-0b0a-4908-8706-050403020100-S0";
/// Executors of one framework.
const EXECUTORS: usize = 50;
const FILES: usize = 12;

fn main() {
    let mut sizes: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![500, 2000];
    }
    println!(
        "{:>9} {:>11} {:>14} {:>12} {:>12} {:>15}",
        "sandboxes",
        "ready after",
        "measured after",
        "resident MB",
        "highest MB",
        "CPU of a minute"
    );
    for size in sizes {
        measure(size);
    }
}

fn measure(sandboxes: usize) {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = tempfile::tempdir_in(place).expect("a directory in the build directory");
    let (work, runtime) = (dir.path().join("work"), dir.path().join("run"));
    make(&work, sandboxes);
    fs::create_dir_all(runtime.join("containers")).expect("made");
    let config = dir.path().join("plimsoll.yml");
    // Nothing listens on port 1: the checkpoint has to do.
    let text = format!(
        "mesos:\n  work_dir: {}\n  runtime_dir: {}\n  agent_url: http://127.0.0.1:1\n",
        work.display(),
        runtime.display()
    );
    fs::write(&config, text).expect("written");

    let began = Instant::now();
    let daemon = Daemon::serve(&config, &[]);
    daemon.wait_ready();
    let ready = began.elapsed().as_secs_f64();
    let found = daemon.json("/api/v1/sandboxes");
    let found = found.as_array().or_else(|| found.get("sandboxes")?.as_array()).map(Vec::len);
    assert_eq!(found, Some(sandboxes), "all of them are found");
    daemon.wait_for("first values", Duration::from_secs(300), |daemon| {
        let body = daemon.get("/metrics").body;
        (daemon::value(&body, "plimsoll_usage_pending_subjects") == Some(0.0)).then_some(())
    });
    let measured = began.elapsed().as_secs_f64();

    let (cpu, since) = (cpu_seconds(daemon.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(60));
    let minute = (cpu_seconds(daemon.pid()) - cpu) / since.elapsed().as_secs_f64() * 60.0;
    let (now, peak) = (memory(daemon.pid(), "VmRSS:"), memory(daemon.pid(), "VmHWM:"));
    println!(
        "{sandboxes:>9} {ready:>9.2} s {measured:>12.2} s {now:>12.1} {peak:>12.1} {minute:>13.2} s"
    );
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

/// A work directory as an agent with command executors leaves it: sandboxes with files, and
/// `meta/` with every message that the agent checkpoints.
fn make(work: &Path, sandboxes: usize) {
    let agent = |base: &Path| base.join("slaves").join(AGENT);
    let meta = work.join("meta");
    let info = proto::SlaveInfo {
        hostname: Some("bench".into()),
        id: Some(proto::SlaveId { value: Some(AGENT.into()) }),
        ..Default::default()
    };
    message(&agent(&meta).join("slave.info"), &info);
    std::os::unix::fs::symlink(agent(&meta), meta.join("slaves/latest")).expect("linked");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("read");
    write(&meta.join("boot_id"), boot.trim().as_bytes());
    for i in 0..sandboxes {
        let framework = format!("{}-{:04}", &AGENT[..36], i / EXECUTORS);
        let (executor, container) = (format!("task-{i:05}"), format!("container-{i:05}"));
        let framework_id = || Some(proto::FrameworkId { value: Some(framework.clone()) });
        let place = |base: &Path| agent(base).join("frameworks").join(&framework);
        if i % EXECUTORS == 0 {
            let info = proto::FrameworkInfo {
                name: Some(format!("framework {}", i / EXECUTORS)),
                id: framework_id(),
                checkpoint: Some(true),
                roles: vec!["role".into()],
                ..Default::default()
            };
            message(&place(&meta).join("framework.info"), &info);
            write(&place(&meta).join("framework.pid"), b"@0.0.0.0:0");
        }
        let here = place(&meta).join("executors").join(&executor);
        let info = proto::ExecutorInfo {
            executor_id: Some(proto::ExecutorId { value: Some(executor.clone()) }),
            framework_id: framework_id(),
            name: Some(format!("Command Executor (Task: {executor}) (Command: sh -c './run')")),
            ..Default::default()
        };
        message(&here.join("executor.info"), &info);
        let run = here.join("runs").join(&container);
        // The bench itself: a process that lives as long as the scene.
        write(&run.join("pids/forked.pid"), std::process::id().to_string().as_bytes());
        let mut task = proto::Task {
            name: Some(executor.clone()),
            task_id: Some(proto::TaskId { value: Some(executor.clone()) }),
            framework_id: framework_id(),
            slave_id: Some(proto::SlaveId { value: Some(AGENT.into()) }),
            ..Default::default()
        };
        task.set_state(proto::TaskState::TaskStaging);
        message(&run.join("tasks").join(&executor).join("task.info"), &task);
        std::os::unix::fs::symlink(&run, here.join("runs/latest")).expect("linked");

        let sandbox: PathBuf =
            place(work).join("executors").join(&executor).join("runs").join(&container);
        for file in 0..FILES {
            write(
                &sandbox.join(["", "data", "log"][file % 3]).join(format!("file-{file}")),
                &[7; 3000],
            );
        }
        let runs = sandbox.parent().expect("runs");
        std::os::unix::fs::symlink(&sandbox, runs.join("latest")).expect("linked");
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("below a directory")).expect("made");
    fs::write(path, content).expect("written");
}

/// A checkpoint file of one message: its length as a little-endian `uint32` before it.
fn message(path: &Path, message: &impl Message) {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).expect("small").to_le_bytes();
    write(path, &[&length[..], &bytes].concat());
}
