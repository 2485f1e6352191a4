//! Which containers of the agent run, and where their control groups may be.
//!
//! Source: `src/slave/containerizer/mesos/linux_launcher.cpp` and `src/linux/cgroups2.cpp` of
//! Mesos: the group of a container is `<cgroups_root>/<id>`, that of a nested one
//! `<cgroups_root>/<id>/mesos/<nested id>`. Containers of the Docker containerizer are in Docker's
//! groups, whose names do not tell the container's id.

use std::collections::HashMap;

use super::facts::{ApiFacts, RuntimeFacts};
use super::join::Joined;
use crate::model::{ContainerRef, Containerizer, SandboxKind};

/// The agent's default of `--cgroups_root`.
const DEFAULT_ROOT: &str = "mesos";

/// Every container that runs or may run.
pub(super) fn running(
    joined: &Joined,
    api: &ApiFacts,
    runtime: &RuntimeFacts,
) -> Vec<ContainerRef> {
    let from_runtime = runtime.containers.iter().flatten().filter(|c| c.alive != Some(false));
    let from_api = api.containers.iter().flatten();
    // The API's word goes over the file's.
    let pids: HashMap<&str, u32> = from_runtime
        .filter_map(|container| Some((container.container.as_str(), container.pid?)))
        .chain(
            from_api.filter_map(|container| Some((container.container.as_str(), container.pid?))),
        )
        .collect();
    let root = joined.agent.flags.get("cgroups_root").map_or(DEFAULT_ROOT, String::as_str);
    joined
        .sandboxes
        .iter()
        .filter(|sandbox| {
            !sandbox.completed
                && sandbox.running != Some(false)
                && sandbox.current_agent != Some(false)
        })
        .map(|sandbox| {
            let container = sandbox.key.container.as_str();
            let own = container.rsplit('.').next().unwrap_or(container);
            let of_docker = sandbox.containerizer == Some(Containerizer::Docker);
            ContainerRef {
                key: sandbox.key.clone(),
                nested: sandbox.kind == SandboxKind::Nested,
                pid: pids.get(container).copied(),
                group: (!of_docker && is_name(container))
                    .then(|| format!("/{}/{}", root.trim_matches('/'), nested_path(container))),
                directory: if of_docker { Vec::new() } else { vec![own.to_owned()] },
            }
        })
        .collect()
}

/// `a.b.c` is in `a/mesos/b/mesos/c`.
fn nested_path(container: &str) -> String {
    container.split('.').collect::<Vec<_>>().join("/mesos/")
}

/// Whether an id is a plain name: it becomes part of a path.
fn is_name(container: &str) -> bool {
    container.split('.').all(|part| !part.is_empty() && !part.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_ids_are_nested_directories() {
        assert_eq!(nested_path("a"), "a");
        assert_eq!(nested_path("a.b.c"), "a/mesos/b/mesos/c");
        assert!(is_name("a.b"));
        for hostile in ["", "..", "a..b", "a/b", ".a"] {
            assert!(!is_name(hostile), "{hostile}");
        }
    }
}
