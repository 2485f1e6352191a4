//! From a path with wildcards to the directories that match it.
//!
//! The part before the first wildcard is the operator's own: links in it are followed. Below it
//! the owners of the data choose the names, so no link is followed there. Each level is listed
//! under the hang guard of its own mount, so that one that hangs hides nothing but itself.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::config::has_wildcard;
use crate::discover::dirs::{DirError, Folder, SeenDir, present};
use crate::host::errno::{self, Outcome};
use crate::host::{Guard, GuardError};
use crate::model::SourceError;

/// Directories that one pattern may match; more is an error, and those beyond are left out.
pub const MAX_MATCHES: usize = 10_000;

/// A shell's custom: a wildcard does not match a leading dot.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What a pattern matched.
#[derive(Debug, Default)]
pub struct Matches {
    /// The directories, in order; each path is one of the host, free of links.
    pub found: Vec<SeenDir>,
    /// Everything on the way could be read: what is not in `found` is not there.
    pub whole: bool,
    /// What could not be read.
    pub errors: Vec<SourceError>,
    /// Directories in which the next match would appear, as seen from this process.
    pub watch: BTreeSet<PathBuf>,
}

/// Everything that `pattern`, an absolute path of the host, matches now.
pub fn expand(guard: &Guard, pattern: &Path) -> Matches {
    let mut matches = Matches { whole: true, ..Matches::default() };
    let (prefix, rest) = split(pattern);
    let base = match guard.resolve(&guard.roots().inside(&prefix)) {
        Ok(base) => base,
        Err(GuardError::Io { source, .. }) if errno::outcome_of(&source) == Outcome::Gone => {
            return matches;
        }
        Err(error) => {
            matches.fail(guarded_error(&error));
            return matches;
        }
    };
    let mut level: Vec<PathBuf> = vec![PathBuf::new()];
    for part in &rest {
        if !has_wildcard(part.as_encoded_bytes()) {
            level.iter_mut().for_each(|below| below.push(part));
            continue;
        }
        let Some(pattern) = part.to_str().and_then(|part| Pattern::new(part).ok()) else {
            return matches;
        };
        let mut next = Vec::new();
        for below in &level {
            matches.watch.insert(base.join(below));
            next.extend(list(guard, &base, below, &pattern, &mut matches));
        }
        level = next;
        if level.len() > MAX_MATCHES {
            level.truncate(MAX_MATCHES);
            matches.fail(SourceError {
                reason: "too_large",
                message: format!("more than {MAX_MATCHES} directories match {pattern:?}"),
                hint: "make the pattern narrower, or name the directories".into(),
            });
        }
    }
    for below in level {
        if let Some(seen) = look(guard, &base, &below, &mut matches) {
            matches.found.push(seen);
        }
    }
    if rest.is_empty() {
        matches.watch.extend(base.parent().map(Path::to_path_buf));
    }
    matches
}

impl Matches {
    fn fail(&mut self, error: SourceError) {
        self.whole = false;
        self.errors.push(error);
    }

    /// What came of reading one directory: gone is no error.
    fn take<T>(&mut self, read: Result<Result<Option<T>, DirError>, GuardError>) -> Option<T> {
        match read {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => {
                self.fail(error.to_source_error());
                None
            }
            Err(error) => {
                self.fail(guarded_error(&error));
                None
            }
        }
    }
}

/// The part without wildcards, and what follows it.
fn split(pattern: &Path) -> (PathBuf, Vec<OsString>) {
    let mut prefix = PathBuf::from("/");
    let mut rest = Vec::new();
    for part in pattern.iter().skip(1) {
        if rest.is_empty() && !has_wildcard(part.as_encoded_bytes()) {
            prefix.push(part);
        } else {
            rest.push(part.to_owned());
        }
    }
    (prefix, rest)
}

fn list(
    guard: &Guard,
    base: &Path,
    below: &Path,
    pattern: &Pattern,
    matches: &mut Matches,
) -> Vec<PathBuf> {
    let (from, to) = (base.to_owned(), below.to_owned());
    let listed = guard.run(&base.join(below), "list a directory", move || {
        present(open(&from, &to).and_then(|folder| folder.names()))
    });
    let names = matches.take(listed).map(|names| names.directories).unwrap_or_default();
    let fits = |name: &OsString| match name.to_str() {
        Some(name) => pattern.matches_with(name, MATCHING),
        // Bytes that are no UTF-8 stand for some character each.
        None => pattern.matches_with(&name.to_string_lossy(), MATCHING),
    };
    names.into_iter().filter(fits).map(|name| below.join(name)).collect()
}

fn look(guard: &Guard, base: &Path, below: &Path, matches: &mut Matches) -> Option<SeenDir> {
    let path = base.join(below);
    let host_path = guard.on_host(&path);
    let (from, to) = (base.to_owned(), below.to_owned());
    let looked = guard.run(&path, "look at a directory", move || {
        present(open(&from, &to).and_then(|folder| folder.look_at_self(host_path)))
    });
    matches.take(looked)
}

/// Opens a directory below `base`, no link followed below it.
fn open(base: &Path, below: &Path) -> Result<Folder, DirError> {
    let mut folder = Folder::open_root(base)?;
    for part in below.iter() {
        folder = folder.child(OsStr::new(part))?;
    }
    Ok(folder)
}

fn guarded_error(error: &GuardError) -> SourceError {
    SourceError {
        reason: error.reason(),
        message: error.to_string(),
        hint: "see `mount` and `dmesg` on the host; Plimsoll goes on without it and notices when \
               it answers again"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;
    use crate::host::Roots;

    fn found(rootfs: &Path, pattern: &str) -> (Vec<String>, Matches) {
        let roots = Roots { rootfs: rootfs.to_owned(), ..Roots::default() };
        let guard = Guard::new(roots, Duration::from_secs(10));
        let matches = expand(&guard, Path::new(pattern));
        let paths = matches.found.iter().map(|seen| seen.path.display().to_string()).collect();
        (paths, matches)
    }

    #[test]
    fn a_pattern_matches_directories_and_follows_no_link_below_its_fixed_part() {
        let host = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(host.path().join(path)).unwrap();
        for path in ["disk/data/a/mysql", "disk/data/b/mysql", "disk/data/.hidden", "etc/mysql"] {
            make(path);
        }
        make("disk/data/c");
        std::fs::write(host.path().join("disk/data/file"), "x").unwrap();
        symlink("/etc", host.path().join("disk/data/link")).unwrap();
        symlink("/etc/mysql", host.path().join("disk/data/c/mysql")).unwrap();
        symlink("/disk/data", host.path().join("data")).unwrap();

        // The operator's own link is followed, those of the owners of the data are not.
        let (paths, matches) = found(host.path(), "/data/*");
        assert_eq!(paths, ["/disk/data/a", "/disk/data/b", "/disk/data/c"]);
        assert!(matches.whole && matches.errors.is_empty(), "{matches:?}");
        assert!(matches.watch.contains(&host.path().join("disk/data")));
        let (paths, matches) = found(host.path(), "/data/?/mysql");
        assert_eq!(paths, ["/disk/data/a/mysql", "/disk/data/b/mysql"]);
        // A link where a directory belongs is told; it is not taken for one.
        assert_eq!(matches.errors[0].reason, "malformed");
        assert_eq!(found(host.path(), "/data/.h*").0, ["/disk/data/.hidden"]);
        assert_eq!(found(host.path(), "/data/[ab]").0, ["/disk/data/a", "/disk/data/b"]);
    }

    #[test]
    fn what_is_not_there_is_no_error() {
        let host = tempfile::tempdir().unwrap();
        for pattern in ["/none", "/none/*", "/*"] {
            let (paths, matches) = found(host.path(), pattern);
            assert_eq!(paths, Vec::<String>::new(), "{pattern}");
            assert!(matches.whole && matches.errors.is_empty(), "{pattern}: {matches:?}");
        }
        std::fs::create_dir(host.path().join("one")).unwrap();
        assert_eq!(found(host.path(), "/one").0, ["/one"]);
    }

    #[test]
    fn more_matches_than_the_bound_is_an_error_and_keeps_those_within() {
        let host = tempfile::tempdir().unwrap();
        for number in 0..=MAX_MATCHES {
            std::fs::create_dir(host.path().join(format!("d{number}"))).unwrap();
        }
        let (paths, matches) = found(host.path(), "/d*");
        assert_eq!(paths.len(), MAX_MATCHES);
        assert!(!matches.whole);
        assert_eq!(matches.errors[0].reason, "too_large");
    }
}
