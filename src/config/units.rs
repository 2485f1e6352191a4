//! Amounts as people write them: `10m`, `64MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::text::quote;

/// Reads a duration with its unit: `500ms`, `15s`, `10m`, `1h 30m`, `2d`.
///
/// # Errors
/// One sentence that names the text and shows a good one.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad =
        || format!("{} is not a duration such as \"15s\", \"10m\" or \"1h 30m\"", quote(text));
    if !text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Err(bad());
    }
    humantime::parse_duration(text).map_err(|_| bad())
}

/// Writes a duration as [`parse_duration`] reads it: 600 seconds as `10m`.
pub fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A number of bytes, written with a binary (`64MiB`) or decimal (`10MB`) unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || format!("{} is not a size such as \"64MiB\", \"1GiB\" or \"10MB\"", quote(text));
        let trimmed = text.trim();
        let (number, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| {
                let at = trimmed.len().checked_sub(unit.len())?;
                let (head, tail) = (trimmed.get(..at)?, trimmed.get(at..)?);
                tail.eq_ignore_ascii_case(unit).then_some((head, *factor))
            })
            .unwrap_or((trimmed, 1));
        let number = number.trim_end();
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        let number: u64 = number.parse().map_err(|_| bad())?;
        number.checked_mul(factor).map(Self).ok_or_else(|| format!("{} is too large", quote(text)))
    }
}

impl fmt::Display for ByteSize {
    /// The largest unit that divides it: what is printed reads back as the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact =
            UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        let (unit, factor) = exact.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed("a size such as \"64MiB\"", ByteSize::from_str))
    }
}

/// An inclusive range of ids, written `5000-10000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// Lowest id.
    pub first: u32,
    /// Highest id.
    pub last: u32,
}

impl FromStr for IdRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = |text: &str| {
            let text = text.trim();
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten().filter(|id| *id > 0)
        };
        text.split_once('-')
            .and_then(|(first, last)| Some(Self { first: id(first)?, last: id(last)? }))
            .filter(|range| range.first <= range.last)
            .ok_or_else(|| format!("{} is not a range of ids such as \"5000-10000\"", quote(text)))
    }
}

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl Serialize for IdRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IdRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed("a range such as \"5000-10000\"", IdRange::from_str))
    }
}

/// A scalar that one of the functions above reads.
struct Parsed<T>(&'static str, fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.1(text).map_err(E::custom)
    }
}

/// `#[serde(with = "duration")]`: a duration as text.
pub(super) mod duration {
    use super::{Deserializer, Duration, Parsed, Serializer, format_duration, parse_duration};

    pub(in crate::config) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_duration(*duration))
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(Parsed("a duration such as \"15s\"", parse_duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["", "5", "0", "-5s", "5 parsecs", "s", "1e400s", "99999999999999999999y"] {
            let error = parse_duration(bad).unwrap_err();
            assert!(error.contains("is not a duration such as \"15s\""), "{bad}: {error}");
        }
    }

    #[test]
    fn durations_print_as_they_are_read() {
        for text in ["0s", "10m", "1h 30m", "500ms"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn ranges_of_ids() {
        let range = IdRange { first: 5000, last: 10_000 };
        assert_eq!("5000-10000".parse(), Ok(range));
        assert_eq!(" 7 - 7 ".parse(), Ok(IdRange { first: 7, last: 7 }));
        assert_eq!(range.to_string(), "5000-10000");
        for bad in ["", "-", "5", "9-8", "0-5", "1-4294967296", "+1-5", "1-2-3", "a-b"] {
            let error = bad.parse::<IdRange>().unwrap_err();
            assert!(error.contains("is not a range of ids such as"), "{bad}: {error}");
        }
    }

    #[test]
    fn sizes_know_both_families_of_units() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("17B", 17),
            ("64MiB", 67_108_864),
            ("64 mib", 67_108_864),
            ("10MB", 10_000_000),
            ("3KB", 3_000),
            ("2GiB", 2_147_483_648),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for bad in ["", "MiB", "-1MiB", "+1MiB", "1.5GiB", "64M", "64 furlongs", "µB"] {
            let error = bad.parse::<ByteSize>().unwrap_err();
            assert!(error.contains("is not a size such as \"64MiB\""), "{bad}: {error}");
        }
        assert_eq!(
            "99999999TiB".parse::<ByteSize>(),
            Err("\"99999999TiB\" is too large".to_owned())
        );
    }

    #[test]
    fn sizes_print_as_they_are_read() {
        for text in ["0B", "17B", "64MiB", "10MB", "1KiB", "1500B", "2GiB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
    }
}
