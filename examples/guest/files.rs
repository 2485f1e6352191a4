//! What the scenarios do with files, and what they ask of the walker and of GNU `du`.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use plimsoll::host::{Guard, Roots};
use plimsoll::measure::usage::{How, Target, measure_once};
use plimsoll::model::{Measured, SourceKind, Subject, VolumeKey};

/// 2^20 bytes.
pub const MIB: u64 = 1 << 20;
/// An ordinary user.
pub const NOBODY: u32 = 65_534;

/// A directory to be walked, as the scheduler takes it.
pub fn target(path: &Path) -> Target {
    Target {
        subject: Subject::Volume(VolumeKey {
            source: SourceKind::Directories,
            role: String::new(),
            volume: path.display().to_string(),
            disk: String::new(),
        }),
        path: path.into(),
        extra: Vec::new(),
        skip: Vec::new(),
        how: How::Walk,
        remote: false,
    }
}

/// One measurement, now.
pub fn once(path: &Path) -> Measured {
    let guard = Guard::new(Roots::default(), Duration::from_secs(20));
    measure_once(&guard, &[target(path)], |_| {}).remove(0).1
}

/// `METHOD BYTES FILES`.
pub fn words(measured: &Measured) -> String {
    let Some(sample) = measured.sample else { return format!("{:?}", measured.failure) };
    let files = sample.files.map_or("-".into(), |files| files.to_string());
    format!("{} {} {files}", sample.method.as_str(), sample.used_bytes)
}

/// What GNU du says: bytes and inodes.
pub fn du(path: &Path) -> (u64, u64) {
    let of = |option: &str| {
        let run = Command::new("du").args(["-s", option]).arg(path).output().expect("du runs");
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
    };
    (of("--block-size=1"), of("--inodes"))
}

/// A new directory that the ordinary user owns.
pub fn made(top: &Path, name: &str) -> PathBuf {
    let path = top.join(name);
    fs::create_dir(&path).expect("a new directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own");
    chown(&path, Some(NOBODY), Some(NOBODY)).expect("root");
    path
}

/// A file of so many bytes, on disk when this returns.
pub fn write(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let block = vec![7_u8; 65_536];
    let mut left = bytes as usize;
    while left > 0 {
        left -= file.write(&block[..left.min(block.len())])?;
    }
    file.sync_all()
}

/// `dirs` directories below `top` with `files` small files each.
pub fn forest(top: &Path, dirs: usize, files: usize) {
    for dir in 0..dirs {
        let dir = top.join(format!("dir-{dir:03}"));
        fs::create_dir_all(&dir).expect("room");
        for file in 0..files {
            fs::write(dir.join(format!("file-{file:03}")), vec![7; file * 97]).expect("room");
        }
    }
    settle();
}

/// Everything on disk, so that nothing is in reserve.
pub fn settle() {
    // SAFETY: sync takes nothing and cannot fail.
    unsafe { libc::sync() };
}

/// Makes a directory a project of its own.
pub fn tag(path: &Path, id: u32) {
    set_project(path, id, true);
}

/// `FS_IOC_FSSETXATTR` with a `struct fsxattr`: flags, extent size, extents, project, and 12 more.
pub fn set_project(path: &Path, id: u32, inherit: bool) {
    let file = File::open(path).expect("a directory");
    let mut attributes = [0_u32; 7];
    attributes[0] = if inherit { 0x200 } else { 0 };
    attributes[3] = id;
    // SAFETY: the call reads 28 bytes from the pointer, which is valid for as many.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), 0x401c_5820, attributes.as_ptr()) };
    assert_eq!(result, 0, "{}: {}", path.display(), std::io::Error::last_os_error());
}

/// `Q_XSETQLIM` with a `struct fs_disk_quota`: soft and hard bytes, soft and hard inodes.
pub fn limit(top: &Path, id: u32, [bsoft, bhard, isoft, ihard]: [u64; 4]) {
    let file = File::open(top).expect("a mount point");
    let mut record = [0_u64; 14];
    // Version 1, FS_PROJ_QUOTA, all four limits; little-endian, as the guest is.
    record[0] = 1 | 2 << 8 | 0xf << 16 | u64::from(id) << 32;
    record[1..5].copy_from_slice(&[bhard / 512, bsoft / 512, ihard, isoft]);
    let set = (0x5804_i64 << 8) | 2;
    // SAFETY: the call reads 112 bytes from the pointer, which is valid for as many.
    let result = unsafe {
        libc::syscall(443, i64::from(file.as_raw_fd()), set, i64::from(id), record.as_ptr())
    };
    assert_eq!(result, 0, "limits of {id}: {}", std::io::Error::last_os_error());
}
