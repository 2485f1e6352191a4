//! When the agent's garbage collection removes what ended.
//!
//! Source: Mesos `slave/slave.cpp` (`Slave::age`, `_checkDiskUsage`) and `slave/gc.cpp`: a directory
//! goes `gc_delay` after its run ended, or sooner as the disk fills: after
//! `gc_delay * max(0, 1 - gc_disk_headroom - use of the work directory's filesystem)`, looked at
//! every `disk_watch_interval`.

use std::collections::BTreeMap;

use crate::model::{FilesystemUsage, Timestamp};

/// `--gc_delay` when the agent prints none: one week.
const DEFAULT_DELAY: f64 = 7.0 * 86_400.0;
/// `--gc_disk_headroom` when the agent prints none.
const DEFAULT_HEADROOM: f64 = 0.1;

/// Seconds after which a finished sandbox goes, at the present use of the work directory's
/// filesystem; the whole `gc_delay` when that is not known.
pub fn delay_seconds(flags: &BTreeMap<String, String>, usage: Option<&FilesystemUsage>) -> f64 {
    let delay = flags.get("gc_delay").and_then(|text| duration(text)).unwrap_or(DEFAULT_DELAY);
    let headroom = flags
        .get("gc_disk_headroom")
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|value| (0.0..=1.0).contains(value))
        .unwrap_or(DEFAULT_HEADROOM);
    let used = usage.filter(|usage| usage.size_bytes > 0).map(|usage| {
        usage.size_bytes.saturating_sub(usage.free_bytes) as f64 / usage.size_bytes as f64
    });
    match used {
        Some(used) => delay * (1.0 - headroom - used).max(0.0),
        None => delay,
    }
}

/// When a run that ended (its directory was last changed) at `ended` is removed.
pub fn expected_removal(ended: Timestamp, delay_seconds: f64) -> Timestamp {
    ended + delay_seconds
}

/// A duration as stout prints and reads it: a number and one unit (`1weeks`, `2.5mins`).
/// Source: `stout/duration.hpp`.
pub(super) fn duration(text: &str) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let factor = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "secs" => 1.0,
        "mins" => 60.0,
        "hrs" => 3_600.0,
        "days" => 86_400.0,
        "weeks" => 604_800.0,
        _ => return None,
    };
    (number.is_finite() && number >= 0.0).then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    fn usage(size: u64, free: u64) -> FilesystemUsage {
        FilesystemUsage {
            size_bytes: size,
            free_bytes: free,
            available_bytes: free,
            files: None,
            files_free: None,
            readonly: false,
            measured_at: 1.0,
        }
    }

    #[test]
    fn durations_as_stout_prints_them() {
        for (text, seconds) in [
            ("1weeks", Some(604_800.0)),
            ("20secs", Some(20.0)),
            ("1.5mins", Some(90.0)),
            ("2days", Some(172_800.0)),
            ("500ms", Some(0.5)),
            ("7", None),
            ("1fortnight", None),
            ("", None),
            ("-1secs", None),
        ] {
            assert_eq!(duration(text), seconds, "{text}");
        }
    }

    #[test]
    fn the_fuller_the_disk_the_sooner() {
        let flags = flags(&[("gc_delay", "100secs"), ("gc_disk_headroom", "0.1")]);
        let at = |free| delay_seconds(&flags, Some(&usage(100, free))).round();
        assert_eq!(at(100), 90.0);
        assert_eq!(at(50), 40.0);
        assert_eq!(at(5), 0.0);
        assert_eq!(delay_seconds(&flags, None), 100.0);
        assert_eq!(delay_seconds(&BTreeMap::new(), None), 604_800.0);
        assert_eq!(expected_removal(1000.0, 40.0), 1040.0);
    }
}
