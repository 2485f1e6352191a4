//! Why a pass cannot become a total.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;

use crate::host::errno;

/// A pass that failed: what it counted until then is never published.
#[derive(Debug, thiserror::Error)]
#[error("{op} {path}: {message}")]
pub struct WalkError {
    /// Short fixed word for metrics: `permission`, `io`, `missing`, `replaced`, `disturbed` (the
    /// tree was moved about under the walk), `too_large`.
    pub reason: &'static str,
    /// What was called.
    pub op: &'static str,
    /// Where, relative to the subject (`.` is its root), escaped for one line.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What the system said.
    #[source]
    pub source: Option<io::Error>,
}

impl WalkError {
    pub(super) fn at(op: &'static str, path: &Path, errno: Errno) -> Self {
        let source = io::Error::from(errno);
        let reason = errno::reason(&source);
        Self {
            reason,
            op,
            path: printable(path),
            message: source.to_string(),
            source: Some(source),
        }
    }

    pub(super) fn disturbed(path: &Path, message: &str) -> Self {
        let (message, path) = (message.to_owned(), printable(path));
        Self { reason: "disturbed", op: "come back to", path, message, source: None }
    }

    pub(super) fn too_large(message: &str) -> Self {
        let (message, path) = (message.to_owned(), ".".to_owned());
        Self { reason: "too_large", op: "walk", path, message, source: None }
    }
}

/// A path for one line of text: control characters and bytes that are no UTF-8 as `\xNN`, the
/// middle of a very long one left out.
pub(super) fn printable(path: &Path) -> String {
    const LONGEST: usize = 300;
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() || letter == '\\' {
                text.extend(letter.escape_default());
            } else {
                text.push(letter);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    let letters = text.chars().count();
    if letters > LONGEST {
        let head: String = text.chars().take(LONGEST / 2).collect();
        let tail: String = text.chars().skip(letters - LONGEST / 2).collect();
        return format!("{head}…{tail}");
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn one_line_whatever_the_name() {
        let odd = Path::new(OsStr::from_bytes(b"a\nb\xff/\xc3\xa9\\"));
        assert_eq!(printable(odd), "a\\nb\\xff/é\\\\");
        assert_eq!(printable(Path::new("")), ".");
        let long = printable(Path::new(&"é".repeat(5000)));
        assert_eq!(long.chars().count(), 301);
    }

    #[test]
    fn says_what_and_where() {
        let error = WalkError::at("openat", Path::new("x/y"), Errno::ACCESS);
        assert_eq!(error.reason, "permission");
        assert_eq!(error.to_string(), "openat x/y: Permission denied (os error 13)");
    }
}
