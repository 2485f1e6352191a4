//! Seconds the threads of a container waited for block I/O (`delayacct_blkio_ticks`, field 42 of
//! `/proc/TID/stat`).
//!
//! The kernel keeps it for each thread and, in that file, does not add a process' threads up: a
//! database's are in its worker threads. So every thread of the group is read. What a thread waited
//! between the last look at it and its end is lost, and nothing goes backwards when it ends.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::host::Roots;

/// Whether the kernel counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounting {
    /// It does.
    On,
    /// It does not: every thread shows 0.
    Off,
    /// A kernel without the switch (before 5.14), where it is on unless it was left out of the
    /// build: believed once a thread shows anything but 0.
    Unknown,
}

impl Accounting {
    /// Asks the kernel.
    pub fn of(roots: &Roots) -> Self {
        match fs::read_to_string(roots.procfs.join("sys/kernel/task_delayacct")) {
            Ok(text) if text.trim() == "1" => Self::On,
            Ok(_) => Self::Off,
            Err(_) => {
                let switched_off = fs::read_to_string(roots.procfs.join("cmdline"))
                    .is_ok_and(|line| line.split_whitespace().any(|word| word == "nodelayacct"));
                if switched_off { Self::Off } else { Self::Unknown }
            }
        }
    }
}

/// Most threads of all containers that are read in one round; the containers past it have no
/// value.
pub const MOST_THREADS: usize = 20_000;
/// Most levels of groups below a container's own.
const MAX_DEPTH: usize = 8;

/// Ids of the threads in a group and those below it, as the files `tasks` (v1) or
/// `cgroup.threads` (v2) list them. `None`: more than `most`, or not readable.
pub fn threads(directory: &Path, file: &str, most: usize) -> Option<Vec<i32>> {
    let mut found = Vec::new();
    let mut waiting = vec![(directory.to_path_buf(), 0)];
    while let Some((group, depth)) = waiting.pop() {
        match fs::read_to_string(group.join(file)) {
            Ok(text) => found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
            // A group of threads' domain does not list them; its children do.
            Err(_) if depth > 0 => {}
            Err(_) => return None,
        }
        if found.len() > most {
            return None;
        }
        let Ok(entries) = fs::read_dir(&group) else { continue };
        for entry in entries.flatten() {
            if depth < MAX_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push((entry.path(), depth + 1));
            }
        }
    }
    Some(found)
}

/// Start time and waiting time of a thread, both in clock ticks. `None`: it is gone.
pub fn of_thread(procfs: &Path, thread: i32) -> Option<(u64, u64)> {
    parse_stat(&fs::read(procfs.join(thread.to_string()).join("stat")).ok()?)
}

/// The same from the text of the file: fields 22 and 42 of `proc_pid_stat(5)`. (The `procfs` crate
/// panics on a line that ends after the name.)
pub fn parse_stat(stat: &[u8]) -> Option<(u64, u64)> {
    // The name in parentheses may hold anything, parentheses too; the state, field 3, follows it.
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace().skip(19);
    let start = fields.next()?.parse().ok()?;
    Some((start, fields.nth(19)?.parse().ok()?))
}

/// Clock ticks since the host was started, as the start times of threads are counted
/// (`CLOCK_BOOTTIME`).
pub fn ticks_since_boot() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let a_second = rustix::param::clock_ticks_per_second();
    let part = time.tv_nsec as u64 * a_second / 1_000_000_000;
    time.tv_sec as u64 * a_second + part
}

/// Adds up what the threads of one container waited.
#[derive(Clone, Debug, Default)]
pub struct DelayMeter {
    threads: HashMap<i32, Waited>,
    ticks: u64,
}

/// What one thread waited, in clock ticks.
#[derive(Clone, Copy, Debug)]
struct Waited {
    start: u64,
    /// As the kernel has it.
    ticks: u64,
    /// The part of it that cannot be.
    untrue: u64,
}

/// Ticks by which a thread may seem to have waited longer than it lived: both are rounded.
const ROUNDED: u64 = 2;

impl DelayMeter {
    /// Takes the threads that live now, with their start and waiting times, and
    /// [the time](ticks_since_boot) after they were read.
    ///
    /// A thread cannot have waited for longer than it lives. The kernel says so all the same when
    /// its accounting is switched on while the thread waits: it takes the wait to have begun with
    /// the host. Such a step is left out.
    pub fn observe(&mut self, now: impl IntoIterator<Item = (i32, (u64, u64))>, at: u64) {
        let mut threads = HashMap::with_capacity(self.threads.len());
        for (thread, (start, ticks)) in now {
            let before = match self.threads.get(&thread) {
                Some(known) if known.start == start => *known,
                // A new thread, if under an old id.
                _ => Waited { start, ticks: 0, untrue: 0 },
            };
            let step = ticks.saturating_sub(before.ticks);
            let lived = at.saturating_sub(start).saturating_add(ROUNDED);
            let possible = ticks.saturating_sub(before.untrue) <= lived;
            self.ticks += if possible { step } else { 0 };
            let untrue = before.untrue.saturating_add(if possible { 0 } else { step });
            threads.insert(thread, Waited { start, ticks, untrue });
        }
        self.threads = threads;
    }

    /// Clock ticks waited so far.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_backwards_when_threads_end() {
        let mut meter = DelayMeter::default();
        meter.observe([(10, (100, 50)), (11, (120, 7))], 200);
        assert_eq!(meter.ticks(), 57);
        meter.observe([(10, (100, 60))], 210);
        assert_eq!(meter.ticks(), 67);
        meter.observe([], 220);
        assert_eq!(meter.ticks(), 67);
        // The id is used again, by a thread that started later.
        meter.observe([(10, (900, 3))], 903);
        assert_eq!(meter.ticks(), 70);
        meter.observe([(10, (900, 3))], 903);
        assert_eq!(meter.ticks(), 70);
    }

    #[test]
    fn nothing_waits_for_longer_than_it_lives() {
        let mut meter = DelayMeter::default();
        meter.observe([(10, (5000, 20))], 5100);
        // The accounting was switched on while it waited: all the time since the host started.
        meter.observe([(10, (5000, 20 + 5190))], 5200);
        assert_eq!(meter.ticks(), 20);
        // What it waits from then on counts.
        meter.observe([(10, (5000, 20 + 5190 + 70))], 5300);
        assert_eq!(meter.ticks(), 90);
        // Another one that was never seen before.
        meter.observe([(11, (5250, 5400))], 5400);
        assert_eq!(meter.ticks(), 90);
        // All its life, and both rounded.
        meter.observe([(12, (5390, 11))], 5400);
        assert_eq!(meter.ticks(), 101);
        // Switched off and on again.
        meter.observe([(12, (5390, 11 + 5480))], 5490);
        meter.observe([(12, (5390, 11 + 5480 + 5590))], 5600);
        meter.observe([(12, (5390, 11 + 5480 + 5590 + 9))], 5610);
        assert_eq!(meter.ticks(), 110);
    }

    #[test]
    fn the_kernel_is_asked_and_older_ones_are_believed_later() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots { procfs: dir.path().into(), ..Roots::default() };
        assert_eq!(Accounting::of(&roots), Accounting::Unknown);
        fs::write(dir.path().join("cmdline"), "root=/dev/sda nodelayacct quiet\n").unwrap();
        assert_eq!(Accounting::of(&roots), Accounting::Off);
        let switch = dir.path().join("sys/kernel");
        fs::create_dir_all(&switch).unwrap();
        fs::write(switch.join("task_delayacct"), "1\n").unwrap();
        assert_eq!(Accounting::of(&roots), Accounting::On);
        fs::write(switch.join("task_delayacct"), "0\n").unwrap();
        assert_eq!(Accounting::of(&roots), Accounting::Off);
    }

    #[test]
    fn a_stat_line_is_read_and_part_of_one_is_not() {
        let before: Vec<String> = (4..22).map(|field| field.to_string()).collect();
        let after: Vec<String> = (23..=52).map(|field| field.to_string()).collect();
        let line = format!("7 (a) S (b) D {} 8123 {}\n", before.join(" "), after.join(" "));
        assert_eq!(parse_stat(line.as_bytes()), Some((8123, 42)));
        for torn in ["", "2 (kthreadd)", "2 (kthreadd) ", "2 (x S 1", &line[..60]] {
            assert_eq!(parse_stat(torn.as_bytes()), None, "{torn}");
        }
    }

    #[test]
    fn own_thread_is_read() {
        let id = i32::try_from(std::process::id()).unwrap();
        let (start, _) = of_thread(Path::new("/proc"), id).expect("there");
        assert!((1..=ticks_since_boot()).contains(&start));
        assert_eq!(of_thread(Path::new("/proc"), i32::MAX), None);
    }
}
