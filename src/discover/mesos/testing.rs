//! What the tests of the disk side share: the captured trees of a real agent, and facts as lines.

use std::path::{Path, PathBuf};

use crate::discover::mesos::facts::{ExternalSource, ExternalVolume};
use crate::model::{DiskSource, Quantity, Resource};

/// Unpacks an archive of a captured scene into a directory. Device nodes are left out.
pub fn unpack(scene: &str, archive: &str, into: &Path) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/mesos")
        .join(scene)
        .join(archive);
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let kind = entry.header().entry_type();
        if kind.is_file() || kind.is_dir() || kind.is_symlink() {
            assert!(entry.unpack_in(into).unwrap());
        }
    }
}

/// A scene's archive in a directory of its own.
pub fn scene(scene: &str, archive: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    unpack(scene, archive, dir.path());
    dir
}

/// One resource as a line: name, amount, disk, reservation, and what else it says.
pub fn resource_line(resource: &Resource) -> String {
    let mut line = resource.name.clone();
    match &resource.quantity {
        Quantity::Scalar(amount) => line += &format!(" {amount}"),
        other => line += &format!(" {other:?}"),
    }
    for layer in &resource.reservations {
        let kind = if layer.dynamic { "dynamic" } else { "static" };
        line += &format!(" {kind}:{}", layer.role);
        if let Some(principal) = &layer.principal {
            line += &format!("@{principal}");
        }
    }
    if let Some(role) = &resource.allocated_to {
        line += &format!(" for:{role}");
    }
    if let Some(disk) = &resource.disk {
        line += &match &disk.source {
            DiskSource::Root => " ROOT".to_owned(),
            DiskSource::Path { root } => format!(" PATH:{root}"),
            DiskSource::Mount { root } => format!(" MOUNT:{root}"),
            other => format!(" {other:?}"),
        };
        if let Some(persistence) = &disk.persistence {
            line += &format!(" id:{}", persistence.id);
            if let Some(principal) = &persistence.principal {
                line += &format!("@{principal}");
            }
        }
        if let Some(volume) = &disk.volume {
            let mode = if volume.read_only { "ro" } else { "rw" };
            line += &format!(" at:{}:{mode}", volume.container_path);
        }
    }
    if resource.shared {
        line += " shared";
    }
    if resource.revocable {
        line += " revocable";
    }
    if let Some(provider) = &resource.provider_id {
        line += &format!(" provider:{provider}");
    }
    line
}

/// Several resources, in their order.
pub fn resource_lines(resources: &[Resource]) -> Vec<String> {
    resources.iter().map(resource_line).collect()
}

/// External volumes as text.
pub fn external_text(volumes: &[ExternalVolume]) -> String {
    let one = |volume: &ExternalVolume| {
        let source = match &volume.source {
            ExternalSource::HostPath(path) => path.display().to_string(),
            other => format!("{other:?}"),
        };
        let mode = if volume.mount.read_only { "ro" } else { "rw" };
        format!("{source}->{}:{mode}", volume.mount.container_path)
    };
    volumes.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Compares lines with a text file beside the scene's archives.
pub fn assert_lines(scene: &str, file: &str, lines: &[String]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/mesos")
        .join(scene)
        .join(file);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let expected: Vec<_> = expected.lines().collect();
    for (number, (line, expected)) in lines.iter().zip(&expected).enumerate() {
        assert_eq!(line, expected, "{path:?}, line {}", number + 1);
    }
    assert_eq!(lines.len(), expected.len(), "lines of {path:?}: {lines:#?}");
}
