//! Small shapes that every answer of the agent shares.

use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::discover::http::printable;

/// An answer that is not what the endpoint answers.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct ParseError(pub String);

impl ParseError {
    pub(super) fn new(text: impl std::fmt::Display) -> Self {
        Self(printable(text.to_string().as_bytes(), 300))
    }
}

/// Parses one JSON document. Depth is bounded by `serde_json` (128), size by the client.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ParseError> {
    serde_json::from_slice(body).map_err(ParseError::new)
}

/// An id: a string in `/state`, `{"value": …}` in v1.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Id {
    Text(String),
    Object { value: String },
}

impl Id {
    pub(super) fn into_string(self) -> String {
        match self {
            Self::Text(value) | Self::Object { value } => value,
        }
    }
}

/// `ContainerID`: nested containers name their parent.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ContainerId {
    pub(super) value: String,
    pub(super) parent: Option<Box<ContainerId>>,
}

impl ContainerId {
    /// `parent.child`, outermost first.
    pub(super) fn dotted(&self) -> String {
        let mut parts = vec![self.value.as_str()];
        let mut level = self;
        while let Some(parent) = &level.parent {
            parts.push(&parent.value);
            level = parent;
        }
        parts.reverse();
        parts.join(".")
    }

    /// The executor's own container.
    pub(super) fn root(&self) -> &str {
        let mut level = self;
        while let Some(parent) = &level.parent {
            level = parent;
        }
        &level.value
    }
}

/// `ContainerStatus`, the parts in use.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ContainerStatus {
    pub(super) container_id: Option<ContainerId>,
    pub(super) executor_pid: Option<u32>,
}

/// `TaskStatus`, the parts in use.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    timestamp: f64,
    container_status: Option<ContainerStatus>,
}

/// The container of the newest status that names one: the last status of a killed task does not.
pub(super) fn newest_container(statuses: &[Status]) -> Option<&ContainerId> {
    statuses
        .iter()
        .filter_map(|status| {
            let id = status.container_status.as_ref()?.container_id.as_ref()?;
            Some((status.timestamp, id))
        })
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, id)| id)
}

/// Whether a `TaskState` is an end. Source: `protobuf::isTerminalState` in
/// `src/common/protobuf_utils.cpp`.
pub(super) fn is_terminal(state: &str) -> bool {
    matches!(
        state,
        "TASK_FINISHED"
            | "TASK_FAILED"
            | "TASK_KILLED"
            | "TASK_LOST"
            | "TASK_ERROR"
            | "TASK_DROPPED"
            | "TASK_GONE"
            | "TASK_GONE_BY_OPERATOR"
    )
}

/// A whole number that may be written as a float (`8388608.0`); a negative or fractional one is
/// an error.
pub(super) fn whole_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(from)? else {
        return Ok(None);
    };
    if let Some(whole) = number.as_u64() {
        return Ok(Some(whole));
    }
    match number.as_f64() {
        Some(float) if float >= 0.0 && float.fract() == 0.0 && float < 2f64.powi(63) => {
            Ok(Some(float as u64))
        }
        _ => Err(serde::de::Error::custom(format!("{number} is not a whole number"))),
    }
}

/// A JSON value as text: strings as they are, the rest as JSON.
pub(super) fn text_of(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_ids_are_joined_outermost_first() {
        let id: ContainerId =
            parse(br#"{"value":"c","parent":{"value":"b","parent":{"value":"a"}}}"#).unwrap();
        assert_eq!(id.dotted(), "a.b.c");
        assert_eq!(id.root(), "a");
    }

    #[test]
    fn depth_is_bounded() {
        let bomb = format!("{}{}", r#"{"value":"x","parent":"#.repeat(5000), "1");
        let error = parse::<ContainerId>(bomb.as_bytes()).unwrap_err();
        assert!(error.0.contains("recursion limit"), "{error}");
    }

    #[test]
    fn numbers() {
        #[derive(Deserialize)]
        struct Holder {
            #[serde(default, deserialize_with = "whole_number")]
            n: Option<u64>,
        }
        let read = |text: &str| parse::<Holder>(text.as_bytes()).map(|holder| holder.n);
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(r#"{"n":18446744073709551615}"#), Ok(Some(u64::MAX)));
        assert_eq!(read(r#"{"n":5.0}"#), Ok(Some(5)));
        assert!(read(r#"{"n":-1}"#).is_err());
        assert!(read(r#"{"n":0.5}"#).is_err());
        assert!(read(r#"{"n":"5"}"#).is_err());
    }
}
