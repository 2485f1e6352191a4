//! Which capabilities are in force: `CapEff` of `/proc/self/status` (`proc_pid_status(5)`).

/// Capabilities that features of Plimsoll ask for, by their number in `linux/capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_DAC_READ_SEARCH`: reads every directory, opens by file handle.
    DacReadSearch = 2,
    /// `CAP_FOWNER`: changes attributes of what others own.
    Fowner = 3,
    /// `CAP_SYS_PTRACE`: looks into processes of other users.
    SysPtrace = 19,
    /// `CAP_SYS_ADMIN`: project quotas, marks on filesystems.
    SysAdmin = 21,
}

impl Capability {
    /// As `capabilities(7)` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::Fowner => "CAP_FOWNER",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
        }
    }

    /// Whether this process has it in force; `None`: that cannot be read.
    pub fn held(self) -> Option<bool> {
        let status = procfs::process::Process::myself().ok()?.status().ok()?;
        // CAP_DAC_OVERRIDE reads every directory, too.
        let enough = match self {
            Self::DacReadSearch => 1 << self as u64 | 1 << 1,
            other => 1 << other as u64,
        };
        Some(status.capeff & enough != 0)
    }
}

/// Those of `wanted` that are known to be missing.
pub fn missing(wanted: &[Capability]) -> Vec<Capability> {
    wanted.iter().copied().filter(|capability| capability.held() == Some(false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_of_this_process() {
        let held = Capability::SysAdmin.held().expect("there is a /proc");
        let missing = missing(&[Capability::SysAdmin]);
        assert_eq!(missing.is_empty(), held);
        assert_eq!(Capability::SysAdmin.name(), "CAP_SYS_ADMIN");
    }
}
