//! A trouble that lasts is logged once, not at each round.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::SourceError;

/// Most messages remembered for one source: a hostile tree must not fill the memory.
const MAX_MESSAGES: usize = 1000;

/// What changed with a source since the last round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Messages that are new.
    pub appeared: Vec<String>,
    /// Messages that are gone.
    pub cleared: Vec<String>,
}

/// Remembers the messages of each source and tells what is new and what is over.
#[derive(Debug, Default)]
pub struct OnceLog {
    sources: BTreeMap<String, BTreeSet<String>>,
}

impl OnceLog {
    /// Takes *all* messages of a source in this round (none: it is well), remembers them and
    /// returns what changed.
    pub fn update(
        &mut self,
        source: &str,
        messages: impl IntoIterator<Item = impl Into<String>>,
    ) -> Change {
        let mut now: BTreeSet<String> = BTreeSet::new();
        for message in messages {
            if now.len() == MAX_MESSAGES {
                now.insert(format!("more than {MAX_MESSAGES} messages; the rest is left out"));
                break;
            }
            now.insert(message.into());
        }
        let before = self.sources.remove(source).unwrap_or_default();
        let change = Change {
            appeared: now.difference(&before).cloned().collect(),
            cleared: before.difference(&now).cloned().collect(),
        };
        if !now.is_empty() {
            self.sources.insert(source.to_owned(), now);
        }
        change
    }

    /// [`OnceLog::report`] for errors that say what to do: the hint stands beside the message when it
    /// appears.
    pub fn report_errors(&mut self, source: &str, errors: &[SourceError]) {
        let change = self.update(source, errors.iter().map(|error| error.message.as_str()));
        for error in &change.appeared {
            let told = errors.iter().find(|told| told.message == *error);
            let hint = told.map(|told| told.hint.as_str()).filter(|hint| !hint.is_empty());
            tracing::warn!(source, error, hint, "Source has a problem");
        }
        tell_cleared(source, &change);
    }

    /// [`OnceLog::update`], with what changed written to the log: a warning when a message
    /// appears, a line when it is over.
    pub fn report(&mut self, source: &str, messages: impl IntoIterator<Item = impl Into<String>>) {
        let change = self.update(source, messages);
        for error in &change.appeared {
            tracing::warn!(source, error, "Source has a problem");
        }
        tell_cleared(source, &change);
    }
}

fn tell_cleared(source: &str, change: &Change) {
    for error in &change.cleared {
        tracing::info!(source, error, "Problem is over");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(appeared: &[&str], cleared: &[&str]) -> Change {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Change { appeared: owned(appeared), cleared: owned(cleared) }
    }

    #[test]
    fn a_message_is_told_once_until_it_clears() {
        let mut log = OnceLog::default();
        assert_eq!(log.update("api", ["refused"]), change(&["refused"], &[]));
        assert_eq!(log.update("api", ["refused"]), change(&[], &[]));
        assert_eq!(log.update("api", ["timeout"]), change(&["timeout"], &["refused"]));
        assert_eq!(log.update("api", [""; 0]), change(&[], &["timeout"]));
        assert_eq!(log.update("api", ["timeout"]), change(&["timeout"], &[]));
    }

    #[test]
    fn sources_are_apart() {
        let mut log = OnceLog::default();
        log.update("api", ["refused"]);
        assert_eq!(log.update("checkpoint", ["refused"]), change(&["refused"], &[]));
        assert_eq!(log.update("checkpoint", [""; 0]), change(&[], &["refused"]));
        assert_eq!(log.update("api", ["refused"]), change(&[], &[]));
    }

    #[test]
    fn memory_is_bounded() {
        let mut log = OnceLog::default();
        let first = log.update("api", (0..100_000).map(|n| format!("{n:06}")));
        assert_eq!(first.appeared.len(), MAX_MESSAGES + 1);
        let again = log.update("api", (0..100_000).map(|n| format!("{n:06}")));
        assert_eq!(again, Change::default());
    }
}
