//! How Mesos frames messages in a file: a length (`uint32`, little endian) and so many bytes,
//! repeated until the end of the file.
//!
//! Source: stout's `protobuf.hpp`, `write` and `read`.

use prost::Message;

/// Bytes of a checkpoint file, at most; its messages are bounded with it. The largest files are
/// the growing `task.updates`, some hundred bytes for each change of a task's state.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

/// Fields of one message, those of its parts included, at most. An empty part takes two bytes in
/// a file and a hundred times as much in memory, so the length alone does not bound it.
const MAX_FIELDS: usize = 500_000;

/// Parts within parts that are counted. The messages read here go eight levels down.
const COUNTED_LEVELS: usize = 12;

/// Bytes that do not hold the messages they should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {problem}")]
pub struct FramingError {
    /// Where the frame begins.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file ends within a length.
    #[error("the file ends within a length ({left} of 4 bytes)")]
    TornLength {
        /// Bytes that are there.
        left: usize,
    },
    /// The file ends within a message.
    #[error("a message of {length} bytes is announced, but only {left} follow")]
    TornMessage {
        /// Bytes announced.
        length: u32,
        /// Bytes that are there.
        left: usize,
    },
    /// The bytes are no such message.
    #[error("not the message that belongs here: {0}")]
    Decode(prost::DecodeError),
    /// The message has more parts than any agent writes.
    #[error("a message of more than {MAX_FIELDS} fields")]
    Crowded,
    /// There is no message.
    #[error("the file is empty, but should hold one message")]
    Empty,
    /// There is more than one message.
    #[error("{0} bytes follow the only message")]
    Trailing(usize),
}

impl FramingError {
    /// The end is missing: the file was caught while it was written, or the writer died.
    pub fn torn(&self) -> bool {
        matches!(self.problem, Problem::TornLength { .. } | Problem::TornMessage { .. })
    }
}

/// Decodes every message in turn; those before a fault have been shown when the error is
/// returned.
pub fn many<M: Message + Default>(
    bytes: &[u8],
    mut show: impl FnMut(M),
) -> Result<(), FramingError> {
    let mut offset = 0;
    while offset < bytes.len() {
        let (message, next) = frame(bytes, offset)?;
        show(message);
        offset = next;
    }
    Ok(())
}

/// Decodes a file that holds exactly one message.
pub fn one<M: Message + Default>(bytes: &[u8]) -> Result<M, FramingError> {
    if bytes.is_empty() {
        return Err(FramingError { offset: 0, problem: Problem::Empty });
    }
    let (message, next) = frame(bytes, 0)?;
    match bytes.len() - next {
        0 => Ok(message),
        more => Err(FramingError { offset: next, problem: Problem::Trailing(more) }),
    }
}

fn frame<M: Message + Default>(bytes: &[u8], offset: usize) -> Result<(M, usize), FramingError> {
    let fail = |problem| FramingError { offset, problem };
    let rest = &bytes[offset..];
    let Some((length, body)) = rest.split_first_chunk::<4>() else {
        return Err(fail(Problem::TornLength { left: rest.len() }));
    };
    let length = u32::from_le_bytes(*length);
    // A usize holds any u32 on the platforms Mesos runs on; nothing is allocated for the length.
    let Some(body) = body.get(..length as usize) else {
        return Err(fail(Problem::TornMessage { length, left: body.len() }));
    };
    if count_fields(body, COUNTED_LEVELS, MAX_FIELDS) > MAX_FIELDS {
        return Err(fail(Problem::Crowded));
    }
    let message = M::decode(body).map_err(|error| fail(Problem::Decode(error)))?;
    Ok((message, offset + 4 + body.len()))
}

/// Counts fields until the bytes end, make no sense, or are more than `limit`. Whether a text or
/// a part is told by nothing in the format, so texts are looked into as well; they rarely look
/// like many fields.
fn count_fields(mut bytes: &[u8], levels: usize, limit: usize) -> usize {
    let mut count = 0;
    while count <= limit {
        let Some(key) = varint(&mut bytes) else { break };
        let length = match key & 7 {
            0 => {
                if varint(&mut bytes).is_none() {
                    break;
                }
                0
            }
            1 => 8,
            2 => match varint(&mut bytes) {
                Some(length) => length,
                None => break,
            },
            5 => 4,
            _ => break,
        };
        let Some((part, rest)) =
            usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length))
        else {
            break;
        };
        count += 1;
        if key & 7 == 2 && levels > 0 {
            count += count_fields(part, levels - 1, limit - count.min(limit));
        }
        bytes = rest;
    }
    count
}

/// A base-128 number of at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::mesos::proto::TaskId;

    fn framed(text: &str) -> Vec<u8> {
        let body = TaskId { value: Some(text.into()) }.encode_to_vec();
        [&(body.len() as u32).to_le_bytes()[..], &body].concat()
    }

    fn texts(bytes: &[u8]) -> (Vec<String>, Result<(), FramingError>) {
        let mut texts = Vec::new();
        let result = many(bytes, |id: TaskId| texts.push(id.value.unwrap_or_default()));
        (texts, result)
    }

    #[test]
    fn none_one_and_many() {
        assert_eq!(texts(b""), (vec![], Ok(())));
        let two = [framed("a"), framed("b")].concat();
        assert_eq!(texts(&two), (vec!["a".into(), "b".into()], Ok(())));
        assert_eq!(one::<TaskId>(&framed("a")).unwrap().value.as_deref(), Some("a"));
        assert_eq!(
            one::<TaskId>(&two).unwrap_err().to_string(),
            "at byte 7: 7 bytes follow the only message"
        );
        assert_eq!(
            one::<TaskId>(b"").unwrap_err().to_string(),
            "at byte 0: the file is empty, but should hold one message"
        );
    }

    #[test]
    fn a_torn_tail_keeps_what_came_before_and_names_the_offset() {
        let two = [framed("first"), framed("second")].concat();
        for end in 12..two.len() {
            let (texts, result) = texts(&two[..end]);
            let error = result.unwrap_err();
            assert_eq!((texts, error.offset), (vec!["first".to_owned()], 11), "{end}");
            assert!(error.torn(), "{end}");
        }
        assert_eq!(
            texts(&two[..13]).1.unwrap_err().to_string(),
            "at byte 11: the file ends within a length (2 of 4 bytes)"
        );
    }

    #[test]
    fn a_huge_length_is_an_error_not_an_allocation() {
        let error = one::<TaskId>(b"\xff\xff\xff\xffx").unwrap_err();
        assert_eq!(
            error.to_string(),
            "at byte 0: a message of 4294967295 bytes is announced, but only 1 follow"
        );
    }

    #[test]
    fn fields_are_counted_before_memory_is_spent_on_them() {
        use crate::discover::mesos::proto::{Resource, ResourceState, SlaveInfo};
        let frame = |body: &[u8]| [&(body.len() as u32).to_le_bytes()[..], body].concat();
        // An empty resource is a key and a length of 0.
        let many = frame(&b"\x12\0".repeat(MAX_FIELDS));
        assert_eq!(one::<ResourceState>(&many).unwrap().resources.len(), MAX_FIELDS);
        let crowd = frame(&b"\x12\0".repeat(MAX_FIELDS + 1));
        let error = one::<ResourceState>(&crowd).unwrap_err();
        assert_eq!(error.to_string(), "at byte 0: a message of more than 500000 fields");
        // The same inside one part, which a fault ends.
        let mut inner = b"\x0a\0".repeat(MAX_FIELDS + 1);
        inner.push(0xff);
        let mut outer = vec![0x1a];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend(inner);
        assert_eq!(one::<SlaveInfo>(&frame(&outer)).unwrap_err().problem, Problem::Crowded);
        // What half a million empty ones take is bearable.
        assert!(std::mem::size_of::<Resource>() <= 320, "{}", std::mem::size_of::<Resource>());
    }

    #[test]
    fn counting_agrees_with_the_message() {
        let id = TaskId { value: Some("abc".into()) }.encode_to_vec();
        assert_eq!(count_fields(&id, 0, 10), 1);
        assert_eq!(count_fields(b"", 3, 10), 0);
        assert_eq!(count_fields(b"\x08\x96\x01\x0d1234\x09abcdefgh", 3, 10), 3);
        assert_eq!(count_fields(b"\x08", 3, 10), 0);
        assert_eq!(count_fields(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 3, 10), 0);
        assert_eq!(count_fields(&b"\x12\0".repeat(100), 3, 10), 11);
    }

    #[test]
    fn bytes_that_are_no_message() {
        let error = one::<TaskId>(b"\x02\0\0\0\x0a\x7f").unwrap_err();
        assert!(matches!(error.problem, Problem::Decode(_)), "{error}");
        assert!(!error.torn());
    }
}
