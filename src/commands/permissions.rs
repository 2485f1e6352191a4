//! What each feature needs of the kernel beyond what every process may, and what is lost without.
//!
//! `check` tells it of the user that runs it, the daemon of itself in its log, and
//! `docs/permissions.md` shows it; a test holds page, drop-ins and this table together.

use std::fmt::Write;

use crate::host::capabilities::{Capability, missing};

/// A feature that needs a privilege.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// In a few words.
    pub name: &'static str,
    /// Configuration key that asks for it; absent: it is always used where it can be.
    pub key: Option<&'static str>,
    /// All of these are needed.
    pub needs: &'static [Capability],
    /// What for.
    pub why: &'static str,
    /// What is lost without.
    pub lost: &'static str,
    /// Drop-in of the packages that gives it; absent: the unit does.
    pub drop_in: Option<&'static str>,
}

impl Feature {
    /// What it needs and this process is known not to have.
    pub fn missing(&self) -> Vec<Capability> {
        missing(self.needs)
    }
}

/// Every feature that needs a capability. Sources: `capabilities(7)`, `quotactl(2)`,
/// `fanotify_init(2)`, `proc_pid_fd(5)`, `ioctl_xfs_fssetxattr(2)`.
pub const FEATURES: [Feature; 7] = [
    Feature {
        name: "trees of other users",
        key: None,
        needs: &[Capability::DacReadSearch],
        why: "to list directories of every user, and to read the agent's checkpoint",
        lost: "sandboxes, volumes and the checkpoint that the user may not read are errors of \
               their source, and have no bytes",
        drop_in: None,
    },
    Feature {
        name: "the agent's socket",
        key: None,
        needs: &[Capability::DacReadSearch, Capability::SysPtrace],
        why: "to see on which port the agent's process listens (`/proc/PID/fd`)",
        lost: "the port comes from its command line, its package's files, or is 5051; \
               `mesos.agent_url` overrides all",
        drop_in: Some("open-files.conf"),
    },
    Feature {
        name: "open files of orphans",
        key: Some("orphans.open_files"),
        needs: &[Capability::DacReadSearch, Capability::SysPtrace],
        why: "to see which files other users' processes hold open (`/proc/PID/fd`, `maps`)",
        lost: "it is not known who still uses data that nobody claims, nor who uses a configured \
               directory",
        drop_in: Some("open-files.conf"),
    },
    Feature {
        name: "memory of containers",
        key: None,
        needs: &[Capability::SysPtrace],
        why: "to see how full the `tmpfs` mounts of other users' containers are (`/proc/PID/root`)",
        lost: "those have their limit and their holder, but no bytes",
        drop_in: Some("open-files.conf"),
    },
    Feature {
        name: "project quotas",
        key: None,
        needs: &[Capability::SysAdmin],
        why: "to read the kernel's record of a project (`quotactl`)",
        lost: "`statfs` tells the limit and, while there is room, the use; else the subject is walked",
        drop_in: Some("project-quotas.conf"),
    },
    Feature {
        name: "project ids for new volumes",
        key: Some("usage.assign_project_ids"),
        needs: &[Capability::SysAdmin, Capability::Fowner],
        why: "to set the id of a directory that another user owns, and to see which ids are in use",
        lost: "no ids are given; volumes are walked",
        drop_in: Some("project-ids.conf"),
    },
    Feature {
        name: "changes told by the kernel",
        key: Some("usage.fanotify"),
        needs: &[Capability::SysAdmin],
        why: "to be told of changes on a whole filesystem (`fanotify`)",
        lost: "refreshes look at every directory of a subject",
        drop_in: Some("fanotify.conf"),
    },
];

/// One line on all of them: for the log of a daemon that cannot be asked from outside.
pub fn summary() -> String {
    let mut line = String::new();
    for feature in &FEATURES {
        let lacking: Vec<_> = feature.missing().iter().map(|one| one.name()).collect();
        let separator = if line.is_empty() { "" } else { "; " };
        // Writing to a String cannot fail.
        let _ = match lacking.as_slice() {
            [] => write!(line, "{separator}{}: yes", feature.name),
            lacking => write!(line, "{separator}{}: no {}", feature.name, lacking.join(", ")),
        };
    }
    line
}

/// The table of `docs/permissions.md`.
pub fn table() -> String {
    let mut table = String::from(
        "| feature | asked for by | capability | why | what is lost without it | drop-in |\n\
         |---|---|---|---|---|---|\n",
    );
    for feature in &FEATURES {
        let key = feature.key.map_or("always".to_owned(), |key| format!("`{key}`"));
        let needs: Vec<_> = feature.needs.iter().map(|one| format!("`{}`", one.name())).collect();
        let drop_in = feature.drop_in.map_or("the unit".to_owned(), |name| format!("`{name}`"));
        let _ = writeln!(
            table,
            "| {} | {key} | {} | {} | {} | {drop_in} |",
            feature.name,
            needs.join(", "),
            feature.why,
            feature.lost
        );
    }
    table
}
