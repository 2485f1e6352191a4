//! Text of strangers, made fit for a terminal and a log line.
//!
//! Names of files, tasks and frameworks are any bytes. Shown as they are, they could move the
//! cursor, colour the screen, end a line of the log or hide what follows (bidirectional
//! controls). Everything that is shown to a person goes through here.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether a character would not be seen as itself: controls (C0, DEL, C1), line and paragraph
/// separators, zero-width characters and bidirectional controls (Unicode `Cf` and `Zl`, `Zp` as
/// far as terminals act on them).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Shows a text with everything hidden escaped: `\n`, `\t`, `\x1b`, `\u{202e}`. A backslash
/// becomes `\\`, so that no two texts look the same.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c == '\\' || is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        push_escaped(&mut shown, c);
    }
    Cow::Owned(shown)
}

/// [`escape`] for any bytes; those that are not UTF-8 are shown as `\xff`.
pub fn escape_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return escape(text);
    }
    let mut shown = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut shown, c);
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    Cow::Owned(shown)
}

/// [`escape_bytes`] for a path.
pub fn path(path: &Path) -> Cow<'_, str> {
    escape_bytes(path.as_os_str().as_bytes())
}

/// A path for machines (JSON, CSV): as it is when it is UTF-8, else as [`path`] shows it.
pub fn path_value(path: &Path) -> Cow<'_, str> {
    match path.to_str() {
        Some(text) => Cow::Borrowed(text),
        None => self::path(path),
    }
}

/// The escaped text in double quotes.
pub fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text).replace('"', "\\\""))
}

/// For text that stands inside JSON already: everything hidden as `\u202e`, which reads back as
/// the same character. Nothing else is touched.
pub fn escape_hidden_json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn push_escaped(shown: &mut String, c: char) {
    let _ = match c {
        '\\' => shown.write_str("\\\\"),
        '\n' => shown.write_str("\\n"),
        '\r' => shown.write_str("\\r"),
        '\t' => shown.write_str("\\t"),
        c if c.is_ascii_control() => write!(shown, "\\x{:02x}", u32::from(c)),
        c if is_hidden(c) => write!(shown, "\\u{{{:x}}}", u32::from(c)),
        c => shown.write_char(c),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(escape("/var/lib/mesos/größe 日本"), Cow::Borrowed(_)));
        assert!(matches!(escape_bytes("ü".as_bytes()), Cow::Borrowed("ü")));
    }

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(escape("a\nb\tc\rd"), "a\\nb\\tc\\rd");
        assert_eq!(escape("\x1b[2J\x07\x7f\0"), "\\x1b[2J\\x07\\x7f\\x00");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(escape("txt.\u{202e}exe"), "txt.\\u{202e}exe");
        assert_eq!(escape("\u{2028}\u{200b}\u{feff}"), "\\u{2028}\\u{200b}\\u{feff}");
    }

    #[test]
    fn different_texts_look_different() {
        assert_ne!(escape("\\n"), escape("\n"));
        assert_eq!(escape("\\n"), "\\\\n");
        assert_eq!(escape_bytes(b"\\xff"), "\\\\xff");
    }

    #[test]
    fn other_bytes_are_shown_in_hex() {
        assert_eq!(escape_bytes(b"a\xff\xfe\nb\xc3"), "a\\xff\\xfe\\nb\\xc3");
        assert_eq!(path(Path::new(OsStr::from_bytes(b"/v/\xe9"))), "/v/\\xe9");
    }

    #[test]
    fn machines_get_the_path_itself_when_it_is_text() {
        assert_eq!(path_value(Path::new("/v/a\\b\n")), "/v/a\\b\n");
        assert_eq!(path_value(Path::new(OsStr::from_bytes(b"/v/\xe9"))), "/v/\\xe9");
    }

    #[test]
    fn json_stays_the_same_value() {
        let text = "a\u{7f}\u{9b}\u{202e}\u{e0001}\\";
        assert_eq!(escape_hidden_json(text), "a\\u007f\\u009b\\u202e\\udb40\\udc01\\");
    }

    #[test]
    fn quotes_are_escaped_inside_quotes() {
        assert_eq!(quote("a\"b\n"), "\"a\\\"b\\n\"");
    }
}
