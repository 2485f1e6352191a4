//! The web configuration file (`--web.config.file`): TLS, users, headers and rate limit of our own
//! port, in the format that all Prometheus exporters share.
//!
//! Source: `docs/web-configuration.md` and `web/tls_config.go` of prometheus/exporter-toolkit.

mod names;
mod rate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

pub use names::{CipherSuite, ClientAuth, Curve, TlsVersion};
pub use rate::RateLimit;

use super::Secret;
use super::error::ConfigError;
use super::load::{options, read_capped};
use crate::text::quote;

/// Certificates may stand in the file itself.
const MOST_BYTES: u64 = 1 << 20;

/// A web configuration file. Without any key it changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// Certificate, key and what is asked of clients.
    #[serde(deserialize_with = "or_default")]
    pub tls_server_config: WebTls,
    /// Headers of every answer.
    #[serde(deserialize_with = "or_default")]
    pub http_server_config: WebHttp,
    /// Requests that are answered in a time.
    #[serde(deserialize_with = "or_default")]
    pub rate_limit: RateLimit,
    /// Names of users with the bcrypt hashes of their passwords; with none, nobody is asked.
    #[serde(deserialize_with = "or_default")]
    pub basic_auth_users: BTreeMap<String, Secret>,
}

/// TLS of our own port. Relative paths start where the file lies.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebTls {
    /// Certificate chain, PEM.
    pub cert: String,
    /// Its key, PEM.
    pub key: Secret,
    /// Authorities for certificates of clients, PEM.
    pub client_ca: String,
    /// File with the certificate chain; goes before `cert`.
    pub cert_file: PathBuf,
    /// File with the key; goes before `key`.
    pub key_file: PathBuf,
    /// File with the authorities; goes before `client_ca`.
    pub client_ca_file: PathBuf,
    /// What is asked of clients, as the file has it; [`Self::client_auth`] reads it.
    pub client_auth_type: String,
    /// Names of which a client's certificate must have one.
    pub client_allowed_sans: Option<Vec<String>>,
    /// Suites of TLS 1.2; those of TLS 1.3 are always on. All that are known when empty.
    pub cipher_suites: Vec<CipherSuite>,
    /// Groups of the key exchange, best first. All that are known when empty.
    pub curve_preferences: Vec<Curve>,
    /// Oldest version.
    pub min_version: TlsVersion,
    /// Newest version.
    pub max_version: TlsVersion,
    /// The order of `cipher_suites` decides, not the client's.
    pub prefer_server_cipher_suites: bool,
}

impl Default for WebTls {
    fn default() -> Self {
        Self {
            cert: String::new(),
            key: Secret::default(),
            client_ca: String::new(),
            cert_file: PathBuf::new(),
            key_file: PathBuf::new(),
            client_ca_file: PathBuf::new(),
            client_auth_type: String::new(),
            client_allowed_sans: None,
            cipher_suites: Vec::new(),
            curve_preferences: Vec::new(),
            min_version: TlsVersion::Tls12,
            max_version: TlsVersion::Tls13,
            prefer_server_cipher_suites: true,
        }
    }
}

/// Settings of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebHttp {
    /// Taken and without effect: HTTP/2 is not spoken, and clients agree on HTTP/1.1.
    pub http2: Option<bool>,
    /// Headers of every answer; only these five are known.
    #[serde(deserialize_with = "or_default")]
    pub headers: BTreeMap<String, String>,
}

/// A key without a value is a key that is not there.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Headers that may be set, with the values that are good for them; none: any value.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

impl WebConfig {
    /// Reads and checks a file; certificates are not read.
    ///
    /// # Errors
    /// One line with the file and the reason.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes = read_capped(path, MOST_BYTES)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| ConfigError::file(path, "is not UTF-8 and so no YAML"))?;
        let mut config = Self::parse(&text, path)?;
        config.check().map_err(|reason| ConfigError::file(path, reason))?;
        let dir = path.parent().unwrap_or(Path::new(""));
        config.tls_server_config.set_directory(dir);
        Ok(config)
    }

    /// Reads the text of a file; `path` is for the error only.
    ///
    /// # Errors
    /// One line with file, line, column and reason.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        serde_saphyr::from_str_with_options::<Option<Self>>(text, options())
            .map(Option::unwrap_or_default)
            .map_err(|error| ConfigError::yaml(path, &error))
    }

    /// Checks what the values mean, without a look at certificates.
    ///
    /// # Errors
    /// The first reason.
    pub fn check(&self) -> Result<(), String> {
        self.http_server_config.check()?;
        for (user, hash) in &self.basic_auth_users {
            hash.expose().parse::<bcrypt::HashParts>().map_err(|_| {
                format!(
                    "basic_auth_users: what stands for {} is no bcrypt hash; make one with \
                     htpasswd -nBC 10 \"\"",
                    quote(user)
                )
            })?;
        }
        self.tls_server_config.check()
    }
}

impl WebHttp {
    fn check(&self) -> Result<(), String> {
        for (name, value) in &self.headers {
            let Some((_, good)) = HEADERS.iter().find(|(known, _)| known == name) else {
                return Err(format!("HTTP header {} can not be configured", quote(name)));
            };
            if !good.is_empty() && !good.contains(&value.as_str()) {
                let good = good.join(" or ");
                let value = quote(value);
                return Err(format!("invalid value for {name}: {value}, expected {good}"));
            }
            if hyper::header::HeaderValue::from_str(value).is_err() {
                return Err(format!("invalid value for {name}: it holds control characters"));
            }
        }
        Ok(())
    }
}

impl WebTls {
    /// Whether TLS is asked for at all.
    pub fn is_enabled(&self) -> bool {
        let paths = [&self.cert_file, &self.key_file, &self.client_ca_file];
        let texts = [&self.cert, self.key.expose(), &self.client_ca, &self.client_auth_type];
        paths.iter().any(|path| !path.as_os_str().is_empty())
            || texts.iter().any(|text| !text.is_empty())
    }

    /// What is asked of clients.
    ///
    /// # Errors
    /// The name, when it is not one of the policies of Go's `tls.ClientAuthType`.
    pub fn client_auth(&self) -> Result<ClientAuth, String> {
        self.client_auth_type.parse()
    }

    /// Whether there are authorities for certificates of clients.
    pub fn has_client_ca(&self) -> bool {
        !self.client_ca.is_empty() || !self.client_ca_file.as_os_str().is_empty()
    }

    fn check(&self) -> Result<(), String> {
        if !self.is_enabled() {
            return Ok(());
        }
        if self.cert.is_empty() && self.cert_file.as_os_str().is_empty() {
            return Err("tls_server_config: missing one of cert or cert_file".into());
        }
        if self.key.expose().is_empty() && self.key_file.as_os_str().is_empty() {
            return Err("tls_server_config: missing one of key or key_file".into());
        }
        let auth = self.client_auth().map_err(|error| format!("tls_server_config: {error}"))?;
        if self.has_client_ca() && auth == ClientAuth::NoClientCert {
            return Err("tls_server_config: client CA's have been configured without a client \
                        auth policy; set client_auth_type to RequireAndVerifyClientCert"
                .into());
        }
        if self.min_version > self.max_version {
            return Err("tls_server_config: min_version is newer than max_version".into());
        }
        Ok(())
    }

    fn set_directory(&mut self, dir: &Path) {
        for path in [&mut self.cert_file, &mut self.key_file, &mut self.client_ca_file] {
            if !path.as_os_str().is_empty() {
                *path = dir.join(&*path);
            }
        }
    }
}
