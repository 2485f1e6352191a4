//! Reading the file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::Place;
use super::locate::locate;
use super::units::ByteSize;
use super::{Config, ConfigError, env};
use crate::text;

/// Where the packages put the file. It may be missing; a file that was asked for may not.
pub const DEFAULT_PATH: &str = "/etc/plimsoll/plimsoll.yml";

/// Largest file that is read.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// A configuration and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The values in force.
    pub config: Config,
    /// The file that was read; absent when there is none.
    pub path: Option<PathBuf>,
    /// One line each, for the log and for `check`.
    pub warnings: Vec<String>,
    /// Keys that the environment set.
    pub from_env: Vec<String>,
}

impl Config {
    /// Reads the file at `path`, or the one at [`DEFAULT_PATH`] if there is one, then the
    /// environment over it, and checks the result.
    ///
    /// # Errors
    /// One line with file, line, column and reason; or the variable and the reason.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, ConfigError> {
        Self::load_or(path, Path::new(DEFAULT_PATH), env)
    }

    /// [`Config::load`] with another default path.
    pub(super) fn load_or(
        path: Option<&Path>,
        default: &Path,
        env: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, ConfigError> {
        let chosen = path.unwrap_or(default);
        let text = if path.is_none() && is_missing(default) {
            None
        } else {
            let bytes = read_capped(chosen, MAX_FILE_BYTES)?;
            Some(String::from_utf8(bytes).map_err(|error| not_utf8(chosen, &error))?)
        };
        let mut config = match &text {
            Some(text) => Self::parse(text, chosen)?,
            None => Self::default(),
        };
        let mut warnings = Vec::new();
        if text.is_some()
            && (config.mesos.holds_secret() || config.alerting.holds_secret())
            && others_can_read(chosen)
        {
            warnings.push(format!(
                "{} holds a secret and everybody can read it; take that right away (chmod o-r) \
                 or move the secret into a file of its own",
                text::path(chosen)
            ));
        }
        let overlay = env::apply(&mut config, env)?;
        warnings.extend(overlay.warnings);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        config.validate(cores).map_err(|invalid| {
            // Name the place that set the value, the strongest first.
            let place = if overlay.keys.iter().any(|key| key == invalid.key) {
                Place::Variable(env::variable(invalid.key))
            } else {
                let spot = text.as_deref().and_then(|text| locate(text, invalid.key, options()));
                match spot {
                    Some((line, column)) => Place::Spot(chosen.to_owned(), line, column),
                    None if text.is_some() => Place::File(chosen.to_owned()),
                    None => Place::Key("configuration".to_owned()),
                }
            };
            ConfigError { place, reason: format!("{} {}", invalid.key, invalid.reason) }
        })?;
        let path = text.map(|_| chosen.to_owned());
        Ok(Loaded { config, path, warnings, from_env: overlay.keys })
    }

    /// Reads the text of a file; `path` is for the error only. Ranges are not checked.
    ///
    /// # Errors
    /// One line with file, line, column and reason.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        serde_saphyr::from_str_with_options::<Option<Self>>(text, options())
            .map(Option::unwrap_or_default)
            .map_err(|error| ConfigError::yaml(path, &error))
    }
}

/// A configuration has some fifty nodes: the bounds are far above that, and far below what
/// aliases could blow up.
pub(super) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // Kept comments have a bound of their own, which a well-explained section exceeds.
        emit_comments: false,
        budget: serde_saphyr::budget! {
            // A section whose keys are all commented out, as in the example, is one long comment.
            max_buffered_comment_events: 2_000,
            max_events: 20_000,
            max_nodes: 10_000,
            max_aliases: 100,
            max_anchors: 100,
            max_depth: 32,
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 20_000 },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        reject_non_finite_typeless_float: false,
        with_snippet: false,
    }
}

/// Reads a file of at most so many bytes, from the path as it stands (a pipe will do).
pub(super) fn read_capped(path: &Path, most: u64) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| ConfigError::read(path, &error))?;
    if bytes.len() as u64 > most {
        return Err(ConfigError::file(path, format!("is larger than {}", ByteSize(most))));
    }
    Ok(bytes)
}

fn is_missing(path: &Path) -> bool {
    matches!(std::fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn others_can_read(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0)
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> ConfigError {
    let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = good.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let start = good.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&good[start..]).chars().count() as u64 + 1;
    let place = Place::Spot(path.to_owned(), line, column);
    ConfigError { place, reason: "is not UTF-8 text".to_owned() }
}
