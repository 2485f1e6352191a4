//! System calls that `rustix` does not offer: the only module with `unsafe`.
#![allow(unsafe_code)]

use std::io;

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

#[cfg(test)]
mod tests {
    use super::*;

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
