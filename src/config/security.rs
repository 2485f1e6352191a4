//! `security`: what the daemon may touch.

use std::path::PathBuf;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// How the daemon bounds itself where the kernel can.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityConfig {
    /// What Landlock leaves open.
    pub landlock: Landlock,
    /// Directories that may be listed when it is `strict`, beside those that other keys name.
    pub landlock_directories: Vec<PathBuf>,
}

/// What the daemon may open after its start, by Landlock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Landlock {
    /// Files that it needs, and every directory: whatever a container mounts later can be measured.
    #[default]
    Auto,
    /// Files that it needs, and the directories that the configuration names.
    Strict,
    /// Everything.
    False,
}

impl Landlock {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Strict => "strict",
            Self::False => "false",
        }
    }
}

impl std::str::FromStr for Landlock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "strict" => Ok(Self::Strict),
            "false" => Ok(Self::False),
            other => Err(format!("{other:?} is none of auto, strict and false")),
        }
    }
}

impl Serialize for Landlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Landlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl Visitor<'_> for Word {
            type Value = Landlock;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("auto, strict or false")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Landlock, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Word)
    }
}
