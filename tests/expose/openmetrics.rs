//! A strict reader of the part of OpenMetrics 1.0.0 that counters and gauges need, and the page
//! held against it.

use std::collections::BTreeSet;

use plimsoll::expose::exposition::Format;
use plimsoll::model::Snapshot;

use crate::{page, sample_snapshot};

#[derive(Default)]
struct Family<'a> {
    name: &'a str,
    kind: Option<&'a str>,
    help: bool,
    unit: bool,
    samples: usize,
}

/// Reads a page; `Err` says what is wrong in which line.
fn read(page: &str) -> Result<usize, String> {
    let body = page.strip_suffix("# EOF\n").ok_or("does not end with # EOF")?;
    let mut closed = BTreeSet::new();
    let mut series = BTreeSet::new();
    let mut family = Family::default();
    for line in body.split_terminator('\n') {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (word, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let Some(value) = words.next() else { return wrong("no value") };
            if name != family.name {
                if !family.name.is_empty() && family.samples == 0 {
                    return wrong("the family before has no samples");
                }
                if !closed.insert(name) {
                    return wrong("the family was there before");
                }
                family = Family { name, ..Family::default() };
            }
            if family.samples > 0 {
                return wrong("metadata after samples");
            }
            match word {
                "HELP" if !family.help => {
                    family.help = true;
                    escaped(value).map_err(|what| format!("{what}: {line}"))?;
                }
                "TYPE" if family.kind.is_none() && ["gauge", "counter"].contains(&value) => {
                    family.kind = Some(value)
                }
                "UNIT" if !family.unit && name.ends_with(&format!("_{value}")) => {
                    family.unit = true
                }
                _ => return wrong("bad or repeated metadata"),
            }
            continue;
        }
        let (name, rest) = line.split_at(line.find(['{', ' ']).ok_or("no value")?);
        let expected = match family.kind {
            Some("counter") => format!("{}_total", family.name),
            Some(_) => family.name.to_owned(),
            None => return wrong("no type before the sample"),
        };
        if name != expected {
            return wrong("the sample is not of the family above");
        }
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest).map_err(|what| format!("{what}: {line}"))?,
            None => (Vec::new(), rest),
        };
        let names: BTreeSet<_> = labels.iter().map(|(name, _)| name).collect();
        if names.len() != labels.len() {
            return wrong("a label is there twice");
        }
        let value = value.strip_prefix(' ').ok_or("no space before the value")?;
        let number: f64 = match value {
            "NaN" | "+Inf" | "-Inf" => 0.0,
            plain if plain.chars().all(|c| c.is_ascii_digit() || "+-.e".contains(c)) => {
                plain.parse().map_err(|_| format!("no number: {line}"))?
            }
            _ => return wrong("no number"),
        };
        if family.kind == Some("counter") && number < 0.0 {
            return wrong("a counter below zero");
        }
        if !series.insert((name, labels)) {
            return wrong("the series was there before");
        }
        family.samples += 1;
    }
    Ok(series.len())
}

/// Labels after the opening brace, and what follows the closing one.
#[allow(clippy::type_complexity)]
fn labels(mut rest: &str) -> Result<(Vec<(&str, &str)>, &str), &'static str> {
    let mut found = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("no label")?;
        let first = name.chars().next().ok_or("a label without a name")?;
        if !(first.is_ascii_alphabetic() || first == '_')
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            return Err("bad name of a label");
        }
        let mut end = None;
        let mut bytes = after.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b'"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let end = end.ok_or("a value without end")?;
        escaped(&after[..end])?;
        found.push((name, &after[..end]));
        rest = &after[end + 1..];
        match rest.chars().next() {
            Some(',') => rest = &rest[1..],
            Some('}') => return Ok((found, &rest[1..])),
            _ => return Err("neither comma nor brace after a label"),
        }
    }
}

/// Only `\\`, `\"` and `\n` are escapes, and quotes and line feeds must be escaped.
fn escaped(text: &str) -> Result<(), &'static str> {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if !matches!(characters.next(), Some('\\' | '"' | 'n')) => {
                return Err("unknown escape");
            }
            '"' | '\n' | '\r' => return Err("a character that must be escaped"),
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn pages_obey_the_grammar() {
    for snapshot in [sample_snapshot::troubled(), sample_snapshot::well(), Snapshot::default()] {
        let text = page(&snapshot, Format::Text);
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(read(&page(&snapshot, Format::OpenMetrics)), Ok(series));
    }
}

#[test]
fn the_reader_is_strict() {
    let good = "# HELP a_bytes b\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\na_bytes{x=\"\\\\\\\"\\n\"} 1.5\n# EOF\n";
    assert_eq!(read(good), Ok(1));
    for (from, to) in [
        ("# EOF\n", ""),
        ("# UNIT a_bytes bytes", "# UNIT a_bytes seconds"),
        ("gauge", "info"),
        ("gauge", "counter"),
        ("\\n\"", "\\t\""),
        ("} 1.5", "}  1.5"),
        ("1.5", "1,5"),
        ("{x=", "{0="),
        ("a_bytes{", "b_bytes{"),
        ("# EOF", "# TYPE b gauge\n# EOF\n# EOF"),
        ("# TYPE a_bytes gauge\n", ""),
        ("# EOF", "a_bytes{x=\"\\\\\\\"\\n\"} 2\n# EOF"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        assert!(read(&bad).is_err(), "{bad}");
    }
}
