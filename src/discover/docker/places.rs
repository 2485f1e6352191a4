//! What lies where the engine says its data lies: ten thousand directories in a few guarded calls.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::discover::Inode;
use crate::host::{Guard, MountTable, Roots};
use crate::model::{Presence, Timestamp};

/// Directories looked at in one guarded call: on a cold disk these take no second.
const AT_ONCE: usize = 500;

/// What was found at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Whether it is there.
    pub presence: Presence,
    /// It is a directory; also when that could not be told.
    pub directory: bool,
    /// Which one.
    pub inode: Option<Inode>,
    /// When it was made, else when an entry was last added or removed.
    pub created: Option<Timestamp>,
    /// When an entry was last added or removed.
    pub modified: Option<Timestamp>,
}

/// Nobody could look.
pub const UNKNOWN: Place = Place {
    presence: Presence::Unknown,
    directory: true,
    inode: None,
    created: None,
    modified: None,
};

/// Places by path of the host.
pub type Places = HashMap<PathBuf, Place>;

/// Looks at each path. What lies on a network filesystem is not touched: that it is mounted says
/// enough, and it may hang.
pub fn look(paths: BTreeSet<PathBuf>, mounts: &MountTable, guard: &Guard, roots: &Roots) -> Places {
    let mut places = Places::with_capacity(paths.len());
    let mut by_device: BTreeMap<(u32, u32), Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        let plain = path.is_absolute() && !path.components().any(|c| c == Component::ParentDir);
        match mounts.containing(&path).filter(|_| plain) {
            Some(entry) if entry.remote() => {
                let mounted = entry.mount_point == path;
                let presence = if mounted { Presence::Present } else { Presence::Unknown };
                places.insert(path, Place { presence, ..UNKNOWN });
            }
            Some(entry) => by_device.entry(entry.device).or_default().push(path),
            None if plain => by_device.entry((0, 0)).or_default().push(path),
            None => drop(places.insert(path, UNKNOWN)),
        }
    }
    for part in by_device.values().flat_map(|paths| paths.chunks(AT_ONCE)) {
        let inside: Vec<PathBuf> = part.iter().map(|path| roots.inside(path)).collect();
        let Some(first) = inside.first().cloned() else { continue };
        let looked = guard.run(&first, "look at the engine's data", move || {
            inside.iter().map(|path| place(path)).collect::<Vec<Place>>()
        });
        let looked = looked.unwrap_or_else(|_| vec![UNKNOWN; part.len()]);
        places.extend(part.iter().cloned().zip(looked));
    }
    places
}

fn place(path: &Path) -> Place {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Place { presence: Presence::Missing, ..UNKNOWN };
        }
        Err(_) => return UNKNOWN,
    };
    let device = metadata.dev();
    let modified = metadata.mtime() as f64 + metadata.mtime_nsec() as f64 / 1e9;
    let born = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Place {
        presence: Presence::Present,
        directory: metadata.is_dir(),
        inode: Some((rustix::fs::major(device), rustix::fs::minor(device), metadata.ino())),
        created: Some(born.map_or(modified, |at| at.as_secs_f64())),
        modified: Some(modified),
    }
}
