//! Counters of a block device.

use crate::model::DeviceCounters;

/// The unit of the sector counts, whatever the sectors of the device.
const SECTOR: u64 = 512;

/// Reads `/sys/block/*/stat`: 11 fields, 15 with discards (4.18), 17 with flushes (5.5). Times are
/// in milliseconds. `None`: fewer fields, or one that is no number.
pub fn parse_stat(text: &[u8]) -> Option<DeviceCounters> {
    let text = std::str::from_utf8(text).ok()?;
    let mut numbers = [0_u64; 11];
    let mut fields = text.split_ascii_whitespace();
    for number in &mut numbers {
        *number = fields.next()?.parse().ok()?;
    }
    let [
        reads,
        _,
        sectors_read,
        read_ms,
        writes,
        _,
        sectors_written,
        write_ms,
        in_flight,
        busy,
        weighted,
    ] = numbers;
    let seconds = |millis: u64| millis as f64 / 1000.0;
    Some(DeviceCounters {
        read_bytes: sectors_read.saturating_mul(SECTOR),
        written_bytes: sectors_written.saturating_mul(SECTOR),
        reads,
        writes,
        read_seconds: seconds(read_ms),
        write_seconds: seconds(write_ms),
        busy_seconds: seconds(busy),
        weighted_seconds: seconds(weighted),
        in_flight,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generation() {
        let expected = DeviceCounters {
            read_bytes: 300 * 512,
            written_bytes: 700 * 512,
            reads: 10,
            writes: 50,
            read_seconds: 0.04,
            write_seconds: 0.08,
            busy_seconds: 1.0,
            weighted_seconds: 1.1,
            in_flight: 9,
        };
        let old = b"      10        2      300       40       50        6      700       80        9     1000     1100\n";
        assert_eq!(parse_stat(old), Some(expected));
        let with_discards = b"10 2 300 40 50 6 700 80 9 1000 1100 1 2 3 4";
        assert_eq!(parse_stat(with_discards), Some(expected));
        let with_flushes = b"10 2 300 40 50 6 700 80 9 1000 1100 1 2 3 4 5 6\n";
        assert_eq!(parse_stat(with_flushes), Some(expected));
    }

    #[test]
    fn malformed() {
        for bad in
            [&b""[..], b"1 2 3", b"1 2 3 4 5 6 7 8 9 10 x", b"-1 2 3 4 5 6 7 8 9 10 11", b"\xff"]
        {
            assert_eq!(parse_stat(bad), None, "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(text: Vec<u8>) {
            let _ = parse_stat(&text);
        }
    }
}
