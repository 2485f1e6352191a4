//! Labels, escaped once per subject and used for each of its samples.

use std::borrow::Cow;

/// Longest value of a label, in bytes. Names that a host can hold are shorter; one that an API
/// claims may be as long as its answer, and stands on each series of its subject.
pub const MAX_VALUE: usize = 1024;

/// A value as it stands in a label: of one that is too long the start, and a number made from all
/// of it, so that two that differ stay two.
pub fn label_value(value: &str) -> Cow<'_, str> {
    if value.len() <= MAX_VALUE {
        return Cow::Borrowed(value);
    }
    let fits = |end: &usize| value.is_char_boundary(*end);
    let end = (0..=MAX_VALUE - 20).rev().find(fits).unwrap_or(0);
    // FNV-1a: the same each time the daemon is started.
    let number = value.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |number, byte| {
        (number ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    Cow::Owned(format!("{}…{number:016x}", &value[..end]))
}

/// Appends `name="value"` to a list of labels, with a comma where it is not the first.
pub fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(b',');
    }
    push_pair(out, name, value);
}

/// Appends `name="value"`.
pub(super) fn push_pair(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    push_escaped(out, &label_value(value), true);
    out.push(b'"');
}

/// Appends text with `\` and line feed escaped, and `"` where `quotes` says so. Everything else
/// stands as it is: both formats take any UTF-8.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str, quotes: bool) {
    let bytes = text.as_bytes();
    // Looks at every byte instead of stopping at the first hit: without branches the compiler
    // compares many bytes at once, and nearly no name has one.
    let special =
        bytes.iter().fold(false, |found, byte| found | matches!(byte, b'\\' | b'\n' | b'"'));
    if !special {
        out.extend_from_slice(bytes);
        return;
    }
    for byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' if quotes => out.extend_from_slice(b"\\\""),
            other => out.push(*other),
        }
    }
}

/// Label lists of many subjects in one allocation.
#[derive(Debug, Default)]
pub struct Arena {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Arena {
    /// Adds a subject's labels. `false`: they equal those of the subject before, which would make
    /// every one of its series a duplicate and the whole page invalid; nothing is added then.
    pub fn push(&mut self, pairs: &[(&str, &str)]) -> bool {
        let start = self.text.len();
        for (position, (name, value)) in pairs.iter().enumerate() {
            if position > 0 {
                self.text.push(b',');
            }
            push_pair(&mut self.text, name, value);
        }
        if let Some(last) = self.ends.len().checked_sub(1)
            && self.get(last).0 == &self.text[start..]
        {
            self.text.truncate(start);
            return false;
        }
        self.ends.push(self.text.len());
        true
    }

    /// Labels of the subject added at this position.
    pub fn get(&self, index: usize) -> Labels<'_> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Labels(&self.text[start..self.ends[index]])
    }
}

/// Labels as they stand between the braces, escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels<'a>(pub(super) &'a [u8]);

impl Labels<'static> {
    /// No labels.
    pub const NONE: Self = Self(b"");

    /// Labels that are written out in the source, escaped as they must be.
    pub const fn literal(text: &'static str) -> Self {
        Self(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_joined_and_escaped() {
        let mut labels = Vec::new();
        push_label(&mut labels, "a", "");
        push_label(&mut labels, "b", "x\"\\\n\u{7}é");
        assert_eq!(labels, "a=\"\",b=\"x\\\"\\\\\\n\u{7}é\"".as_bytes());
    }

    #[test]
    fn a_value_beyond_any_name_is_cut_and_stays_itself() {
        let just = "é".repeat(MAX_VALUE / 2);
        assert_eq!(label_value(&just), just);
        let (one, two) = (just.clone() + "1", just.clone() + "2");
        for value in [&one, &two] {
            let cut = label_value(value);
            assert!(cut.len() <= MAX_VALUE && cut.starts_with(&just[..1000]), "{cut}");
        }
        assert_ne!(label_value(&one), label_value(&two));
        assert!(label_value(&"a".repeat(2000)).ends_with("aaaa…709ed71442c8d7b5"));
    }

    #[test]
    fn the_arena_refuses_a_neighbour_with_equal_labels() {
        let mut arena = Arena::default();
        assert!(arena.push(&[("a", "1"), ("b", "2")]));
        assert!(!arena.push(&[("a", "1"), ("b", "2")]));
        assert!(arena.push(&[("a", "1"), ("b", "3")]));
        assert_eq!(arena.get(0), Labels(b"a=\"1\",b=\"2\""));
        assert_eq!(arena.get(1), Labels(b"a=\"1\",b=\"3\""));
    }
}
