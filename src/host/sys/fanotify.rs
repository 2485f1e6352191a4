//! `fanotify(7)` and the file handles by which it names directories (`name_to_handle_at(2)`).

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::raw::{c_int, c_uint};

/// What a mark asks for: bits of `linux/fanotify.h`.
pub mod mask {
    /// An attribute changed, size by truncation and number of links included.
    pub const ATTRIB: u64 = libc::FAN_ATTRIB;
    /// A descriptor that could write was closed.
    pub const CLOSE_WRITE: u64 = libc::FAN_CLOSE_WRITE;
    /// A file or directory was opened.
    pub const OPEN: u64 = libc::FAN_OPEN;
    /// An entry came: made or linked.
    pub const CREATE: u64 = libc::FAN_CREATE;
    /// An entry was removed.
    pub const DELETE: u64 = libc::FAN_DELETE;
    /// An entry went away by a rename.
    pub const MOVED_FROM: u64 = libc::FAN_MOVED_FROM;
    /// An entry came by a rename.
    pub const MOVED_TO: u64 = libc::FAN_MOVED_TO;
    /// What happens to directories too.
    pub const ONDIR: u64 = libc::FAN_ONDIR;
    /// Events were lost: the queue was full.
    pub const OVERFLOW: u64 = libc::FAN_Q_OVERFLOW;
}

/// A new group whose events name the directory by its handle, and the entry: Linux 5.9. Reading it
/// never blocks. `EINVAL`: an older kernel. `EPERM`: without `CAP_SYS_ADMIN`.
pub fn group() -> io::Result<OwnedFd> {
    let flags =
        libc::FAN_CLASS_NOTIF | libc::FAN_CLOEXEC | libc::FAN_NONBLOCK | libc::FAN_REPORT_DFID_NAME;
    let event_flags = (libc::O_RDONLY | libc::O_CLOEXEC) as c_uint;
    // SAFETY: fanotify_init takes two integers and touches no memory of this process.
    let fd = unsafe { libc::fanotify_init(flags, event_flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds a mark on the whole filesystem of a directory (no link followed), or more bits to it. It
/// holds nothing open: the filesystem can be unmounted, and the mark is gone with it.
/// `ENODEV`, `EOPNOTSUPP`, `EXDEV`: it has no handles or no id to tell it by.
pub fn mark_filesystem(group: BorrowedFd<'_>, path: &CStr, mask: u64) -> io::Result<()> {
    mark(group, libc::FAN_MARK_ADD, path, mask)
}

/// Whether the filesystem of a directory has a mark of this group still: takes away a bit that
/// was not asked for, which changes nothing where there is one.
pub fn has_mark(group: BorrowedFd<'_>, path: &CStr) -> io::Result<bool> {
    match mark(group, libc::FAN_MARK_REMOVE, path, libc::FAN_ACCESS) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

fn mark(group: BorrowedFd<'_>, how: c_uint, path: &CStr, mask: u64) -> io::Result<()> {
    let flags =
        how | libc::FAN_MARK_FILESYSTEM | libc::FAN_MARK_ONLYDIR | libc::FAN_MARK_DONT_FOLLOW;
    // SAFETY: the path is a NUL-terminated string that outlives the call; the other arguments are
    // integers, and the descriptor is open.
    let result = unsafe {
        libc::fanotify_mark(group.as_raw_fd(), flags, mask, libc::AT_FDCWD, path.as_ptr())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// `MAX_HANDLE_SZ` of `linux/exportfs.h`.
const MAX_HANDLE: usize = 128;

/// `struct file_handle`, with room for the longest.
#[repr(C)]
struct RawHandle {
    bytes: c_uint,
    kind: c_int,
    handle: [u8; MAX_HANDLE],
}

/// The handle of an open directory (`O_PATH` will do), as events name it: kind and bytes. Needs no
/// privilege. `EOPNOTSUPP`: its filesystem has none.
pub fn handle(fd: BorrowedFd<'_>) -> io::Result<(i32, Vec<u8>)> {
    let mut raw = RawHandle { bytes: MAX_HANDLE as c_uint, kind: 0, handle: [0; MAX_HANDLE] };
    let mut mount_id: c_int = 0;
    // SAFETY: the path is an empty NUL-terminated string; the handle's header says how many bytes
    // there are room for, and the kernel writes no more; the mount id is one int.
    let result = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::c_long::from(fd.as_raw_fd()),
            c"".as_ptr(),
            std::ptr::from_mut(&mut raw),
            std::ptr::from_mut(&mut mount_id),
            libc::c_long::from(libc::AT_EMPTY_PATH),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let length = (raw.bytes as usize).min(MAX_HANDLE);
    Ok((raw.kind, raw.handle[..length].to_vec()))
}
