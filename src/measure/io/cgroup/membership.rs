//! `/proc/PID/cgroup`: which groups a process is in.
//!
//! Source: `cgroups(7)`: `ID:CONTROLLERS:PATH`, the unified hierarchy with id 0 and no controller.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Paths of a process' groups below the roots of the hierarchies that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// In the v1 hierarchy with the controller `blkio`.
    pub blkio: Option<PathBuf>,
    /// In the unified hierarchy.
    pub unified: Option<PathBuf>,
}

/// Reads the file. A line that is not understood is left out: the other hierarchies are not
/// worse for it.
pub fn parse_membership(text: &[u8]) -> Membership {
    let mut found = Membership::default();
    for line in text.split(|byte| *byte == b'\n') {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (Some(id), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        // A group that was removed while a process was in it.
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        let path = Path::new(OsStr::from_bytes(path));
        if !path.is_absolute() {
            continue;
        }
        if id == b"0" && controllers.is_empty() {
            found.unified = Some(path.to_path_buf());
        } else if controllers.split(|byte| *byte == b',').any(|name| name == b"blkio") {
            found.blkio = Some(path.to_path_buf());
        }
    }
    found
}

/// The part of a group's path up to the directory of that name: a container's own group, whatever
/// its runtime made below it. `None`: the process is in somebody else's group.
pub fn own_group(path: &Path, directory: &str) -> Option<PathBuf> {
    path.ancestors()
        .filter(|group| group.file_name() == Some(OsStr::new(directory)))
        .last()
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good() {
        let text = b"9:name=systemd:/\n7:cpu,blkio:/mesos/c1\n4:memory:/other\n0::/mesos/c1/leaf\n";
        let found = parse_membership(text);
        assert_eq!(found.blkio.as_deref(), Some(Path::new("/mesos/c1")));
        assert_eq!(found.unified.as_deref(), Some(Path::new("/mesos/c1/leaf")));
        let odd = parse_membership(b"0::/a:b (deleted)\n");
        assert_eq!(odd.unified.as_deref(), Some(Path::new("/a:b")));
    }

    #[test]
    fn missing_and_malformed() {
        assert_eq!(parse_membership(b""), Membership::default());
        for text in [&b"0::\n"[..], b"0::mesos\n", b"7:blkio\n", b"::\n", b"\xff:\xff:/x\n"] {
            assert_eq!(parse_membership(text), Membership::default(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_own_group_is_the_outermost_of_that_name() {
        let own = |path: &str, name| own_group(Path::new(path), name);
        assert_eq!(own("/mesos/c1/leaf", "c1"), Some("/mesos/c1".into()));
        assert_eq!(own("/mesos/c1/mesos/n1/leaf", "n1"), Some("/mesos/c1/mesos/n1".into()));
        assert_eq!(own("/mesos/c1/mesos/c1", "c1"), Some("/mesos/c1".into()));
        assert_eq!(own("/", "c1"), None);
        assert_eq!(own("/mesos/agent/leaf", "c1"), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_membership(&text);
        }
    }
}
