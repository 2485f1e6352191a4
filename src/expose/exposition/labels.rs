//! Labels, escaped once per subject and used for each of its samples.

/// Appends `name="value"` to a list of labels, with a comma where it is not the first.
pub fn push_label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    push_pair(out, name, value);
}

/// Appends `name="value"`.
pub(super) fn push_pair(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    push_escaped(out, value, true);
    out.push('"');
}

/// Appends text with `\` and line feed escaped, and `"` where `quotes` says so. Everything else
/// stands as it is: both formats take any UTF-8.
pub(super) fn push_escaped(out: &mut String, text: &str, quotes: bool) {
    let special = |byte: &u8| matches!(byte, b'\\' | b'\n') || (quotes && *byte == b'"');
    if !text.as_bytes().iter().any(special) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

/// Label lists of many subjects in one allocation.
#[derive(Debug, Default)]
pub struct Arena {
    text: String,
    ends: Vec<usize>,
}

impl Arena {
    /// Adds a subject's labels. `false`: they equal those of the subject before, which would make
    /// every one of its series a duplicate and the whole page invalid; nothing is added then.
    pub fn push(&mut self, pairs: &[(&str, &str)]) -> bool {
        let start = self.text.len();
        for (position, (name, value)) in pairs.iter().enumerate() {
            if position > 0 {
                self.text.push(',');
            }
            push_pair(&mut self.text, name, value);
        }
        if let Some(last) = self.ends.len().checked_sub(1)
            && self.get(last) == &self.text[start..]
        {
            self.text.truncate(start);
            return false;
        }
        self.ends.push(self.text.len());
        true
    }

    /// Labels of the subject added at this position.
    pub fn get(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_joined_and_escaped() {
        let mut labels = String::new();
        push_label(&mut labels, "a", "");
        push_label(&mut labels, "b", "x\"\\\n\u{7}é");
        assert_eq!(labels, "a=\"\",b=\"x\\\"\\\\\\n\u{7}é\"");
    }

    #[test]
    fn the_arena_refuses_a_neighbour_with_equal_labels() {
        let mut arena = Arena::default();
        assert!(arena.push(&[("a", "1"), ("b", "2")]));
        assert!(!arena.push(&[("a", "1"), ("b", "2")]));
        assert!(arena.push(&[("a", "1"), ("b", "3")]));
        assert_eq!(arena.get(0), "a=\"1\",b=\"2\"");
        assert_eq!(arena.get(1), "a=\"1\",b=\"3\"");
    }
}
