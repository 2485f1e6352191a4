//! Paths as text.

use std::borrow::Cow;
use std::path::Path;

use crate::host::names::escape_name;

/// A path as UTF-8: bytes that are not part of valid UTF-8 become `\xNN`, so that two different
/// paths stay different and a person can tell which file it is.
pub fn display(path: &Path) -> Cow<'_, str> {
    match path.to_str() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(escape_name(path.as_os_str())),
    }
}

/// The same for a path that may be absent: the empty string, as labels say "absent".
pub fn display_or_empty(path: Option<&Path>) -> Cow<'_, str> {
    path.map_or(Cow::Borrowed(""), display)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn valid_paths_stay_as_they_are() {
        assert_eq!(display(Path::new("/data/é\n")), "/data/é\n");
        assert!(matches!(display(Path::new("/data")), Cow::Borrowed(_)));
        assert_eq!(display_or_empty(None), "");
    }

    #[test]
    fn other_bytes_are_shown_in_hexadecimal() {
        let path = Path::new(OsStr::from_bytes(b"/a\xff\xfe/\xc3\xa9\xc3"));
        assert_eq!(display(path), "/a\\xff\\xfe/é\\xc3");
    }
}
