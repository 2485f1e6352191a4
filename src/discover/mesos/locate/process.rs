//! The agent's process: `<procfs>/PID/{comm,cmdline,environ,cwd,stat}`.

use std::path::PathBuf;

use super::{Settings, is_gone, read_file, unreadable};
use crate::host::Roots;
use crate::model::SourceError;

/// Names of the agent's binary: upstream, before 1.0, run from a build tree, Clusterd.
const NAMES: [&str; 4] = ["mesos-agent", "mesos-slave", "lt-mesos-agent", "clusterd-agent"];

/// A running agent.
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
    /// Working directory, where it can be seen: relative paths begin there.
    pub(super) cwd: Option<PathBuf>,
    arguments: Vec<String>,
    parent: Option<u32>,
}

/// Finds the agent: the process whose first argument's last component, or whose `comm`, is an
/// agent's name. A child it has just forked bears its name too and is passed over; of several
/// agents the lowest pid is taken, and that is told.
pub(super) fn find(roots: &Roots, errors: &mut Vec<SourceError>) -> Option<Process> {
    let entries = match std::fs::read_dir(&roots.procfs) {
        Ok(entries) => entries,
        Err(error) => {
            errors.push(unreadable(&roots.procfs, &error));
            return None;
        }
    };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<Process> = pids.filter_map(|pid| look_at(roots, pid)).collect();
    let is_child = |process: &Process| all.iter().any(|other| process.parent == Some(other.pid));
    let mut agents: Vec<&Process> = all.iter().filter(|process| !is_child(process)).collect();
    agents.sort_by_key(|process| process.pid);
    if agents.len() > 1 {
        let list: Vec<_> = agents.iter().map(|process| process.label()).collect();
        errors.push(SourceError {
            reason: "ambiguous",
            message: format!("several agents run here: {}; took the first", list.join(", ")),
            hint: "set mesos.agent_url and mesos.work_dir to the one that is meant".to_owned(),
        });
    }
    let pid = agents.first()?.pid;
    all.into_iter().find(|process| process.pid == pid)
}

fn look_at(roots: &Roots, pid: u32) -> Option<Process> {
    let directory = roots.procfs.join(pid.to_string());
    // Other processes come and go and may be hidden from us: only an agent's matter.
    let arguments = read_file(&directory.join("cmdline")).unwrap_or_default();
    let arguments = split_nul(&arguments);
    let basename = |path: &String| path.rsplit('/').next().map(str::to_owned);
    let by_argument = arguments.first().and_then(basename).filter(|name| is_agent(name));
    let name = by_argument.or_else(|| {
        // Kernel threads have a comm and no arguments.
        let comm = read_file(&directory.join("comm")).ok().filter(|_| !arguments.is_empty())?;
        Some(String::from_utf8_lossy(&comm).trim().to_owned()).filter(|name| is_agent(name))
    })?;
    let parent = read_file(&directory.join("stat")).ok().and_then(|stat| parent_of(&stat));
    let cwd = std::fs::read_link(directory.join("cwd")).ok().filter(|path| path.is_absolute());
    Some(Process { pid, name, cwd, arguments, parent })
}

fn is_agent(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Field 4 of `/proc/PID/stat`, counted from the end of the name, which may hold anything.
fn parent_of(stat: &[u8]) -> Option<u32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Arguments or variables, each ended by a NUL; bytes that are not UTF-8 become U+FFFD.
fn split_nul(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

impl Process {
    /// `mesos-agent (pid 812)`.
    pub(super) fn label(&self) -> String {
        format!("{} (pid {})", self.name, self.pid)
    }

    /// Reads the command line's flags, then the environment's, which the former override.
    /// Returns whether the environment could be read, so that nothing else can add to it.
    pub(super) fn read_settings(
        &self,
        roots: &Roots,
        settings: &mut Settings,
        errors: &mut Vec<SourceError>,
    ) -> bool {
        let origin = format!("command line of {}", self.label());
        for argument in self.arguments.iter().skip(1) {
            if let Some((name, value)) = flag(argument) {
                settings.add(&name, value, &origin);
            }
        }
        let path = roots.procfs.join(self.pid.to_string()).join("environ");
        let origin = format!("environment of {}", self.label());
        match read_file(&path) {
            Ok(bytes) => {
                for variable in split_nul(&bytes) {
                    if let Some((name, value)) = variable.split_once('=') {
                        settings.add_variable(name, value.to_owned(), &origin);
                    }
                }
                true
            }
            Err(error) => {
                // With a work directory on the command line, little is missed.
                if !is_gone(&error) && settings.get("work_dir").is_none() {
                    errors.push(unreadable(&path, &error));
                }
                false
            }
        }
    }
}

/// `--name=value`, `--name` (a boolean) or `--no-name`; anything else is no flag to the agent.
pub fn flag(argument: &str) -> Option<(String, String)> {
    let text = argument.strip_prefix("--").filter(|text| !text.is_empty())?;
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value),
        None => match text.strip_prefix("no-") {
            Some(name) => (name, "false"),
            None => (text, "true"),
        },
    };
    Some((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_as_stout_writes_them() {
        let parse = |text: &str| flag(text).map(|(name, value)| format!("{name}={value}"));
        assert_eq!(parse("--work_dir=/a=b").as_deref(), Some("work_dir=/a=b"));
        assert_eq!(parse("--strict").as_deref(), Some("strict=true"));
        assert_eq!(parse("--no-strict").as_deref(), Some("strict=false"));
        assert_eq!(parse("--").as_deref(), None);
        assert_eq!(parse("-x").as_deref(), None);
        assert_eq!(parse("/var/lib/mesos").as_deref(), None);
    }

    #[test]
    fn parent_behind_any_name() {
        assert_eq!(parent_of(b"12 (a) b) S 7 12 12"), Some(7));
        assert_eq!(parent_of(b"12 (\xff\xfe) R 1 1"), Some(1));
        assert_eq!(parent_of(b"12 (x"), None);
        assert_eq!(parent_of(b""), None);
    }

    #[test]
    fn nul_separated() {
        assert_eq!(split_nul(b""), Vec::<String>::new());
        assert_eq!(split_nul(b"a\0\0b\0"), ["a", "", "b"]);
        assert_eq!(split_nul(b"a\xff"), ["a\u{fffd}"]);
    }
}
