//! Where the host's control group hierarchies are mounted.

use std::path::{Component, Path, PathBuf};

use crate::host::{MountTable, Roots};

/// One hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted, as this process reaches it.
    pub mount_point: PathBuf,
    /// Group that is mounted there: `/`, or that of a container Plimsoll runs in.
    pub root: PathBuf,
}

impl Hierarchy {
    /// The directory of a group; `None` where it lies outside of what is mounted.
    pub fn directory(&self, group: &Path) -> Option<PathBuf> {
        let below = group.strip_prefix(&self.root).ok()?;
        let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        plain.then(|| self.mount_point.join(below))
    }
}

/// The hierarchies that count I/O.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchies {
    /// v1 with the controller `blkio`.
    pub blkio: Option<Hierarchy>,
    /// The unified hierarchy: v2, or beside v1 on a hybrid host.
    pub unified: Option<Hierarchy>,
}

impl Hierarchies {
    /// Finds them in a mount table.
    pub fn find(table: &MountTable, roots: &Roots) -> Self {
        let mut found = Self::default();
        for entry in &table.entries {
            let place = match entry.fstype.as_str() {
                "cgroup" if entry.super_options.split(',').any(|option| option == "blkio") => {
                    &mut found.blkio
                }
                "cgroup2" => &mut found.unified,
                _ => continue,
            };
            // Containers mount them again below their own roots: the first is the host's.
            if place.is_none() {
                *place = Some(Hierarchy {
                    mount_point: reach(&entry.mount_point, roots),
                    root: entry.root.clone(),
                });
            }
        }
        found
    }

    /// The controller `io` of the unified hierarchy exists, so that it is not v1's.
    pub fn unified_counts(&self) -> bool {
        let Some(unified) = &self.unified else { return false };
        std::fs::read_to_string(unified.mount_point.join("cgroup.controllers"))
            .is_ok_and(|text| text.split_ascii_whitespace().any(|name| name == "io"))
    }
}

/// `/sys` may be given apart from the rest (`--path.sysfs`).
fn reach(mount_point: &Path, roots: &Roots) -> PathBuf {
    match mount_point.strip_prefix("/sys") {
        Ok(below) => roots.sysfs.join(below),
        Err(_) => roots.inside(mount_point),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, roots: &Roots) -> Hierarchies {
        Hierarchies::find(&MountTable::parse(text.as_bytes()), roots)
    }

    fn at(mount_point: &str) -> Option<Hierarchy> {
        Some(Hierarchy { mount_point: mount_point.into(), root: "/".into() })
    }

    #[test]
    fn v1_v2_and_both() {
        let v1 = "38 31 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n\
                  39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                  90 31 0:35 / /var/lib/x/sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n";
        let unified = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let v2 = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let roots = Roots::default();
        let both = find(&format!("{v1}{unified}"), &roots);
        assert_eq!(both.blkio, at("/sys/fs/cgroup/blkio"));
        assert_eq!(both.unified, at("/sys/fs/cgroup/unified"));
        assert_eq!(find(v2, &roots), Hierarchies { blkio: None, unified: at("/sys/fs/cgroup") });
        assert_eq!(find("", &roots), Hierarchies::default());
        let joined = "38 31 0:35 / /sys/fs/cgroup/cpu,blkio rw - cgroup cgroup rw,cpu,blkio\n";
        assert_eq!(find(joined, &roots).blkio, at("/sys/fs/cgroup/cpu,blkio"));
        let elsewhere =
            Roots { sysfs: "/host/sys".into(), rootfs: "/host".into(), ..Roots::default() };
        assert_eq!(find(v2, &elsewhere).unified, at("/host/sys/fs/cgroup"));
        let odd = "41 31 0:38 / /cgroup rw - cgroup2 none rw\n";
        assert_eq!(find(odd, &elsewhere).unified, at("/host/cgroup"));
    }

    #[test]
    fn groups_outside_what_is_mounted_are_out_of_reach() {
        let whole = at("/sys/fs/cgroup").unwrap();
        assert_eq!(whole.directory(Path::new("/mesos/a")), Some("/sys/fs/cgroup/mesos/a".into()));
        assert_eq!(whole.directory(Path::new("/../up")), None);
        let part = Hierarchy { root: "/docker/x".into(), ..whole };
        assert_eq!(part.directory(Path::new("/docker/x/a")), Some("/sys/fs/cgroup/a".into()));
        assert_eq!(part.directory(Path::new("/mesos/a")), None);
    }
}
