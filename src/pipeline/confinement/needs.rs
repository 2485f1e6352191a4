//! What the daemon has to open, as far as its configuration, its command line and the agent that was
//! found say.
//!
//! Listing and reading are two things: measuring a tree lists its directories and looks at its
//! files (`stat`), which Landlock never bounds, so that no content of a task's files is ever
//! needed. Files are read of the kernel's own filesystems, of the agent's checkpoint and runtime
//! directory, of the engine's data root, and what configuration, TLS and names take.

use std::path::{Path, PathBuf};

use crate::config::{Config, Enabled, Landlock, WebConfig, has_wildcard};
use crate::discover::docker::DEFAULT_DATA_ROOTS;
use crate::discover::mesos::settings::Resolved;
use crate::host::landlock::Access;
use crate::host::{MountTable, Roots};

/// In which root a path is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The host, which may be below `--path.rootfs`.
    Host,
    /// This process.
    Own,
}

/// What lies at a path, or will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directory with all below it. One that is missing is left out.
    Tree,
    /// The same; while it is missing, the directory above it in which it will be made.
    TreeToCome,
    /// A file that may be replaced: its directory is opened, too, where that is narrow enough.
    File,
}

/// One thing that has to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) path: PathBuf,
    pub(super) of: Of,
    pub(super) kind: Kind,
    pub(super) access: Access,
    /// Key or flag that names it, or what it is for.
    pub(super) why: &'static str,
}

impl Need {
    fn host(path: impl Into<PathBuf>, kind: Kind, access: Access, why: &'static str) -> Self {
        Self { path: path.into(), of: Of::Host, kind, access, why }
    }

    fn own(path: impl Into<PathBuf>, kind: Kind, access: Access, why: &'static str) -> Self {
        Self { path: path.into(), of: Of::Own, kind, access, why }
    }
}

/// Where names are looked up and libraries of the name service lie; `getaddrinfo(3)`. Not the cache of
/// the loader, which every upgrade replaces: without it the libraries are found where they lie.
const NAMES: [&str; 6] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/mdns.allow",
];
const LIBRARIES: [&str; 4] = ["/usr/lib", "/usr/lib64", "/lib", "/lib64"];
/// Where distributions keep authorities: Debian, Red Hat, Arch, SUSE. Never the directories of keys
/// beside them.
const AUTHORITIES: [&str; 10] = [
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/var/lib/ca-certificates",
];

/// What every daemon needs, whatever its configuration.
pub(super) fn of_the_system(roots: &Roots, mounts: &MountTable) -> Vec<Need> {
    let read = |path: &Path, why| Need::own(path, Kind::Tree, Access::Read, why);
    let mut needs = vec![
        // Libraries look here whatever the roots are.
        read(Path::new("/proc"), "/proc"),
        read(Path::new("/sys"), "/sys"),
        read(&roots.procfs, "--path.procfs"),
        read(&roots.sysfs, "--path.sysfs"),
    ];
    let cgroups = mounts.entries.iter().filter(|entry| entry.fstype.starts_with("cgroup"));
    needs.extend(
        cgroups.map(|entry| read(&roots.inside(&entry.mount_point), "a cgroup filesystem")),
    );
    let names = NAMES.map(|path| Need::own(path, Kind::File, Access::Read, "resolution of names"));
    let trees = LIBRARIES.map(|path| read(Path::new(path), "libraries of the name service"));
    let trusted = AUTHORITIES.map(|path| read(Path::new(path), "the system's authorities"));
    needs.extend(names.into_iter().chain(trees).chain(trusted));
    for (variable, kind) in [("SSL_CERT_FILE", Kind::File), ("SSL_CERT_DIR", Kind::Tree)] {
        let path = std::env::var_os(variable).map(PathBuf::from);
        needs.extend(path.map(|path| Need::own(path, kind, Access::Read, variable)));
    }
    needs
}

/// What a configuration names, and nothing that is found elsewhere.
pub(super) fn of_the_configuration(config: &Config) -> Vec<Need> {
    let file = |path: &Option<PathBuf>, why| {
        path.as_ref().map(|path| Need::own(path, Kind::File, Access::Read, why))
    };
    let (mesos, alerting) = (&config.mesos, &config.alerting);
    let mut needs = Vec::new();
    needs.extend(mesos.work_dir.iter().flat_map(|path| work_dir(path, "mesos.work_dir")));
    needs.extend(mesos.runtime_dir.iter().map(|path| runtime_dir(path, "mesos.runtime_dir")));
    needs.extend(
        [
            file(&mesos.basic_auth.password_file, "mesos.basic_auth.password_file"),
            file(&mesos.bearer_token_file, "mesos.bearer_token_file"),
            file(&mesos.tls.ca_file, "mesos.tls.ca_file"),
            file(&alerting.basic_auth.password_file, "alerting.basic_auth.password_file"),
            file(&alerting.bearer_token_file, "alerting.bearer_token_file"),
            file(&alerting.tls.ca_file, "alerting.tls.ca_file"),
            file(&alerting.tls.cert_file, "alerting.tls.cert_file"),
            file(&alerting.tls.key_file, "alerting.tls.key_file"),
        ]
        .into_iter()
        .flatten(),
    );
    if config.docker.enabled != Enabled::False {
        let roots = match &config.docker.data_root {
            Some(root) => vec![root.clone()],
            None => DEFAULT_DATA_ROOTS.map(PathBuf::from).to_vec(),
        };
        let why = "docker.data_root";
        for root in roots {
            // Options of volumes lie beside their data; of containers Podman has a list.
            for below in ["volumes", "image", "overlay-containers"] {
                needs.push(Need::host(root.join(below), Kind::Tree, Access::Read, why));
            }
            needs.push(Need::host(root, Kind::Tree, Access::List, why));
        }
    }
    let list = |path: PathBuf, why| Need::host(path, Kind::TreeToCome, Access::List, why);
    match config.security.landlock {
        Landlock::Strict => {
            let named = config.directories.iter().map(|entry| before_wildcards(&entry.path));
            needs.extend(named.map(|path| list(path, "directories")));
            let named = config.security.landlock_directories.iter().cloned();
            needs.extend(named.map(|path| list(path, "security.landlock_directories")));
        }
        // Measuring takes no more than listing, and a container may mount any directory.
        Landlock::Auto | Landlock::False => {
            needs.push(Need::own("/", Kind::Tree, Access::List, "measuring"));
        }
    }
    needs
}

/// What the daemon's own files are: read again later, or written.
pub(super) fn of_our_own(
    config: &Config,
    config_file: &Path,
    web_file: Option<&Path>,
) -> Vec<Need> {
    let file = |path: &Path, why| Need::own(path, Kind::File, Access::Read, why);
    let mut needs = vec![file(config_file, "--config.file")];
    if let Some(path) = web_file {
        needs.push(file(path, "--web.config.file"));
        // What is wrong with it is told when it is opened for good.
        let tls = WebConfig::load(path).map(|web| web.tls_server_config).unwrap_or_default();
        let files = [tls.cert_file, tls.key_file, tls.client_ca_file];
        let named = files.iter().filter(|path| !path.as_os_str().is_empty());
        needs.extend(named.map(|path| file(path, "a file of --web.config.file")));
    }
    if config.storage.enabled != Enabled::False {
        needs.push(Need::own(&config.storage.path, Kind::Tree, Access::Write, "storage.path"));
    }
    needs
}

/// Where the agent keeps what is read of it.
pub(super) fn of_the_agent(resolved: &Resolved) -> Vec<Need> {
    let mut needs = Vec::new();
    if let Some(found) = &resolved.work_dir {
        needs.extend(work_dir(&found.value, "the agent's work directory"));
    }
    needs.push(runtime_dir(&resolved.runtime_dir.value, "the agent's runtime directory"));
    if let Some(path) = resolved.flags.get("docker_volume_checkpoint_dir") {
        needs.push(Need::host(path, Kind::Tree, Access::Read, "docker_volume_checkpoint_dir"));
    }
    needs
}

/// The checkpoint is read and the rest listed.
pub(super) fn work_dir(path: &Path, why: &'static str) -> [Need; 3] {
    [
        Need::host(checkpoint(path), Kind::TreeToCome, Access::Read, why),
        Need::host(path.join("isolators"), Kind::Tree, Access::Read, why),
        Need::host(path, Kind::TreeToCome, Access::List, why),
    ]
}

/// The part of a work directory that is read.
pub(super) fn checkpoint(work_dir: &Path) -> PathBuf {
    work_dir.join("meta")
}

fn runtime_dir(path: &Path, why: &'static str) -> Need {
    Need::host(path, Kind::TreeToCome, Access::Read, why)
}

/// The part of a pattern in which every match lies.
fn before_wildcards(pattern: &Path) -> PathBuf {
    let plain =
        |part: &std::path::Component<'_>| !has_wildcard(part.as_os_str().as_encoded_bytes());
    pattern.components().take_while(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DirectoryConfig;

    fn paths(needs: &[Need], access: Access) -> Vec<&str> {
        let of = needs.iter().filter(|need| need.access == access);
        of.map(|need| need.path.to_str().unwrap()).collect()
    }

    #[test]
    fn of_a_work_directory_only_the_checkpoint_is_read() {
        let mut config = Config::default();
        config.mesos.work_dir = Some("/data/mesos".into());
        config.docker.enabled = Enabled::False;
        let needs = of_the_configuration(&config);
        assert_eq!(paths(&needs, Access::Read), ["/data/mesos/meta", "/data/mesos/isolators"]);
        assert_eq!(paths(&needs, Access::List), ["/data/mesos", "/"]);
        assert_eq!(paths(&needs, Access::Write), [""; 0]);
    }

    #[test]
    fn strict_lists_what_is_named() {
        let mut config = Config::default();
        config.security.landlock = Landlock::Strict;
        config.security.landlock_directories = vec!["/mnt".into()];
        config.directories =
            ["/srv/*/db", "/data/ledger"].map(DirectoryConfig::new).into_iter().collect();
        let needs = of_the_configuration(&config);
        let listed = paths(&needs, Access::List);
        assert_eq!(
            listed,
            ["/var/lib/docker", "/var/lib/containers/storage", "/srv", "/data/ledger", "/mnt"]
        );
    }

    #[test]
    fn every_file_that_a_key_names_is_read() {
        let mut config = Config::default();
        config.docker.enabled = Enabled::False;
        // A key that ends in _file or names a directory must not be forgotten here.
        for key in Config::keys() {
            let path = format!("/named/{key}");
            if key.ends_with("_file") || key.ends_with("_dir") {
                config.set(&key, path.as_ref()).unwrap();
            }
        }
        let needs = of_the_configuration(&config);
        for key in Config::keys() {
            let named = needs.iter().any(|need| need.path.starts_with(format!("/named/{key}")));
            assert_eq!(named, key.ends_with("_file") || key.ends_with("_dir"), "{key}");
        }
    }
}
