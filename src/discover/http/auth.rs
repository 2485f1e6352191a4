//! Credentials of requests.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use super::Failure;
use crate::config::{BasicAuth, Secret};

/// Longest secret that is read from a file, in bytes.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Credentials of a request. `Debug` prints no secret.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// None.
    #[default]
    None,
    /// HTTP basic authentication.
    Basic {
        /// Principal.
        principal: String,
        /// Its secret.
        secret: SecretSource,
    },
    /// `Authorization: Bearer …`.
    Bearer(SecretSource),
}

/// Where a secret comes from. Read again at each use, so that a rotated file needs no reload.
#[derive(Clone)]
pub enum SecretSource {
    /// The secret itself.
    Value(String),
    /// A file that holds it; one line break at its end is dropped.
    File(PathBuf),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => formatter.write_str("Value(<hidden>)"),
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
        }
    }
}

impl SecretSource {
    fn read(&self) -> Result<String, Failure> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::File(path) => {
                let failed = |source| Failure::SecretFile { path: path.clone(), source };
                let bytes = read_capped(path, MAX_SECRET_BYTES).map_err(failed)?;
                let mut text =
                    String::from_utf8(bytes).map_err(|_| Failure::BadSecret("is not UTF-8"))?;
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                Ok(text)
            }
        }
    }
}

fn read_capped(path: &std::path::Path, cap: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(cap + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap {
        return Err(std::io::Error::other(format!("longer than {cap} bytes")));
    }
    Ok(bytes)
}

impl Auth {
    /// As a section of the configuration has it, of which at most one kind is given.
    pub fn configured(
        basic: &BasicAuth,
        token: &Option<Secret>,
        token_file: &Option<PathBuf>,
    ) -> Self {
        let secret = |value: &Option<Secret>, file: &Option<PathBuf>| {
            let value = value.as_ref().map(|value| SecretSource::Value(value.expose().to_owned()));
            value.or_else(|| file.clone().map(SecretSource::File))
        };
        if let Some(token) = secret(token, token_file) {
            Self::Bearer(token)
        } else if let Some(principal) = &basic.username {
            let secret = secret(&basic.password, &basic.password_file);
            Self::Basic {
                principal: principal.clone(),
                secret: secret.unwrap_or_else(|| SecretSource::Value(String::new())),
            }
        } else {
            Self::None
        }
    }

    /// The value of `Authorization`, marked as sensitive so that nothing prints it.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>, Failure> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic { principal, secret } => {
                if principal.contains(':') {
                    return Err(Failure::BadSecret("has a principal with a colon in it"));
                }
                format!("Basic {}", STANDARD.encode(format!("{principal}:{}", secret.read()?)))
            }
            Self::Bearer(token) => format!("Bearer {}", token.read()?),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| Failure::BadSecret("has a character that no header may carry"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_secrets() {
        let auth = Auth::Basic {
            principal: "exporter".into(),
            secret: SecretSource::Value("hunter2".into()),
        };
        let text = format!("{auth:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("exporter"), "{text}");
        let header = auth.header().unwrap().unwrap();
        assert_eq!(header, "Basic ZXhwb3J0ZXI6aHVudGVyMg==");
        assert!(!format!("{header:?}").contains("ZXhw"));
    }

    #[test]
    fn a_secret_file_is_read_at_each_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let auth = Auth::Bearer(SecretSource::File(path.clone()));
        assert!(
            matches!(auth.header(), Err(Failure::SecretFile { path: named, .. }) if named == path)
        );
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(auth.header().unwrap().unwrap(), "Bearer one");
        std::fs::write(&path, "two\r\n").unwrap();
        assert_eq!(auth.header().unwrap().unwrap(), "Bearer two");
        std::fs::write(&path, "a\nb").unwrap();
        assert!(matches!(auth.header(), Err(Failure::BadSecret(_))));
        std::fs::write(&path, [0xff]).unwrap();
        assert!(matches!(auth.header(), Err(Failure::BadSecret(_))));
        std::fs::write(&path, vec![b'x'; MAX_SECRET_BYTES as usize + 1]).unwrap();
        assert!(matches!(auth.header(), Err(Failure::SecretFile { .. })));
    }
}
