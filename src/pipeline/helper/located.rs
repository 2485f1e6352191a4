//! What was found of an agent, as plain data.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::discover::mesos::locate::{Found, Located};
use crate::model::SourceError;

/// [`Located`] on its way.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sent {
    pid: Option<u32>,
    work_dir: Option<(OsString, String)>,
    runtime_dir: Option<(OsString, String)>,
    url: Option<(String, String)>,
    flags: BTreeMap<String, String>,
    /// Reason, message and hint of each.
    errors: Vec<[String; 3]>,
}

/// The reasons that looking for an agent has.
const REASONS: [&str; 5] = ["permission", "missing", "malformed", "ambiguous", "io"];

impl From<Located> for Sent {
    fn from(located: Located) -> Self {
        let Located { pid, work_dir, runtime_dir, url, flags, errors } = located;
        let path = |found: Found<std::path::PathBuf>| (found.value.into(), found.origin);
        let error = |error: SourceError| [error.reason.to_owned(), error.message, error.hint];
        Self {
            pid,
            work_dir: work_dir.map(path),
            runtime_dir: runtime_dir.map(path),
            url: url.map(|found| (found.value, found.origin)),
            flags,
            errors: errors.into_iter().map(error).collect(),
        }
    }
}

impl From<Sent> for Located {
    fn from(sent: Sent) -> Self {
        let Sent { pid, work_dir, runtime_dir, url, flags, errors } = sent;
        let path = |(value, origin): (OsString, _)| Found { value: value.into(), origin };
        let error = |[reason, message, hint]: [String; 3]| SourceError {
            reason: REASONS.into_iter().find(|known| *known == reason).unwrap_or("io"),
            message,
            hint,
        };
        Self {
            pid,
            work_dir: work_dir.map(path),
            runtime_dir: runtime_dir.map(path),
            url: url.map(|(value, origin)| Found { value, origin }),
            flags,
            errors: errors.into_iter().map(error).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way() {
        let path = OsString::from_vec(b"/data/\xff\n".to_vec()).into();
        let located = Located {
            pid: Some(7),
            work_dir: Some(Found { value: path, origin: "a".into() }),
            runtime_dir: None,
            url: Some(Found { value: "http://h:1".into(), origin: "b".into() }),
            flags: BTreeMap::from([("ip".into(), "1.2.3.4".into())]),
            errors: REASONS
                .map(|reason| SourceError { reason, message: "m".into(), hint: "h".into() })
                .to_vec(),
        };
        let bytes = serde_json::to_vec(&Sent::from(located.clone())).unwrap();
        let back: Sent = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(Located::from(back), located);
    }
}
