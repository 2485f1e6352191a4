//! `alerting`: findings sent to Alertmanagers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::types::section;
use super::units::duration;
use super::{BasicAuth, Secret};

/// Where findings are sent, as whose, and how. Off while there is no address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertingConfig {
    /// Base URLs, each of one Alertmanager.
    pub alertmanagers: Vec<String>,
    /// Labels of every alert beside those of its condition and subject.
    pub labels: Option<BTreeMap<String, String>>,
    /// Whether a Prometheus sends the same alerts: then none is resolved under it.
    pub beside_prometheus: bool,
    /// Pause between two sendings of an alert that fires on.
    #[serde(with = "duration")]
    pub resend_interval: Duration,
    /// Longest wait for one answer.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Base URL of the status page, as people reach it.
    pub status_url: Option<String>,
    /// Where the runbook is, for the annotation `runbook_url`.
    pub runbook_url: Option<String>,
    /// HTTP basic authentication.
    #[serde(deserialize_with = "section")]
    pub basic_auth: BasicAuth,
    /// Bearer token.
    pub bearer_token: Option<Secret>,
    /// File that holds the bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// TLS towards the Alertmanagers.
    #[serde(deserialize_with = "section")]
    pub tls: AlertingTls,
}

impl Default for AlertingConfig {
    fn default() -> Self {
        Self {
            alertmanagers: Vec::new(),
            labels: None,
            beside_prometheus: true,
            resend_interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            status_url: None,
            runbook_url: None,
            basic_auth: BasicAuth::default(),
            bearer_token: None,
            bearer_token_file: None,
            tls: AlertingTls::default(),
        }
    }
}

/// `alerting.tls`: certificates of both sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertingTls {
    /// PEM bundle of the authorities to trust; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate to show, with its chain.
    pub cert_file: Option<PathBuf>,
    /// PEM file of its key.
    pub key_file: Option<PathBuf>,
    /// Name to expect in the certificate instead of the URL's host.
    pub server_name: Option<String>,
    /// Accept any certificate.
    pub insecure_skip_verify: bool,
}

impl AlertingConfig {
    /// Most addresses.
    pub const MAX_ADDRESSES: usize = 16;
    /// Most labels.
    pub const MAX_LABELS: usize = 32;

    /// Whether a secret stands in the configuration itself rather than in a file of its own.
    pub(super) fn holds_secret(&self) -> bool {
        self.bearer_token.is_some() || self.basic_auth.password.is_some()
    }
}

/// `name=value` with a comma between them, as the environment gives labels.
pub(super) fn labels_from_list(text: &str) -> Result<Option<BTreeMap<String, String>>, String> {
    let mut labels = BTreeMap::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) =
            part.split_once('=').ok_or_else(|| format!("{part:?} is not name=value"))?;
        labels.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok((!labels.is_empty()).then_some(labels))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    fn read(section: &str) -> Result<AlertingConfig, String> {
        let text = format!("alerting:\n{section}");
        let config = Config::parse(&text, Path::new("x")).map_err(|error| error.to_string())?;
        config.validate(1).map_err(|invalid| format!("{} {}", invalid.key, invalid.reason))?;
        Ok(config.alerting)
    }

    #[test]
    fn every_key_is_read() {
        let found = read(
            "  alertmanagers: [http://a:9093, https://b/alertmanager]\n  \
             labels: {job: storage, instance: 'h1:10061', cluster: eu}\n  \
             beside_prometheus: false\n  resend_interval: 30s\n  timeout: 2s\n  \
             status_url: https://status/h1\n  runbook_url: https://wiki/runbook\n  \
             basic_auth: {username: ops, password_file: /secret}\n  \
             tls: {ca_file: /ca.pem, cert_file: /cert.pem, key_file: /key.pem, \
             server_name: am, insecure_skip_verify: true}\n",
        );
        let labels = [("job", "storage"), ("instance", "h1:10061"), ("cluster", "eu")];
        let expected = AlertingConfig {
            alertmanagers: vec!["http://a:9093".into(), "https://b/alertmanager".into()],
            labels: Some(labels.map(|(name, value)| (name.into(), value.into())).into()),
            beside_prometheus: false,
            resend_interval: Duration::from_secs(30),
            timeout: Duration::from_secs(2),
            status_url: Some("https://status/h1".into()),
            runbook_url: Some("https://wiki/runbook".into()),
            basic_auth: BasicAuth {
                username: Some("ops".into()),
                password: None,
                password_file: Some("/secret".into()),
            },
            bearer_token: None,
            bearer_token_file: None,
            tls: AlertingTls {
                ca_file: Some("/ca.pem".into()),
                cert_file: Some("/cert.pem".into()),
                key_file: Some("/key.pem".into()),
                server_name: Some("am".into()),
                insecure_skip_verify: true,
            },
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |section: &str| read(section).expect_err(section);
        for (section, expected) in [
            (
                "  alertmanagers: ['http://ops:hunter2@a:9093']\n",
                "alerting.alertmanagers must not hold credentials; use alerting.basic_auth",
            ),
            (
                "  alertmanagers: ['a:9093']\n",
                "alerting.alertmanagers must start with http:// or https://, such as \
                 http://127.0.0.1:9093",
            ),
            (
                "  alertmanagers: ['http://a:1', 'http://a:1']\n",
                "alerting.alertmanagers names an address twice",
            ),
            (
                "  labels: {volume: v}\n",
                "alerting.labels \"volume\": an alert has a label of that name of its own",
            ),
            (
                "  labels: {alertname: v}\n",
                "alerting.labels \"alertname\": an alert has a label of that name of its own",
            ),
            (
                "  labels: {2nd: v}\n",
                "alerting.labels \"2nd\": a label's name has letters, digits and _ and begins with \
                 none of the digits",
            ),
            ("  resend_interval: 1ms\n", "alerting.resend_interval must be from 1s to 1h"),
            ("  tls: {cert_file: /c}\n", "alerting.tls.cert_file needs alerting.tls.key_file"),
            ("  tls: {key_file: /c}\n", "alerting.tls.key_file needs alerting.tls.cert_file"),
            (
                "  tls: {ca_file: ca.pem}\n",
                "alerting.tls.ca_file must be an absolute path, starting with /",
            ),
            (
                "  basic_auth: {username: a, password: hunter2}\n  bearer_token: t\n",
                "alerting.bearer_token excludes alerting.basic_auth; give one",
            ),
        ] {
            assert_eq!(refused(section), expected);
        }
    }

    #[test]
    fn labels_of_the_environment() {
        let found = labels_from_list(" job = storage,instance=h:1, x= ");
        let expected = [("job", "storage"), ("instance", "h:1"), ("x", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, Ok(Some(expected.into())));
        assert_eq!(labels_from_list(""), Ok(None));
        assert_eq!(labels_from_list("job"), Err("\"job\" is not name=value".into()));
    }
}
