//! Mounts that the `docker/volume` and `volume/csi` isolators made and checkpointed.

use std::path::Path;

use serde::Deserialize;

use super::corrupt;
use crate::discover::dirs::{DirError, Folder, present};
use crate::discover::mesos::checkpoint::{MAX_FILE, one};
use crate::discover::mesos::external::docker_volume;
use crate::discover::mesos::facts::{ExternalSource, IsolatorVolume, RuntimeFacts};
use crate::discover::mesos::proto;
use crate::host::names::escape_name;

/// JSON of `DockerVolumes` (`isolators/docker/volume/state.proto`).
#[derive(Deserialize)]
struct DockerVolumes {
    #[serde(default)]
    volumes: Vec<DockerVolume>,
}

#[derive(Deserialize)]
struct DockerVolume {
    driver: String,
    name: String,
}

/// `<docker_volume_checkpoint_dir>/<container>/volumes`, as JSON. The file may be empty: the
/// isolator was caught, or killed, before it wrote.
pub(super) fn docker(dir: &Path, facts: &mut RuntimeFacts) {
    each(dir, facts, |bytes| {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let read: DockerVolumes =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let source = |volume: DockerVolume| docker_volume(&volume.driver, &volume.name);
        Ok(read.volumes.into_iter().map(source).collect())
    });
}

/// `<work_dir>/isolators/volume/csi/<container>/volumes`, one `CSIVolumes` message. Its fields
/// are proto3's, which leaves out empty text.
pub(super) fn csi(work_dir: &Path, facts: &mut RuntimeFacts) {
    each(&work_dir.join("isolators/volume/csi"), facts, |bytes| {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let read: proto::CsiVolumes = one(bytes).map_err(|error| error.to_string())?;
        let source = |volume: proto::CsiVolume| ExternalSource::Csi {
            plugin: volume.plugin_name.unwrap_or_default(),
            id: volume.id.unwrap_or_default(),
        };
        Ok(read.volumes.into_iter().map(source).collect())
    });
}

fn each(
    dir: &Path,
    facts: &mut RuntimeFacts,
    parse: impl Fn(&[u8]) -> Result<Vec<ExternalSource>, String>,
) {
    let mut note = |result: Result<_, DirError>| {
        result.map_err(|error| facts.errors.push(error.to_source_error())).ok().flatten()
    };
    let Some(folder) = note(present(Folder::open_root(dir))) else { return };
    let names = match folder.names() {
        Ok(names) => names.directories,
        Err(error) => return facts.errors.push(error.to_source_error()),
    };
    for name in names {
        let read = present(folder.child(&name)).and_then(|found| {
            let Some(container) = found else { return Ok(None) };
            let bytes = present(container.read("volumes", MAX_FILE))?;
            Ok(bytes.map(|bytes| (container, bytes)))
        });
        let (container, bytes) = match read {
            Ok(Some(read)) => read,
            Ok(None) => continue,
            Err(error) => {
                facts.errors.push(error.to_source_error());
                continue;
            }
        };
        match parse(&bytes) {
            Ok(sources) => {
                let container = escape_name(&name);
                facts.isolator_volumes.extend(
                    sources
                        .into_iter()
                        .map(|source| IsolatorVolume { container: container.clone(), source }),
                );
            }
            Err(problem) => facts.errors.push(corrupt(&container, "volumes", &problem)),
        }
    }
}
