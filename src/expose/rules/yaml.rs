//! The file format of Prometheus' rules, as much of it as is used.

use std::fmt::Write;

/// Rules that are evaluated together, one after the other.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) rules: Vec<Rule>,
}

/// One rule: what it makes, of what, and for an alert the rest.
#[derive(Debug)]
pub(super) struct Rule {
    /// `alert` or `record`, and the name.
    pub(super) makes: (&'static str, &'static str),
    pub(super) expr: String,
    pub(super) hold_seconds: f64,
    pub(super) keep_seconds: f64,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) annotations: Vec<(&'static str, String)>,
}

/// The whole file.
pub(super) fn file(head: &str, groups: &[Group]) -> String {
    let mut text = String::new();
    for line in head.lines() {
        let _ = writeln!(text, "# {line}");
    }
    text.push_str("groups:\n");
    for group in groups {
        let _ = write!(text, "  - name: {}\n    rules:\n", group.name);
        for rule in &group.rules {
            write_rule(&mut text, rule);
        }
    }
    text
}

fn write_rule(text: &mut String, rule: &Rule) {
    let (key, name) = rule.makes;
    let _ = write!(text, "      - {key}: {name}\n        expr: {}\n", expression(&rule.expr));
    for (key, seconds) in [("for", rule.hold_seconds), ("keep_firing_for", rule.keep_seconds)] {
        if seconds > 0.0 {
            let _ = writeln!(text, "        {key}: {}", duration(seconds));
        }
    }
    for (key, pairs) in [("labels", &rule.labels), ("annotations", &rule.annotations)] {
        if !pairs.is_empty() {
            let _ = writeln!(text, "        {key}:");
        }
        for (name, value) in pairs {
            let _ = writeln!(text, "          {name}: {}", quoted(value));
        }
    }
}

/// A string of JSON is one of YAML too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An expression as a block, with a line for each operand of a set operation.
fn expression(expr: &str) -> String {
    if expr.contains(char::is_control) {
        return quoted(expr);
    }
    let mut block = String::from("|-\n          ");
    let mut rest = expr;
    let mut in_quotes = false;
    while let Some(next) = rest.chars().next() {
        let operator = [" or ", " and ", " unless "].iter().find(|word| rest.starts_with(**word));
        if let Some(word) = operator.filter(|_| !in_quotes) {
            block.push_str("\n          ");
            block.push_str(&word[1..]);
            rest = &rest[word.len()..];
            continue;
        }
        let length = match next {
            // Whatever follows a backslash ends no quotes.
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => next.len_utf8(),
        };
        in_quotes ^= next == '"';
        block.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    block
}

/// As Prometheus writes it, in the largest unit that leaves nothing over.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        s if s.is_multiple_of(86_400) => format!("{}d", s / 86_400),
        s if s.is_multiple_of(3_600) => format!("{}h", s / 3_600),
        s if s.is_multiple_of(60) => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_largest_unit() {
        let all = [30.0, 60.0, 90.0, 600.0, 3_600.0, 5_400.0, 604_800.0].map(duration);
        assert_eq!(all, ["30s", "1m", "90s", "10m", "1h", "90m", "7d"]);
    }

    #[test]
    fn lines_break_at_set_operations_and_not_in_quotes() {
        let block = expression(r#"a{x="1 or \" and 2"} > 1 unless on (b) c or d"#);
        let lines: Vec<&str> = block.lines().map(str::trim).collect();
        assert_eq!(lines, ["|-", r#"a{x="1 or \" and 2"} > 1"#, "unless on (b) c", "or d"]);
        assert_eq!(expression("a\u{85}b"), "\"a\u{85}b\"");
    }
}
