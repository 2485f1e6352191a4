//! Numbers: whole ones plain, others in the shortest form that reads back the same.

use std::fmt::Write;

/// Above this a double no longer holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Appends a whole number.
pub(super) fn push_u64(out: &mut String, mut value: u64) {
    // Largest u64 has 20 digits.
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    // ASCII digits are always UTF-8; the check costs less than pushing characters one by one.
    out.push_str(std::str::from_utf8(&digits[start..]).unwrap_or_default());
}

/// Appends a signed whole number.
pub(super) fn push_i64(out: &mut String, value: i64) {
    if value < 0 {
        out.push('-');
    }
    push_u64(out, value.unsigned_abs());
}

/// Appends any number; both formats write `NaN`, `+Inf` and `-Inf`.
pub(super) fn push_f64(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else if value.fract() == 0.0 && value.abs() < EXACT {
        push_i64(out, value as i64);
    } else if value.abs() < 1e17 && value.abs() > 1e-7 {
        // Writing to a String cannot fail.
        let _ = write!(out, "{value}");
    } else {
        let _ = write!(out, "{value:e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f64) -> String {
        let mut out = String::new();
        push_f64(&mut out, value);
        out
    }

    #[test]
    fn whole_numbers_are_plain() {
        for value in [0, 7, 10, 99, 100, 4096, u64::MAX] {
            let mut out = String::new();
            push_u64(&mut out, value);
            assert_eq!(out, value.to_string());
        }
        let mut out = String::new();
        push_i64(&mut out, i64::MIN);
        assert_eq!(out, i64::MIN.to_string());
        assert_eq!(shown(1_048_576.0), "1048576");
        assert_eq!(shown(-3.0), "-3");
    }

    #[test]
    fn other_numbers_read_back_the_same() {
        for value in [
            0.1,
            1.0 / 3.0,
            1_763_843_550.123_4,
            1e-9,
            1.5e300,
            -2.5e-12,
            f64::MAX,
            f64::MIN_POSITIVE,
        ] {
            assert_eq!(shown(value).parse::<f64>(), Ok(value));
            assert!(shown(value).len() < 26, "{}", shown(value));
        }
        assert_eq!(shown(0.25), "0.25");
        assert_eq!(shown(1.5e300), "1.5e300");
    }

    #[test]
    fn there_are_words_for_what_is_no_number() {
        assert_eq!(shown(f64::NAN), "NaN");
        assert_eq!(shown(f64::INFINITY), "+Inf");
        assert_eq!(shown(f64::NEG_INFINITY), "-Inf");
    }
}
