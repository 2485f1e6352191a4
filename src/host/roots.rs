//! Where the host's files are seen from here.

use std::path::{Component, Path, PathBuf};

/// The three roots that tests and containers replace (`--path.procfs`, `--path.sysfs`,
/// `--path.rootfs`). Handed in from the configuration, never global.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    /// The proc filesystem, `/proc`.
    pub procfs: PathBuf,
    /// The sys filesystem, `/sys`.
    pub sysfs: PathBuf,
    /// Prefix of every other path of the host, `/`.
    pub rootfs: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { procfs: "/proc".into(), sysfs: "/sys".into(), rootfs: "/".into() }
    }
}

impl Roots {
    /// The path under which a path of the host is reached from this process.
    pub fn inside(&self, host_path: &Path) -> PathBuf {
        if self.rootfs == Path::new("/") {
            return host_path.to_path_buf();
        }
        let below: PathBuf = host_path
            .components()
            .filter(|part| !matches!(part, Component::RootDir | Component::Prefix(_)))
            .collect();
        self.rootfs.join(below)
    }

    /// Path of the host for a path as this process sees it: [`Roots::inside`] undone.
    pub fn on_host(&self, inside: &Path) -> PathBuf {
        match inside.strip_prefix(&self.rootfs) {
            Ok(below) => Path::new("/").join(below),
            Err(_) => inside.to_path_buf(),
        }
    }

    /// The host's mount table as its processes see it: our own when the roots are the host's,
    /// else that of process 1.
    pub fn mountinfo(&self) -> PathBuf {
        let whose = if self.rootfs == Path::new("/") { "self" } else { "1" };
        self.procfs.join(whose).join("mountinfo")
    }
}
