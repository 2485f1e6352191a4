//! Mount namespaces: what a path that a process shows means.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Place, joined};
use crate::host::MountTable;

/// A mount that shows a filesystem one of the places is on.
struct Relevant {
    id: u64,
    mount_point: PathBuf,
    root: PathBuf,
    places: Vec<usize>,
}

/// The mounts that processes of one namespace and one root directory see.
pub(super) struct Namespace<'a> {
    places: &'a [Place],
    root: PathBuf,
    table: MountTable,
    relevant: Vec<Relevant>,
    /// Places of which this namespace has a mount that ours has not, each with where.
    pub(super) mounted: Vec<(usize, OsString)>,
}

/// What a path may be: a place, and the mount by which it is there.
pub(super) struct Match {
    pub(super) place: usize,
    mount: u64,
}

impl Namespace<'_> {
    /// Nothing here can be below a place.
    pub(super) fn is_irrelevant(&self) -> bool {
        self.relevant.is_empty()
    }

    /// Whether a file with this device number can be on a filesystem of a place.
    pub(super) fn has_device(&self, device: (u32, u32)) -> bool {
        self.places.iter().any(|place| place.device == device)
    }

    /// The places that `shown`, a path as the kernel shows it for a process of this namespace, may
    /// be below, by any of the mounts it may lie on.
    pub(super) fn candidates(&self, shown: &Path) -> Vec<Match> {
        let Some(path) = self.below_root(shown) else { return Vec::new() };
        let mut found = Vec::new();
        for mount in &self.relevant {
            let Ok(below) = path.strip_prefix(&mount.mount_point) else { continue };
            let within = joined(&mount.root, below);
            let hit = |place: &&usize| within.starts_with(&self.places[**place].path);
            found.extend(
                mount.places.iter().filter(hit).map(|&place| Match { place, mount: mount.id }),
            );
        }
        found
    }

    /// Of the candidates those that are on the mount `id`; where that is not known, on the one that
    /// a look-up of the path would lead to.
    pub(super) fn settle(&self, shown: &Path, found: Vec<Match>, id: Option<u64>) -> Vec<usize> {
        let id = id.or_else(|| Some(self.table.containing(&self.below_root(shown)?)?.id));
        found.into_iter().filter(|hit| Some(hit.mount) == id).map(|hit| hit.place).collect()
    }

    /// A process that changed its root directory shows mount points relative to that, and names of
    /// files relative to the root of its namespace.
    fn below_root(&self, shown: &Path) -> Option<PathBuf> {
        let below = shown.strip_prefix(&self.root).ok()?;
        Some(Path::new("/").join(below))
    }
}

/// Every namespace met in one look.
pub(super) struct Namespaces<'a> {
    procfs: &'a Path,
    places: &'a [Place],
    ours: MountTable,
    known: HashMap<(OsString, PathBuf), Rc<Namespace<'a>>>,
}

impl<'a> Namespaces<'a> {
    /// Without a table of our own every mount is news.
    pub(super) fn new(procfs: &'a Path, mountinfo: &Path, places: &'a [Place]) -> Self {
        let ours = MountTable::parse(&std::fs::read(mountinfo).unwrap_or_default());
        let mut all = Self { procfs, places, ours, known: HashMap::new() };
        // Met first, so that processes of our own namespace with another root come to it.
        let of_whom = mountinfo.parent().and_then(Path::file_name);
        let pid = of_whom.and_then(|whose| {
            let whose = match whose.to_str()? {
                "self" => std::fs::read_link(procfs.join("self")).ok()?.into_os_string(),
                _ => whose.to_owned(),
            };
            whose.to_str()?.parse().ok()
        });
        // What cannot be read here cannot be read of that process either, and is told there.
        let _ = pid.map(|pid| all.of(pid));
        all
    }

    /// Mounts of our own table that show something strictly below a place, each with its place.
    pub(super) fn mounted_below(&self) -> Vec<(usize, OsString)> {
        let mut found = Vec::new();
        for (index, place) in self.places.iter().enumerate() {
            let below = self.ours.entries.iter().filter(|entry| {
                entry.device == place.device
                    && entry.root.starts_with(&place.path)
                    && entry.root != Path::new(&place.path)
            });
            found.extend(below.map(|entry| (index, entry.mount_point.clone().into())));
        }
        found
    }

    /// The namespace of a process.
    pub(super) fn of(&mut self, pid: u32) -> io::Result<Rc<Namespace<'a>>> {
        let process = self.procfs.join(pid.to_string());
        let name = std::fs::read_link(process.join("ns/mnt"))?.into_os_string();
        let root = std::fs::read_link(process.join("root"))?;
        // A process that changed its root directory shows only the mounts below that; one that did
        // not shows all of them, and names of files are the same to us.
        let whole = (name.clone(), PathBuf::from("/"));
        let key = (name, root);
        if let Some(known) = self.known.get(&whole).or_else(|| self.known.get(&key)) {
            return Ok(Rc::clone(known));
        }
        let table = MountTable::parse(&std::fs::read(process.join("mountinfo"))?);
        let namespace = Rc::new(self.read(table, key.1.clone()));
        self.known.insert(key, Rc::clone(&namespace));
        Ok(namespace)
    }

    fn read(&self, table: MountTable, root: PathBuf) -> Namespace<'a> {
        let on = |device| {
            let same = move |(_, place): &(usize, &Place)| place.device == device;
            self.places.iter().enumerate().filter(same)
        };
        let mut relevant = Vec::new();
        let mut mounted = Vec::new();
        for entry in &table.entries {
            let places: Vec<usize> = on(entry.device).map(|(index, _)| index).collect();
            if places.is_empty() {
                continue;
            }
            // A copy of ours (a service with a namespace of its own has one of every mount) tells
            // nothing that our own table does not.
            let copy = self.ours.entries.iter().any(|ours| {
                ours.device == entry.device
                    && ours.root == entry.root
                    && ours.mount_point == entry.mount_point
            });
            if !copy {
                let inside = |index: &&usize| entry.root.starts_with(&self.places[**index].path);
                let at = entry.mount_point.as_os_str();
                mounted.extend(places.iter().filter(inside).map(|&place| (place, at.to_owned())));
            }
            relevant.push(Relevant {
                id: entry.id,
                mount_point: entry.mount_point.clone(),
                root: entry.root.clone(),
                places,
            });
        }
        Namespace { places: self.places, root, table, relevant, mounted }
    }
}
