//! A history as text, for the state file: about 1.5 kB when it is full.
//!
//! `v1 LIMIT SINCE METHOD NEWEST BYTES|bucket bucket …|…|…|…|…`, a rung after each bar. A bucket is
//! `first,length,low,swing`: seconds since the last bucket's first, seconds, 4-KiB pages more than
//! the last bucket's low (negative: fewer), and pages from low to high. All numbers are in base 36.
//! What does not read as that is an error: the history then starts anew.

use std::fmt::Write;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use super::History;
use super::history::{Bucket, RUNGS};
use super::predict;

const PAGE: f64 = 4_096.0;

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write(self))
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        read(&text).ok_or_else(|| D::Error::custom("not a history of version 1"))
    }
}

fn write(history: &History) -> String {
    let Some((at, bytes)) = history.newest else { return "v1".into() };
    let limit = history.limit.map_or("-".into(), |limit| limit.to_string());
    let (since, method) = (history.limit_since, &history.method);
    let mut out = format!("v1 {limit} {since} {method} {at} {bytes}");
    for rung in &history.rungs {
        out.push('|');
        let (mut time, mut pages) = (0_i64, 0_i64);
        for (index, bucket) in rung.iter().enumerate() {
            let (first, low) = (i64::from(bucket.first), to_pages(bucket.low));
            let numbers = [
                first - time,
                i64::from(bucket.last) - first,
                low - pages,
                to_pages(bucket.high) - low,
            ];
            (time, pages) = (first, low);
            if index > 0 {
                out.push(' ');
            }
            for (place, number) in numbers.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                // Zero is the commonest number.
                if number != 0 {
                    base36(&mut out, number);
                }
            }
        }
    }
    out
}

fn to_pages(bytes: f32) -> i64 {
    (f64::from(bytes) / PAGE).round() as i64
}

fn base36(out: &mut String, number: i64) {
    if number < 0 {
        out.push('-');
    }
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    while rest > 0 {
        digits.push(char::from_digit((rest % 36) as u32, 36).unwrap_or('0'));
        rest /= 36;
    }
    let _ = write!(out, "{}", digits.iter().rev().collect::<String>());
}

fn read(text: &str) -> Option<History> {
    if text == "v1" {
        return Some(History::default());
    }
    let mut parts = text.split('|');
    let mut head = parts.next()?.split(' ');
    if head.next()? != "v1" {
        return None;
    }
    let limit = match head.next()? {
        "-" => None,
        limit => Some(limit.parse().ok()?),
    };
    let limit_since: f64 = head.next()?.parse().ok()?;
    let method = head.next()?.to_owned();
    let newest: (f64, u64) = (head.next()?.parse().ok()?, head.next()?.parse().ok()?);
    if !limit_since.is_finite() || !newest.0.is_finite() || head.next().is_some() {
        return None;
    }
    let mut history =
        History { limit, limit_since, method, newest: Some(newest), ..History::default() };
    for (rung, (_, capacity)) in history.rungs.iter_mut().zip(RUNGS) {
        *rung = read_rung(parts.next()?, capacity)?;
    }
    if parts.next().is_some() {
        return None;
    }
    history.growth = predict::growth(&history);
    Some(history)
}

fn read_rung(text: &str, capacity: usize) -> Option<Vec<Bucket>> {
    let mut rung = Vec::new();
    let (mut time, mut pages) = (0_i64, 0_i64);
    for bucket in text.split(' ').filter(|bucket| !bucket.is_empty()) {
        let mut numbers = [0_i64; 4];
        let mut fields = bucket.split(',');
        for number in &mut numbers {
            *number = match fields.next()? {
                "" => 0,
                field => i64::from_str_radix(field, 36).ok()?,
            };
        }
        let [step, length, rise, swing] = numbers;
        let in_order = step >= 0 && length >= 0 && swing >= 0;
        if !in_order || fields.next().is_some() || rung.len() == capacity {
            return None;
        }
        time = time.checked_add(step)?;
        pages = pages.checked_add(rise)?;
        let last = u32::try_from(time.checked_add(length)?).ok()?;
        let high = pages.checked_add(swing)?;
        rung.push(Bucket {
            first: u32::try_from(time).ok()?,
            last,
            low: (pages as f64 * PAGE) as f32,
            high: (high as f64 * PAGE) as f32,
        });
    }
    Some(rung)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> History {
        let mut history = History::default();
        for step in 0..4_000_u64 {
            let bytes = (step * 7_919) % 1_000_003 * 4_096 + step * 40_960;
            history.observe(1.8e9 + step as f64 * 71.25, bytes, Some(1 << 40), "walk");
        }
        history
    }

    #[test]
    fn a_history_survives_whole_within_two_kibibytes() {
        let history = busy();
        let text = serde_json::to_string(&history).unwrap();
        assert!(text.len() <= 2_048, "{} bytes", text.len());
        let back: History = serde_json::from_str(&text).unwrap();
        assert_eq!(back, history);
        let empty: History =
            serde_json::from_str(&serde_json::to_string(&History::default()).unwrap()).unwrap();
        assert_eq!(empty, History::default());
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let text = write(&busy());
        for end in 0..text.len() - 1 {
            let _ = read(&text[..end]);
            let _ = read(&format!("{}~{}", &text[..end], &text[end + 1..]));
        }
        for bad in [
            "",
            "v2 - 0 walk 1 1|||||",
            "v1 - 0 walk 1 1||||",
            "v1 - 0 walk 1 1||||||",
            "v1 - nan walk 1 1|||||",
            "v1 - 0 walk 1 1|1,1,1||||",
            "v1 - 0 walk 1 1|1,-1,1,1||||",
            "v1 - 0 walk 1 1|zzzzzzzzzzzzz,,,||||",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(read("v1 - 0 walk 1 1|||||").is_some());
    }
}
