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
/// Another one, for what needs two.
pub const SECOND: &str = "/dev/vdd";

/// `MAJOR:MINOR` of a disk.
pub fn number(disk: &str) -> String {
    let name = disk.trim_start_matches("/dev/");
    let text = fs::read_to_string(format!("/sys/class/block/{name}/dev")).expect("a disk");
    text.trim().to_owned()
}

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

/// Divides a disk into partitions of so many sectors each, the first after a mebibyte.
pub fn partition(disk: &str, sectors: &[u64]) {
    let mut record = [0_u8; 512];
    record[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut begin = 2_048;
    for (entry, count) in record[446..510].chunks_mut(16).zip(sectors) {
        // Linux; begin and count, little-endian.
        entry[4] = 0x83;
        entry[8..12].copy_from_slice(&(begin as u32).to_le_bytes());
        entry[12..].copy_from_slice(&(*count as u32).to_le_bytes());
        begin += count;
    }
    fs::write(disk, record).expect("a disk");
    run(&format!("blockdev --rereadpt {disk}"));
}

/// A device-mapper device; removed when dropped.
pub struct Mapped {
    name: &'static str,
    table: String,
}

impl Mapped {
    /// `mib` mebibytes of the disk, as they are (dm-linear).
    pub fn of(name: &'static str, disk: &str, mib: u64) -> Self {
        Self::with(name, None, &format!("0 {} linear {disk} 0", mib * 2_048))
    }

    /// Any table, a line for each part; with an id, where something is told by that.
    pub fn with(name: &'static str, id: Option<&str>, table: &str) -> Self {
        let marked = id.map_or(vec![], |id| vec!["--uuid", id]);
        let file = format!("/tmp/{name}.table");
        fs::write(&file, format!("{table}\n")).expect("room");
        dmsetup(&[&["create", name][..], &marked, &[file.as_str()]].concat());
        dmsetup(&["mknodes", name]);
        Self { name, table: table.to_owned() }
    }

    /// `/dev/mapper/NAME`.
    pub fn device(&self) -> PathBuf {
        Path::new("/dev/mapper").join(self.name)
    }

    /// Every request fails with EIO from now on (dm-error).
    pub fn fail(&self) {
        let sectors = self.table.split(' ').nth(1).expect("a table");
        self.swap(&format!("0 {sectors} error"));
    }

    /// As it was.
    pub fn heal(&self) {
        self.swap(&self.table);
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
