//! The package's files: one file for each flag, and assignments for the service.

use std::path::Path;

use super::process::flag;
use super::{Settings, is_gone, read_file, unreadable};
use crate::host::Roots;
use crate::model::SourceError;

/// Directories with a file for each flag; they become the command line.
const FLAG_DIRECTORIES: [&str; 3] = ["/etc/mesos-agent", "/etc/mesos-slave", "/etc/clusterd-agent"];
/// Directories with assignments that become the environment; the agent's own files before the
/// common ones, which they override.
const ENVIRONMENT_DIRECTORIES: [&str; 2] = ["/etc/default", "/etc/sysconfig"];
const ENVIRONMENT_FILES: [&str; 5] =
    ["mesos-agent", "mesos-slave", "clusterd-agent", "clusterd", "mesos"];
/// Most entries of a directory of flags that are looked at; the agent has 130 flags.
const MAX_ENTRIES: usize = 1000;

/// Reads them all, first come first served. What is not there is no error.
pub(super) fn read(roots: &Roots, settings: &mut Settings, errors: &mut Vec<SourceError>) {
    for directory in FLAG_DIRECTORIES {
        read_flags(roots, Path::new(directory), settings, errors);
    }
    for directory in ENVIRONMENT_DIRECTORIES {
        for name in ENVIRONMENT_FILES {
            let path = Path::new(directory).join(name);
            match read_file(&roots.inside(&path)) {
                Ok(bytes) => add_assignments(&bytes, &path.display().to_string(), settings),
                Err(error) if is_gone(&error) => {}
                Err(error) => errors.push(unreadable(&path, &error)),
            }
        }
    }
}

fn read_flags(
    roots: &Roots,
    directory: &Path,
    settings: &mut Settings,
    errors: &mut Vec<SourceError>,
) {
    let entries = match std::fs::read_dir(roots.inside(directory)) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return,
        Err(error) => return errors.push(unreadable(directory, &error)),
    };
    let mut names: Vec<_> = entries
        .flatten()
        .take(MAX_ENTRIES)
        // `attributes` and `resources` may be directories with a file for each entry.
        .filter(|entry| !entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !is_leftover(name))
        .collect();
    names.sort();
    for name in names {
        let path = directory.join(&name);
        let origin = path.display().to_string();
        if let Some(switch) = name.strip_prefix('?') {
            if let Some((name, value)) = flag(&format!("--{switch}")) {
                settings.add(&name, value, &origin);
            }
            continue;
        }
        match read_file(&roots.inside(&path)) {
            Ok(bytes) => {
                let value = String::from_utf8_lossy(&bytes);
                settings.add(&name, value.trim_end_matches(['\n', '\r']).to_owned(), &origin);
            }
            Err(error) if is_gone(&error) => {}
            // A credential file is none of our business.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                if ["work_dir", "runtime_dir", "ip", "port"].contains(&name.as_str()) {
                    errors.push(unreadable(&path, &error));
                }
            }
            Err(error) => errors.push(unreadable(&path, &error)),
        }
    }
}

/// What packaging tools and editors leave behind.
fn is_leftover(name: &str) -> bool {
    let ends = [".dpkg-dist", ".dpkg-old", ".dpkg-new", ".rpmnew", ".rpmsave", ".rpmorig", "~"];
    name.starts_with('.') || ends.iter().any(|end| name.ends_with(end))
}

/// `NAME=value`, `export NAME=value`, quoted or not. Within one file the last assignment wins;
/// values that a shell would have to expand are left out, for they are not known.
fn add_assignments(bytes: &[u8], origin: &str, settings: &mut Settings) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().filter_map(assignment).collect();
    for (name, value) in lines.into_iter().rev() {
        // The start script turns these three into flags.
        match name {
            "IP" => settings.add("ip", value, origin),
            "LOGS" => settings.add("log_dir", value, origin),
            "ISOLATION" => settings.add("isolation", value, origin),
            _ => settings.add_variable(name, value, origin),
        }
    }
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=')?;
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(valid) {
        return None;
    }
    let value = match value.chars().next() {
        Some('\'') => value[1..].split('\'').next()?.to_owned(),
        Some('"') => {
            let inner = value[1..].split('"').next()?;
            (!inner.contains(['$', '`', '\\'])).then(|| inner.to_owned())?
        }
        _ => {
            let word = value.split([' ', '\t', ';', '#']).next()?;
            (!word.contains(['$', '`', '\\', '"', '\''])).then(|| word.to_owned())?
        }
    };
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_of_a_shell() {
        let read = |line: &str| assignment(line).map(|(name, value)| format!("{name}={value}"));
        assert_eq!(read("MESOS_PORT=5052").as_deref(), Some("MESOS_PORT=5052"));
        assert_eq!(read(" export A='x y' # c").as_deref(), Some("A=x y"));
        assert_eq!(read(r#"A="x y""#).as_deref(), Some("A=x y"));
        assert_eq!(read("A=b # comment").as_deref(), Some("A=b"));
        assert_eq!(read("A=").as_deref(), Some("A="));
        for line in ["# A=b", "", "A", "A B=c", "A=$B", r#"A="$(x)""#, "A=`x`", "=x", r"A=\'"] {
            assert_eq!(read(line), None, "{line}");
        }
        assert_eq!(read("A='unclosed").as_deref(), Some("A=unclosed"));
    }

    #[test]
    fn the_last_assignment_of_a_file_wins() {
        let mut settings = Settings::default();
        add_assignments(
            b"MESOS_PORT=1\nMESOS_PORT=2\nPORT=3\nIP=10.0.0.1\n\xff=\n",
            "f",
            &mut settings,
        );
        assert_eq!(settings.get("port").unwrap().value, "2");
        assert_eq!(settings.get("ip").unwrap().value, "10.0.0.1");
        assert_eq!(settings.0.len(), 2);
    }
}
