//! Files of control groups: all parsers read the same text.

use std::fmt::Write;
use std::path::Path;

use plimsoll::measure::io::cgroup::{
    IoMax, docker_id, own_group, parse_io_latency, parse_io_max, parse_io_stat, parse_membership,
    parse_number, parse_per_device, parse_pressure, parse_rwstat,
};

pub fn run(data: &[u8]) {
    stat(data);
    limits(data);
    v1(data);
    if let Ok(pressure) = parse_pressure(data) {
        for seconds in [pressure.some_seconds, pressure.full_seconds] {
            assert!(seconds.is_finite() && seconds >= 0.0);
        }
    }
    if let Ok(targets) = parse_io_latency(data) {
        let text: String =
            targets.iter().map(|(number, target)| format!("{number} target={target}\n")).collect();
        assert_eq!(parse_io_latency(text.as_bytes()), Ok(targets));
    }
    membership(data);
}

/// What was read, written as the kernel would, reads as the same.
fn stat(data: &[u8]) {
    let Ok(devices) = parse_io_stat(data) else { return };
    let mut text = String::new();
    for (number, stat) in &devices {
        let _ = write!(text, "{number}");
        for (key, value) in [
            ("rbytes", stat.read_bytes),
            ("wbytes", stat.write_bytes),
            ("rios", stat.read_operations),
            ("wios", stat.write_operations),
            ("dbytes", stat.discard_bytes),
            ("dios", stat.discard_operations),
        ] {
            if let Some(value) = value {
                let _ = write!(text, " {key}={value}");
            }
        }
        for (key, value) in &stat.other {
            assert!(value.is_finite(), "{key}");
            let _ = write!(text, " {key}={value:?}");
        }
        text.push('\n');
    }
    assert_eq!(parse_io_stat(text.as_bytes()), Ok(devices));
}

fn limits(data: &[u8]) {
    let Ok(devices) = parse_io_max(data) else { return };
    let mut text = String::new();
    let show = |limit: Option<u64>| limit.map_or("max".to_owned(), |limit| limit.to_string());
    for (number, max) in &devices {
        let IoMax { read_bytes, write_bytes, read_operations, write_operations } = *max;
        let _ = writeln!(
            text,
            "{number} rbps={} wbps={} riops={} wiops={}",
            show(read_bytes),
            show(write_bytes),
            show(read_operations),
            show(write_operations)
        );
    }
    assert_eq!(parse_io_max(text.as_bytes()), Ok(devices));
}

fn v1(data: &[u8]) {
    if let Ok(devices) = parse_rwstat(data) {
        let mut text = String::new();
        for (number, stat) in &devices {
            let _ = writeln!(text, "{number} Read {}\n{number} Write {}", stat.read, stat.write);
            if let Some(discard) = stat.discard {
                let _ = writeln!(text, "{number} Discard {discard}");
            }
        }
        text.push_str("Total 0\n");
        assert_eq!(parse_rwstat(text.as_bytes()), Ok(devices));
    }
    if let Ok((devices, default)) = parse_per_device(data) {
        let mut text = default.map_or(String::new(), |weight| format!("default {weight}\n"));
        for (number, value) in &devices {
            let _ = writeln!(text, "{number} {value}");
        }
        assert_eq!(parse_per_device(text.as_bytes()), Ok((devices, default)));
    }
    if let Ok(number) = parse_number(data) {
        assert_eq!(parse_number(format!("{number}\n").as_bytes()), Ok(number));
    }
}

/// A container's own group is never outside the group its process is in.
fn membership(data: &[u8]) {
    let found = parse_membership(data);
    for path in [&found.blkio, &found.unified].into_iter().flatten() {
        assert!(path.is_absolute());
        for part in path.iter().filter_map(|part| part.to_str()) {
            if let Some(own) = own_group(path, part) {
                assert!(path.starts_with(&own) && own.file_name().is_some_and(|name| name == part));
            }
            if let Some(id) = docker_id(part) {
                assert!(id.len() == 64 && Path::new(id).components().count() == 1);
            }
        }
    }
}
