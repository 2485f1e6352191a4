//! Questions and answers between two processes: JSON behind its length, over a socket pair.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::measure::tmpfs::Spot;

/// Longest message in bytes: the places of very many volumes, and who holds them.
const LONGEST: usize = 64 << 20;

/// What is answered at once, over one line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    /// Where the agent is.
    Agent,
    /// How full the memory at these places is.
    Memory(Vec<Spot>),
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Not in time. It may come yet; until then nothing else is asked.
    Late,
    /// The other side is gone, or does not speak this language.
    Ended(String),
}

impl From<io::Error> for Unanswered {
    fn from(error: io::Error) -> Self {
        Self::Ended(error.to_string())
    }
}

/// Sends one message.
pub(super) fn send(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    if length > LONGEST {
        return Err(io::Error::other(format!("a message of {length} bytes")));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    stream.write_all(&bytes)
}

/// Waits for one message. `None`: the other side has ended.
pub(super) fn receive<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::Error::other(format!("a message of {length} bytes")));
    }
    let mut bytes = Vec::new();
    stream.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// The asking end: one question at a time, each for a bounded time.
#[derive(Debug)]
pub(super) struct Line {
    stream: UnixStream,
    /// What came in of an answer.
    received: Vec<u8>,
    /// A question was given up that may be answered yet.
    awaiting: bool,
    ended: Option<String>,
}

impl Line {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, received: Vec::new(), awaiting: false, ended: None }
    }

    /// Asks. An answer that is too late is thrown away when it comes.
    pub(super) fn ask<T: DeserializeOwned>(
        &mut self,
        question: &impl Serialize,
        limit: Duration,
    ) -> Result<T, Unanswered> {
        if let Some(why) = &self.ended {
            return Err(Unanswered::Ended(why.clone()));
        }
        let answer = self.try_to_ask(question, limit);
        if let Err(Unanswered::Ended(why)) = &answer {
            self.ended = Some(why.clone());
        }
        answer
    }

    fn try_to_ask<T: DeserializeOwned>(
        &mut self,
        question: &impl Serialize,
        limit: Duration,
    ) -> Result<T, Unanswered> {
        if self.awaiting {
            self.whole(Instant::now())?;
        }
        // Whoever waits for a question reads it at once.
        self.stream.set_write_timeout(Some(limit))?;
        send(&mut self.stream, question)?;
        self.awaiting = true;
        let bytes = self.whole(Instant::now() + limit)?;
        serde_json::from_slice(&bytes).map_err(|error| Unanswered::Ended(error.to_string()))
    }

    /// One whole message.
    fn whole(&mut self, until: Instant) -> Result<Vec<u8>, Unanswered> {
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(length) = self.received.first_chunk::<4>() {
                let length = u32::from_le_bytes(*length) as usize;
                if length > LONGEST {
                    return Err(Unanswered::Ended(format!("a message of {length} bytes")));
                }
                if self.received.len() >= 4 + length {
                    self.awaiting = false;
                    let rest = self.received.split_off(4 + length);
                    let message = std::mem::replace(&mut self.received, rest);
                    return Ok(message[4..].to_vec());
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Unanswered::Ended("it has ended".into())),
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if left.is_zero() {
                        return Err(Unanswered::Late);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    fn pair() -> (Line, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Line::new(ours), theirs)
    }

    #[test]
    fn answers_come_back_however_they_are_cut() {
        let (mut line, mut other) = pair();
        let thread = std::thread::spawn(move || {
            while let Some(question) = receive::<String>(&mut other).unwrap() {
                let mut bytes = Vec::new();
                send(&mut bytes, &(question.len(), question.repeat(9_000))).unwrap();
                for part in bytes.chunks(7_001) {
                    other.write_all(part).unwrap();
                }
            }
        });
        for question in ["a", "", "some more"] {
            let answer: (usize, String) = line.ask(&question, SOON).unwrap();
            assert_eq!(answer, (question.len(), question.repeat(9_000)));
        }
        drop(line);
        thread.join().unwrap();
    }

    #[test]
    fn a_late_answer_is_no_answer_to_the_next_question() {
        let (mut line, mut other) = pair();
        let moment = Duration::from_millis(20);
        assert_eq!(line.ask::<u32>(&1, moment), Err(Unanswered::Late));
        assert_eq!(receive::<u32>(&mut other).unwrap(), Some(1));
        // Nothing was asked meanwhile.
        assert_eq!(line.ask::<u32>(&2, moment), Err(Unanswered::Late));
        let mut bytes = Vec::new();
        send(&mut bytes, &10).unwrap();
        other.write_all(&bytes[..3]).unwrap();
        assert_eq!(line.ask::<u32>(&3, moment), Err(Unanswered::Late));
        other.write_all(&bytes[3..]).unwrap();
        let thread = std::thread::spawn(move || {
            let question = receive::<u32>(&mut other).unwrap().unwrap();
            send(&mut other, &(question * 10)).unwrap();
        });
        assert_eq!(line.ask::<u32>(&4, SOON), Ok(40));
        thread.join().unwrap();
    }

    #[test]
    fn an_end_stays_an_end_and_nonsense_is_one() {
        let (mut line, other) = pair();
        drop(other);
        for _ in 0..2 {
            assert!(matches!(line.ask::<u32>(&1, SOON), Err(Unanswered::Ended(_))));
        }
        for nonsense in [&[255; 8][..], &[1, 0, 0, 0, b'x'], &[5, 0, 0]] {
            let (mut line, mut other) = pair();
            other.write_all(nonsense).unwrap();
            drop(other.shutdown(std::net::Shutdown::Write));
            assert!(matches!(line.ask::<u32>(&1, SOON), Err(Unanswered::Ended(_))), "{nonsense:?}");
        }
        assert!(receive::<u32>(&mut &[255, 255, 255, 255][..]).is_err());
        assert_eq!(receive::<u32>(&mut &[9, 0, 0, 0, b'1'][..]).unwrap(), None);
    }
}
