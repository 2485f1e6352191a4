//! `directories`: data outside any cluster manager, named by path or pattern.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::units::{ByteSize, duration};

/// How long nobody may use a directory before that is told, unless it says otherwise.
const UNUSED_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// One entry of `directories`: a path, or a pattern that matches several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DirectoryConfig {
    /// Absolute path of the host; its parts may hold `*`, `?` and `[…]`.
    pub path: PathBuf,
    /// What it is called instead of its path; only of a path without wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Value of the label `role`.
    pub role: String,
    /// Who answers for it: the value of the label `principal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Bytes that each match may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<ByteSize>,
    /// How long nobody may use it before that is told.
    #[serde(with = "duration")]
    pub unused_after: Duration,
}

impl DirectoryConfig {
    /// An entry with nothing but its path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: None,
            role: String::new(),
            owner: None,
            quota: None,
            unused_after: UNUSED_AFTER,
        }
    }

    /// It may match more than one directory.
    pub fn is_pattern(&self) -> bool {
        has_wildcard(self.path.as_os_str().as_encoded_bytes())
    }
}

/// A part of a path that is matched instead of looked up.
pub fn has_wildcard(part: &[u8]) -> bool {
    part.iter().any(|byte| b"*?[".contains(byte))
}

/// Paths with a comma between them, as the environment gives them.
pub(super) fn from_list(text: &str) -> Vec<DirectoryConfig> {
    let paths = text.split(',').map(str::trim).filter(|path| !path.is_empty());
    paths.map(DirectoryConfig::new).collect()
}

/// The fields of an entry that is written as a mapping.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    path: PathBuf,
    name: Option<String>,
    #[serde(default)]
    role: String,
    owner: Option<String>,
    quota: Option<ByteSize>,
    #[serde(default = "unused_after", with = "duration")]
    unused_after: Duration,
}

fn unused_after() -> Duration {
    UNUSED_AFTER
}

impl<'de> Deserialize<'de> for DirectoryConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = DirectoryConfig;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a path such as /data/*, or a mapping with the key path")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DirectoryConfig, E> {
                Ok(DirectoryConfig::new(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DirectoryConfig, A::Error> {
                let read = Fields::deserialize(MapAccessDeserializer::new(map))?;
                let Fields { path, name, role, owner, quota, unused_after } = read;
                Ok(DirectoryConfig { path, name, role, owner, quota, unused_after })
            }
        }
        deserializer.deserialize_any(Entry)
    }
}
