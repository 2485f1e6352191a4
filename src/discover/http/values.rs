//! How many values a JSON text holds, before any of them is made.
//!
//! The smallest object takes three bytes of text and some hundreds of memory, so that the length of
//! an answer alone bounds nothing. Answers of real agents and engines have a value in 20 bytes or
//! more.

/// Bytes of the largest answer for each value that it may hold.
const BYTES_PER_VALUE: u64 = 32;

/// Values in an answer that may be `bytes` long.
pub fn most_values(bytes: u64) -> u64 {
    bytes / BYTES_PER_VALUE
}

/// Whether a JSON text has more than `most` values: objects, lists, and what they hold. Of what is
/// not JSON it says nothing useful, in the same time.
pub fn has_more_values(text: &[u8], most: u64) -> bool {
    if text.len() as u64 <= most {
        return false;
    }
    let (mut count, mut within, mut escaped) = (0_u64, false, false);
    for byte in text {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' if within => escaped = true,
            b'"' => within = !within,
            b'{' | b'[' | b',' if !within => count += 1,
            _ => {}
        }
    }
    count > most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_text_is_not() {
        let many = |text: &str, most| has_more_values(text.as_bytes(), most);
        let list = format!("[{}0]", "{},".repeat(50));
        assert!(many(&list, 100) && !many(&list, 101));
        let text = format!(r#"["{}", "\\\"{{,["]"#, "{[,".repeat(50));
        assert!(many(&text, 1) && !many(&text, 2));
        assert!(!many("", 0));
        assert!(!many("[0]", 1) && many("[0]", 0));
        // What never ends is no text either.
        assert!(!many(r#""{{{{{{{{"#, 2));
    }

    #[test]
    fn real_answers_are_far_from_the_bound() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mesos/02-live-quota-off");
        let mut seen = 0;
        for entry in std::fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            // Other captures lie there, too.
            let Ok(text) = std::fs::read(&path) else { continue };
            let Ok(value) = serde_json::from_slice::<serde_json::Value>(&text) else { continue };
            // As the agent sends it, without the white space of a fixture.
            let text = value.to_string();
            let most = text.len() as u64 / 8;
            assert!(!has_more_values(text.as_bytes(), most), "{}", path.display());
            seen += 1;
        }
        assert!(seen > 10, "{seen}");
    }
}
