//! Why a configuration was refused, in one line.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde_saphyr::Error as YamlError;

use super::{Config, suggest};
use crate::text;

/// A configuration that was refused. `Display` is one line, whatever the file holds: place,
/// reason, and what to do where that is not plain. It never shows the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ConfigError {
    /// Where it is wrong.
    pub place: Place,
    /// What is wrong.
    pub reason: String,
}

/// The part of the configuration an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file as a whole.
    File(PathBuf),
    /// A spot in a file, line and column from 1.
    Spot(PathBuf, u64, u64),
    /// A variable of the environment.
    Variable(String),
    /// A key that is wrong by its default or by a combination.
    Key(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(&text::path(path)),
            Self::Spot(path, line, column) => {
                write!(f, "{}:{line}:{column}", text::path(path))
            }
            Self::Variable(name) => write!(f, "environment variable {}", text::escape(name)),
            Self::Key(key) => f.write_str(key),
        }
    }
}

impl ConfigError {
    /// A file that could not be read.
    pub(super) fn read(path: &Path, error: &io::Error) -> Self {
        let full = error.to_string();
        let reason = full.split(" (os error").next().unwrap_or_default();
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "; make it, or name another file",
            io::ErrorKind::PermissionDenied => "; let this user read it",
            io::ErrorKind::IsADirectory => "; name the file in it",
            _ => "",
        };
        Self::file(path, format!("cannot be read: {reason}{hint}"))
    }

    /// A file that is wrong as a whole.
    pub(super) fn file(path: &Path, reason: impl Into<String>) -> Self {
        Self { place: Place::File(path.to_owned()), reason: reason.into() }
    }

    /// What the YAML reader said, in our words.
    pub(super) fn yaml(path: &Path, error: &YamlError) -> Self {
        let error = error.without_snippet();
        let reason = one_line(&reason(error));
        match error.location().filter(|at| at.line() > 0) {
            Some(at) => {
                Self { place: Place::Spot(path.to_owned(), at.line(), at.column()), reason }
            }
            None => Self::file(path, reason),
        }
    }
}

/// The reason alone: the place is told apart from it.
fn reason(error: &YamlError) -> String {
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected),
        YamlError::DuplicateMappingKey { key: Some(key), .. } => {
            format!("key {} is given twice", text::quote(key))
        }
        YamlError::DuplicateMappingKey { key: None, .. } => "a key is given twice".to_owned(),
        YamlError::Message { msg, .. } => msg.clone(),
        YamlError::NullIntoString { .. } => {
            "a value is missing; leave the whole key out for the default".to_owned()
        }
        YamlError::SerdeInvalidType { unexpected, expected, .. }
        | YamlError::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("expected {expected}, found {unexpected}")
        }
        YamlError::InvalidScalar { ty, .. } => format!("expected {}", kind(ty)),
        YamlError::Unexpected { expected, .. } => format!("expected {}", kind(expected)),
        YamlError::InvalidBooleanStrict { .. } => "expected true or false".to_owned(),
        YamlError::MultipleDocuments { .. } => {
            "a second document starts here; the file must hold one".to_owned()
        }
        YamlError::Eof { .. } => {
            "expected a single value; is a bracket or a quote not closed?".to_owned()
        }
        YamlError::Budget { .. }
        | YamlError::AliasReplayLimitExceeded { .. }
        | YamlError::AliasExpansionLimitExceeded { .. }
        | YamlError::AliasReplayStackDepthExceeded { .. } => {
            "too many aliases, anchors or levels for a configuration".to_owned()
        }
        other => strip_place(&other.to_string()),
    }
}

/// The reader's words for kinds of values, in those of people.
fn kind(word: &str) -> &str {
    match word {
        "mapping start" => "keys with values, such as \"interval: 15s\"",
        "string scalar" | "scalar" => "a single value",
        "floating point" | "f64" => "a number",
        "u64" | "usize" => "a whole number from 0",
        other => other,
    }
}

/// The reader puts its own place into its messages; ours stands in front.
fn strip_place(message: &str) -> String {
    let cut = [" at line ", " (line "].iter().filter_map(|mark| message.find(mark)).min();
    let lead = message
        .strip_prefix("error: ")
        .and_then(|rest| rest.strip_prefix("line "))
        .and_then(|rest| rest.split_once(": "))
        .map(|(_, rest)| rest.to_owned());
    lead.unwrap_or_else(|| cut.map_or(message, |at| &message[..at]).to_owned())
}

/// `unknown key "work_dri" in mesos; did you mean "work_dir"?`
fn unknown_key(field: &str, expected: &[&'static str]) -> String {
    let section = section_with(expected).unwrap_or_default();
    let place = if section.is_empty() { String::new() } else { format!(" in {section}") };
    let unknown = format!("unknown key {}{place}", text::quote(field));
    if let Some(near) = suggest::nearest(field, expected.iter().copied()) {
        return format!("{unknown}; did you mean \"{near}\"?");
    }
    let suffix = format!(".{field}");
    if let Some(elsewhere) = Config::keys().iter().find(|key| key.ends_with(&suffix)) {
        return format!("{unknown}; did you mean {elsewhere}?");
    }
    let known: Vec<&str> = expected.to_vec();
    format!("{unknown}; known: {}", known.join(", "))
}

/// The dotted path of the section that has exactly these keys.
fn section_with(expected: &[&str]) -> Option<String> {
    let wanted: BTreeSet<&str> = expected.iter().copied().collect();
    let tree = serde_json::to_value(Config::default()).ok()?;
    let mut pending = vec![(String::new(), &tree)];
    while let Some((path, node)) = pending.pop() {
        let Some(fields) = node.as_object() else { continue };
        if fields.keys().map(String::as_str).collect::<BTreeSet<_>>() == wanted {
            return Some(path);
        }
        for (name, child) in fields {
            let dot = if path.is_empty() { "" } else { "." };
            pending.push((format!("{path}{dot}{name}"), child));
        }
    }
    None
}

/// Values of the file may be quoted in a message: nothing of them breaks the line.
fn one_line(message: &str) -> String {
    let joined = message.split_whitespace().collect::<Vec<_>>().join(" ");
    // Quoted values are escaped already: a second time would double their backslashes.
    if joined.chars().any(text::is_hidden) { text::escape(&joined).into_owned() } else { joined }
}
