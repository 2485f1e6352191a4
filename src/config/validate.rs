//! What no single value can tell: ranges, and keys that exclude or need each other.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::judge::conditions::Unit;

use super::{ByteSize, Config, DirectoryConfig, DockerConfig, MesosConfig, format_duration};
use crate::text;

/// A key whose value does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Dotted key.
    pub key: &'static str,
    /// What is wrong and what would be right.
    pub reason: String,
}

type Check = Result<(), Invalid>;

fn invalid(key: &'static str, reason: impl Into<String>) -> Invalid {
    Invalid { key, reason: reason.into() }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Config {
    /// Checks ranges and combinations, on a host with so many cores.
    ///
    /// # Errors
    /// The first key that does not hold.
    pub fn validate(&self, cores: usize) -> Check {
        self.mesos.validate()?;
        self.docker.validate()?;
        self.directories.iter().try_for_each(DirectoryConfig::validate)?;
        self.validate_names()?;
        within("discovery.interval", self.discovery.interval, SECOND, DAY)?;
        within("filesystems.interval", self.filesystems.interval, SECOND, DAY)?;
        within("filesystems.timeout", self.filesystems.timeout, Duration::from_millis(10), HOUR)?;
        within("network.interval", self.network.interval, SECOND, DAY)?;
        within("io.interval", self.io.interval, SECOND, HOUR)?;
        let tenth = Duration::from_millis(100);
        within("io.sample_interval", self.io.sample_interval, tenth, 10 * SECOND)?;
        absolute("storage.path", Some(&self.storage.path))?;
        within("orphans.grace", self.orphans.grace, Duration::ZERO, 366 * DAY)?;
        let interval = self.orphans.open_files_interval;
        within("orphans.open_files_interval", interval, SECOND, DAY)?;
        within("usage.max_age", self.usage.max_age, SECOND, 366 * DAY)?;
        budget("usage.cpu_budget", self.usage.cpu_budget, cores)?;
        budget("usage.bootstrap_cpu_budget", self.usage.bootstrap_cpu_budget, cores)?;
        if self.usage.memory > ByteSize(64 << 30) {
            return Err(invalid("usage.memory", "must be at most 64GiB"));
        }
        if !(0.0..=100.0).contains(&self.usage.io_pressure) {
            return Err(invalid("usage.io_pressure", "must be from 0 to 100"));
        }
        if !(100..=10_000_000).contains(&self.metrics.max_series) {
            return Err(invalid("metrics.max_series", "must be from 100 to 10000000"));
        }
        self.validate_conditions()
    }

    /// Each directory that is called by a name is the only one of its role with it: both are labels.
    fn validate_names(&self) -> Check {
        let named = self.directories.iter().filter_map(|entry| Some((entry, entry.name.as_ref()?)));
        let mut seen = HashMap::new();
        for (entry, name) in named {
            if let Some(first) = seen.insert((&entry.role, name), &entry.path) {
                let quoted = |path: &Path| text::quote(&path.to_string_lossy());
                let (name, first, second) = (text::quote(name), quoted(first), quoted(&entry.path));
                let reason = format!("{first} and {second} have the same role and the name {name}");
                return Err(invalid("directories", reason));
            }
        }
        Ok(())
    }

    fn validate_conditions(&self) -> Check {
        for (name, value, unit) in self.conditions.list() {
            let (most, words) = match unit {
                Unit::Ratio => (10.0, "must be above 0 and at most 10 (1 is all of it)"),
                Unit::Seconds | Unit::Within => (31_622_400.0, "must be seconds, at most 366 days"),
            };
            // Written so that a value that is no number fails too.
            if !(value > 0.0 && value <= most) {
                return Err(invalid("conditions", format!("{name}: {words}")));
            }
        }
        Ok(())
    }
}

impl DirectoryConfig {
    fn validate(&self) -> Check {
        let bad = |why: &str| {
            invalid("directories", format!("{}: {why}", text::quote(&self.path.to_string_lossy())))
        };
        if !self.path.is_absolute() {
            return Err(bad("must be an absolute path of the host"));
        }
        for part in self.path.iter() {
            if part == ".." {
                return Err(bad("must not go back with \"..\""));
            }
            if part == "**" {
                return Err(bad("\"**\" is not known; name each level with \"*\""));
            }
            let part = part.to_str().ok_or_else(|| bad("must be UTF-8"))?;
            glob::Pattern::new(part).map_err(|error| bad(&format!("{part}: {error}")))?;
        }
        if self.name.is_some() && self.is_pattern() {
            return Err(bad("a pattern may match several and cannot have one name"));
        }
        if self.name.as_deref() == Some("") {
            return Err(bad("the name must not be empty"));
        }
        if self.quota == Some(ByteSize(0)) {
            return Err(bad("the quota must be above 0"));
        }
        let most = 3660 * DAY;
        within("directories", self.unused_after, SECOND, most)
            .map_err(|error| bad(&format!("unused_after {}", error.reason)))
    }
}

impl DockerConfig {
    fn validate(&self) -> Check {
        within("docker.timeout", self.timeout, Duration::from_millis(10), HOUR)?;
        if !(ByteSize(64 << 10)..=ByteSize(4 << 30)).contains(&self.max_body) {
            return Err(invalid("docker.max_body", "must be from 64KiB to 4GiB"));
        }
        absolute("docker.data_root", self.data_root.as_deref())?;
        if self.socket_path().is_some_and(|path| !path.starts_with('/')) {
            let reason = "must be the absolute path of a Unix socket, or unix:// and that path";
            return Err(invalid("docker.socket", reason));
        }
        if self.labels.len() > DockerConfig::MAX_LABELS {
            let reason = format!("must name at most {} labels", DockerConfig::MAX_LABELS);
            return Err(invalid("docker.labels", reason));
        }
        if self.labels.iter().any(|label| label.is_empty() || label.len() > 256) {
            return Err(invalid("docker.labels", "each must have 1 to 256 characters"));
        }
        Ok(())
    }
}

impl MesosConfig {
    fn validate(&self) -> Check {
        within("mesos.timeout", self.timeout, Duration::from_millis(10), HOUR)?;
        within("mesos.poll_interval", self.poll_interval, SECOND, DAY)?;
        if !(ByteSize(64 << 10)..=ByteSize(4 << 30)).contains(&self.max_body) {
            return Err(invalid("mesos.max_body", "must be from 64KiB to 4GiB"));
        }
        for (key, path) in [
            ("mesos.work_dir", &self.work_dir),
            ("mesos.runtime_dir", &self.runtime_dir),
            ("mesos.bearer_token_file", &self.bearer_token_file),
            ("mesos.basic_auth.password_file", &self.basic_auth.password_file),
            ("mesos.tls.ca_file", &self.tls.ca_file),
        ] {
            absolute(key, path.as_deref())?;
        }
        if let Some(url) = &self.agent_url {
            base_url("mesos.agent_url", url)?;
        }
        if let Some(url) = &self.master_url {
            base_url("mesos.master_url", url)?;
        }
        within("mesos.master_interval", self.master_interval, SECOND, DAY)?;
        self.validate_credentials()
    }

    fn validate_credentials(&self) -> Check {
        let auth = &self.basic_auth;
        let exclusive = |key, other| Err(invalid(key, format!("excludes {other}; give one")));
        if auth.password.is_some() && auth.password_file.is_some() {
            return exclusive("mesos.basic_auth.password_file", "mesos.basic_auth.password");
        }
        if self.bearer_token.is_some() && self.bearer_token_file.is_some() {
            return exclusive("mesos.bearer_token_file", "mesos.bearer_token");
        }
        let password = auth.password.is_some() || auth.password_file.is_some();
        match (&auth.username, password) {
            (None, true) => {
                return Err(invalid("mesos.basic_auth.username", "is needed with a password"));
            }
            (Some(_), false) => {
                let reason = "needs mesos.basic_auth.password or password_file";
                return Err(invalid("mesos.basic_auth.username", reason));
            }
            (Some(name), true) if name.contains(':') || name.chars().any(char::is_control) => {
                let reason = "must not hold a colon or control characters (RFC 7617)";
                return Err(invalid("mesos.basic_auth.username", reason));
            }
            _ => {}
        }
        if let Some(token) = &self.bearer_token
            && !token.expose().bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(invalid("mesos.bearer_token", "must be printable ASCII without spaces"));
        }
        if auth.username.is_some() {
            if self.bearer_token.is_some() {
                return exclusive("mesos.bearer_token", "mesos.basic_auth");
            }
            if self.bearer_token_file.is_some() {
                return exclusive("mesos.bearer_token_file", "mesos.basic_auth");
            }
        }
        Ok(())
    }
}

fn within(key: &'static str, value: Duration, least: Duration, most: Duration) -> Check {
    if value < least || value > most {
        let (least, most) = (format_duration(least), format_duration(most));
        return Err(invalid(key, format!("must be from {least} to {most}")));
    }
    Ok(())
}

fn budget(key: &'static str, value: f64, cores: usize) -> Check {
    // Written so that a value that is no number fails too.
    if value > 0.0 && value <= cores as f64 {
        return Ok(());
    }
    let reason = format!("must be above 0 and at most {cores}, the cores of this host");
    Err(invalid(key, reason))
}

fn absolute(key: &'static str, path: Option<&Path>) -> Check {
    match path {
        Some(path) if !path.is_absolute() => {
            Err(invalid(key, "must be an absolute path, starting with /"))
        }
        _ => Ok(()),
    }
}

/// The URL is not quoted: it may hold a password.
fn base_url(key: &'static str, url: &str) -> Check {
    let bad = |reason: &str| Err(invalid(key, reason));
    let Ok(parsed) = url.parse::<hyper::Uri>() else {
        return bad("is not a URL such as http://127.0.0.1:5051");
    };
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return bad("must start with http:// or https://, such as http://127.0.0.1:5051");
    }
    let Some(authority) = parsed.authority().filter(|authority| !authority.host().is_empty())
    else {
        return bad("names no host; expected a URL such as http://127.0.0.1:5051");
    };
    if authority.as_str().contains('@') {
        return bad("must not hold credentials; use mesos.basic_auth");
    }
    if parsed.query().is_some() || url.contains('#') {
        return bad("must not hold a query or a fragment");
    }
    Ok(())
}
