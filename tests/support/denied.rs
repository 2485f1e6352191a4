//! System calls taken away from one thread and all it starts, as an old kernel or a container's
//! filter does. For real: by seccomp. When the thread ends, so does the filter.
#![allow(dead_code)] // each test binary uses its own part of this

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Runs `work` where each of `calls` fails with `errno`.
pub fn without<T: Send>(calls: &[libc::c_long], errno: i32, work: impl FnOnce() -> T + Send) -> T {
    let rules = calls.iter().map(|&call| (call, Vec::new())).collect();
    let action = SeccompAction::Errno(errno.unsigned_abs());
    filtered(&filter(rules, action), work)
}

/// Runs `work` where `statx(2)` tells no mount ids, as before Linux 5.8: the call is made, and
/// its answer has the bit taken away.
#[cfg(target_arch = "x86_64")]
pub fn without_mount_ids<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let asked = SeccompCmpOp::MaskedEq(u64::from(libc::STATX_MNT_ID));
    let wanted = u64::from(libc::STATX_MNT_ID);
    let condition = SeccompCondition::new(3, SeccompCmpArgLen::Dword, asked, wanted).unwrap();
    let rule = SeccompRule::new(vec![condition]).unwrap();
    forge::install();
    filtered(&filter([(libc::SYS_statx, vec![rule])].into(), SeccompAction::Trap), work)
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, action: SeccompAction) -> BpfProgram {
    let arch = TargetArch::try_from(std::env::consts::ARCH).expect("a known architecture");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch);
    filter.expect("a sound filter").try_into().expect("a program")
}

fn filtered<T: Send>(program: &BpfProgram, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            seccompiler::apply_filter(program).expect("this kernel filters system calls");
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Answers a trapped `statx(2)` in its stead.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod forge {
    use std::sync::Once;

    pub(super) fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: an all-zero `sigaction` is a valid one: no flags, an empty mask.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = answer as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            // SAFETY: the handler has the signature that SA_SIGINFO asks for, and makes nothing
            // but one system call.
            let set = unsafe { libc::sigaction(libc::SIGSYS, &action, std::ptr::null_mut()) };
            assert_eq!(set, 0);
        });
    }

    extern "C" fn answer(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the kernel hands a `ucontext_t` to a SA_SIGINFO handler; it holds the registers
        // of the trapped call, which is a `statx` by the filter: its arguments are passed on as
        // they came, with one bit less of the mask, and `errno` is put back.
        unsafe {
            let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
            let argument = |register: libc::c_int| registers[register as usize];
            let buffer = argument(libc::REG_R8) as *mut libc::statx;
            let errno = *libc::__errno_location();
            let mut result = libc::syscall(
                libc::SYS_statx,
                argument(libc::REG_RDI),
                argument(libc::REG_RSI),
                argument(libc::REG_RDX),
                argument(libc::REG_R10) & !i64::from(libc::STATX_MNT_ID),
                buffer,
            );
            if result < 0 {
                result = -libc::c_long::from(*libc::__errno_location());
            } else {
                (*buffer).stx_mask &= !libc::STATX_MNT_ID;
                (*buffer).stx_mnt_id = 0;
            }
            *libc::__errno_location() = errno;
            registers[libc::REG_RAX as usize] = result;
        }
    }
}
