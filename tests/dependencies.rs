//! docs/dependencies.md names each crate of Cargo.toml with its features, and no other.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Name and features, in the order of their section's table.
type Crates = BTreeMap<String, Vec<String>>;

fn of_cargo() -> BTreeMap<&'static str, Crates> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("run cargo metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut sections: BTreeMap<&str, Crates> = BTreeMap::new();
    for dependency in metadata["packages"][0]["dependencies"].as_array().expect("a list") {
        let section = match dependency["kind"].as_str() {
            None => "## In the program",
            Some("build") => "## To build it",
            Some("dev") => "## To test and pack it",
            Some(kind) => panic!("{kind}: a kind without a section"),
        };
        let name = dependency["name"].as_str().expect("a name").to_owned();
        let features = dependency["features"].as_array().expect("a list");
        let features = features.iter().map(|one| one.as_str().expect("text").to_owned()).collect();
        sections.entry(section).or_default().insert(name, features);
    }
    sections
}

fn of_page(page: &str) -> BTreeMap<&str, Crates> {
    let mut sections: BTreeMap<&str, Crates> = BTreeMap::new();
    let mut section = None;
    for line in page.lines() {
        if line.starts_with("## ") {
            section = Some(line);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (Some(section), ["", name, features, why, _, ""]) = (section, cells.as_slice()) else {
            continue;
        };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        assert!(!why.is_empty(), "{name}: why is it there?");
        let features = features.split(',').map(|one| one.trim().trim_matches('`').to_owned());
        let features = features.filter(|one| !one.is_empty()).collect();
        let before = sections.entry(section).or_default().insert(name.to_owned(), features);
        assert!(before.is_none(), "{name} is there twice");
    }
    sections
}

#[test]
fn the_page_lists_what_cargo_toml_lists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dependencies.md");
    let page = std::fs::read_to_string(path).expect("read");
    let mut wanted = of_cargo();
    let mut found = of_page(&page);
    for section in wanted.values_mut().chain(found.values_mut()) {
        section.values_mut().for_each(|features| features.sort());
    }
    assert_eq!(found, wanted, "left: docs/dependencies.md, right: Cargo.toml");
}
