//! Real mounts that are gone when the test ends, however it ends.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mount; dropped, it is unmounted, lazily if need be.
pub struct Mounted(PathBuf);

impl Mounted {
    /// `mount --bind from to`
    pub fn bind(from: &Path, to: &Path) -> Self {
        Self::mount(&["--bind".as_ref(), from.as_os_str(), to.as_os_str()], to)
    }

    /// A tmpfs of `size` (as mount(8) takes it).
    pub fn tmpfs(to: &Path, size: &str) -> Self {
        let options = format!("size={size}");
        let args = ["-t", "tmpfs", "-o", &options, "plimsoll-test"].map(std::ffi::OsStr::new);
        let args: Vec<_> = args.into_iter().chain([to.as_os_str()]).collect();
        Self::mount(&args, to)
    }

    /// An overlay of `lower` with `upper` and `work`. `None`, said aloud: this kernel or filesystem
    /// cannot, or this is not root.
    pub fn overlay(lower: &Path, upper: &Path, work: &Path, to: &Path) -> Option<Self> {
        let [lower, upper, work] = [lower, upper, work].map(|path| path.display().to_string());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        let args = ["-t", "overlay", "-o", &options, "plimsoll-test"];
        let output = Command::new("mount").args(args).arg(to).output().expect("mount(8) is there");
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            eprintln!("SKIPPED: no overlay can be mounted here: {error}");
            return None;
        }
        Some(Self(to.to_path_buf()))
    }

    fn mount(args: &[&std::ffi::OsStr], to: &Path) -> Self {
        let output = Command::new("mount").args(args).output().expect("mount(8) is installed");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "these tests mount, and need root: {error}");
        Self(to.to_path_buf())
    }

    /// What an operator does. `true`: it succeeded.
    pub fn umount(&self) -> bool {
        let output = Command::new("umount").arg(&self.0).output().expect("umount(8) is installed");
        output.status.success()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        lazy_umount(&self.0);
    }
}

/// FUSE filesystems of this machine: those of tests beside this one too.
pub fn fuse_mounts() -> usize {
    let table = std::fs::read_to_string("/proc/self/mountinfo").expect("the mount table");
    table.lines().filter(|line| line.contains(" - fuse")).count()
}

/// `umount -l`: never waits for anybody.
pub fn lazy_umount(path: &Path) {
    let _ = rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH);
}
