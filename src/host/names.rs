//! File names of any bytes, turned into text.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// A file name as text: UTF-8 stays as it is (control characters too), every other byte becomes
/// `\xNN` with two lower-case hexadecimal digits.
///
/// A name that literally contains such an escape reads the same as the byte it stands for. That
/// is accepted: changing valid names would break the match with what the agent's API says.
pub fn escape_name(name: &OsStr) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_and_other_bytes_are_escaped() {
        assert_eq!(escape_name(OsStr::new("web-1")), "web-1");
        assert_eq!(escape_name(OsStr::new("größe\n")), "größe\n");
        assert_eq!(escape_name(OsStr::from_bytes(b"a\xff\xc3b")), "a\\xff\\xc3b");
        assert_eq!(escape_name(OsStr::new("")), "");
    }
}
