//! The guest's disks: filesystems on them, and devices that fail when they are told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The blank disks that `scripts/guest-test` gives the guest, by use.
pub const XFS: &str = "/dev/vda";
/// For ext4.
pub const EXT4: &str = "/dev/vdb";
/// For what fails.
pub const SCRATCH: &str = "/dev/vdc";

/// Runs a program of the guest; its words are separated by blanks.
pub fn run(line: &str) {
    let said = output(line);
    assert!(said.is_ok(), "{line}: {}", said.unwrap_err());
}

fn output(line: &str) -> Result<String, String> {
    let mut words = line.split_whitespace();
    let run = Command::new(words.next().expect("a program")).args(words).output();
    let run = run.map_err(|error| error.to_string())?;
    if run.status.success() {
        return Ok(String::from_utf8_lossy(&run.stdout).into_owned());
    }
    Err(format!("{}: {}", run.status, String::from_utf8_lossy(&run.stderr)))
}

/// Makes a filesystem and mounts it, with everything that is not there yet.
pub fn fresh(fstype: &str, device: &str, top: &Path, options: &str) {
    match fstype {
        "xfs" => run(&format!("mkfs.xfs -q -f {device}")),
        // The features of every ext4 that may one day count projects.
        _ => run(&format!(
            "mkfs.ext4 -q -F -O quota,project -E quotatype=prjquota,lazy_itable_init=0 {device}"
        )),
    }
    mount(fstype, device, top, options);
}

/// Mounts.
pub fn mount(fstype: &str, device: &str, top: &Path, options: &str) {
    fs::create_dir_all(top).expect("a mount point");
    run(&format!("mount -t {fstype} -o {options} {device} {}", top.display()));
}

/// Unmounts: at once, or not at all.
pub fn unmount(top: &Path) -> Result<(), String> {
    output(&format!("umount {}", top.display())).map(drop)
}

/// Nothing is remembered of files and directories: the next look goes to the device.
pub fn forget_caches() {
    // SAFETY: sync takes nothing and cannot fail.
    unsafe { libc::sync() };
    fs::write("/proc/sys/vm/drop_caches", "3").expect("root");
}

/// A device-mapper device over the beginning of a disk; removed when dropped.
pub struct Mapped {
    name: &'static str,
    disk: &'static str,
    sectors: u64,
}

impl Mapped {
    /// `mib` mebibytes of the disk, as they are (dm-linear).
    pub fn of(name: &'static str, disk: &'static str, mib: u64) -> Self {
        let mapped = Self { name, disk, sectors: mib * 2_048 };
        dmsetup(&["create", name, "--table", &mapped.linear()]);
        dmsetup(&["mknodes", name]);
        mapped
    }

    /// `/dev/mapper/NAME`.
    pub fn device(&self) -> PathBuf {
        Path::new("/dev/mapper").join(self.name)
    }

    /// Every request fails with EIO from now on (dm-error).
    pub fn fail(&self) {
        self.swap(&format!("0 {} error", self.sectors));
    }

    /// As it was.
    pub fn heal(&self) {
        self.swap(&self.linear());
    }

    fn linear(&self) -> String {
        format!("0 {} linear {} 0", self.sectors, self.disk)
    }

    fn swap(&self, table: &str) {
        // What is under way is not waited for: a disk that fails waits for nobody.
        dmsetup(&["suspend", "--nolockfs", "--noflush", self.name]);
        dmsetup(&["reload", self.name, "--table", table]);
        dmsetup(&["resume", self.name]);
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let _ = Command::new("dmsetup").args(["remove", "--force", self.name]).output();
    }
}

/// Without the udev that the guest does not have.
fn dmsetup(arguments: &[&str]) {
    let run = Command::new("dmsetup").arg("--noudevsync").args(arguments).output();
    let run = run.expect("dmsetup runs");
    assert!(
        run.status.success(),
        "dmsetup {arguments:?}: {}",
        String::from_utf8_lossy(&run.stderr)
    );
}
