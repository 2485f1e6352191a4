//! Holds together the example file, the defaults in the code and the reference page.
//!
//! `UPDATE_DOCS=1 cargo test --test config_reference` writes the page anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use plimsoll::config::{Config, variable};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn example() -> String {
    std::fs::read_to_string(file("packaging/plimsoll.yml")).unwrap()
}

/// A line that is a key commented out: `#key: value`. Prose has a space after its `#`.
fn commented_key(line: &str) -> Option<(usize, &str)> {
    let indent = line.len() - line.trim_start().len();
    let key = line.trim_start().strip_prefix('#')?;
    key.starts_with(|c: char| c.is_ascii_lowercase()).then_some((indent, key))
}

/// The example with every key in force.
fn uncommented(text: &str) -> String {
    let lines = text.lines().map(|line| match commented_key(line) {
        Some((indent, key)) => format!("{}{key}\n", " ".repeat(indent)),
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// One key or section of the example, in order.
struct Entry {
    path: String,
    /// Absent for a section.
    default: Option<String>,
    prose: String,
}

/// Reads the example as the reference page needs it; its first paragraphs are the introduction.
fn entries(text: &str) -> (String, Vec<Entry>) {
    let mut entries = Vec::new();
    let mut prose: Vec<&str> = Vec::new();
    let mut introduction = None;
    let mut sections: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let body = line.trim_start();
        if body.is_empty() {
            introduction.get_or_insert_with(|| prose.join("\n"));
            prose.clear();
            continue;
        }
        let (name, default) = if let Some((_, key)) = commented_key(line) {
            let (name, value) = key.split_once(':').unwrap();
            (name, Some(value.trim().to_owned()))
        } else if let Some(words) = body.strip_prefix('#') {
            prose.push(words.strip_prefix(' ').unwrap_or(words));
            continue;
        } else {
            (body.strip_suffix(':').unwrap(), None)
        };
        sections.retain(|(depth, _)| *depth < indent);
        let parents: Vec<&str> = sections.iter().map(|(_, name)| name.as_str()).collect();
        let path = parents.iter().copied().chain([name]).collect::<Vec<_>>().join(".");
        if default.is_none() {
            sections.push((indent, name.to_owned()));
        }
        let prose = std::mem::take(&mut prose).join("\n");
        assert!(!prose.is_empty(), "{path} is not explained");
        entries.push(Entry { path, default, prose });
    }
    (introduction.unwrap_or_default(), entries)
}

fn page() -> String {
    let (introduction, entries) = entries(&example());
    let mut page = String::from(
        "# Configuration\n\n<!-- Made from packaging/plimsoll.yml: change that, then run \
         UPDATE_DOCS=1 cargo test --test config_reference -->\n\n\
         The file is `/etc/plimsoll/plimsoll.yml`, or what `--config.file` names. \
         [`packaging/plimsoll.yml`](../packaging/plimsoll.yml) is the commented example this page \
         is made from, and says of itself:\n\n",
    );
    for line in introduction.lines() {
        let _ = writeln!(page, "{}", format!("> {line}").trim_end());
    }
    for entry in entries {
        match entry.default {
            None => {
                let _ = writeln!(page, "\n## `{}`\n\n{}", entry.path, entry.prose);
            }
            Some(default) => {
                let default = match default.as_str() {
                    "" => "none".to_owned(),
                    value => format!("`{value}`"),
                };
                let _ = writeln!(
                    page,
                    "\n### `{}`\n\n{}\n\nDefault: {default}. Environment: `{}`.",
                    entry.path,
                    entry.prose,
                    variable(&entry.path)
                );
            }
        }
    }
    page
}

#[test]
fn the_example_is_the_default_configuration() {
    let path = Path::new("packaging/plimsoll.yml");
    assert_eq!(Config::parse(&example(), path).map_err(|e| e.to_string()), Ok(Config::default()));
}

#[test]
fn with_every_key_in_force_it_still_is() {
    let path = Path::new("packaging/plimsoll.yml");
    let text = uncommented(&example());
    assert_ne!(text, example());
    // An optional key without a value means absent.
    assert_eq!(Config::parse(&text, path).map_err(|e| e.to_string()), Ok(Config::default()));
}

#[test]
fn every_key_is_in_the_example_and_no_other() {
    let (_, entries) = entries(&example());
    let keys: Vec<String> =
        entries.into_iter().filter(|e| e.default.is_some()).map(|e| e.path).collect();
    let unique: BTreeSet<String> = keys.iter().cloned().collect();
    assert_eq!(unique.len(), keys.len(), "a key is there twice");
    assert_eq!(unique, Config::keys().into_iter().collect());
}

#[test]
fn the_reference_page_is_in_step() {
    let path = file("docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/configuration.md is out of step: UPDATE_DOCS=1 cargo test --test config_reference"
    );
}
