//! Secrets, which no log, error or dump of the configuration shows.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use super::{ConfigError, MesosConfig};

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

/// What goes into the `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Name and password.
    Basic {
        /// Principal.
        username: String,
        /// Its secret.
        password: Secret,
    },
    /// A token.
    Bearer(Secret),
}

impl MesosConfig {
    /// The credentials to send, with the files that hold them read anew, so that a rotated
    /// secret is taken up by the next call.
    ///
    /// # Errors
    /// A file that cannot be read, is empty, larger than 64 KiB or not text; the path is named,
    /// the content never shown.
    pub fn authorization(&self) -> Result<Option<Authorization>, ConfigError> {
        if let Some(token) = resolve(&self.bearer_token, self.bearer_token_file.as_deref())? {
            return Ok(Some(Authorization::Bearer(token)));
        }
        let auth = &self.basic_auth;
        let Some(username) = auth.username.clone() else { return Ok(None) };
        let password = resolve(&auth.password, auth.password_file.as_deref())?.unwrap_or_default();
        Ok(Some(Authorization::Basic { username, password }))
    }

    /// Whether a secret stands in the configuration itself rather than in a file of its own.
    pub(super) fn holds_secret(&self) -> bool {
        self.bearer_token.is_some() || self.basic_auth.password.is_some()
    }
}

/// The secret given, or the one in the file, without the newline editors put at its end.
fn resolve(inline: &Option<Secret>, file: Option<&Path>) -> Result<Option<Secret>, ConfigError> {
    if inline.is_some() {
        return Ok(inline.clone());
    }
    let Some(path) = file else { return Ok(None) };
    let bytes = super::load::read_capped(path, 64 << 10)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| ConfigError::secret(path, "is not text; it must hold the secret alone"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(ConfigError::secret(path, "is empty; it must hold the secret alone"));
    }
    if text.chars().any(char::is_control) {
        return Err(ConfigError::secret(path, "holds more than one line or control characters"));
    }
    Ok(Some(Secret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BasicAuth;

    fn with_file(path: &Path) -> MesosConfig {
        MesosConfig { bearer_token_file: Some(path.to_owned()), ..MesosConfig::default() }
    }

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

    #[test]
    fn files_are_read_at_each_call() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let config = with_file(&path);
        for token in ["first", "second"] {
            std::fs::write(&path, format!("{token}\n")).unwrap();
            assert_eq!(
                config.authorization().unwrap(),
                Some(Authorization::Bearer(Secret::new(token)))
            );
        }
    }

    #[test]
    fn password_of_a_file_joins_the_username() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "pa ss\r\n").unwrap();
        let config = MesosConfig {
            basic_auth: BasicAuth {
                username: Some("ops".into()),
                password: None,
                password_file: Some(path),
            },
            ..MesosConfig::default()
        };
        let expected =
            Authorization::Basic { username: "ops".into(), password: Secret::new("pa ss") };
        assert_eq!(config.authorization().unwrap(), Some(expected));
    }

    #[test]
    fn nothing_configured_sends_nothing() {
        assert_eq!(MesosConfig::default().authorization().unwrap(), None);
    }

    #[test]
    fn bad_files_are_named_and_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let shown = path.display().to_string();
        let message = |config: &MesosConfig| config.authorization().unwrap_err().to_string();

        let missing = message(&with_file(&path));
        assert_eq!(missing, format!("{shown}: cannot be read: No such file or directory"));
        for (content, reason) in [
            (b"\n".as_slice(), "is empty"),
            (b"\xff\xfesecret", "is not text"),
            (b"secret\nsecond", "holds more than one line"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = message(&with_file(&path));
            assert!(error.starts_with(&format!("{shown}: {reason}")), "{error}");
            assert!(!error.contains("secret\n") && !error.contains("second"), "{error}");
        }
        std::fs::write(&path, vec![b'a'; (64 << 10) + 1]).unwrap();
        assert!(message(&with_file(&path)).contains("larger than 64KiB"));
    }
}
