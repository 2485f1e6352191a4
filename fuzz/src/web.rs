//! The web configuration file, whole, and what it says of TLS and clients.

use std::path::Path;

use plimsoll::config::WebConfig;
use plimsoll::text::is_hidden;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match WebConfig::parse(text, Path::new("web.yml")) {
        Ok(config) => {
            if let Err(reason) = config.check() {
                one_line(&reason);
            } else {
                checked(&config);
            }
        }
        Err(error) => one_line(&error.to_string()),
    }
}

/// What the check lets through can be served.
fn checked(config: &WebConfig) {
    let tls = &config.tls_server_config;
    if tls.is_enabled() {
        assert!(tls.client_auth().is_ok());
        assert!(tls.min_version <= tls.max_version);
        assert!(!tls.cert.is_empty() || !tls.cert_file.as_os_str().is_empty());
    }
    for (name, value) in &config.http_server_config.headers {
        assert!(hyper::header::HeaderName::from_bytes(name.as_bytes()).is_ok());
        assert!(hyper::header::HeaderValue::from_str(value).is_ok());
    }
    // Neither hashes nor keys are ever printed.
    let shown = format!("{config:?}");
    for secret in config.basic_auth_users.values().chain([&tls.key]) {
        assert!(!secret.expose().starts_with("$2") || !shown.contains(secret.expose()));
    }
}

fn one_line(reason: &str) {
    assert!(!reason.is_empty() && !reason.chars().any(is_hidden), "{reason:?}");
}
