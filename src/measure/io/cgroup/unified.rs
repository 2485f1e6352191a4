//! Files of the cgroup v2 `io` controller, and pressure.
//!
//! Source: kernel, `Documentation/admin-guide/cgroup-v2.rst`, "IO Interface Files", and
//! `Documentation/accounting/psi.rst`.

use std::collections::BTreeMap;

use super::text::{Malformed, device, lines, number};
use crate::model::DeviceNumber;

/// One line of `io.stat`. A device that never counted has a line without any key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IoStat {
    /// `rbytes`.
    pub read_bytes: Option<u64>,
    /// `wbytes`.
    pub write_bytes: Option<u64>,
    /// `rios`.
    pub read_operations: Option<u64>,
    /// `wios`.
    pub write_operations: Option<u64>,
    /// `dbytes`.
    pub discard_bytes: Option<u64>,
    /// `dios`.
    pub discard_operations: Option<u64>,
    /// Every other key that has a number: `cost.usage` and its like (microseconds), `avg_lat`,
    /// `depth`, `use_delay`, …
    pub other: Vec<(String, f64)>,
}

/// Reads `io.stat`.
///
/// # Errors
/// The first line that does not begin with a device, or has a word that is no `key=value`, or a
/// counter that is no number.
pub fn parse_io_stat(text: &[u8]) -> Result<BTreeMap<DeviceNumber, IoStat>, Malformed> {
    let mut devices: BTreeMap<DeviceNumber, IoStat> = BTreeMap::new();
    for line in lines(text)? {
        let mut words = line.split_ascii_whitespace();
        let mut here = device(words.next().unwrap_or_default(), line)?;
        devices.entry(here).or_default();
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                // Kernels 5.14 to 6.0 print no line feed after a device that never counted:
                // `7:1 7:0 8:0 rbytes=…`.
                here = device(word, line)?;
                devices.entry(here).or_default();
                continue;
            };
            let stat = devices.entry(here).or_default();
            let place = match key {
                "rbytes" => &mut stat.read_bytes,
                "wbytes" => &mut stat.write_bytes,
                "rios" => &mut stat.read_operations,
                "wios" => &mut stat.write_operations,
                "dbytes" => &mut stat.discard_bytes,
                "dios" => &mut stat.discard_operations,
                _ => {
                    // `depth=max` has no number.
                    let value = value.parse().ok().filter(|value: &f64| value.is_finite());
                    stat.other.extend(value.map(|value| (key.to_owned(), value)));
                    continue;
                }
            };
            *place = Some(number(value, line)?);
        }
    }
    Ok(devices)
}

/// One line of `io.max`; absent is `max`, no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoMax {
    /// `rbps`: bytes a second.
    pub read_bytes: Option<u64>,
    /// `wbps`.
    pub write_bytes: Option<u64>,
    /// `riops`: operations a second.
    pub read_operations: Option<u64>,
    /// `wiops`.
    pub write_operations: Option<u64>,
}

/// Reads `io.max`, which names the devices that have a limit.
///
/// # Errors
/// The first line that is not a device with `key=value` words.
pub fn parse_io_max(text: &[u8]) -> Result<BTreeMap<DeviceNumber, IoMax>, Malformed> {
    let mut devices = BTreeMap::new();
    for (at, words, line) in keyed(text)? {
        let mut max = IoMax::default();
        for (key, value) in words {
            let place = match key {
                "rbps" => &mut max.read_bytes,
                "wbps" => &mut max.write_bytes,
                "riops" => &mut max.read_operations,
                "wiops" => &mut max.write_operations,
                _ => continue,
            };
            *place = if value == "max" { None } else { Some(number(value, line)?) };
        }
        devices.insert(at, max);
    }
    Ok(devices)
}

/// Reads `io.latency`: the target of each device, in microseconds.
///
/// # Errors
/// The first line that is not a device with `key=value` words.
pub fn parse_io_latency(text: &[u8]) -> Result<BTreeMap<DeviceNumber, u64>, Malformed> {
    let mut devices = BTreeMap::new();
    for (at, words, line) in keyed(text)? {
        for (key, value) in words {
            if key == "target" && value != "max" {
                devices.insert(at, number(value, line)?);
            }
        }
    }
    Ok(devices)
}

/// Seconds of pressure since the group was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressure {
    /// `some`: at least one task waited.
    pub some_seconds: f64,
    /// `full`: every task that was not idle did.
    pub full_seconds: f64,
}

/// Reads `io.pressure`: `some avg10=… avg60=… avg300=… total=<µs>` and `full …`.
///
/// # Errors
/// A line that is neither, or one of the two missing.
pub fn parse_pressure(text: &[u8]) -> Result<Pressure, Malformed> {
    let (mut some, mut full) = (None, None);
    for line in lines(text)? {
        let mut words = line.split_ascii_whitespace();
        let place = match words.next() {
            Some("some") => &mut some,
            Some("full") => &mut full,
            _ => return Err(Malformed::new(line)),
        };
        let total = words.find_map(|word| word.strip_prefix("total="));
        *place = Some(number(total.ok_or_else(|| Malformed::new(line))?, line)? as f64 / 1e6);
    }
    match (some, full) {
        (Some(some_seconds), Some(full_seconds)) => Ok(Pressure { some_seconds, full_seconds }),
        _ => Err(Malformed::new("")),
    }
}

type Keyed<'a> = (DeviceNumber, Vec<(&'a str, &'a str)>, &'a str);

/// Lines of `MAJ:MIN key=value …`.
fn keyed(text: &[u8]) -> Result<Vec<Keyed<'_>>, Malformed> {
    lines(text)?
        .map(|line| {
            let mut words = line.split_ascii_whitespace();
            let at = device(words.next().unwrap_or_default(), line)?;
            let pairs = words
                .map(|word| word.split_once('=').ok_or_else(|| Malformed::new(line)))
                .collect::<Result<_, _>>()?;
            Ok((at, pairs, line))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(major: u32, minor: u32) -> DeviceNumber {
        DeviceNumber { major, minor }
    }

    #[test]
    fn good() {
        let text = b"8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=4096 dios=1 \
                     cost.vrate=100.00 cost.usage=2100 cost.wait=7 depth=max avg_lat=12 win=100\n\
                     7:0 \n";
        let stat = &parse_io_stat(text).unwrap()[&at(8, 16)];
        assert_eq!(stat.read_bytes, Some(1_459_200));
        assert_eq!(stat.write_bytes, Some(314_773_504));
        assert_eq!((stat.read_operations, stat.write_operations), (Some(192), Some(353)));
        assert_eq!((stat.discard_bytes, stat.discard_operations), (Some(4096), Some(1)));
        let other: Vec<(&str, f64)> =
            stat.other.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(
            other,
            [
                ("cost.vrate", 100.0),
                ("cost.usage", 2100.0),
                ("cost.wait", 7.0),
                ("avg_lat", 12.0),
                ("win", 100.0)
            ]
        );
        assert_eq!(parse_io_stat(text).unwrap()[&at(7, 0)], IoStat::default());
        let joined = parse_io_stat(b"7:1 7:0 8:0 rbytes=5\n").unwrap();
        assert_eq!(joined.len(), 3);
        assert_eq!(joined[&at(7, 0)], IoStat::default());
        assert_eq!(joined[&at(8, 0)].read_bytes, Some(5));

        let max = parse_io_max(b"8:16 rbps=2097152 wbps=max riops=max wiops=120\n").unwrap();
        let expected =
            IoMax { read_bytes: Some(2_097_152), write_operations: Some(120), ..IoMax::default() };
        assert_eq!(max[&at(8, 16)], expected);
        assert_eq!(parse_io_latency(b"8:16 target=75000\n").unwrap()[&at(8, 16)], 75_000);
        let pressure = parse_pressure(
            b"some avg10=3.08 avg60=0.90 avg300=0.20 total=736263\n\
              full avg10=2.36 avg60=0.62 avg300=0.14 total=520907\n",
        );
        let expected = Pressure { some_seconds: 0.736_263, full_seconds: 0.520_907 };
        assert_eq!(pressure.unwrap(), expected);
    }

    #[test]
    fn missing_is_no_device() {
        assert!(parse_io_stat(b"").unwrap().is_empty());
        assert!(parse_io_max(b"").unwrap().is_empty());
        assert!(parse_io_latency(b"").unwrap().is_empty());
        assert!(parse_pressure(b"").is_err());
        assert!(parse_pressure(b"some avg10=0.00 total=1\n").is_err());
    }

    #[test]
    fn malformed() {
        for text in [
            &b"rbytes=1\n"[..],
            b"8:16 rbytes\n",
            b"8:16 rbytes=x\n",
            b"8:16 rbytes=-1\n",
            b"8:16 rbytes=18446744073709551616\n",
            b"8.16 rbytes=1\n",
            b"8:16 rbytes=1 7\n",
            b"\xff\n",
        ] {
            assert!(parse_io_stat(text).is_err(), "{}", text.escape_ascii());
        }
        for text in [&b"8:16 rbps=\n"[..], b"8:16 rbps=maximum\n", b"8:16 rbps\n", b"x rbps=1\n"] {
            assert!(parse_io_max(text).is_err(), "{}", text.escape_ascii());
        }
        assert!(parse_io_latency(b"8:16 target=x\n").is_err());
        for text in [&b"some\nfull\n"[..], b"some total=\nfull total=1\n", b"much total=1\n"] {
            assert!(parse_pressure(text).is_err(), "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_io_stat(&text), parse_io_max(&text));
            let _ = (parse_io_latency(&text), parse_pressure(&text));
        }

        #[test]
        fn never_panics_near_the_truth(
            text in "((some|full|[0-9]{1,3}:[0-9]{1,3})( (rbytes|wbps|target|total)=(max|[0-9.]{0,9})){0,3}\n?){0,6}"
        ) {
            let text = text.as_bytes();
            let _ = (parse_io_stat(text), parse_io_max(text));
            let _ = (parse_io_latency(text), parse_pressure(text));
        }
    }
}
