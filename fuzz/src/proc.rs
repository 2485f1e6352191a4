//! Files of `/proc/PID`, and an agent's command line.

use plimsoll::discover::docker::parse_began;
use plimsoll::discover::mesos::flags;
use plimsoll::discover::mesos::locate::{flag, parse_sockets};
use plimsoll::measure::io::delay::parse_stat;
use plimsoll::measure::open_files::{Stat, parse_mapped};

pub fn run(data: &[u8]) {
    for line in data.split(|&byte| byte == b'\n') {
        if let Some(mapped) = parse_mapped(line) {
            assert!(mapped.path.is_absolute() && mapped.inode != 0);
            assert!(mapped.path.as_os_str().len() <= line.len());
        }
    }
    // Three readers of one line: where they understand it they agree.
    let (stat, began, delay) = (Stat::parse(data), parse_began(data), parse_stat(data));
    if let (Some(stat), Some(_)) = (&stat, began) {
        assert!(!stat.ended, "a process that has ended never looks alive");
    }
    if let (Some(began), Some((start, _))) = (began, delay) {
        assert_eq!(began, start);
    }

    let lines = data.split(|&byte| byte == b'\n').count();
    assert!(parse_sockets(data).len() <= lines);

    for argument in data.split(|&byte| byte == 0) {
        let argument = String::from_utf8_lossy(argument);
        if let Some((name, value)) = flag(&argument) {
            assert!(argument.starts_with("--") && !name.contains('='));
            let again = flag(&format!("--{name}={value}"));
            assert!(name.is_empty() || again == Some((name, value)));
        }
        if let Ok(duration) = flags::duration(&argument) {
            assert!(duration.as_secs_f64() <= i64::MAX as f64 / 1e9);
        }
        let _ = flags::bytes(&argument);
        if let Ok(ranges) = flags::xfs_project_range(&argument) {
            assert!(!ranges.is_empty() && ranges.iter().all(|(begin, end)| begin <= end));
        }
    }
}
