//! Counters and names of block devices.

use plimsoll::host::devices::{logical_volume, parse_stat};

pub fn run(data: &[u8]) {
    if let Some(counters) = parse_stat(data) {
        for seconds in [
            counters.read_seconds,
            counters.write_seconds,
            counters.busy_seconds,
            counters.weighted_seconds,
        ] {
            assert!(seconds.is_finite() && seconds >= 0.0);
        }
        let longer = [data.trim_ascii_end(), b" 0 0 0 0"].concat();
        assert_eq!(parse_stat(&longer), Some(counters), "what later kernels add changes nothing");
    }
    let Ok(name) = std::str::from_utf8(data) else { return };
    if let Some((group, volume)) = logical_volume(name) {
        assert!(!group.is_empty() && !volume.is_empty());
        let joined = format!("{}-{}", group.replace('-', "--"), volume.replace('-', "--"));
        if !group.starts_with('-') && !group.ends_with('-') && !volume.starts_with('-') {
            assert_eq!(logical_volume(&joined), Some((group, volume)));
        }
    }
}
