//! Podman's containers without Podman: what it keeps of them in files.
//!
//! It has no daemon, and its API's socket is off on many hosts and root's alone on all: its files
//! are then all there is. Source: containers/storage `containers.go` (`overlay-containers/`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::discover::dirs::{Cause, DirError, Folder, present};

use super::data_root::Layer;

/// Where Podman keeps root's containers unless told otherwise.
pub const DEFAULT: &str = "/var/lib/containers/storage";
/// Its directory of containers. CRI-O and Buildah keep theirs there too, in the same form.
pub const CONTAINERS: &str = "overlay-containers";
/// Lists of containers: all but those that end with a boot (`--rm`), and these.
const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];
/// Longest list that is read; 10,000 containers take 5 MiB.
const MAX_LIST: usize = 64 << 20;

/// A container in such a list.
#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    layer: String,
}

/// Containers by the id of their layer.
///
/// # Errors
/// When a list is there and cannot be read, or is none.
pub fn layers(root: &Folder, real: &Path) -> Result<BTreeMap<String, Layer>, DirError> {
    let mut layers = BTreeMap::new();
    let Some(folder) = root.below(&[CONTAINERS])? else { return Ok(layers) };
    for list in LISTS {
        let Some(text) = present(folder.read(list, MAX_LIST))? else { continue };
        let stored: Vec<Stored> = serde_json::from_slice(&text).map_err(|_| DirError {
            operation: "read",
            path: real.join(CONTAINERS).join(list),
            cause: Cause::Odd("not a list of containers"),
        })?;
        for one in stored {
            // The layer goes into a path.
            if super::data_root::is_layer(&one.layer) {
                let name = one.names.unwrap_or_default().into_iter().next().unwrap_or_default();
                let upper = real.join("overlay").join(&one.layer).join("diff");
                layers.insert(one.layer, Layer { container: one.id, name, upper });
            }
        }
    }
    Ok(layers)
}
