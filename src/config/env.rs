//! The environment over the file: `mesos.work_dir` is `PLIMSOLL_MESOS_WORK_DIR`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::error::Place;
use super::{Config, ConfigError, Secret, parse_duration, suggest};
use crate::text;

const PREFIX: &str = "PLIMSOLL_";

/// The variable of a dotted key.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// What the environment changed.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// Keys that were set.
    pub keys: Vec<String>,
    /// One line for each variable that is none of ours. A warning and no error: Kubernetes puts
    /// `PLIMSOLL_SERVICE_HOST` and its like into every container beside a service of that name.
    pub warnings: Vec<String>,
}

/// Sets every key whose variable is there.
pub(super) fn apply(
    config: &mut Config,
    env: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Overlay, ConfigError> {
    let known: Vec<(String, String)> =
        Config::keys().into_iter().map(|key| (variable(&key), key)).collect();
    let mut ours: Vec<(String, OsString)> = env
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    ours.sort();
    let mut overlay = Overlay::default();
    for (name, value) in ours {
        match known.iter().find(|(variable, _)| *variable == name) {
            Some((_, key)) => {
                config.set(key, &value).map_err(|reason| ConfigError {
                    place: Place::Variable(name.clone()),
                    reason: text::escape(&reason).into_owned(),
                })?;
                overlay.keys.push(key.clone());
            }
            None => overlay.warnings.push(unknown(&name, &known)),
        }
    }
    Ok(overlay)
}

fn unknown(name: &str, known: &[(String, String)]) -> String {
    let near = suggest::nearest(name, known.iter().map(|(variable, _)| variable.as_str()));
    let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("environment variable {} is not a known key and is ignored{hint}", text::escape(name))
}

impl Config {
    /// Sets one scalar key from text, as the environment does.
    ///
    /// # Errors
    /// Why the value does not fit, or that there is no such key. The value of a secret is not
    /// shown.
    pub fn set(&mut self, key: &str, value: &OsStr) -> Result<(), String> {
        let mesos = &mut self.mesos;
        let alerting = &mut self.alerting;
        match key {
            "alerting.alertmanagers" => {
                alerting.alertmanagers = super::docker::from_list(utf8(value)?);
            }
            "alerting.basic_auth.password" => alerting.basic_auth.password = Some(secret(value)?),
            "alerting.basic_auth.password_file" => {
                alerting.basic_auth.password_file = Some(PathBuf::from(value));
            }
            "alerting.basic_auth.username" => {
                alerting.basic_auth.username = Some(utf8(value)?.to_owned());
            }
            "alerting.bearer_token" => alerting.bearer_token = Some(secret(value)?),
            "alerting.bearer_token_file" => alerting.bearer_token_file = Some(PathBuf::from(value)),
            "alerting.beside_prometheus" => {
                alerting.beside_prometheus = parse(value, "true or false")?;
            }
            "alerting.labels" => alerting.labels = super::alerting::labels_from_list(utf8(value)?)?,
            "alerting.resend_interval" => alerting.resend_interval = duration(value)?,
            "alerting.runbook_url" => alerting.runbook_url = Some(utf8(value)?.to_owned()),
            "alerting.status_url" => alerting.status_url = Some(utf8(value)?.to_owned()),
            "alerting.timeout" => alerting.timeout = duration(value)?,
            "alerting.tls.ca_file" => alerting.tls.ca_file = Some(PathBuf::from(value)),
            "alerting.tls.cert_file" => alerting.tls.cert_file = Some(PathBuf::from(value)),
            "alerting.tls.insecure_skip_verify" => {
                alerting.tls.insecure_skip_verify = parse(value, "true or false")?;
            }
            "alerting.tls.key_file" => alerting.tls.key_file = Some(PathBuf::from(value)),
            "alerting.tls.server_name" => alerting.tls.server_name = Some(utf8(value)?.to_owned()),
            "directories" => self.directories = super::directories::from_list(utf8(value)?),
            "docker.data_root" => self.docker.data_root = Some(PathBuf::from(value)),
            "docker.enabled" => self.docker.enabled = utf8(value)?.parse()?,
            "docker.labels" => self.docker.labels = super::docker::from_list(utf8(value)?),
            "docker.max_body" => self.docker.max_body = utf8(value)?.parse()?,
            "docker.socket" => self.docker.socket = Some(utf8(value)?.to_owned()),
            "docker.timeout" => self.docker.timeout = duration(value)?,
            "discovery.interval" => self.discovery.interval = duration(value)?,
            "filesystems.interval" => self.filesystems.interval = duration(value)?,
            "filesystems.timeout" => self.filesystems.timeout = duration(value)?,
            "io.enabled" => self.io.enabled = utf8(value)?.parse()?,
            "io.interval" => self.io.interval = duration(value)?,
            "io.sample_interval" => self.io.sample_interval = duration(value)?,
            "mesos.agent_url" => mesos.agent_url = Some(utf8(value)?.to_owned()),
            "mesos.basic_auth.password" => mesos.basic_auth.password = Some(secret(value)?),
            "mesos.basic_auth.password_file" => {
                mesos.basic_auth.password_file = Some(PathBuf::from(value));
            }
            "mesos.basic_auth.username" => {
                mesos.basic_auth.username = Some(utf8(value)?.to_owned());
            }
            "mesos.bearer_token" => mesos.bearer_token = Some(secret(value)?),
            "mesos.bearer_token_file" => mesos.bearer_token_file = Some(PathBuf::from(value)),
            "mesos.enabled" => mesos.enabled = utf8(value)?.parse()?,
            "mesos.master_interval" => mesos.master_interval = duration(value)?,
            "mesos.master_url" => mesos.master_url = Some(utf8(value)?.to_owned()),
            "mesos.max_body" => mesos.max_body = utf8(value)?.parse()?,
            "mesos.poll_interval" => mesos.poll_interval = duration(value)?,
            "mesos.runtime_dir" => mesos.runtime_dir = Some(PathBuf::from(value)),
            "mesos.timeout" => mesos.timeout = duration(value)?,
            "mesos.tls.ca_file" => mesos.tls.ca_file = Some(PathBuf::from(value)),
            "mesos.tls.insecure_skip_verify" => {
                mesos.tls.insecure_skip_verify = parse(value, "true or false")?;
            }
            "mesos.tls.server_name" => mesos.tls.server_name = Some(utf8(value)?.to_owned()),
            "mesos.work_dir" => mesos.work_dir = Some(PathBuf::from(value)),
            "metrics.max_series" => self.metrics.max_series = parse(value, "a whole number")?,
            "network.interval" => self.network.interval = duration(value)?,
            "network.walk" => self.network.walk = parse(value, "true or false")?,
            "orphans.grace" => self.orphans.grace = duration(value)?,
            "orphans.open_files" => self.orphans.open_files = parse(value, "true or false")?,
            "orphans.open_files_interval" => {
                self.orphans.open_files_interval = duration(value)?;
            }
            "security.landlock" => self.security.landlock = utf8(value)?.parse()?,
            "security.landlock_directories" => {
                let list = super::docker::from_list(utf8(value)?);
                self.security.landlock_directories = list.into_iter().map(PathBuf::from).collect();
            }
            "storage.enabled" => self.storage.enabled = utf8(value)?.parse()?,
            "storage.path" => self.storage.path = PathBuf::from(value),
            "usage.assign_project_ids" => {
                self.usage.assign_project_ids = parse(value, "true or false")?;
            }
            "usage.bootstrap_cpu_budget" => {
                self.usage.bootstrap_cpu_budget = parse(value, "a number")?;
            }
            "usage.cpu_budget" => self.usage.cpu_budget = parse(value, "a number")?,
            "usage.fanotify" => self.usage.fanotify = parse(value, "true or false")?,
            "usage.io_pressure" => self.usage.io_pressure = parse(value, "a number")?,
            "usage.memory" => self.usage.memory = utf8(value)?.parse()?,
            "usage.project_id_range" => self.usage.project_id_range = utf8(value)?.parse()?,
            "usage.syscall_budget" => {
                self.usage.syscall_budget = parse(value, "a whole number")?;
            }
            "usage.max_age" => self.usage.max_age = duration(value)?,
            other => {
                let condition = other
                    .strip_prefix("conditions.")
                    .and_then(|name| self.conditions.get_mut(name))
                    .ok_or_else(|| format!("there is no key {other:?}"))?;
                *condition = parse(value, "a number")?;
            }
        }
        Ok(())
    }
}

fn utf8(value: &OsStr) -> Result<&str, String> {
    value.to_str().ok_or_else(|| "the value is not UTF-8".to_owned())
}

fn secret(value: &OsStr) -> Result<Secret, String> {
    utf8(value).map(Secret::new)
}

fn duration(value: &OsStr) -> Result<Duration, String> {
    utf8(value).and_then(parse_duration)
}

fn parse<T: FromStr>(value: &OsStr, expected: &str) -> Result<T, String> {
    let text = utf8(value)?;
    text.trim().parse().map_err(|_| format!("{text:?} is not {expected}"))
}
