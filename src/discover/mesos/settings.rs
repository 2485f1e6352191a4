//! Where the agent is: what the configuration says, completed by what is found on the host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::{Enabled, MesosConfig};
use crate::host::Roots;
use crate::model::SourceError;

use super::api::{ApiConfig, Auth, SecretSource, TlsConfig};
use super::locate::{self, Found, Located};

/// Work directory of the packages, tried when nothing else names one.
const PACKAGED_WORK_DIR: &str = "/var/lib/mesos";
/// Origin of a value nobody set.
const DEFAULT: &str = "default";
/// The agent's own default of `--runtime_dir`.
const DEFAULT_RUNTIME_DIR: &str = "/var/run/mesos";

/// Where everything of one agent is, each value with where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Work directory; absent until the API's `/flags` was read on a host that tells nothing.
    pub work_dir: Option<Found<PathBuf>>,
    /// Runtime directory.
    pub runtime_dir: Found<PathBuf>,
    /// Base URL of the API.
    pub url: Option<Found<String>>,
    /// Flags found without the API (command line, environment, package files).
    pub flags: BTreeMap<String, String>,
    /// The running agent.
    pub pid: Option<u32>,
    /// What could not be read on the way, and what was ambiguous.
    pub errors: Vec<SourceError>,
}

impl Resolved {
    /// Looks for the agent. `None`: the source is off, or there is no agent and none is asked for.
    pub fn find(config: &MesosConfig, roots: &Roots) -> Option<Self> {
        if config.enabled == Enabled::False {
            return None;
        }
        let located = locate::locate(roots);
        let packaged = || {
            let meta = roots.inside(&PathBuf::from(PACKAGED_WORK_DIR).join("meta"));
            // A cheap look at a local path that is almost always on the root filesystem.
            meta.symlink_metadata().ok()?;
            Some(Found { value: PACKAGED_WORK_DIR.into(), origin: "the packages' default".into() })
        };
        let Located { pid, work_dir, runtime_dir, url, flags, errors } = located;
        let configured = |key: &str| format!("configuration, mesos.{key}");
        let work_dir = config
            .work_dir
            .clone()
            .map(|value| Found { value, origin: configured("work_dir") })
            .or(work_dir)
            .or_else(packaged);
        let url = config
            .agent_url
            .clone()
            .map(|value| Found { value, origin: configured("agent_url") })
            .or(url);
        let asked_for = config.enabled == Enabled::True;
        if work_dir.is_none() && url.is_none() && pid.is_none() && !asked_for {
            return None;
        }
        let url = url.or_else(|| {
            // An agent that is down now comes back on its usual port.
            Some(Found {
                value: ApiConfig::default().url,
                origin: "the agent's default port".into(),
            })
        });
        let runtime_dir = config
            .runtime_dir
            .clone()
            .map(|value| Found { value, origin: configured("runtime_dir") })
            .or(runtime_dir)
            .unwrap_or_else(|| Found { value: DEFAULT_RUNTIME_DIR.into(), origin: DEFAULT.into() });
        Some(Self { work_dir, runtime_dir, url, flags, pid, errors })
    }

    /// Fills in what only the API's flags told.
    pub fn complete(&mut self, flags: &BTreeMap<String, String>) {
        let from_flags = |name: &str| {
            flags.get(name).filter(|value| !value.is_empty()).map(|value| Found {
                value: PathBuf::from(value),
                origin: "the agent's /flags".into(),
            })
        };
        if self.work_dir.is_none() {
            self.work_dir = from_flags("work_dir");
        }
        if self.runtime_dir.origin == DEFAULT
            && let Some(found) = from_flags("runtime_dir")
        {
            self.runtime_dir = found;
        }
    }
}

/// How to reach the API at `url` with the configured credentials.
pub fn api_config(config: &MesosConfig, url: &str) -> ApiConfig {
    let secret = |value: &Option<crate::config::Secret>, file: &Option<PathBuf>| {
        value
            .as_ref()
            .map(|secret| SecretSource::Value(secret.expose().to_string()))
            .or_else(|| file.clone().map(SecretSource::File))
    };
    let basic = &config.basic_auth;
    let auth = if let Some(token) = secret(&config.bearer_token, &config.bearer_token_file) {
        Auth::Bearer(token)
    } else if let Some(principal) = &basic.username {
        let secret = secret(&basic.password, &basic.password_file);
        Auth::Basic {
            principal: principal.clone(),
            secret: secret.unwrap_or_else(|| SecretSource::Value(String::new())),
        }
    } else {
        Auth::None
    };
    ApiConfig {
        url: url.to_string(),
        timeout: config.timeout,
        max_body_bytes: config.max_body.0,
        auth,
        tls: TlsConfig {
            ca_file: config.tls.ca_file.clone(),
            insecure_skip_verify: config.tls.insecure_skip_verify,
            server_name: config.tls.server_name.clone(),
        },
    }
}
