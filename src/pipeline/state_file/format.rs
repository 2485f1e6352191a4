//! What stands in the state file.
//!
//! ```text
//! plimsoll-state 1 1c291ca3 42\n     version, CRC-32 of version and rest, length of the rest in bytes
//! memory 12\n                        name and length of a section
//! …12 bytes…\n
//! ```
//!
//! A section is whatever its owner writes; one that nobody here knows is kept as it is, so that a
//! step back and forth between two releases loses nothing.

use std::collections::BTreeMap;

use flate2::Crc;
use thiserror::Error;

/// Sections by name. A name has no space and no line break.
pub type Sections = BTreeMap<String, Vec<u8>>;

const MAGIC: &str = "plimsoll-state";
/// Version that is written and read.
pub const VERSION: u32 = 1;
/// Longest file that is read or written, in bytes.
pub const MAX_BYTES: u64 = 64 << 20;

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Corrupt(&'static str),
    /// A later release wrote it.
    #[error("a later release wrote it (version {0}, known is {VERSION})")]
    Newer(u32),
}

fn checksum(version: u32, body: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(&version.to_be_bytes());
    crc.update(body);
    crc.sum()
}

/// The bytes of a file.
pub fn encode(sections: &Sections) -> Vec<u8> {
    encode_as(VERSION, sections)
}

pub(super) fn encode_as(version: u32, sections: &Sections) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in sections {
        debug_assert!(!name.is_empty() && !name.contains([' ', '\n']), "section name {name:?}");
        body.extend_from_slice(format!("{name} {}\n", bytes.len()).as_bytes());
        body.extend_from_slice(bytes);
        body.push(b'\n');
    }
    let crc = checksum(version, &body);
    let mut file = header_of(version, crc, body.len()).into_bytes();
    file.push(b'\n');
    file.extend_from_slice(&body);
    file
}

fn header_of(version: u32, crc: u32, length: usize) -> String {
    format!("{MAGIC} {version} {crc:08x} {length}")
}

/// Reads a file.
///
/// # Errors
/// Anything but exactly what [`encode`] wrote; a later version only when its checksum holds.
pub fn decode(file: &[u8]) -> Result<Sections, Damage> {
    let (header, body) = line(file).ok_or(Damage::Corrupt("it has no header"))?;
    let mut words = header.split(' ');
    let bad = || Damage::Corrupt("its header does not read");
    if words.next() != Some(MAGIC) {
        return Err(Damage::Corrupt("it does not begin as a state file"));
    }
    let version: u32 = words.next().and_then(|word| word.parse().ok()).ok_or_else(bad)?;
    let crc = words.next().filter(|word| word.len() == 8).ok_or_else(bad)?;
    let crc = u32::from_str_radix(crc, 16).map_err(|_| bad())?;
    let length: usize = words.next().and_then(|word| word.parse().ok()).ok_or_else(bad)?;
    // Numbers can be written in several ways: only ours counts.
    if header != header_of(version, crc, length) {
        return Err(bad());
    }
    if length != body.len() {
        return Err(Damage::Corrupt("its length is not what its header says"));
    }
    if crc != checksum(version, body) {
        return Err(Damage::Corrupt("its checksum does not match"));
    }
    if version > VERSION {
        return Err(Damage::Newer(version));
    }
    sections(body)
}

fn sections(mut rest: &[u8]) -> Result<Sections, Damage> {
    let bad = || Damage::Corrupt("a section does not read");
    let mut sections = Sections::new();
    while !rest.is_empty() {
        let (header, after) = line(rest).ok_or_else(bad)?;
        let (name, length) = header.split_once(' ').ok_or_else(bad)?;
        let length: usize = length.parse().map_err(|_| bad())?;
        let bytes = after.get(..length).ok_or_else(bad)?;
        rest = after[length..].strip_prefix(b"\n").ok_or_else(bad)?;
        sections.insert(name.to_owned(), bytes.to_vec());
    }
    Ok(sections)
}

/// The first line as text, without its break, and what follows it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().take(256).position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sections {
        Sections::from([
            ("memory".to_owned(), br#"{"volumes":[]}"#.to_vec()),
            ("growth".to_owned(), vec![0, 10, 255, 32]),
            ("empty".to_owned(), vec![]),
        ])
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(decode(&encode(&sample())), Ok(sample()));
        assert_eq!(decode(&encode(&Sections::new())), Ok(Sections::new()));
        let text = encode(&Sections::from([("a".to_owned(), b"hello".to_vec())]));
        assert!(text.ends_with(b" 10\na 5\nhello\n"), "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn every_truncation_is_told() {
        let whole = encode(&sample());
        for length in 0..whole.len() {
            assert!(matches!(decode(&whole[..length]), Err(Damage::Corrupt(_))), "{length}");
        }
        let mut longer = whole;
        longer.push(b'\n');
        assert!(matches!(decode(&longer), Err(Damage::Corrupt(_))));
    }

    #[test]
    fn every_flipped_bit_is_told() {
        let whole = encode(&sample());
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // A flip may turn a hexadecimal digit into its capital, which says the same.
            match decode(&flipped) {
                Err(Damage::Corrupt(_)) => {}
                Ok(read) => assert_eq!(read, sample(), "bit {bit}"),
                Err(newer) => panic!("bit {bit}: {newer}"),
            }
        }
    }

    #[test]
    fn a_later_version_is_told_apart_from_damage() {
        assert_eq!(decode(&encode_as(7, &sample())), Err(Damage::Newer(7)));
    }
}
