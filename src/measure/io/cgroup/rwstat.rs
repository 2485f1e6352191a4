//! Files of the cgroup v1 `blkio` controller: `MAJ:MIN Operation VALUE` lines.
//!
//! Source: kernel, `Documentation/admin-guide/cgroup-v1/blkio-controller.rst` and
//! `block/blk-cgroup-rwstat.c`. Kernel 4.20 added `Discard`; CFQ and its files went with 5.0.

use std::collections::BTreeMap;

use super::text::{Malformed, device, lines, number};
use crate::model::DeviceNumber;

/// One device's numbers by operation. `Sync`, `Async` and `Total` say the same once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rwstat {
    /// `Read`.
    pub read: u64,
    /// `Write`.
    pub write: u64,
    /// `Discard`; absent before kernel 4.20.
    pub discard: Option<u64>,
}

/// Reads `blkio.throttle.io_service_bytes`, `blkio.io_wait_time` and their like.
///
/// A device appears only once it counted; the last line (`Total N`) stands alone where none did.
///
/// # Errors
/// The first line that is none of these.
pub fn parse_rwstat(text: &[u8]) -> Result<BTreeMap<DeviceNumber, Rwstat>, Malformed> {
    let mut devices: BTreeMap<DeviceNumber, Rwstat> = BTreeMap::new();
    // The lines of one device follow each other.
    let mut last = None;
    for line in lines(text)? {
        let mut words = line.split_ascii_whitespace();
        let (Some(first), Some(second), third, None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Malformed::new(line));
        };
        let Some(third) = third else {
            // `Total 31334400`: the sum over all devices.
            if first != "Total" {
                return Err(Malformed::new(line));
            }
            number(second, line)?;
            continue;
        };
        let at = match last {
            Some((word, at)) if word == first => at,
            _ => device(first, line)?,
        };
        last = Some((first, at));
        let entry = devices.entry(at).or_default();
        let value = number(third, line)?;
        match second {
            "Read" => entry.read = value,
            "Write" => entry.write = value,
            "Discard" => entry.discard = Some(value),
            // Sync, Async and Total, and what a later kernel adds.
            _ => {}
        }
    }
    Ok(devices)
}

/// Reads `blkio.throttle.write_bps_device` and its like, and `blkio.weight_device`: `MAJ:MIN N`.
///
/// A `default N` line of a weight file is returned as the second part.
///
/// # Errors
/// The first line that is none of these.
pub fn parse_per_device(
    text: &[u8],
) -> Result<(BTreeMap<DeviceNumber, u64>, Option<u64>), Malformed> {
    let (mut devices, mut default) = (BTreeMap::new(), None);
    for line in lines(text)? {
        let mut words = line.split_ascii_whitespace();
        let (Some(first), Some(value), None) = (words.next(), words.next(), words.next()) else {
            return Err(Malformed::new(line));
        };
        match first {
            "default" => default = Some(number(value, line)?),
            _ => {
                devices.insert(device(first, line)?, number(value, line)?);
            }
        }
    }
    Ok((devices, default))
}

/// Reads a file of one number: `blkio.weight`, `blkio.bfq.weight`.
///
/// # Errors
/// What is no number.
pub fn parse_number(text: &[u8]) -> Result<u64, Malformed> {
    let mut lines = lines(text)?;
    match (lines.next(), lines.next()) {
        (Some(line), None) => number(line.trim(), line),
        (Some(_), Some(second)) => Err(Malformed::new(second)),
        (None, _) => Err(Malformed::new("")),
    }
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
        let text =
            b"8:16 Read 4096\n8:16 Write 0\n8:16 Sync 4096\n8:16 Async 0\n8:16 Discard 512\n\
                     8:16 Total 4608\n8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 4611\n";
        let read = parse_rwstat(text).unwrap();
        assert_eq!(read[&at(8, 16)], Rwstat { read: 4096, write: 0, discard: Some(512) });
        assert_eq!(read[&at(8, 0)], Rwstat { read: 1, write: 2, discard: None });
        let (limits, default) = parse_per_device(b"254:0 1048576\n8:0\t7\n").unwrap();
        assert_eq!(limits, BTreeMap::from([(at(254, 0), 1_048_576), (at(8, 0), 7)]));
        assert_eq!(default, None);
        assert_eq!(parse_per_device(b"default 100\n8:0 500\n").unwrap().1, Some(100));
        assert_eq!(parse_number(b"500\n").unwrap(), 500);
    }

    #[test]
    fn missing_is_no_device() {
        assert!(parse_rwstat(b"Total 0\n").unwrap().is_empty());
        assert!(parse_rwstat(b"").unwrap().is_empty());
        assert_eq!(parse_per_device(b"").unwrap(), (BTreeMap::new(), None));
    }

    #[test]
    fn malformed() {
        for text in [
            &b"8:16 Read\n"[..],
            b"8:16 Read x\n",
            b"8 Read 1\n",
            b"8:16 Read 1 2\n",
            b"Total\n",
            b"Sum 7\n",
            b"8:16 Read -1\n",
            b"8:16 Read 18446744073709551616\n",
            b"8:4294967296 Read 1\n",
            b"\xff\xfe Read 1\n",
        ] {
            assert!(parse_rwstat(text).is_err(), "{}", text.escape_ascii());
        }
        for text in [&b"254:0\n"[..], b"254:0 max\n", b"x 1\n", b"254:0 1 2\n", b"default\n"] {
            assert!(parse_per_device(text).is_err(), "{}", text.escape_ascii());
        }
        for text in [&b""[..], b"x\n", b"1\n2\n"] {
            assert!(parse_number(text).is_err());
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_rwstat(&text), parse_per_device(&text), parse_number(&text));
        }

        #[test]
        fn never_panics_near_the_truth(text in "([0-9:. ]{0,8}(Read|Write|Total|default)?[0-9 \n]{0,8}){0,8}") {
            let text = text.as_bytes();
            let _ = (parse_rwstat(text), parse_per_device(text), parse_number(text));
        }
    }
}
