//! The JSON API: `/api/v1/…`.

use crate::model::Snapshot;

use super::rows;

/// What the API serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Array of volumes.
    Volumes,
    /// Array of sandboxes, finished and nested ones too.
    Sandboxes,
    /// Array of filesystems.
    Filesystems,
    /// Array of what lies below each filesystem.
    Devices,
    /// Array of network filesystems.
    NetworkFilesystems,
    /// Array of containers with their block I/O.
    Io,
    /// The agent, or `null`.
    Agent,
    /// Array of sources of truth.
    Sources,
    /// Array of findings.
    Findings,
    /// Array of orphaned volumes.
    Orphans,
    /// Array of subjects on which they do not agree.
    Disagreements,
}

impl Resource {
    /// Every resource, in the order they are listed.
    pub const ALL: [Self; 11] = [
        Self::Volumes,
        Self::Sandboxes,
        Self::Filesystems,
        Self::Devices,
        Self::NetworkFilesystems,
        Self::Io,
        Self::Agent,
        Self::Sources,
        Self::Findings,
        Self::Orphans,
        Self::Disagreements,
    ];

    /// Path it is served at.
    pub fn path(self) -> &'static str {
        match self {
            Self::Volumes => "/api/v1/volumes",
            Self::Sandboxes => "/api/v1/sandboxes",
            Self::Filesystems => "/api/v1/filesystems",
            Self::Devices => "/api/v1/devices",
            Self::NetworkFilesystems => "/api/v1/network_filesystems",
            Self::Io => "/api/v1/io",
            Self::Agent => "/api/v1/agent",
            Self::Sources => "/api/v1/sources",
            Self::Findings => "/api/v1/findings",
            Self::Orphans => "/api/v1/orphans",
            Self::Disagreements => "/api/v1/disagreements",
        }
    }

    /// The resource of that path.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.path() == path)
    }

    /// The answer: JSON with a line feed at its end.
    pub fn render(self, snapshot: &Snapshot) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = match self {
            Self::Volumes => serde_json::to_vec(&rows::volumes(snapshot)),
            Self::Sandboxes => serde_json::to_vec(&rows::sandboxes(snapshot)),
            Self::Filesystems => serde_json::to_vec(&rows::filesystems(snapshot)),
            Self::Devices => serde_json::to_vec(&rows::devices(snapshot)),
            Self::NetworkFilesystems => serde_json::to_vec(&snapshot.network),
            Self::Io => serde_json::to_vec(&rows::io(snapshot)),
            Self::Agent => serde_json::to_vec(&rows::agent(snapshot)),
            Self::Sources => serde_json::to_vec(&rows::sources(snapshot)),
            Self::Findings => serde_json::to_vec(&rows::findings(snapshot)),
            Self::Orphans => serde_json::to_vec(&rows::orphans(snapshot)),
            Self::Disagreements => serde_json::to_vec(&snapshot.inventory.disagreements),
        }?;
        json.push(b'\n');
        Ok(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_snapshot_is_empty_lists_and_no_agent() {
        for resource in Resource::ALL {
            let json = resource.render(&Snapshot::default()).expect("plain data");
            let expected: &[u8] = if resource == Resource::Agent { b"null\n" } else { b"[]\n" };
            assert_eq!(json, expected, "{}", resource.path());
            assert_eq!(Resource::at(resource.path()), Some(resource));
        }
        assert_eq!(Resource::at("/api/v1/volume"), None);
    }
}
