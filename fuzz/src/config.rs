//! The configuration: a file, and the single values that variables of the environment set.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use plimsoll::config::{ByteSize, Config, IdRange, format_duration, parse_duration};
use plimsoll::text::is_hidden;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::parse(text, Path::new("plimsoll.yml")) {
        Ok(config) => {
            if let Err(invalid) = config.validate(2) {
                one_line(&invalid.reason);
            }
        }
        Err(error) => one_line(&error.to_string()),
    }
    units(text);
    // The first line names a key, the rest is its value.
    let (key, value) = text.split_once('\n').unwrap_or((text, ""));
    let mut config = Config::default();
    if Config::keys().iter().any(|known| known == key)
        && let Err(reason) = config.set(key, OsStr::from_bytes(value.as_bytes()))
    {
        one_line(&reason);
    }
}

fn one_line(reason: &str) {
    assert!(!reason.is_empty() && !reason.chars().any(is_hidden), "{reason:?}");
}

/// What is printed reads back as the same.
fn units(text: &str) {
    if let Ok(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }
    if let Ok(size) = text.parse::<ByteSize>() {
        assert_eq!(size.to_string().parse(), Ok(size));
    }
    if let Ok(range) = text.parse::<IdRange>() {
        assert_eq!(range.to_string().parse(), Ok(range));
    }
}
