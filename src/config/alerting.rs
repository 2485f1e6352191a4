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
