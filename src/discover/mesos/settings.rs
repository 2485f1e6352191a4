//! Where the agent is: what the configuration says, completed by what is found on the host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::{Enabled, MesosConfig};
use crate::host::Roots;
use crate::model::SourceError;

use super::api::{ApiConfig, Auth, TlsConfig};
use super::locate::{self, Found, Located};

/// Work directory of the packages, tried when nothing else names one.
const PACKAGED_WORK_DIR: &str = "/var/lib/mesos";
/// Where an agent listens unless its flags say otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:5051";
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
        Self::merge(config, roots, locate::locate(roots))
    }

    /// The same, where somebody else has looked for the agent.
    pub fn merge(config: &MesosConfig, roots: &Roots, located: Located) -> Option<Self> {
        if config.enabled == Enabled::False {
            return None;
        }
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
            Some(Found { value: DEFAULT_URL.into(), origin: "the agent's default port".into() })
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
    let (token, token_file) = (&config.bearer_token, &config.bearer_token_file);
    ApiConfig {
        url: url.to_string(),
        timeout: config.timeout,
        max_body_bytes: config.max_body.0,
        auth: Auth::configured(&config.basic_auth, token, token_file),
        tls: TlsConfig {
            ca_file: config.tls.ca_file.clone(),
            insecure_skip_verify: config.tls.insecure_skip_verify,
            server_name: config.tls.server_name.clone(),
            identity: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BasicAuth, Secret};
    use crate::discover::http::SecretSource;

    fn auth(config: &MesosConfig) -> String {
        // `Debug` hides values, so the test looks at them itself.
        let shown = |secret: &SecretSource| match secret {
            SecretSource::Value(value) => value.clone(),
            SecretSource::File(path) => format!("file {}", path.display()),
        };
        match api_config(config, "http://a:5051").auth {
            Auth::None => "none".into(),
            Auth::Basic { principal, secret } => format!("{principal}:{}", shown(&secret)),
            Auth::Bearer(secret) => format!("bearer {}", shown(&secret)),
        }
    }

    #[test]
    fn credentials_of_the_configuration_reach_the_client() {
        let mut config = MesosConfig::default();
        assert_eq!(auth(&config), "none");
        config.basic_auth = BasicAuth {
            username: Some("ops".into()),
            password: None,
            password_file: Some("/run/secret".into()),
        };
        assert_eq!(auth(&config), "ops:file /run/secret");
        config.basic_auth.password = Some(Secret::new("pa ss"));
        assert_eq!(auth(&config), "ops:pa ss");
        config.bearer_token_file = Some("/run/token".into());
        assert_eq!(auth(&config), "bearer file /run/token");
    }

    #[test]
    fn the_configuration_wins_and_every_value_says_where_it_came_from() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots {
            procfs: dir.path().join("proc"),
            sysfs: dir.path().join("sys"),
            rootfs: dir.path().to_path_buf(),
        };
        std::fs::create_dir_all(dir.path().join("proc")).unwrap();
        let mut config = MesosConfig::default();
        assert_eq!(Resolved::find(&config, &roots), None, "no agent, and none asked for");

        std::fs::create_dir_all(dir.path().join("var/lib/mesos/meta")).unwrap();
        let found = Resolved::find(&config, &roots).expect("the packages' work directory");
        let work_dir = found.work_dir.unwrap();
        assert_eq!(work_dir.value, PathBuf::from("/var/lib/mesos"));
        assert_eq!(work_dir.origin, "the packages' default");
        assert_eq!(found.url.unwrap().origin, "the agent's default port");

        config.work_dir = Some("/data/mesos".into());
        let found = Resolved::find(&config, &roots).unwrap();
        assert_eq!(found.work_dir.unwrap().origin, "configuration, mesos.work_dir");

        config.enabled = Enabled::False;
        assert_eq!(Resolved::find(&config, &roots), None);
    }

    #[test]
    fn flags_of_the_api_fill_in_what_nothing_else_told() {
        let found =
            |value: &str, origin: &str| Found { value: value.into(), origin: origin.into() };
        let mut resolved = Resolved {
            work_dir: None,
            runtime_dir: found("/var/run/mesos", DEFAULT),
            url: None,
            flags: BTreeMap::new(),
            pid: None,
            errors: Vec::new(),
        };
        let flags = BTreeMap::from([
            ("work_dir".to_string(), "/data/mesos".to_string()),
            ("runtime_dir".to_string(), "/run/m".to_string()),
        ]);
        resolved.complete(&flags);
        assert_eq!(resolved.work_dir, Some(found("/data/mesos", "the agent's /flags")));
        assert_eq!(resolved.runtime_dir, found("/run/m", "the agent's /flags"));
        let other = BTreeMap::from([("work_dir".to_string(), "/other".to_string())]);
        resolved.complete(&other);
        assert_eq!(resolved.work_dir.unwrap().value, PathBuf::from("/data/mesos"));
    }
}
