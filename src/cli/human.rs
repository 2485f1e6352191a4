//! Numbers for people. Machines get the numbers themselves.

/// Bytes with a binary unit and one decimal: `1.5 GiB`, `17 B`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would print as 1024.0: the next unit is the better one from there.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// Part of a whole in percent, rounded down so that 100 % is never early; absent when the whole
/// is zero. Past the whole it goes on: `130%`.
pub fn percent(part: u64, whole: u64) -> Option<String> {
    let percent = (u128::from(part) * 100).checked_div(u128::from(whole))?;
    Some(format!("{percent}%"))
}

/// A span in its largest unit: `45s`, `3m`, `5h`, `12d`. Below a second (and below zero, a clock
/// that was set back) it is `0s`.
pub fn age(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_decimal() {
        for (amount, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_610_612_736, "1.5 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(amount), shown);
        }
    }

    #[test]
    fn percents_are_never_early() {
        assert_eq!(percent(999, 1000).as_deref(), Some("99%"));
        assert_eq!(percent(1300, 1000).as_deref(), Some("130%"));
        assert_eq!(percent(u64::MAX, u64::MAX).as_deref(), Some("100%"));
        assert_eq!(percent(5, 0), None);
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, shown) in [
            (-5.0, "0s"),
            (0.9, "0s"),
            (59.9, "59s"),
            (180.0, "3m"),
            (7200.0, "2h"),
            (1_000_000.0, "11d"),
            (f64::NAN, "0s"),
        ] {
            assert_eq!(age(seconds), shown);
        }
    }
}
