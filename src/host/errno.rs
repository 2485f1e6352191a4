//! What an error number means. The only place that decides between *gone*, *denied* and *failed*.
//!
//! By raw number, because `io::ErrorKind` calls `ENODEV`, `ESRCH` and `EIO` all uncategorised.

use std::io;

use rustix::io::Errno;

/// What became of looking at something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is not there (any more): normal while tasks come and go.
    Gone,
    /// This process may not look at it: an error, cured by a capability.
    Denied,
    /// It could not be read: an error of the device, the filesystem or this host's limits.
    Failed,
}

/// Sorts a raw error number.
pub fn outcome(raw: i32) -> Outcome {
    match Errno::from_raw_os_error(raw) {
        Errno::NOENT | Errno::SRCH | Errno::NODEV => Outcome::Gone,
        Errno::ACCESS | Errno::PERM => Outcome::Denied,
        _ => Outcome::Failed,
    }
}

/// Sorts an error; one without a number is judged by its kind.
pub fn outcome_of(error: &io::Error) -> Outcome {
    match (error.raw_os_error(), error.kind()) {
        (Some(raw), _) => outcome(raw),
        (None, io::ErrorKind::NotFound) => Outcome::Gone,
        (None, io::ErrorKind::PermissionDenied) => Outcome::Denied,
        (None, _) => Outcome::Failed,
    }
}

/// The short fixed word for metrics: `missing`, `permission`, `replaced` (a component is a file or
/// a symbolic link where a directory was expected) or `io`.
pub fn reason(error: &io::Error) -> &'static str {
    match outcome_of(error) {
        Outcome::Gone => "missing",
        Outcome::Denied => "permission",
        Outcome::Failed => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOTDIR | Errno::LOOP) => "replaced",
            _ => "io",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vanishing_is_gone_and_the_device_is_not() {
        for errno in [Errno::NOENT, Errno::SRCH, Errno::NODEV] {
            assert_eq!(outcome(errno.raw_os_error()), Outcome::Gone);
        }
        for errno in [Errno::ACCESS, Errno::PERM] {
            assert_eq!(outcome(errno.raw_os_error()), Outcome::Denied);
        }
        for errno in [Errno::IO, Errno::NOTCONN, Errno::STALE, Errno::MFILE, Errno::NOTDIR] {
            assert_eq!(outcome(errno.raw_os_error()), Outcome::Failed);
        }
    }

    #[test]
    fn words_for_metrics() {
        let word = |errno: Errno| reason(&errno.into());
        assert_eq!(word(Errno::NOENT), "missing");
        assert_eq!(word(Errno::ACCESS), "permission");
        assert_eq!(word(Errno::IO), "io");
        assert_eq!(word(Errno::LOOP), "replaced");
        assert_eq!(reason(&io::Error::from(io::ErrorKind::NotFound)), "missing");
        assert_eq!(reason(&io::Error::other("short")), "io");
    }
}
