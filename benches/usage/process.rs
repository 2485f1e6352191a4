//! Running a contender and reading what it took.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use plimsoll::host::sys::{Whose, cpu_seconds};

/// CPU and wall seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub cpu: f64,
    pub wall: f64,
}

/// Runs the commands one after the other: their cost, and the first number each prints, summed.
pub fn run(commands: &[Vec<String>]) -> (Cost, u64) {
    let (cpu, wall) = (cpu_seconds(Whose::Children).expect("readable"), Instant::now());
    let sum = commands.iter().map(|command| first_number(&output(command))).sum();
    let wall = wall.elapsed().as_secs_f64();
    let cpu = cpu_seconds(Whose::Children).expect("readable") - cpu;
    (Cost { cpu, wall }, sum)
}

fn output(command: &[String]) -> Output {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", command[0]);
    output
}

/// `scan` prints a line a path: all are summed. Others print one.
fn first_number(output: &Output) -> u64 {
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |line: &str| {
        let digits: String = line
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse::<u64>().unwrap_or(0)
    };
    text.lines().map(number).sum()
}

/// System calls of the commands, by `strace -f -c`; `None` where there is no strace.
pub fn system_calls(commands: &[Vec<String>]) -> Option<u64> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut sum = 0;
    for command in commands {
        let status = Command::new("strace")
            .args(["-f", "-c", "-o"])
            .arg(file.path())
            .args(command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.ok().filter(std::process::ExitStatus::success)?;
        let text = fs::read_to_string(file.path()).ok()?;
        // "100.00    0.123456           1    123456        12 total"
        let total = text.lines().find(|line| line.ends_with(" total"))?;
        sum += total.split_whitespace().nth(3)?.parse::<u64>().ok()?;
    }
    Some(sum)
}

/// Most resident memory of a command, in bytes: `VmHWM`, read every millisecond until it ends.
pub fn peak_memory(command: &[String]) -> Option<u64> {
    let mut child =
        Command::new(&command[0]).args(&command[1..]).stdout(Stdio::null()).spawn().ok()?;
    let mut peak = None;
    let status = Path::new("/proc").join(child.id().to_string()).join("status");
    while child.try_wait().ok()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        peak = peak.max(high_water(&text));
        std::thread::sleep(Duration::from_millis(1));
    }
    peak
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

pub fn installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
