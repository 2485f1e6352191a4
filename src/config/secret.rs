//! Secrets, which no log, error or dump of the configuration shows.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::MesosConfig;

/// A text that prints as `<secret>` wherever it is shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<secret>")
    }
}

impl MesosConfig {
    /// Whether a secret stands in the configuration itself rather than in a file of its own.
    pub(super) fn holds_secret(&self) -> bool {
        self.bearer_token.is_some() || self.basic_auth.password.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BasicAuth;

    #[test]
    fn secrets_are_not_shown() {
        let config = MesosConfig {
            bearer_token: Some(Secret::new("hunter2")),
            basic_auth: BasicAuth {
                username: Some("ops".into()),
                password: Some(Secret::new("hunter3")),
                password_file: None,
            },
            ..MesosConfig::default()
        };
        let json = serde_json::to_string(&config).unwrap();
        let debug = format!("{config:?}");
        assert!(json.contains(r#""bearer_token":"<secret>""#), "{json}");
        assert!(debug.contains("password: Some(<secret>)"), "{debug}");
        assert!(!format!("{json}{debug}").contains("hunter"));
    }
}
