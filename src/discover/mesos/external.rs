//! Mounts of a container that lie outside the agent's resources: host paths, volumes of Docker
//! volume drivers, CSI volumes.
//!
//! Sources: message `ContainerInfo` of `include/mesos/mesos.proto`; how the Docker containerizer
//! reads it, `src/docker/docker.cpp`; `docker run`'s reference for `--volume` and `--mount`.

use std::path::PathBuf;

use super::facts::{ExternalSource, ExternalVolume};
use super::proto::{self, container_info, volume::source};
use super::resource::is_read_only;
use crate::model::VolumeSpec;

/// Driver of Docker volumes that name none.
const DEFAULT_DRIVER: &str = "local";

/// Whether the Docker containerizer runs a container of this description.
pub fn is_docker(container: &proto::ContainerInfo) -> bool {
    container.r#type == Some(container_info::Type::Docker as i32)
}

/// What a container mounts from outside the agent's resources. Left out: images, secrets, paths
/// of sandboxes (they are counted there) and volumes that say too little.
pub fn volumes(container: &proto::ContainerInfo) -> Vec<ExternalVolume> {
    let docker = container.docker.as_ref().filter(|_| is_docker(container));
    let parameters = docker.map_or(&[][..], |docker| &docker.parameters);
    let parameter = |key: &str| {
        let found = parameters.iter().rfind(|parameter| parameter.key.as_deref() == Some(key))?;
        found.value.as_deref().filter(|value| !value.is_empty())
    };
    let driver = docker
        .and_then(|docker| docker.volume_driver.as_deref())
        .filter(|driver| !driver.is_empty())
        .or_else(|| parameter("volume-driver"));

    let mut found: Vec<_> =
        container.volumes.iter().filter_map(|volume| described(volume, driver)).collect();
    for parameter in parameters {
        let value = parameter.value.as_deref().unwrap_or_default();
        found.extend(match parameter.key.as_deref() {
            Some("volume" | "v") => from_volume_option(value, driver),
            Some("mount") => from_mount_option(value, driver),
            _ => None,
        });
    }
    found
}

fn described(volume: &proto::Volume, driver: Option<&str>) -> Option<ExternalVolume> {
    let source = match (&volume.host_path, &volume.source) {
        (Some(path), _) => on_host(path, driver)?,
        (None, Some(source)) => from_source(source, driver)?,
        (None, None) => return None,
    };
    let mount = VolumeSpec {
        container_path: volume.container_path.clone()?,
        read_only: is_read_only(volume),
    };
    Some(ExternalVolume { source, mount })
}

/// A relative host path is a path of the sandbox, unless a volume driver makes it a name.
fn on_host(path: &str, driver: Option<&str>) -> Option<ExternalSource> {
    match driver {
        _ if path.starts_with('/') => Some(ExternalSource::HostPath(PathBuf::from(path))),
        Some(driver) if !path.is_empty() => {
            Some(ExternalSource::Docker { driver: driver.to_owned(), name: path.to_owned() })
        }
        _ => None,
    }
}

fn from_source(source: &proto::volume::Source, driver: Option<&str>) -> Option<ExternalSource> {
    match source::Type::try_from(source.r#type?).ok()? {
        source::Type::HostPath => on_host(source.host_path.as_ref()?.path.as_deref()?, None),
        source::Type::DockerVolume => {
            let volume = source.docker_volume.as_ref()?;
            let driver = volume.driver.as_deref().or(driver).unwrap_or(DEFAULT_DRIVER);
            Some(docker_volume(driver, volume.name.as_deref()?))
        }
        source::Type::CsiVolume => {
            let volume = source.csi_volume.as_ref()?;
            let id = volume.static_provisioning.as_ref()?.volume_id.clone()?;
            Some(ExternalSource::Csi { plugin: volume.plugin_name.clone()?, id })
        }
        source::Type::SandboxPath | source::Type::Secret | source::Type::Unknown => None,
    }
}

/// A Docker volume; an empty driver is the default one.
pub(super) fn docker_volume(driver: &str, name: &str) -> ExternalSource {
    let driver = if driver.is_empty() { DEFAULT_DRIVER } else { driver };
    ExternalSource::Docker { driver: driver.to_owned(), name: name.to_owned() }
}

/// A path of the host when absolute, else the name of a Docker volume.
fn path_or_name(text: &str, driver: Option<&str>) -> Option<ExternalSource> {
    match text {
        "" => None,
        path if path.starts_with('/') => Some(ExternalSource::HostPath(PathBuf::from(path))),
        name => Some(docker_volume(driver.unwrap_or(DEFAULT_DRIVER), name)),
    }
}

/// `--volume=SOURCE:CONTAINER_PATH[:OPTION,…]`. One without a source has no name to know it by.
fn from_volume_option(value: &str, driver: Option<&str>) -> Option<ExternalVolume> {
    let mut parts = value.split(':');
    let (source, path) = (parts.next()?, parts.next()?);
    let read_only = parts.next().is_some_and(|options| options.split(',').any(|one| one == "ro"));
    let mount = VolumeSpec { container_path: path.to_owned(), read_only };
    Some(ExternalVolume { source: path_or_name(source, driver)?, mount })
}

/// `--mount=type=bind,source=…,target=…[,readonly]`; without a type it is a volume.
fn from_mount_option(value: &str, driver: Option<&str>) -> Option<ExternalVolume> {
    let (mut kind, mut source, mut target, mut read_only) = ("volume", "", None, false);
    let mut driver = driver;
    for part in value.split(',') {
        let (key, value) = part.split_once('=').unwrap_or((part, "true"));
        match key {
            "type" => kind = value,
            "source" | "src" => source = value,
            "target" | "dst" | "destination" => target = Some(value),
            "volume-driver" => driver = Some(value),
            "readonly" | "ro" => read_only = value == "true" || value == "1",
            _ => {}
        }
    }
    let source = match kind {
        "bind" => on_host(source, None)?,
        "volume" => path_or_name(source, driver)?,
        _ => return None,
    };
    let mount = VolumeSpec { container_path: target?.to_owned(), read_only };
    Some(ExternalVolume { source, mount })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::mesos::proto::volume::{Mode, Source};

    fn spec(path: &str, read_only: bool) -> VolumeSpec {
        VolumeSpec { container_path: path.into(), read_only }
    }

    fn host(path: &str) -> ExternalSource {
        ExternalSource::HostPath(path.into())
    }

    fn with_host_path(path: &str) -> proto::Volume {
        proto::Volume {
            container_path: Some("data".into()),
            host_path: Some(path.into()),
            mode: Some(Mode::Ro as i32),
            ..Default::default()
        }
    }

    fn with_source(source: Source) -> proto::Volume {
        proto::Volume {
            container_path: Some("/srv".into()),
            mode: Some(Mode::Rw as i32),
            source: Some(Box::new(source)),
            ..Default::default()
        }
    }

    fn docker(volumes: Vec<proto::Volume>, parameters: &[(&str, &str)]) -> proto::ContainerInfo {
        let parameters = parameters
            .iter()
            .map(|(key, value)| proto::Parameter {
                key: Some((*key).into()),
                value: Some((*value).into()),
            })
            .collect();
        proto::ContainerInfo {
            r#type: Some(container_info::Type::Docker as i32),
            volumes,
            docker: Some(container_info::DockerInfo { parameters, volume_driver: None }),
        }
    }

    #[test]
    fn host_paths_must_be_absolute() {
        let container = proto::ContainerInfo {
            r#type: Some(container_info::Type::Mesos as i32),
            volumes: vec![
                with_host_path("/srv/db"),
                with_host_path("in-the-sandbox"),
                with_source(Source {
                    r#type: Some(source::Type::HostPath as i32),
                    host_path: Some(source::HostPath { path: Some("/opt/x".into()) }),
                    ..Default::default()
                }),
                with_source(Source {
                    r#type: Some(source::Type::SandboxPath as i32),
                    sandbox_path: Some(source::SandboxPath { path: Some("scratch".into()) }),
                    ..Default::default()
                }),
            ],
            docker: None,
        };
        assert_eq!(
            volumes(&container),
            [
                ExternalVolume { source: host("/srv/db"), mount: spec("data", true) },
                ExternalVolume { source: host("/opt/x"), mount: spec("/srv", false) },
            ]
        );
        assert!(!is_docker(&container));
    }

    #[test]
    fn volumes_of_drivers_and_plugins() {
        let driver = |driver: Option<&str>| {
            with_source(Source {
                r#type: Some(source::Type::DockerVolume as i32),
                docker_volume: Some(source::DockerVolume {
                    driver: driver.map(Into::into),
                    name: Some("pg".into()),
                }),
                ..Default::default()
            })
        };
        let csi = |id: Option<&str>| {
            with_source(Source {
                r#type: Some(source::Type::CsiVolume as i32),
                csi_volume: Some(source::CsiVolume {
                    plugin_name: Some("nfs".into()),
                    static_provisioning: Some(source::csi_volume::StaticProvisioning {
                        volume_id: id.map(Into::into),
                    }),
                }),
                ..Default::default()
            })
        };
        let container = proto::ContainerInfo {
            r#type: Some(container_info::Type::Mesos as i32),
            volumes: vec![driver(Some("rexray")), driver(None), csi(Some("v1")), csi(None)],
            docker: None,
        };
        let named = |driver: &str| docker_volume(driver, "pg");
        let csi = ExternalSource::Csi { plugin: "nfs".into(), id: "v1".into() };
        assert_eq!(
            volumes(&container),
            [named("rexray"), named("local"), csi]
                .map(|source| ExternalVolume { source, mount: spec("/srv", false) })
        );
    }

    #[test]
    fn options_of_the_docker_command() {
        let container = docker(
            vec![with_host_path("named")],
            &[
                ("volume-driver", "rexray"),
                ("volume", "/mnt/a:/a"),
                ("v", "pg:/b:z,ro"),
                ("volume", "/anonymous"),
                ("mount", "type=bind,src=/mnt/c,dst=/c,readonly"),
                ("mount", "source=d,target=/d,volume-driver=nfs"),
                ("mount", "type=tmpfs,target=/e"),
                ("mount", "type=bind,source=/mnt/f"),
                ("memory", "1g"),
            ],
        );
        let expected = [
            (docker_volume("rexray", "named"), spec("data", true)),
            (host("/mnt/a"), spec("/a", false)),
            (docker_volume("rexray", "pg"), spec("/b", true)),
            (host("/mnt/c"), spec("/c", true)),
            (docker_volume("nfs", "d"), spec("/d", false)),
        ];
        assert_eq!(
            volumes(&container),
            expected.map(|(source, mount)| ExternalVolume { source, mount })
        );
        assert!(is_docker(&container));
    }
}
