//! What no single value can tell: ranges, and keys that exclude or need each other.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::expose::rules::labels::is_reserved;
use crate::judge::conditions::Unit;

use super::{
    AlertingConfig, BasicAuth, ByteSize, Config, DirectoryConfig, DockerConfig, MesosConfig,
    Secret, format_duration,
};
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

/// What a URL of an agent looks like.
const AGENT: &str = "http://127.0.0.1:5051";
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
        self.alerting.validate()?;
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
        for directory in &self.security.landlock_directories {
            absolute("security.landlock_directories", Some(directory))?;
        }
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
            base_url("mesos.agent_url", url, AGENT)?;
        }
        if let Some(url) = &self.master_url {
            base_url("mesos.master_url", url, AGENT)?;
        }
        within("mesos.master_interval", self.master_interval, SECOND, DAY)?;
        let (basic, token) = (&self.basic_auth, &self.bearer_token);
        credentials(&MESOS_CREDENTIALS, basic, token, self.bearer_token_file.is_some())
    }
}

impl AlertingConfig {
    fn validate(&self) -> Check {
        if self.alertmanagers.len() > Self::MAX_ADDRESSES {
            let reason = format!("must name at most {} addresses", Self::MAX_ADDRESSES);
            return Err(invalid("alerting.alertmanagers", reason));
        }
        for (index, url) in self.alertmanagers.iter().enumerate() {
            base_url("alerting.alertmanagers", url, "http://127.0.0.1:9093")?;
            if self.alertmanagers[..index].contains(url) {
                return Err(invalid("alerting.alertmanagers", "names an address twice"));
            }
        }
        if let Some(url) = &self.status_url {
            base_url("alerting.status_url", url, "http://this-host:10061/")?;
        }
        within("alerting.resend_interval", self.resend_interval, SECOND, HOUR)?;
        within("alerting.timeout", self.timeout, Duration::from_millis(10), HOUR)?;
        for (key, path) in [
            ("alerting.bearer_token_file", &self.bearer_token_file),
            ("alerting.basic_auth.password_file", &self.basic_auth.password_file),
            ("alerting.tls.ca_file", &self.tls.ca_file),
            ("alerting.tls.cert_file", &self.tls.cert_file),
            ("alerting.tls.key_file", &self.tls.key_file),
        ] {
            absolute(key, path.as_deref())?;
        }
        match (&self.tls.cert_file, &self.tls.key_file) {
            (Some(_), None) => {
                return Err(invalid("alerting.tls.cert_file", "needs alerting.tls.key_file"));
            }
            (None, Some(_)) => {
                return Err(invalid("alerting.tls.key_file", "needs alerting.tls.cert_file"));
            }
            _ => {}
        }
        self.validate_labels()?;
        let (basic, token) = (&self.basic_auth, &self.bearer_token);
        credentials(&ALERTING_CREDENTIALS, basic, token, self.bearer_token_file.is_some())
    }

    fn validate_labels(&self) -> Check {
        let labels = self.labels.iter().flatten();
        if labels.clone().count() > Self::MAX_LABELS {
            let reason = format!("must have at most {} labels", Self::MAX_LABELS);
            return Err(invalid("alerting.labels", reason));
        }
        for (name, value) in labels {
            let bad =
                |why: &str| invalid("alerting.labels", format!("{}: {why}", text::quote(name)));
            let mut characters = name.chars();
            let first = characters.next();
            if !first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
            {
                return Err(bad(
                    "a label's name has letters, digits and _ and begins with none of \
                                the digits",
                ));
            }
            if name.starts_with("__") || is_reserved(name) {
                return Err(bad("an alert has a label of that name of its own"));
            }
            if value.len() > 1024 {
                return Err(bad("the value must have at most 1024 bytes"));
            }
        }
        Ok(())
    }
}

/// Names of the keys of credentials.
struct CredentialKeys {
    basic_auth: &'static str,
    username: &'static str,
    password: &'static str,
    password_file: &'static str,
    bearer_token: &'static str,
    bearer_token_file: &'static str,
}

macro_rules! credential_keys {
    ($section:literal) => {
        CredentialKeys {
            basic_auth: concat!($section, ".basic_auth"),
            username: concat!($section, ".basic_auth.username"),
            password: concat!($section, ".basic_auth.password"),
            password_file: concat!($section, ".basic_auth.password_file"),
            bearer_token: concat!($section, ".bearer_token"),
            bearer_token_file: concat!($section, ".bearer_token_file"),
        }
    };
}

const MESOS_CREDENTIALS: CredentialKeys = credential_keys!("mesos");
const ALERTING_CREDENTIALS: CredentialKeys = credential_keys!("alerting");

fn credentials(
    keys: &CredentialKeys,
    auth: &BasicAuth,
    token: &Option<Secret>,
    token_file: bool,
) -> Check {
    let exclusive = |key, other| Err(invalid(key, format!("excludes {other}; give one")));
    if auth.password.is_some() && auth.password_file.is_some() {
        return exclusive(keys.password_file, keys.password);
    }
    if token.is_some() && token_file {
        return exclusive(keys.bearer_token_file, keys.bearer_token);
    }
    let password = auth.password.is_some() || auth.password_file.is_some();
    match (&auth.username, password) {
        (None, true) => return Err(invalid(keys.username, "is needed with a password")),
        (Some(_), false) => {
            let reason = format!("needs {} or password_file", keys.password);
            return Err(invalid(keys.username, reason));
        }
        (Some(name), true) if name.contains(':') || name.chars().any(char::is_control) => {
            let reason = "must not hold a colon or control characters (RFC 7617)";
            return Err(invalid(keys.username, reason));
        }
        _ => {}
    }
    if let Some(token) = token
        && !token.expose().bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(invalid(keys.bearer_token, "must be printable ASCII without spaces"));
    }
    if auth.username.is_some() {
        if token.is_some() {
            return exclusive(keys.bearer_token, keys.basic_auth);
        }
        if token_file {
            return exclusive(keys.bearer_token_file, keys.basic_auth);
        }
    }
    Ok(())
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

/// Checks that `url` is one without credentials, query or fragment, as the addresses of agents, masters
/// and Alertmanagers are. `key` is where it was given.
///
/// # Errors
/// What is wrong with it, and what it should look like (`example`). The URL is not quoted: it may hold a
/// password.
pub fn base_url(key: &'static str, url: &str, example: &str) -> Result<(), Invalid> {
    let bad = |reason: &str| Err(invalid(key, reason));
    let Ok(parsed) = url.parse::<hyper::Uri>() else {
        return bad(&format!("is not a URL such as {example}"));
    };
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return bad(&format!("must start with http:// or https://, such as {example}"));
    }
    let Some(authority) = parsed.authority().filter(|authority| !authority.host().is_empty())
    else {
        return bad(&format!("names no host; expected a URL such as {example}"));
    };
    if authority.as_str().contains('@') {
        let section = key.split('.').next().unwrap_or_default();
        return bad(&format!("must not hold credentials; use {section}.basic_auth"));
    }
    if parsed.query().is_some() || url.contains('#') {
        return bad("must not hold a query or a fragment");
    }
    Ok(())
}
