//! How Mesos frames messages in a file: a length (`uint32`, little endian) and so many bytes,
//! repeated until the end of the file.
//!
//! Source: stout's `protobuf.hpp`, `write` and `read`.

use prost::Message;

/// Bytes of a checkpoint file, at most; its messages are bounded with it. The largest files are
/// the growing `task.updates`, some hundred bytes for each change of a task's state.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

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
    let message = M::decode(body).map_err(|error| fail(Problem::Decode(error)))?;
    Ok((message, offset + 4 + body.len()))
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
    fn bytes_that_are_no_message() {
        let error = one::<TaskId>(b"\x02\0\0\0\x0a\x7f").unwrap_err();
        assert!(matches!(error.problem, Problem::Decode(_)), "{error}");
        assert!(!error.torn());
    }
}
