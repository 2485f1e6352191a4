//! The program of the tests in a guest: `scripts/guest-test` boots a kernel and runs it there, as
//! root and with nothing else running. Not for a machine that is used for anything: it formats
//! disks and sets the clock.
//!
//! `guest run SCENARIO…` runs each scenario in a process of its own. Each prints `GUEST ok SCENARIO
//! N checks`, or what failed. As `guest measure PATH`, `guest write PATH BYTES` and `guest direct …`
//! it is its own helper: an ordinary user, a task in a control group.
#![allow(unsafe_code)] // Plimsoll only reads: tags, limits and the clock are set here, by raw calls.

mod cifs;
mod cifs_server;
mod clock;
#[path = "../../tests/support/daemon.rs"]
#[allow(dead_code)]
mod daemon;
#[path = "../../tests/support/denied.rs"]
mod denied;
mod devices;
mod disks;
mod faults;
mod files;
mod host;
mod instructions;
mod io;
mod nfs;
mod nfs_server;
mod projects;
mod quota;
mod report;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use report::Report;

type Scenario = fn(&mut Report);

/// What there is to run, by name.
const SCENARIOS: [(&str, Scenario); 9] = [
    ("quota", quota::run),
    ("projects", projects::run),
    ("faults", faults::run),
    ("clock", clock::run),
    ("io", io::run),
    ("nfs", nfs::run),
    ("cifs", cifs::run),
    ("devices", devices::run),
    ("instructions", instructions::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let passed = match words.as_slice() {
        ["measure", path] => {
            println!("{}", files::words(&files::once(Path::new(path))));
            true
        }
        ["write", path, bytes] => {
            let written = files::write(Path::new(path), bytes.parse().expect("a number"));
            println!("{}", written.map_or_else(|e| e.raw_os_error().unwrap_or(-1), |()| 0));
            true
        }
        ["direct", group, disk, numbers @ ..] => {
            let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().expect("a number")).collect();
            io::direct(group, disk, numbers.try_into().expect("four numbers"));
            true
        }
        ["run", names @ ..] => {
            let failed = names.iter().filter(|name| !alone(name)).count();
            failed == 0 && !names.is_empty()
        }
        [name] => scenario(name),
        _ => false,
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a scenario in a process of its own: one that panics leaves the others their turn.
fn alone(name: &str) -> bool {
    let started = Instant::now();
    let program = std::env::current_exe().expect("its own path");
    let passed = Command::new(program).arg(name).status().is_ok_and(|status| status.success());
    println!("GUEST {name}: {:.0} s", started.elapsed().as_secs_f64());
    passed
}

fn scenario(name: &str) -> bool {
    let Some((name, run)) = SCENARIOS.iter().find(|(known, _)| *known == name) else {
        println!("GUEST failed {name}: there is no such scenario");
        return false;
    };
    let mut report = Report::default();
    run(&mut report);
    report.end(name)
}
