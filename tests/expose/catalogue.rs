use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plimsoll::expose::catalogue;
use plimsoll::expose::exposition::Format;

use crate::{page, sample_snapshot};

/// Names and label names of every series of a page in the text format.
fn series(text: &str) -> BTreeMap<&str, BTreeSet<Vec<String>>> {
    let mut found: BTreeMap<&str, BTreeSet<Vec<String>>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a sample has a name"));
        found.entry(name).or_default().insert(label_names(rest));
    }
    found
}

/// Label names in order; values may hold anything, escaped.
fn label_names(labels: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut characters = labels.chars();
    while let Some(character) = characters.next() {
        match character {
            '{' | ',' => name.clear(),
            '"' => {
                names.push(name.trim_end_matches('=').to_owned());
                while let Some(inside) = characters.next() {
                    match inside {
                        '\\' => drop(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '}' => break,
            other => name.push(other),
        }
    }
    names
}

#[test]
fn nothing_undeclared_and_nothing_unused() {
    let text = page(&sample_snapshot::troubled(), Format::Text);
    let found = series(&text);
    let declared: BTreeSet<&str> = catalogue::all().map(|family| family.name).collect();
    let names: BTreeSet<&str> = found.keys().copied().collect();
    assert_eq!(names, declared);
    for (name, label_sets) in found {
        let family = catalogue::find(name).expect("names are equal");
        let mut expected: Vec<String> = family.all_labels().map(str::to_owned).collect();
        for mut labels in label_sets {
            // The crate that keeps the counters sorts labels by name.
            labels.sort();
            expected.sort();
            assert_eq!(labels, expected, "labels of {name}");
        }
    }
}

#[test]
fn no_series_appears_twice() {
    for format in [Format::Text, Format::OpenMetrics] {
        let text = page(&sample_snapshot::troubled(), format);
        let mut seen = BTreeSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, _) = line.rsplit_once(' ').expect("a sample has a value");
            assert!(seen.insert(series), "{series} appears twice");
        }
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let expected = catalogue::reference_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("docs/metrics.md can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/metrics.md is not what the catalogue says; write it anew with:\n    \
         UPDATE_DOCS=1 cargo test --test expose reference_page"
    );
}
