//! The configuration: one YAML file with strict keys, the environment over it, flags over both.
//!
//! [`Config::load`] does all of it and refuses a bad file with file, line, column and reason in
//! one line. Every key, with its default and meaning, stands in `packaging/plimsoll.yml`; tests
//! hold that file, [`Config::default`] and `docs/configuration.md` together.

mod alerting;
mod directories;
mod docker;
mod env;
mod error;
mod load;
mod locate;
mod secret;
mod security;
mod suggest;
mod types;
mod units;
mod validate;
mod web;

pub use alerting::{AlertingConfig, AlertingTls};
pub use directories::{DirectoryConfig, has_wildcard};
pub use docker::DockerConfig;
pub use env::variable;
pub use error::ConfigError;
pub use load::{DEFAULT_PATH, Loaded, MAX_FILE_BYTES};
pub use secret::Secret;
pub use security::{Landlock, SecurityConfig};
pub use types::{
    BasicAuth, Config, DiscoveryConfig, Enabled, FilesystemsConfig, IoConfig, MesosConfig,
    MetricsConfig, NetworkConfig, OrphansConfig, StorageConfig, TlsConfig, UsageConfig,
};
pub use units::{ByteSize, IdRange, format_duration, parse_duration};
pub use validate::{Invalid, base_url};
pub use web::{CipherSuite, ClientAuth, Curve, RateLimit, TlsVersion, WebConfig, WebHttp, WebTls};

impl Config {
    /// Every scalar key in dotted form (`mesos.work_dir`), sorted: the words of the file, of the
    /// environment and of the reference page.
    pub fn keys() -> Vec<String> {
        let mut keys = Vec::new();
        if let Ok(tree) = serde_json::to_value(Self::default()) {
            collect_keys("", &tree, &mut keys);
        }
        keys
    }
}

/// Adds the dotted path of every leaf below `node`.
fn collect_keys(prefix: &str, node: &serde_json::Value, keys: &mut Vec<String>) {
    match node {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let path =
                    if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                collect_keys(&path, value, keys);
            }
        }
        _ => keys.push(prefix.to_owned()),
    }
}

#[cfg(test)]
mod tests;
