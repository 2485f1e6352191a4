//! What the kernel writes into a fanotify group, taken apart. Source: `fanotify(7)`,
//! `linux/fanotify.h`. All numbers in the byte order of the machine.

use std::ffi::CStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;

use crate::host::sys::fanotify::mask;

/// `struct fanotify_event_metadata`: length, version, length of itself, mask, descriptor, process.
const METADATA: usize = 24;
/// `FANOTIFY_METADATA_VERSION`.
const VERSION: u8 = 3;
/// Kinds of information with a directory's handle: `FAN_EVENT_INFO_TYPE_DFID_NAME`, `…_DFID`.
const DIRECTORY_AND_NAME: u8 = 2;
const DIRECTORY: u8 = 3;
/// `struct fanotify_event_info_header`, the filesystem's id, and the head of `struct file_handle`.
const HEADER: usize = 4;
const FSID: usize = 8;
const HANDLE: usize = 8;

/// A directory's handle in one number: two that differ share it once in 2⁶⁴.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(NonZeroU64);

impl Key {
    /// Of a handle's kind and bytes.
    pub fn of(kind: i32, bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        (kind, bytes).hash(&mut hasher);
        Self(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
    }
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Something happened in a directory.
    In {
        /// Which.
        directory: Key,
        /// To which entry; `.` is the directory itself, absent where the kernel does not say.
        name: Option<&'a CStr>,
        /// What: bits of [`mask`].
        what: u64,
    },
    /// Events were lost.
    Overflow,
}

/// What does not look like the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fanotify: {0}")]
pub struct Malformed(&'static str);

/// The events of one read, in order. Ends after the first that is malformed.
pub fn events(buffer: &[u8]) -> impl Iterator<Item = Result<Event<'_>, Malformed>> {
    let mut rest = buffer;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match first(rest) {
            Ok((event, length)) => {
                rest = &rest[length..];
                Some(Ok(event))
            }
            Err(error) => {
                rest = &[];
                Some(Err(error))
            }
        }
    })
}

fn first(buffer: &[u8]) -> Result<(Event<'_>, usize), Malformed> {
    let length = u32_at(buffer, 0)? as usize;
    let event = buffer.get(..length).filter(|event| event.len() >= METADATA);
    let event = event.ok_or(Malformed("an event is longer or shorter than it says"))?;
    if event[4] != VERSION {
        return Err(Malformed("an unknown version of the interface"));
    }
    let own = usize::from(u16::from_ne_bytes([event[6], event[7]]));
    let what = u64::from(u32_at(event, 8)?);
    let what = what | u64::from(u32_at(event, 12)?) << 32;
    let what = if cfg!(target_endian = "big") { what.rotate_left(32) } else { what };
    if what & mask::OVERFLOW != 0 {
        return Ok((Event::Overflow, length));
    }
    let mut information = event.get(own..).ok_or(Malformed("the metadata is cut off"))?;
    while !information.is_empty() {
        let size = usize::from(u16_at(information, 2)?);
        let record = information.get(..size).filter(|record| record.len() >= HEADER);
        let record = record.ok_or(Malformed("a record is longer or shorter than it says"))?;
        if matches!(record[0], DIRECTORY_AND_NAME | DIRECTORY) {
            let (directory, name) = directory(record)?;
            return Ok((Event::In { directory, name, what }, length));
        }
        information = &information[size..];
    }
    Err(Malformed("an event names no directory"))
}

fn directory(record: &[u8]) -> Result<(Key, Option<&CStr>), Malformed> {
    let at = HEADER + FSID;
    let (bytes, kind) = (u32_at(record, at)? as usize, u32_at(record, at + 4)?);
    let rest = record.get(at + HANDLE..).and_then(|rest| rest.split_at_checked(bytes));
    let (handle, rest) = rest.ok_or(Malformed("a handle is cut off"))?;
    let name = match record[0] {
        DIRECTORY_AND_NAME => {
            let name = CStr::from_bytes_until_nul(rest);
            Some(name.map_err(|_| Malformed("a name has no end"))?)
        }
        _ => None,
    };
    Ok((Key::of(kind.cast_signed(), handle), name))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map(u32::from_ne_bytes).ok_or(Malformed("cut off"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    two.map(u16::from_ne_bytes).ok_or(Malformed("cut off"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An event as the kernel lays it out.
    fn raw(what: u64, records: &[u8]) -> Vec<u8> {
        let mut event = Vec::new();
        event.extend(((METADATA + records.len()) as u32).to_ne_bytes());
        event.extend([VERSION, 0]);
        event.extend((METADATA as u16).to_ne_bytes());
        event.extend(what.to_ne_bytes());
        event.extend((-1_i32).to_ne_bytes());
        event.extend(77_i32.to_ne_bytes());
        event.extend(records);
        event
    }

    fn record(kind: u8, handle: &[u8], name: &[u8]) -> Vec<u8> {
        let mut body = vec![9_u8; FSID];
        body.extend((handle.len() as u32).to_ne_bytes());
        body.extend(1_i32.to_ne_bytes());
        body.extend(handle);
        body.extend(name);
        body.resize(body.len().next_multiple_of(4), 0);
        let mut record = vec![kind, 0];
        record.extend(((HEADER + body.len()) as u16).to_ne_bytes());
        record.extend(body);
        record
    }

    #[test]
    fn two_events_and_an_overflow() {
        let mut buffer = raw(mask::CREATE, &record(2, &[1, 2, 3, 4], b"a name\0"));
        let other = [record(1, &[7], b""), record(3, &[8, 8], b"")].concat();
        buffer.extend(raw(mask::ATTRIB | mask::ONDIR, &other));
        buffer.extend(raw(mask::OVERFLOW, &[]));
        let found: Vec<_> = events(&buffer).map(Result::unwrap).collect();
        let expected = [
            Event::In {
                directory: Key::of(1, &[1, 2, 3, 4]),
                name: Some(c"a name"),
                what: mask::CREATE,
            },
            Event::In {
                directory: Key::of(1, &[8, 8]),
                name: None,
                what: mask::ATTRIB | mask::ONDIR,
            },
            Event::Overflow,
        ];
        assert_eq!(found, expected);
        assert_ne!(Key::of(1, &[8, 8]), Key::of(2, &[8, 8]));
        assert_eq!(events(&[]).count(), 0);
    }

    #[test]
    fn what_is_malformed_ends_it() {
        let error = |buffer: &[u8]| events(buffer).last().unwrap().unwrap_err().0;
        let good = raw(mask::CREATE, &record(2, &[1; 8], b"name\0"));
        assert_eq!(error(&good[..3]), "cut off");
        assert_eq!(error(&good[..30]), "an event is longer or shorter than it says");
        assert_eq!(error(&raw(mask::CREATE, &[])), "an event names no directory");
        assert_eq!(error(&raw(1, &record(2, &[1], b"xxx"))), "a name has no end");
        let mut other = good.clone();
        other[4] = 4;
        assert_eq!(error(&other), "an unknown version of the interface");
        let mut endless = good;
        endless[0..4].copy_from_slice(&0_u32.to_ne_bytes());
        assert_eq!(error(&endless), "an event is longer or shorter than it says");
        let mut stuck = raw(1, &[2, 0, 0, 0]);
        assert_eq!(error(&stuck), "a record is longer or shorter than it says");
        stuck[24 + 2] = 4;
        assert_eq!(error(&stuck), "cut off");
    }

    proptest! {
        #[test]
        fn nothing_panics(buffer in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..60, byte: u8) {
            events(&buffer).for_each(drop);
            let mut near = raw(mask::CREATE, &record(2, &[1; 8], b"name\0"));
            if let Some(place) = near.get_mut(at) {
                *place = byte;
            }
            prop_assert!(events(&near).count() <= 3);
        }
    }
}
