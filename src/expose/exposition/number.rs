//! Numbers: whole ones plain, others in the shortest form that reads back the same.

use std::io::Write;

/// Above this a double no longer holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Decimals of at most this many digits are each a double of their own.
const FIFTEEN_DIGITS: f64 = 1e15;

/// The two digits of each number below a hundred.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Appends a whole number.
pub(super) fn push_u64(out: &mut Vec<u8>, mut value: u64) {
    // The largest has 20 digits.
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    while value >= 10 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value > 0 || start == digits.len() {
        start -= 1;
        digits[start] = b'0' + value as u8;
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a signed whole number.
pub(super) fn push_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_u64(out, value.unsigned_abs());
}

/// Appends any number; both formats write `NaN`, `+Inf` and `-Inf`.
pub(super) fn push_f64(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if value.fract() == 0.0 && value.abs() < EXACT {
        push_i64(out, value as i64);
    } else if let Some(thousandths) = thousandths(value) {
        push_u64(out, thousandths / 1000);
        let rest = (thousandths % 1000) as usize;
        let digits = [b'.', b'0' + (rest / 100) as u8, PAIRS[rest % 100][0], PAIRS[rest % 100][1]];
        let kept = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
        out.extend_from_slice(&digits[..kept]);
    } else if value.abs() < 1e17 && value.abs() > 1e-5 {
        // Writing to memory cannot fail.
        let _ = write!(out, "{value}");
    } else {
        let _ = write!(out, "{value:e}");
    }
}

/// Thousandths, when the number is a whole count of them: then its three decimals are its
/// shortest form. Timestamps are such numbers, and the general way costs ten times as much.
fn thousandths(value: f64) -> Option<u64> {
    let count = (value * 1000.0).round();
    // The division of two exact numbers gives the double nearest to the decimal.
    (count > 0.0 && count < FIFTEEN_DIGITS && count / 1000.0 == value).then_some(count as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(value: f64) -> String {
        let mut out = Vec::new();
        push_f64(&mut out, value);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn whole_numbers_are_plain() {
        for value in [0, 7, 10, 99, 100, 101, 999, 1000, 4096, 12_345_678, u64::MAX] {
            let mut out = Vec::new();
            push_u64(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
        let mut out = Vec::new();
        push_i64(&mut out, i64::MIN);
        assert_eq!(out, i64::MIN.to_string().as_bytes());
        assert_eq!(shown(1_048_576.0), "1048576");
        assert_eq!(shown(-3.0), "-3");
        assert_eq!(shown(-0.0), "0");
    }

    #[test]
    fn other_numbers_are_short() {
        assert_eq!(shown(0.25), "0.25");
        assert_eq!(shown(0.001), "0.001");
        assert_eq!(shown(10.07), "10.07");
        assert_eq!(shown(1_763_843_550.12), "1763843550.12");
        assert_eq!(shown(-0.5), "-0.5");
        assert_eq!(shown(1.5e300), "1.5e300");
        assert_eq!(shown(1e-9), "1e-9");
        assert_eq!(shown(1.0 / 3.0), "0.3333333333333333");
    }

    #[test]
    fn there_are_words_for_what_is_no_number() {
        assert_eq!(shown(f64::NAN), "NaN");
        assert_eq!(shown(f64::INFINITY), "+Inf");
        assert_eq!(shown(f64::NEG_INFINITY), "-Inf");
    }

    proptest! {
        #[test]
        fn every_number_reads_back_the_same(value in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL) {
            prop_assert_eq!(shown(value).parse::<f64>(), Ok(value));
            prop_assert!(shown(value).len() <= 24, "{}", shown(value));
        }

        #[test]
        fn thousandths_are_as_short_as_the_standard_form(count in 1u64..1_000_000_000_000_000) {
            let value = count as f64 / 1000.0;
            prop_assert_eq!(shown(value), value.to_string());
        }
    }
}
