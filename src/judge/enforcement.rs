//! What happens when a subject holds more than its quota.
//!
//! Derived from the agent's flags (`--isolation`, `--enforce_container_disk_quota`,
//! `--xfs_kill_containers`) and the disk. Source: Mesos' isolators `posix/disk.cpp` and
//! `xfs/disk.cpp`.

use std::collections::BTreeMap;

use crate::model::{
    Containerizer, DiskType, Enforcement, KernelLimit, Sandbox, SandboxKind, SandboxState,
    SourceKind, Volume, VolumeKind,
};

/// How the agent watches disk space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskPolicy {
    /// The flags are not known.
    Unknown,
    /// No disk isolator.
    Unwatched,
    /// `disk/du` (once called `posix/disk`).
    Du {
        /// `--enforce_container_disk_quota`.
        enforce: bool,
    },
    /// `disk/xfs`.
    Xfs {
        /// `--enforce_container_disk_quota`.
        enforce: bool,
        /// `--xfs_kill_containers`.
        kill: bool,
    },
}

impl DiskPolicy {
    /// Reads the policy from the agent's flags, as `/flags` or its command line gives them.
    pub fn from_flags(flags: &BTreeMap<String, String>) -> Self {
        // The agent prints every flag that has a default; without `isolation` we know nothing.
        let Some(isolation) = flags.get("isolation") else { return Self::Unknown };
        let set = |name: &str| flags.get(name).is_some_and(|value| value == "true");
        let enforce = set("enforce_container_disk_quota");
        let mut isolators = isolation.split(',').map(str::trim);
        if isolators.clone().any(|name| name == "disk/xfs" || name == "xfs/disk") {
            return Self::Xfs { enforce, kill: set("xfs_kill_containers") };
        }
        if isolators.any(|name| name == "disk/du" || name == "posix/disk") {
            return Self::Du { enforce };
        }
        Self::Unwatched
    }

    fn on_shared_filesystem(self) -> Enforcement {
        match self {
            Self::Unknown => Enforcement::Unknown,
            Self::Unwatched | Self::Du { enforce: false } => Enforcement::None,
            Self::Du { enforce: true } | Self::Xfs { enforce: true, kill: true } => {
                Enforcement::SoftKill
            }
            Self::Xfs { enforce: false, .. } => Enforcement::Accounting,
            Self::Xfs { enforce: true, kill: false } => Enforcement::HardQuota,
        }
    }
}

/// Enforcement of a volume.
pub fn of_volume(volume: &Volume, policy: DiskPolicy) -> Enforcement {
    if volume.kind != VolumeKind::Persistent {
        return match volume.kind {
            VolumeKind::Disk => Enforcement::Filesystem,
            VolumeKind::Directory if volume.own_filesystem => Enforcement::Filesystem,
            VolumeKind::Tmpfs => Enforcement::Filesystem,
            VolumeKind::DockerVolume if volume.key.source == SourceKind::Docker => {
                match (volume.own_filesystem, volume.quota_bytes) {
                    (true, _) => Enforcement::Filesystem,
                    // The local driver takes `size` only where it can set a project quota.
                    (false, Some(_)) => Enforcement::HardQuota,
                    (false, None) => Enforcement::None,
                }
            }
            _ => Enforcement::None,
        };
    }
    match volume.disk_type {
        DiskType::Mount | DiskType::Block => Enforcement::Filesystem,
        // Without a quota there is nothing to enforce: nobody claims the directory.
        _ if volume.quota_bytes.is_none() => Enforcement::None,
        _ => policy.on_shared_filesystem(),
    }
}

/// Enforcement of a sandbox.
///
/// The isolators watch top-level containers of the Mesos containerizer only, while they run;
/// `disk/xfs` counts a sandbox that asked for no disk, but gives it no limit.
pub fn of_sandbox(sandbox: &Sandbox, state: SandboxState, policy: DiskPolicy) -> Enforcement {
    if sandbox.kind == SandboxKind::Docker {
        // The engine takes --storage-opt size only where the kernel enforces it: a project quota
        // of XFS under overlay2.
        let limited = sandbox.quota_bytes.is_some();
        return if limited { Enforcement::HardQuota } else { Enforcement::None };
    }
    let watched = matches!(sandbox.kind, SandboxKind::Executor(_))
        && sandbox.containerizer != Some(Containerizer::Docker)
        && state == SandboxState::Live;
    match (watched, sandbox.quota_bytes, policy) {
        (false, ..) => Enforcement::None,
        (true, None, DiskPolicy::Xfs { .. }) => Enforcement::Accounting,
        (true, None, DiskPolicy::Unknown) => Enforcement::Unknown,
        (true, None, _) => Enforcement::None,
        (true, Some(_), _) => policy.on_shared_filesystem(),
    }
}

/// What the kernel's own records add: a hard limit of bytes that is in force is one, whatever the
/// agent's flags say or leave unsaid. Where the agent kills first, it stays so.
pub fn with_kernel(enforcement: Enforcement, limit: Option<&KernelLimit>) -> Enforcement {
    let hard = limit.is_some_and(|limit| limit.enforced && limit.bytes_hard.is_some());
    match enforcement {
        Enforcement::None | Enforcement::Accounting | Enforcement::Unknown if hard => {
            Enforcement::HardQuota
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn a_hard_limit_of_the_kernel_is_enforced() {
        let limit = |bytes_hard, enforced| KernelLimit {
            bytes_hard,
            enforced,
            files_hard: Some(7),
            ..KernelLimit::default()
        };
        let hard = limit(Some(1), true);
        let cases = [
            (Enforcement::None, Enforcement::HardQuota),
            (Enforcement::Accounting, Enforcement::HardQuota),
            (Enforcement::Unknown, Enforcement::HardQuota),
            (Enforcement::SoftKill, Enforcement::SoftKill),
            (Enforcement::Filesystem, Enforcement::Filesystem),
        ];
        for (before, after) in cases {
            assert_eq!(with_kernel(before, Some(&hard)), after);
            assert_eq!(with_kernel(before, None), before);
            assert_eq!(with_kernel(before, Some(&limit(Some(1), false))), before);
            assert_eq!(with_kernel(before, Some(&limit(None, true))), before);
        }
    }

    #[test]
    fn policy_of_every_combination() {
        let of = |isolation: &str, enforce: &str, kill: &str| {
            DiskPolicy::from_flags(&flags(&[
                ("isolation", isolation),
                ("enforce_container_disk_quota", enforce),
                ("xfs_kill_containers", kill),
            ]))
        };
        let cases = [
            ("cgroups/cpu,disk/du", "false", "false", Enforcement::None),
            ("cgroups/cpu, disk/du", "true", "false", Enforcement::SoftKill),
            ("posix/disk", "true", "false", Enforcement::SoftKill),
            ("disk/xfs,cgroups/all", "false", "false", Enforcement::Accounting),
            ("disk/xfs", "true", "false", Enforcement::HardQuota),
            ("disk/xfs", "true", "true", Enforcement::SoftKill),
            ("disk/xfs", "false", "true", Enforcement::Accounting),
            ("cgroups/cpu,cgroups/mem", "true", "true", Enforcement::None),
        ];
        for (isolation, enforce, kill, expected) in cases {
            assert_eq!(
                of(isolation, enforce, kill).on_shared_filesystem(),
                expected,
                "{isolation} enforce={enforce} kill={kill}"
            );
        }
        assert_eq!(DiskPolicy::from_flags(&flags(&[])), DiskPolicy::Unknown);
    }
}
