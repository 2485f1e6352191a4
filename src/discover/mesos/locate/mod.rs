//! Finds the agent of this host without any configuration.
//!
//! In order: the running process (command line, then environment), and, where its environment
//! cannot be read or nothing runs, the package's files: `/etc/mesos-agent/<flag>`,
//! `/etc/mesos-slave/<flag>`, then assignments in `/etc/default/` and `/etc/sysconfig/`. Last the
//! agent's defaults. The address comes from the listening socket where that can be seen.
//!
//! Sources: `src/slave/flags.cpp` and `src/slave/constants.hpp` of Mesos for flags and defaults,
//! `3rdparty/stout/include/stout/flags/flags.hpp` for how they are written,
//! `support/packaging/common/mesos-init-wrapper.in` of Clusterd for the files.
//!
//! Nothing read here is trusted: files are cut at 1 MiB, names and values may be any bytes.

mod files;
mod process;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::api::hide_secret;
use crate::host::Roots;
use crate::model::SourceError;

/// Looks for the agent in another's stead: another process, which may see more than this one. Must
/// answer in bounded time.
pub type Locator = std::sync::Arc<dyn Fn() -> Located + Send + Sync>;

// For the fuzz targets.
#[doc(hidden)]
pub use {process::flag, socket::Listener, socket::parse as parse_sockets};

/// Port of an agent that was not told another (`DEFAULT_PORT`).
const DEFAULT_PORT: u16 = 5051;
/// Runtime directory of an agent that was not told another.
const DEFAULT_RUNTIME_DIR: &str = "/var/run/mesos";
/// Longest file that is read; what is longer is refused, not cut.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// For a person: `command line of mesos-agent (pid 812)`, `/etc/mesos-agent/work_dir`,
    /// `default`.
    pub origin: String,
}

/// What was found of an agent on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// Process id of the running agent.
    pub pid: Option<u32>,
    /// Work directory. The agent has no default.
    pub work_dir: Option<Found<PathBuf>>,
    /// Runtime directory.
    pub runtime_dir: Option<Found<PathBuf>>,
    /// Base URL of the API.
    pub url: Option<Found<String>>,
    /// Every flag found, as written, secrets hidden; `file://` values as they are.
    pub flags: BTreeMap<String, String>,
    /// What could not be read, and what was ambiguous.
    pub errors: Vec<SourceError>,
}

impl Located {
    /// Neither a process nor a configuration of an agent is on this host.
    pub fn is_absent(&self) -> bool {
        self.pid.is_none() && self.flags.is_empty() && self.url.is_none()
    }
}

/// Flags by name, and other settings under their own names in capitals (`LIBPROCESS_PORT`).
/// The first source that names one wins.
#[derive(Default)]
struct Settings(BTreeMap<String, Found<String>>);

impl Settings {
    fn add(&mut self, name: &str, value: String, origin: &str) {
        let found = || Found { value, origin: origin.to_owned() };
        self.0.entry(name.to_owned()).or_insert_with(found);
    }

    /// A variable of the environment, if it means anything to an agent.
    fn add_variable(&mut self, name: &str, value: String, origin: &str) {
        match name.strip_prefix("MESOS_") {
            Some(flag) => self.add(&flag.to_ascii_lowercase(), value, origin),
            None if name.starts_with("LIBPROCESS_") || name == "SSL_ENABLED" => {
                self.add(name, value, origin);
            }
            None => {}
        }
    }

    fn get(&self, name: &str) -> Option<&Found<String>> {
        self.0.get(name).filter(|found| !found.value.is_empty())
    }

    /// Whether a switch is on, as stout reads booleans.
    fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|found| matches!(found.value.as_str(), "1" | "true"))
    }
}

/// Looks for the agent of this host. Reads a few small files below the roots and asks nothing of
/// the network; never fails, but says in `errors` what it could not read.
pub fn locate(roots: &Roots) -> Located {
    let mut located = Located::default();
    let mut settings = Settings::default();
    let process = process::find(roots, &mut located.errors);
    let mut environment_known = false;
    if let Some(process) = &process {
        located.pid = Some(process.pid);
        environment_known = process.read_settings(roots, &mut settings, &mut located.errors);
    }
    if !environment_known {
        files::read(roots, &mut settings, &mut located.errors);
    }
    if process.is_none() && settings.0.is_empty() {
        return located;
    }
    let cwd = process.as_ref().and_then(|process| process.cwd.clone());
    let errors = &mut located.errors;
    located.work_dir = directory(roots, &settings, "work_dir", cwd.as_deref(), errors);
    located.runtime_dir = directory(roots, &settings, "runtime_dir", cwd.as_deref(), errors)
        .or_else(|| {
            Some(Found { value: DEFAULT_RUNTIME_DIR.into(), origin: "default".to_owned() })
        });
    located.url = Some(url(roots, &settings, process.as_ref(), errors));
    located.flags = settings
        .0
        .into_iter()
        .map(|(name, found)| {
            let value = hide_secret(&name, found.value);
            (name, value)
        })
        .collect();
    located
}

fn directory(
    roots: &Roots,
    settings: &Settings,
    name: &str,
    cwd: Option<&Path>,
    errors: &mut Vec<SourceError>,
) -> Option<Found<PathBuf>> {
    let found = fetched(roots, settings.get(name)?, errors)?;
    // Bytes that are not UTF-8 were replaced: the path is not the agent's any more.
    if found.value.contains('\u{fffd}') {
        errors.push(SourceError {
            reason: "malformed",
            message: format!("{name} of {} is not UTF-8: {:?}", found.origin, found.value),
            hint: format!("set mesos.{name} to a path in UTF-8, such as a link to it"),
        });
        return None;
    }
    let path = PathBuf::from(found.value);
    if path.is_absolute() {
        return Some(Found { value: path, origin: found.origin });
    }
    match cwd {
        Some(cwd) => Some(Found { value: cwd.join(path), origin: found.origin }),
        None => {
            errors.push(SourceError {
                reason: "ambiguous",
                message: format!("{name} of {} is relative: {}", found.origin, path.display()),
                hint: format!("set mesos.{name} to the absolute path"),
            });
            None
        }
    }
}

/// The value itself, or what the file holds that a `file://` value names.
fn fetched(
    roots: &Roots,
    found: &Found<String>,
    errors: &mut Vec<SourceError>,
) -> Option<Found<String>> {
    let Some(path) = found.value.strip_prefix("file://") else {
        return Some(found.clone());
    };
    match read_file(&roots.inside(Path::new(path))) {
        Ok(bytes) => {
            let value = String::from_utf8_lossy(&bytes).trim().to_owned();
            let origin = format!("{path}, named by {}", found.origin);
            (!value.is_empty()).then_some(Found { value, origin })
        }
        Err(error) => {
            errors.push(unreadable(Path::new(path), &error));
            None
        }
    }
}

fn url(
    roots: &Roots,
    settings: &Settings,
    process: Option<&process::Process>,
    errors: &mut Vec<SourceError>,
) -> Found<String> {
    let mut named = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| settings.get(name))?;
        fetched(roots, found, errors)
    };
    let (port, ip) = (named(["port", "LIBPROCESS_PORT"]), named(["ip", "LIBPROCESS_IP"]));
    let told_port = port.as_ref().and_then(|found| found.value.parse::<u16>().ok());
    let told_ip = ip.as_ref().and_then(|found| found.value.parse::<std::net::IpAddr>().ok());
    let scheme = if settings.is_on("LIBPROCESS_SSL_ENABLED") || settings.is_on("SSL_ENABLED") {
        "https"
    } else {
        "http"
    };
    let expected = told_port.unwrap_or(DEFAULT_PORT);
    let listening = process.and_then(|process| socket::listening(roots, process.pid, expected));
    if let (Some(address), Some(process)) = (listening, process) {
        return Found {
            value: format!("{scheme}://{address}"),
            origin: format!("listening socket of {}", process.label()),
        };
    }
    let ip = told_ip.filter(|ip| !ip.is_unspecified());
    let address =
        std::net::SocketAddr::new(ip.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into()), expected);
    let origins = [
        told_port.and(port).map(|found| found.origin),
        ip.and(named(["ip", "LIBPROCESS_IP"])).map(|found| found.origin),
    ];
    let mut origins: Vec<_> = origins.into_iter().flatten().collect();
    origins.dedup();
    let origin = if origins.is_empty() { "default".to_owned() } else { origins.join(", ") };
    Found { value: format!("{scheme}://{address}"), origin }
}

/// Reads a whole regular file of at most [`MAX_FILE_BYTES`]. Opens without blocking, so that a
/// pipe left in a directory of settings holds nothing up.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = read_start(path)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

/// The same, but of a longer file only the start (and one byte more than allowed).
fn read_start(path: &Path) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file or directory that is not there is normal; anything else is told.
fn is_gone(error: &io::Error) -> bool {
    let gone = [libc::ENOENT, libc::ENOTDIR, libc::ESRCH];
    error.raw_os_error().is_some_and(|errno| gone.contains(&errno))
}

fn unreadable(path: &Path, error: &io::Error) -> SourceError {
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    SourceError {
        reason: match error.kind() {
            io::ErrorKind::PermissionDenied => "permission",
            io::ErrorKind::NotFound => "missing",
            _ => "io",
        },
        message: format!("cannot read {}: {error}", path.display()),
        hint: if denied {
            "grant the permission, or set mesos.work_dir and mesos.agent_url".to_owned()
        } else {
            "set mesos.work_dir and mesos.agent_url in the configuration".to_owned()
        },
    }
}
