//! `/proc/PID/maps`: files that are mapped, whether or not a descriptor is left.
//!
//! Read as bytes: a path may hold any of them. (The `procfs` crate reads the file as UTF-8 text and
//! makes a value of every line; there may be thousands, and few of them matter.)

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A file that is mapped.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Device number of its filesystem.
    pub device: (u32, u32),
    /// Inode; never 0.
    pub inode: u64,
    /// As the kernel shows it, `(deleted)` at its end and all.
    pub path: PathBuf,
}

/// The file of one line, `7f…-7f… r--p 00000000 fd:01 1234      /path`. `None`: memory without a
/// file, or not such a line.
pub fn parse(line: &[u8]) -> Option<Mapped> {
    let mut rest = line;
    let mut field = || {
        let end = rest.iter().position(|&byte| byte == b' ')?;
        let (field, after) = rest.split_at(end);
        rest = &after[1..];
        std::str::from_utf8(field).ok()
    };
    let (_, _, _, device, inode) = (field()?, field()?, field()?, field()?, field()?);
    let (major, minor) = device.split_once(':')?;
    let hexadecimal = |text| u32::from_str_radix(text, 16).ok();
    let device = (hexadecimal(major)?, hexadecimal(minor)?);
    let inode: u64 = inode.parse().ok().filter(|&inode| inode != 0)?;
    let start = rest.iter().position(|&byte| byte != b' ')?;
    let path = PathBuf::from(OsString::from_vec(newlines(&rest[start..])));
    path.is_absolute().then_some(Mapped { device, inode, path })
}

/// The kernel writes `\012` for a line break in a name, and nothing else so.
fn newlines(bytes: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let line_break = rest.starts_with(b"\\012");
        name.push(if line_break { b'\n' } else { first });
        rest = if line_break { &rest[4..] } else { tail };
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_other_memory_is_not() {
        let line =
            b"7f1c-7f1d r--s 00000000 fe:01 131                       /a b/\\012\xff (deleted)";
        let path = OsString::from_vec(b"/a b/\n\xff (deleted)".to_vec()).into();
        assert_eq!(parse(line), Some(Mapped { device: (254, 1), inode: 131, path }));
        for other in [
            &b"7f1c-7f1d rw-p 00000000 00:00 0 "[..],
            b"7f1c-7f1d rw-p 00000000 00:00 0                          [heap]",
            b"7f1c-7f1d rw-p 00000000 00:00 7                          anon_inode:[perf]",
            b"7f1c-7f1d rw-p 00000000 fe:01 x /a",
            b"7f1c-7f1d rw-p 00000000 fe01 1 /a",
            b"7f1c-7f1d rw-p",
            b"",
            b"\xff \xff \xff \xff \xff /a",
        ] {
            assert_eq!(parse(other), None, "{}", String::from_utf8_lossy(other));
        }
    }
}
