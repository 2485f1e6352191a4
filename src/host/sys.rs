//! System calls that `rustix` does not offer: the only module with `unsafe`.
#![allow(unsafe_code)]

pub mod fanotify;

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// I/O priority class of a thread, `ioprio_set(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoClass {
    /// Nothing of its own: follows the thread's nice value.
    Default,
    /// Served when nobody else asks (BFQ, and mq-deadline from 5.14); other schedulers ignore it.
    Idle,
}

impl IoClass {
    /// `IOPRIO_PRIO_VALUE(class, 0)` of `linux/ioprio.h`: the class sits above 13 bits of data.
    fn value(self) -> libc::c_long {
        match self {
            Self::Default => 0,
            Self::Idle => 3 << 13,
        }
    }
}

/// Most heaps that malloc keeps, however many threads there are.
const HEAPS: libc::c_int = 2;
/// Bytes from which malloc takes memory from the kernel for one use only, and bytes that it keeps at the
/// end of a heap.
const LARGE: libc::c_int = 1 << 20;

/// Lets malloc give back what a burst needed. By default glibc makes a heap for each thread, and
/// from the first large buffer that is freed it keeps buffers of that size: pages, answers and the
/// state file of a busy host then hold several times the memory they need (docs/performance.md).
/// To be called before there are threads. Source: `mallopt(3)`.
pub fn bound_heaps() {
    #[cfg(target_env = "gnu")]
    for (what, value) in [
        (libc::M_ARENA_MAX, HEAPS),
        (libc::M_MMAP_THRESHOLD, LARGE),
        (libc::M_TRIM_THRESHOLD, LARGE),
    ] {
        // SAFETY: mallopt takes two integers, and no other thread allocates yet.
        unsafe { libc::mallopt(what, value) };
    }
}

/// `IOPRIO_WHO_PROCESS`; with id 0 it means the calling *thread*.
const IOPRIO_WHO_PROCESS: libc::c_long = 1;

/// Sets the I/O class of the calling thread. Needs no privilege.
pub fn set_io_class(class: IoClass) -> io::Result<()> {
    let calling_thread: libc::c_long = 0;
    // SAFETY: ioprio_set takes three integers and touches no memory of this process.
    let result = unsafe {
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, calling_thread, class.value())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The I/O class and data of the calling thread, as the kernel packs them.
pub fn io_class() -> io::Result<i64> {
    let calling_thread: libc::c_long = 0;
    // SAFETY: ioprio_get takes two integers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, calling_thread) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// CPU time the calling thread has used, in seconds (`CLOCK_THREAD_CPUTIME_ID`).
pub fn thread_cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Whose CPU time [`cpu_seconds`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// All threads of this process.
    Process,
    /// Children that ended and were waited for.
    Children,
}

/// User and system time in seconds, from `getrusage(2)`.
pub fn cpu_seconds(whose: Whose) -> io::Result<f64> {
    let who = match whose {
        Whose::Process => libc::RUSAGE_SELF,
        Whose::Children => libc::RUSAGE_CHILDREN,
    };
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the pointer is valid for writing one `rusage`, which is all getrusage does.
    if unsafe { libc::getrusage(who, usage.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: getrusage succeeded and has filled the whole structure.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

/// Project attributes of a directory or file, from `FS_IOC_FSGETXATTR` (`linux/fs.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectAttributes {
    /// Project id; 0 is none.
    pub id: u32,
    /// What is made in the directory takes over its id (`FS_XFLAG_PROJINHERIT`), and what has
    /// another id can be neither moved nor linked into it.
    pub inherit: bool,
}

/// `struct fsxattr` of `linux/fs.h`.
#[repr(C)]
#[derive(Default)]
struct FsXattr {
    xflags: u32,
    extsize: u32,
    nextents: u32,
    projid: u32,
    cowextsize: u32,
    pad: [u8; 8],
}

/// `_IOR('X', 31, struct fsxattr)` where reading is direction 2, as on x86, ARM and RISC-V.
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
/// `_IOW('X', 32, struct fsxattr)`, there.
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;
const FS_XFLAG_PROJINHERIT: u32 = 0x0000_0200;

/// Reads the project attributes of an open directory or file (not `O_PATH`). `ENOTTY` or
/// `EOPNOTSUPP`: its filesystem has none. Needs no privilege.
pub fn project_attributes(fd: BorrowedFd<'_>) -> io::Result<ProjectAttributes> {
    let attributes = extended_attributes(fd)?;
    let inherit = attributes.xflags & FS_XFLAG_PROJINHERIT != 0;
    Ok(ProjectAttributes { id: attributes.projid, inherit })
}

/// Gives an open directory (not `O_PATH`) a project and whether to hand it down; everything else of
/// its attributes stays. `EPERM`: neither its owner nor with `CAP_FOWNER`. `EINVAL`: from within
/// another user namespace than the first. `EROFS`: this process sees its mount read-only.
pub fn set_project_attributes(fd: BorrowedFd<'_>, project: ProjectAttributes) -> io::Result<()> {
    let mut attributes = extended_attributes(fd)?;
    attributes.projid = project.id;
    attributes.xflags &= !FS_XFLAG_PROJINHERIT;
    if project.inherit {
        attributes.xflags |= FS_XFLAG_PROJINHERIT;
    }
    // SAFETY: FS_IOC_FSSETXATTR reads one `struct fsxattr` (28 bytes) from the pointer, which is
    // valid for exactly that; the descriptor is open for the whole call.
    let result = unsafe {
        libc::ioctl(fd.as_raw_fd(), FS_IOC_FSSETXATTR as _, std::ptr::from_ref(&attributes))
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn extended_attributes(fd: BorrowedFd<'_>) -> io::Result<FsXattr> {
    let mut attributes = FsXattr::default();
    // SAFETY: FS_IOC_FSGETXATTR writes one `struct fsxattr` (28 bytes) to the pointer, which is
    // valid for exactly that; the descriptor is open for the whole call.
    let result = unsafe {
        libc::ioctl(fd.as_raw_fd(), FS_IOC_FSGETXATTR as _, std::ptr::from_mut(&mut attributes))
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(attributes)
}

/// The kernel's record of one project on one filesystem, from `Q_XGETQUOTA`. A limit of 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProjectQuota {
    /// Bytes in use, those of the realtime section of XFS included.
    pub bytes: u64,
    /// Inodes in use, unlinked ones that are still open included.
    pub inodes: u64,
    /// Bytes past which writes fail.
    pub bytes_hard: u64,
    /// Bytes past which the time of grace runs.
    pub bytes_soft: u64,
    /// Inodes past which none can be made.
    pub inodes_hard: u64,
    /// Inodes past which the time of grace runs.
    pub inodes_soft: u64,
}

/// `struct fs_disk_quota` of `linux/dqblk_xfs.h`; blocks are of 512 bytes.
#[repr(C)]
#[derive(Default)]
struct FsDiskQuota {
    version: i8,
    flags: i8,
    fieldmask: u16,
    id: u32,
    blk_hardlimit: u64,
    blk_softlimit: u64,
    ino_hardlimit: u64,
    ino_softlimit: u64,
    bcount: u64,
    icount: u64,
    itimer: i32,
    btimer: i32,
    iwarns: u16,
    bwarns: u16,
    timers_hi: [i8; 4],
    rtb_hardlimit: u64,
    rtb_softlimit: u64,
    rtbcount: u64,
    rtbtimer: i32,
    rtbwarns: u16,
    padding3: i16,
    padding4: [u8; 8],
}

/// `QCMD(Q_XGETQUOTA, PRJQUOTA)`: the generic quota code answers it for XFS and ext4 alike.
const GET_PROJECT_QUOTA: libc::c_long = (0x5803 << 8) | 2;
/// The same number on every architecture (`asm-generic/unistd.h`).
const SYS_QUOTACTL_FD: libc::c_long = 443;

impl From<FsDiskQuota> for ProjectQuota {
    fn from(raw: FsDiskQuota) -> Self {
        let bytes = |blocks: u64| blocks.saturating_mul(512);
        Self {
            bytes: bytes(raw.bcount.saturating_add(raw.rtbcount)),
            inodes: raw.icount,
            bytes_hard: bytes(raw.blk_hardlimit),
            bytes_soft: bytes(raw.blk_softlimit),
            inodes_hard: raw.ino_hardlimit,
            inodes_soft: raw.ino_softlimit,
        }
    }
}

/// Reads the record of project `id` on the filesystem of an open descriptor: `quotactl_fd(2)`,
/// Linux 5.14. `ENOSYS`: an older kernel. `EPERM`: without `CAP_SYS_ADMIN`. `ESRCH`: project quotas
/// are not on. `ENOENT`: no such project.
pub fn project_quota(fd: BorrowedFd<'_>, id: u32) -> io::Result<ProjectQuota> {
    let mut record = FsDiskQuota::default();
    // SAFETY: Q_XGETQUOTA writes one `struct fs_disk_quota` (112 bytes) to the pointer, which is
    // valid for exactly that; the other arguments are integers, the descriptor is open.
    let result = unsafe {
        libc::syscall(
            SYS_QUOTACTL_FD,
            libc::c_long::from(fd.as_raw_fd()),
            GET_PROJECT_QUOTA,
            libc::c_long::from(id),
            std::ptr::from_mut(&mut record),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(record.into()) }
}

/// The same by the path of the block device: `quotactl(2)`, for kernels before 5.14.
pub fn project_quota_of_device(device: &CStr, id: u32) -> io::Result<ProjectQuota> {
    let mut record = FsDiskQuota::default();
    // SAFETY: the path is a NUL-terminated string that outlives the call; Q_XGETQUOTA writes one
    // `struct fs_disk_quota` (112 bytes) to the last pointer, which is valid for exactly that.
    let result = unsafe {
        libc::syscall(
            libc::SYS_quotactl,
            GET_PROJECT_QUOTA,
            device.as_ptr(),
            libc::c_long::from(id),
            std::ptr::from_mut(&mut record),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(record.into()) }
}

/// Lets a statically linked program resolve names from `/etc/hosts` and by DNS alone, whatever
/// `nsswitch.conf` says: the modules it names are shared libraries of the host's glibc, which is not the
/// one that is linked in here. To be called while there is one thread. Source: glibc's `nss.h`.
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
pub fn resolve_names_without_modules() {
    unsafe extern "C" {
        fn __nss_configure_lookup(
            database: *const libc::c_char,
            services: *const libc::c_char,
        ) -> libc::c_int;
    }
    // SAFETY: both strings end with NUL and live as long as the program; glibc copies what it keeps.
    // An answer other than 0 means that the line was not understood, which a constant is.
    let _ = unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
}

/// A program that is linked dynamically uses the host's own modules.
#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
pub fn resolve_names_without_modules() {}

/// The same numbers on every architecture (`asm-generic/unistd.h`).
const SYS_CLOSE_RANGE: libc::c_long = 436;
const SYS_LANDLOCK_CREATE_RULESET: libc::c_long = 444;
/// `LANDLOCK_CREATE_RULESET_VERSION` of `linux/landlock.h`.
const LANDLOCK_VERSION: libc::c_long = 1;

/// Version of Landlock that the kernel has, from 1.
pub fn landlock_abi() -> io::Result<u32> {
    let (no_attributes, no_size): (libc::c_long, libc::c_long) = (0, 0);
    // SAFETY: with this flag the call takes a null pointer of length 0, makes no descriptor and
    // answers a number.
    let version = unsafe {
        libc::syscall(SYS_LANDLOCK_CREATE_RULESET, no_attributes, no_size, LANDLOCK_VERSION)
    };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}

/// Closes every descriptor but the standard three: what a parent left open by mistake or for
/// others. To be called first thing in a program, before anything of it has opened one.
pub fn close_inherited() -> io::Result<()> {
    let (first, last, no_flags): (libc::c_long, libc::c_long, libc::c_long) =
        (3, libc::c_long::from(u32::MAX), 0);
    // SAFETY: close_range takes three integers. No descriptor from 3 on has an owner in this
    // process yet, by the contract above.
    let result = unsafe { libc::syscall(SYS_CLOSE_RANGE, first, last, no_flags) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn sizes_are_those_of_the_kernel() {
        assert_eq!(size_of::<FsXattr>(), 28);
        assert_eq!(size_of::<FsDiskQuota>(), 112);
        assert_eq!(std::mem::offset_of!(FsDiskQuota, rtb_hardlimit), 72);
    }

    #[test]
    fn blocks_become_bytes() {
        let raw = FsDiskQuota {
            bcount: 8,
            rtbcount: 2,
            icount: 3,
            blk_hardlimit: 100,
            blk_softlimit: 50,
            ino_hardlimit: 7,
            ..FsDiskQuota::default()
        };
        let expected = ProjectQuota {
            bytes: 5120,
            inodes: 3,
            bytes_hard: 51_200,
            bytes_soft: 25_600,
            inodes_hard: 7,
            inodes_soft: 0,
        };
        assert_eq!(ProjectQuota::from(raw), expected);
    }

    #[test]
    fn a_filesystem_without_projects_is_an_error_not_a_number() {
        let proc = std::fs::File::open("/proc").expect("there is a /proc");
        assert!(project_attributes(proc.as_fd()).is_err());
        assert!(project_quota(proc.as_fd(), 5).is_err());
        assert!(project_quota_of_device(c"/proc/none", 5).is_err());
    }

    #[test]
    fn idle_is_set_for_this_thread_only() {
        std::thread::spawn(|| {
            set_io_class(IoClass::Idle).expect("allowed to everybody");
            assert_eq!(io_class().expect("readable") >> 13, 3);
            set_io_class(IoClass::Default).expect("allowed to everybody");
            assert_ne!(io_class().expect("readable") >> 13, 3);
        })
        .join()
        .expect("the thread ends");
        assert_ne!(io_class().expect("readable") >> 13, 3);
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let before = thread_cpu_seconds();
        let mut sum = 0_u64;
        while thread_cpu_seconds() - before < 0.002 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        assert!(thread_cpu_seconds() > before);
        assert!(cpu_seconds(Whose::Process).expect("readable") >= 0.002);
        assert!(cpu_seconds(Whose::Children).expect("readable") >= 0.0);
    }
}
