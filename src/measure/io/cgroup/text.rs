//! What the parsers of control group files share.

use std::fmt;

use crate::model::DeviceNumber;

/// A line that the kernel's documentation does not explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(String);

/// Most of a line that is quoted.
const QUOTED: usize = 80;

impl Malformed {
    /// Of this line.
    pub fn new(line: &str) -> Self {
        Self(line.chars().take(QUOTED).collect())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unexpected line {:?}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// The lines that are not empty.
pub(super) fn lines(text: &[u8]) -> Result<impl Iterator<Item = &str>, Malformed> {
    let text =
        std::str::from_utf8(text).map_err(|_| Malformed::new(&text.escape_ascii().to_string()))?;
    Ok(text.lines().filter(|line| !line.trim_ascii().is_empty()))
}

/// A whole number.
pub(super) fn number(word: &str, line: &str) -> Result<u64, Malformed> {
    word.parse().map_err(|_| Malformed::new(line))
}

/// `MAJ:MIN`.
pub(super) fn device(word: &str, line: &str) -> Result<DeviceNumber, Malformed> {
    let parsed = word.split_once(':').and_then(|(major, minor)| {
        Some(DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? })
    });
    parsed.ok_or_else(|| Malformed::new(line))
}
