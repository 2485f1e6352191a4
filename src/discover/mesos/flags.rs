//! Values of an agent's flags, as Mesos itself reads and prints them.
//!
//! Sources: stout's `duration.hpp` and `bytes.hpp`; `flags.cpp` of the agent.

use std::time::Duration;

/// A flag's value that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {expected}")]
pub struct FlagError {
    /// The value as it stands.
    pub value: String,
    /// What it should look like.
    pub expected: &'static str,
}

fn wrong(value: &str, expected: &'static str) -> FlagError {
    FlagError { value: value.to_owned(), expected }
}

const DURATION: &str =
    "a duration like 5secs, 1.5hrs or 1weeks (ns, us, ms, secs, mins, hrs, days, weeks)";

/// A duration: a decimal number and a unit, `5secs`, `1.5hrs`, `1weeks`, `500ms`.
pub fn duration(value: &str) -> Result<Duration, FlagError> {
    let (number, unit) = split(value, true);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "secs" => 1.0,
        "mins" => 60.0,
        "hrs" => 3_600.0,
        "days" => 86_400.0,
        "weeks" => 604_800.0,
        _ => return Err(wrong(value, DURATION)),
    };
    let number: f64 = number.parse().map_err(|_| wrong(value, DURATION))?;
    // Mesos keeps durations in signed 64-bit nanoseconds.
    let total = number * seconds;
    if !total.is_finite() || total > i64::MAX as f64 / 1e9 {
        return Err(wrong(value, DURATION));
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong(value, DURATION))
}

const BYTES: &str = "a size like 10MB or 2GB (B, KB, MB, GB, TB, in powers of 1024)";

/// A size in bytes: a whole number and a unit in powers of 1024, `10MB`, `2GB`.
pub fn bytes(value: &str) -> Result<u64, FlagError> {
    let (number, unit) = split(value, false);
    let shift = match unit.to_ascii_uppercase().as_str() {
        "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return Err(wrong(value, BYTES)),
    };
    let number: u64 = number.parse().map_err(|_| wrong(value, BYTES))?;
    number.checked_mul(1 << shift).ok_or_else(|| wrong(value, BYTES))
}

const PROJECTS: &str = "ranges of project ids like [5000-10000] or [1-9,20-30]";

/// `--xfs_project_range`: inclusive ranges of project ids, `[5000-10000]`.
pub fn xfs_project_range(value: &str) -> Result<Vec<(u32, u32)>, FlagError> {
    let fail = || wrong(value, PROJECTS);
    let inner =
        value.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or_else(fail)?;
    let mut ranges = Vec::new();
    for part in inner.split(',') {
        let (begin, end) = part.split_once('-').ok_or_else(fail)?;
        let begin = begin.trim().parse().map_err(|_| fail())?;
        let end = end.trim().parse().map_err(|_| fail())?;
        if begin > end {
            return Err(fail());
        }
        ranges.push((begin, end));
    }
    Ok(ranges)
}

/// Where the digits (and dots, if `fraction`) end.
fn split(value: &str, fraction: bool) -> (&str, &str) {
    let end = value
        .find(|letter: char| !(letter.is_ascii_digit() || (fraction && letter == '.')))
        .unwrap_or(value.len());
    value.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("5secs", Duration::from_secs(5)),
            ("0ns", Duration::ZERO),
            ("250us", Duration::from_micros(250)),
            ("500ms", Duration::from_millis(500)),
            ("15mins", Duration::from_secs(900)),
            ("1.5hrs", Duration::from_secs(5_400)),
            ("1days", Duration::from_secs(86_400)),
            ("1weeks", Duration::from_secs(604_800)),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        for text in ["", "5", "secs", "5 secs", "-5secs", "1.2.3secs", "5seconds", "99999weeks"] {
            let error = duration(text).unwrap_err();
            assert_eq!(error.value, text);
        }
        assert_eq!(
            duration("5s").unwrap_err().to_string(),
            "\"5s\" is not a duration like 5secs, 1.5hrs or 1weeks \
             (ns, us, ms, secs, mins, hrs, days, weeks)"
        );
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0B", 0),
            ("7B", 7),
            ("3KB", 3_072),
            ("10MB", 10_485_760),
            ("2gb", 2_147_483_648),
            ("1TB", 1_099_511_627_776),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "10", "MB", "1.5GB", "-1MB", "10 MB", "10PB", "99999999999999TB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn project_ranges() {
        assert_eq!(xfs_project_range("[5000-10000]"), Ok(vec![(5000, 10_000)]));
        assert_eq!(xfs_project_range("[1-9, 20-30]"), Ok(vec![(1, 9), (20, 30)]));
        for text in ["", "[]", "5000-10000", "[9-1]", "[1]", "[1-x]", "[1-4294967296]"] {
            assert!(xfs_project_range(text).is_err(), "{text}");
        }
    }
}
