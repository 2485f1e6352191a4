//! From what is needed to what is there: paths with their links followed, opened, each call into a
//! filesystem for a bounded time.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::discover::dirs;
use crate::host::landlock::Place;
use crate::host::{Roots, errno};

use super::needs::{Kind, Need, Of};

/// What came of one need.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) need: Need,
    /// What is there now; several for a file that may be replaced.
    pub(super) places: Vec<Place>,
    /// It is not there yet: the place is a directory above it.
    pub(super) above: bool,
    /// What is there is not all: why, in a few words.
    pub(super) note: Option<String>,
}

/// What one need came to.
#[derive(Default)]
struct Opened {
    places: Vec<Place>,
    above: bool,
    note: Option<String>,
}

impl Opened {
    fn nothing(note: String) -> Self {
        Self { note: Some(note), ..Self::default() }
    }

    fn of(self, need: Need) -> Found {
        let Self { places, above, note } = self;
        Found { need, places, above, note }
    }
}

/// Opens what is needed. A filesystem that does not answer within `limit` costs one thread and what
/// it holds; all other threads have ended when this returns.
pub(super) fn open(needs: Vec<Need>, roots: &Roots, limit: Duration) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut left = needs;
    while !left.is_empty() {
        let (sender, answers) = mpsc::channel();
        let (part, roots) = (left.clone(), roots.clone());
        let thread = std::thread::Builder::new().name("landlock".into()).spawn(move || {
            for need in &part {
                // Whoever asked may have given up.
                if sender.send(open_one(need, &roots)).is_err() {
                    return;
                }
            }
        });
        let Ok(thread) = thread else {
            let nothing = || Opened::nothing("no thread could be made to open it".to_owned());
            found.extend(left.into_iter().map(|need| nothing().of(need)));
            return found;
        };
        let mut done = 0;
        let stuck = loop {
            match answers.recv_timeout(limit) {
                Ok(opened) => {
                    found.push(opened.of(left[done].clone()));
                    done += 1;
                }
                Err(RecvTimeoutError::Timeout) => break true,
                Err(RecvTimeoutError::Disconnected) => break false,
            }
        };
        if !stuck {
            // A panic in it is no answer for the need it was at.
            let _ = thread.join();
        }
        left.drain(..done);
        if !left.is_empty() {
            let note = format!("its filesystem did not answer within {limit:?}");
            let stuck = left.remove(0);
            // What lies beside it would only wait as long again.
            let beside = |need: &Need| {
                let directory = stuck.path.parent();
                need.path.parent() == directory || Some(need.path.as_path()) == directory
            };
            let (also, rest) = left.into_iter().partition(beside);
            left = rest;
            let also: Vec<Need> = also;
            let all = std::iter::once(stuck.clone()).chain(also);
            found.extend(all.map(|need| Opened::nothing(note.clone()).of(need)));
        }
    }
    found
}

fn open_one(need: &Need, roots: &Roots) -> Opened {
    let opened = match need.kind {
        Kind::File => file(need, roots),
        Kind::Tree | Kind::TreeToCome => tree(need, roots),
    };
    opened.unwrap_or_else(|error| Opened::nothing(error.to_string()))
}

fn tree(need: &Need, roots: &Roots) -> io::Result<Opened> {
    if let Some(place) = present(at(need, &need.path, roots))? {
        return Ok(Opened { places: vec![place], ..Opened::default() });
    }
    if need.kind != Kind::TreeToCome {
        return Ok(Opened::default());
    }
    for above in need.path.ancestors().skip(1) {
        let Some(place) = present(at(need, above, roots))? else { continue };
        if is_narrow(&roots.on_host(&place.path)) {
            return Ok(Opened { places: vec![place], above: true, note: None });
        }
        break;
    }
    Ok(Opened::nothing(
        "not there yet, and the directory above is too wide to be opened".to_owned(),
    ))
}

fn file(need: &Need, roots: &Roots) -> io::Result<Opened> {
    let mut places = Vec::new();
    // Where the file lies, and where a link in its place leads.
    let target = present(at(need, &need.path, roots))?;
    let target_of = target.as_ref().map(|place| place.path.clone());
    let named = [need.path.parent(), target_of.as_deref().and_then(Path::parent)];
    for directory in named.into_iter().flatten() {
        let directory = present(at(need, directory, roots))?;
        places.extend(directory.filter(|place| holds_little_else(&place.path)));
    }
    places.extend(target);
    Ok(Opened { places, ..Opened::default() })
}

fn at(need: &Need, path: &Path, roots: &Roots) -> io::Result<Place> {
    let real = match need.of {
        Of::Own => std::fs::canonicalize(path)?,
        Of::Host => dirs::reach(roots, path).map_err(dirs::DirError::into_io)?,
    };
    Place::open(&real)
}

fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if errno::outcome_of(&error) == errno::Outcome::Gone => Ok(None),
        Err(error) => Err(error),
    }
}

fn depth(path: &Path) -> usize {
    path.components().count().saturating_sub(1)
}

/// A directory that may be opened for what will be made in it: neither the root nor what stands in
/// it, but for `/run`, where nothing outlives a boot.
fn is_narrow(path: &Path) -> bool {
    depth(path) >= 2 || path == Path::new("/run")
}

/// A directory that may be opened for one file in it: neither a top-level one nor somebody's home.
fn holds_little_else(path: &Path) -> bool {
    let home = path.starts_with("/home") || path.starts_with("/var/home");
    depth(path) >= 2 && !(home && depth(path) <= 3)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::host::landlock::Access;

    fn need(path: PathBuf, kind: Kind) -> Need {
        Need { path, of: Of::Own, kind, access: Access::Read, why: "test" }
    }

    fn paths(found: &Found) -> Vec<&Path> {
        found.places.iter().map(|place| place.path.as_path()).collect()
    }

    #[test]
    fn what_is_not_there_yet_is_opened_by_the_directory_above() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("work")).unwrap();
        let needs = vec![
            need(root.join("work/meta"), Kind::TreeToCome),
            need(root.join("work/meta/slaves"), Kind::TreeToCome),
            need(root.join("none"), Kind::Tree),
            need("/there-is-no-such-directory/x".into(), Kind::TreeToCome),
        ];
        let found = open(needs, &Roots::default(), Duration::from_secs(30));
        assert_eq!(paths(&found[0]), [root.join("work")]);
        assert_eq!(paths(&found[1]), [root.join("work")]);
        assert!(found[0].above && found[1].above && !found[2].above);
        assert!(found[2].places.is_empty() && found[2].note.is_none());
        assert!(found[3].places.is_empty());
        assert!(found[3].note.as_ref().is_some_and(|note| note.contains("too wide")));
    }

    #[test]
    fn a_file_comes_with_its_directory_and_that_of_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["live", "archive"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        std::fs::write(root.join("archive/key1.pem"), "x").unwrap();
        symlink("../archive/key1.pem", root.join("live/key.pem")).unwrap();
        let needs = vec![
            need(root.join("live/key.pem"), Kind::File),
            need(root.join("live/none"), Kind::File),
            need("/etc/passwd".into(), Kind::File),
        ];
        let found = open(needs, &Roots::default(), Duration::from_secs(30));
        let expected = [root.join("live"), root.join("archive"), root.join("archive/key1.pem")];
        assert_eq!(paths(&found[0]), expected);
        assert_eq!(paths(&found[1]), [root.join("live")]);
        // All of /etc is too much for one file.
        assert_eq!(paths(&found[2]), [Path::new("/etc/passwd")]);
    }

    #[test]
    fn links_of_the_host_stay_below_its_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("run/mesos")).unwrap();
        std::fs::create_dir(root.join("var")).unwrap();
        symlink("/run", root.join("var/run")).unwrap();
        let roots = Roots { rootfs: root.clone(), ..Roots::default() };
        let of_host = |path: &str, kind| Need { of: Of::Host, ..need(path.into(), kind) };
        let needs = vec![
            of_host("/var/run/mesos", Kind::Tree),
            of_host("/var/run/other", Kind::TreeToCome),
        ];
        let found = open(needs, &roots, Duration::from_secs(30));
        assert_eq!(paths(&found[0]), [root.join("run/mesos")]);
        assert_eq!(paths(&found[1]), [root.join("run")]);
    }

    #[test]
    fn narrow_and_wide() {
        for (path, narrow, little) in [
            ("/", false, false),
            ("/etc", false, false),
            ("/run", true, false),
            ("/var/lib", true, true),
            ("/home/ann", true, false),
            ("/home/ann/etc", true, false),
            ("/home/ann/etc/plimsoll", true, true),
            ("/etc/plimsoll", true, true),
        ] {
            let path = Path::new(path);
            assert_eq!((is_narrow(path), holds_little_else(path)), (narrow, little), "{path:?}");
        }
    }
}
