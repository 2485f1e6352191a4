//! Volumes of a `ContainerInfo` that lie outside the agent's resources.
//!
//! Source: `include/mesos/mesos.proto`, messages `ContainerInfo` and `Volume`;
//! `src/docker/docker.cpp`, `Docker::RunOptions::create`, for what the Docker containerizer makes
//! of them. Volumes of source SANDBOX_PATH, SECRET or an image stay inside the sandbox's own
//! bytes or need none, and are left out.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::facts::{ExternalSource, ExternalVolume};
use crate::model::VolumeSpec;

/// `ContainerInfo`, the parts in use.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ContainerJson {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    volumes: Vec<VolumeJson>,
    docker: Option<DockerJson>,
}

#[derive(Debug, Deserialize)]
struct VolumeJson {
    container_path: String,
    mode: Option<String>,
    host_path: Option<PathBuf>,
    source: Option<SourceJson>,
}

#[derive(Debug, Deserialize)]
struct SourceJson {
    #[serde(rename = "type")]
    kind: String,
    docker_volume: Option<DockerVolumeJson>,
    host_path: Option<HostPathJson>,
    csi_volume: Option<CsiJson>,
}

#[derive(Debug, Deserialize)]
struct DockerVolumeJson {
    driver: Option<String>,
    name: String,
}

#[derive(Debug, Deserialize)]
struct HostPathJson {
    path: PathBuf,
}

#[derive(Debug, Deserialize)]
struct CsiJson {
    plugin_name: String,
    static_provisioning: Option<StaticJson>,
}

#[derive(Debug, Deserialize)]
struct StaticJson {
    volume_id: String,
}

#[derive(Debug, Deserialize)]
struct DockerJson {
    #[serde(default)]
    parameters: Vec<ParameterJson>,
    volume_driver: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ParameterJson {
    key: String,
    #[serde(default)]
    value: String,
}

impl ContainerJson {
    /// The container is a Docker containerizer's.
    pub(super) fn is_docker(&self) -> bool {
        self.kind.as_deref() == Some("DOCKER")
    }

    /// Its volumes outside the agent's resources, in the order given.
    pub(super) fn external(&self) -> Vec<ExternalVolume> {
        let driver = self.driver();
        let mut external: Vec<_> =
            self.volumes.iter().filter_map(|volume| from_volume(volume, driver)).collect();
        for parameter in self.docker.iter().flat_map(|docker| &docker.parameters) {
            external.extend(match parameter.key.as_str() {
                "volume" | "v" => from_bind_option(&parameter.value, driver),
                "mount" => from_mount_option(&parameter.value, driver),
                _ => None,
            });
        }
        external
    }

    fn driver(&self) -> Option<&str> {
        let docker = self.docker.as_ref()?;
        let parameter = docker.parameters.iter().find(|entry| entry.key == "volume-driver");
        parameter.map(|entry| entry.value.as_str()).or(docker.volume_driver.as_deref())
    }
}

fn named(name: &str, driver: Option<&str>) -> ExternalSource {
    let driver = driver.filter(|driver| !driver.is_empty()).unwrap_or("local");
    ExternalSource::Docker { driver: driver.to_owned(), name: name.to_owned() }
}

fn from_volume(volume: &VolumeJson, docker_driver: Option<&str>) -> Option<ExternalVolume> {
    let source = match (&volume.host_path, &volume.source) {
        (Some(path), _) if path.is_absolute() => ExternalSource::HostPath(path.clone()),
        // With a volume driver a name stands where the path would; without one a relative path
        // is below the sandbox.
        (Some(path), _) => named(path.to_str()?, Some(docker_driver?)),
        (None, Some(source)) => match source.kind.as_str() {
            "HOST_PATH" => {
                let path = &source.host_path.as_ref()?.path;
                path.is_absolute().then(|| ExternalSource::HostPath(path.clone()))?
            }
            "DOCKER_VOLUME" => {
                let volume = source.docker_volume.as_ref()?;
                named(&volume.name, volume.driver.as_deref())
            }
            "CSI_VOLUME" => {
                let volume = source.csi_volume.as_ref()?;
                ExternalSource::Csi {
                    plugin: volume.plugin_name.clone(),
                    id: volume.static_provisioning.as_ref()?.volume_id.clone(),
                }
            }
            _ => return None,
        },
        (None, None) => return None,
    };
    let mount = VolumeSpec {
        container_path: volume.container_path.clone(),
        read_only: volume.mode.as_deref() == Some("RO"),
    };
    Some(ExternalVolume { source, mount })
}

/// `docker run --volume SOURCE:TARGET[:OPTIONS]`; an anonymous volume (`TARGET` alone) has no
/// name to know it by.
fn from_bind_option(value: &str, driver: Option<&str>) -> Option<ExternalVolume> {
    let mut parts = value.split(':');
    let (source, target) = (parts.next()?, parts.next()?);
    let read_only = parts.next().is_some_and(|options| options.split(',').any(|o| o == "ro"));
    option_volume(source, target, read_only, driver)
}

/// `docker run --mount type=bind|volume,source=…,target=…[,readonly]`.
fn from_mount_option(value: &str, driver: Option<&str>) -> Option<ExternalVolume> {
    let (mut source, mut target, mut read_only, mut own_driver) = (None, None, false, driver);
    for field in value.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        match key {
            "type" if value != "bind" && value != "volume" => return None,
            "source" | "src" => source = Some(value),
            "target" | "dst" | "destination" => target = Some(value),
            "readonly" | "ro" => read_only = !matches!(value, "false" | "0"),
            "volume-driver" => own_driver = Some(value),
            _ => {}
        }
    }
    option_volume(source?, target?, read_only, own_driver)
}

fn option_volume(
    source: &str,
    target: &str,
    read_only: bool,
    driver: Option<&str>,
) -> Option<ExternalVolume> {
    if source.is_empty() || target.is_empty() {
        return None;
    }
    let source = if Path::new(source).is_absolute() {
        ExternalSource::HostPath(source.into())
    } else {
        named(source, driver)
    };
    Some(ExternalVolume {
        source,
        mount: VolumeSpec { container_path: target.to_owned(), read_only },
    })
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    fn external(text: &str) -> Vec<(ExternalSource, String, bool)> {
        let container: ContainerJson = parse(text.as_bytes()).unwrap();
        container
            .external()
            .into_iter()
            .map(|volume| (volume.source, volume.mount.container_path, volume.mount.read_only))
            .collect()
    }

    fn host(path: &str) -> ExternalSource {
        ExternalSource::HostPath(path.into())
    }

    #[test]
    fn volumes_of_every_source() {
        let volumes = external(
            r#"{"type":"MESOS","volumes":[
            {"container_path":"a","mode":"RO","host_path":"/srv/a"},
            {"container_path":"rel","mode":"RW","host_path":"in-sandbox"},
            {"container_path":"b","mode":"RW","source":{"type":"HOST_PATH","host_path":{"path":"/srv/b"}}},
            {"container_path":"c","mode":"RW","source":{"type":"DOCKER_VOLUME","docker_volume":{"driver":"rexray","name":"vol1"}}},
            {"container_path":"d","mode":"RW","source":{"type":"DOCKER_VOLUME","docker_volume":{"name":"vol2"}}},
            {"container_path":"e","mode":"RW","source":{"type":"CSI_VOLUME","csi_volume":{"plugin_name":"nfs.csi","static_provisioning":{"volume_id":"v-7"}}}},
            {"container_path":"f","mode":"RW","source":{"type":"SANDBOX_PATH","sandbox_path":{"type":"PARENT","path":"f"}}},
            {"container_path":"g","mode":"RW","source":{"type":"SECRET"}},
            {"container_path":"h","mode":"RW","image":{"type":"DOCKER"}}]}"#,
        );
        let docker = |driver: &str, name: &str| ExternalSource::Docker {
            driver: driver.into(),
            name: name.into(),
        };
        let csi = ExternalSource::Csi { plugin: "nfs.csi".into(), id: "v-7".into() };
        assert_eq!(
            volumes,
            [
                (host("/srv/a"), "a".to_owned(), true),
                (host("/srv/b"), "b".to_owned(), false),
                (docker("rexray", "vol1"), "c".to_owned(), false),
                (docker("local", "vol2"), "d".to_owned(), false),
                (csi, "e".to_owned(), false),
            ]
        );
    }

    #[test]
    fn parameters_of_docker_run() {
        let volumes = external(
            r#"{"type":"DOCKER","volumes":[{"container_path":"/x","host_path":"name0"}],
            "docker":{"image":"i","parameters":[
            {"key":"volume-driver","value":"ceph"},{"key":"v","value":"/srv/v:/v:z,ro"},
            {"key":"volume","value":"name1:/n"},{"key":"volume","value":"/anonymous"},
            {"key":"mount","value":"type=bind,source=/srv/m,target=/m,readonly"},
            {"key":"mount","value":"type=tmpfs,target=/t"},{"key":"env","value":"a:b"},
            {"key":"volume","value":":"}]}}"#,
        );
        let ceph = |name: &str| ExternalSource::Docker { driver: "ceph".into(), name: name.into() };
        assert_eq!(
            volumes,
            [
                (ceph("name0"), "/x".to_owned(), false),
                (host("/srv/v"), "/v".to_owned(), true),
                (ceph("name1"), "/n".to_owned(), false),
                (host("/srv/m"), "/m".to_owned(), true),
            ]
        );
    }

    #[test]
    fn nothing_and_malformed() {
        assert!(external("{}").is_empty());
        assert!(parse::<ContainerJson>(br#"{"volumes":[{"mode":"RW"}]}"#).is_err());
    }
}
