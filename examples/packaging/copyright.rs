//! The machine-readable copyright file (Debian's DEP-5): Plimsoll itself, and every crate that is
//! linked into the program, with the notices and texts of their licences as their packages hold them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, Read, Write};
use std::path::Path;

use serde_json::Value;

/// Licences whose texts are taken from a crate, each with words that no other text has.
const TEXTS: [(&str, &str); 5] = [
    ("BSD-3-Clause", "Neither the name of"),
    ("ISC", "Permission to use, copy, modify, and"),
    ("MIT", "Permission is hereby granted, free of charge"),
    ("Unicode-3.0", "UNICODE LICENSE V3"),
    ("Zlib", "without any express or implied"),
];
/// Those that every Debian system has, with where else they can be read.
const COMMON: [(&str, &str); 2] = [
    ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/legalcode"),
];

struct Crate {
    /// Name and version.
    name: String,
    /// The licences it is used under.
    licences: Vec<String>,
    notices: BTreeSet<String>,
    texts: Vec<String>,
}

/// Reads `cargo metadata --format-version 1 --filter-platform TARGET` and writes the file.
///
/// # Errors
/// A licence without a text: a new one is a decision, and has its line above.
pub fn write(mut metadata: impl Read, mut out: impl Write) -> std::io::Result<()> {
    let mut text = String::new();
    metadata.read_to_string(&mut text)?;
    let metadata: Value = serde_json::from_str(&text)?;
    let linked = linked(&metadata);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut crates: Vec<Crate> = packages
        .filter(|package| linked.contains(word(&package["id"])))
        .map(describe)
        .collect::<std::io::Result<_>>()?;
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    if crates.is_empty() {
        return Err(Error::other("no crate is linked: is this the output of cargo metadata?"));
    }

    writeln!(out, "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/")?;
    writeln!(out, "Upstream-Name: plimsoll")?;
    writeln!(out, "Comment: The program holds the crates below, each under its own licence; of")?;
    writeln!(out, " those that a crate offers, one.")?;
    writeln!(out, "\nFiles: *\nCopyright: the authors of Plimsoll\nLicense: Apache-2.0")?;
    let mut names = BTreeSet::from(["Apache-2.0".to_owned()]);
    for one in &crates {
        let notices: Vec<&str> = one.notices.iter().map(String::as_str).collect();
        let licence = one.licences.join(" and ");
        names.extend(one.licences.iter().cloned());
        writeln!(out, "\nFiles: crates/{}/*", one.name)?;
        writeln!(out, "Copyright: {}\nLicense: {licence}", notices.join("\n           "))?;
    }
    let texts = texts(&crates);
    for name in names {
        writeln!(out, "\nLicense: {name}")?;
        if let Some((_, place)) = COMMON.iter().find(|(common, _)| *common == name) {
            writeln!(out, " On Debian systems the text is in /usr/share/common-licenses/{name},")?;
            writeln!(out, " elsewhere at {place}.")?;
            continue;
        }
        let text = texts.get(name.as_str()).ok_or_else(|| {
            Error::other(format!(
                "licence {name}: no text is known; see examples/packaging/copyright.rs"
            ))
        })?;
        for line in text.lines() {
            let line = line.trim_end();
            writeln!(out, " {}", if line.is_empty() { "." } else { line })?;
        }
    }
    Ok(())
}

/// Ids of the packages that the program is linked from: over normal dependencies from the root. What
/// only builds or tests it is not in it.
fn linked(metadata: &Value) -> BTreeSet<&str> {
    let resolve = &metadata["resolve"];
    let nodes: BTreeMap<&str, &Value> = resolve["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|node| (word(&node["id"]), node))
        .collect();
    let root = word(&resolve["root"]);
    let (mut found, mut open) = (BTreeSet::new(), vec![root]);
    while let Some(node) = open.pop().and_then(|id| nodes.get(id)) {
        for dependency in node["deps"].as_array().into_iter().flatten() {
            let kinds = dependency["dep_kinds"].as_array();
            let normal = kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()));
            let id = word(&dependency["pkg"]);
            if normal && found.insert(id) {
                open.push(id);
            }
        }
    }
    found
}

fn describe(package: &Value) -> std::io::Result<Crate> {
    let name = format!("{}-{}", word(&package["name"]), word(&package["version"]));
    let manifest = Path::new(word(&package["manifest_path"]));
    let mut files: Vec<_> = std::fs::read_dir(manifest.parent().unwrap_or(manifest))?
        .collect::<std::io::Result<Vec<_>>>()?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            path.is_file()
                && ["LICEN", "COPYING", "NOTICE"].iter().any(|start| name.starts_with(start))
        })
        .collect();
    files.sort();
    let texts = files
        .iter()
        .map(|path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        .collect::<std::io::Result<Vec<_>>>()?;
    let mut notices: BTreeSet<String> =
        texts.iter().flat_map(|text| text.lines()).filter_map(notice).collect();
    if notices.is_empty() {
        let authors = package["authors"].as_array().into_iter().flatten();
        notices.extend(authors.map(|author| word(author).to_owned()));
    }
    if notices.is_empty() {
        notices.insert(format!("the authors of {name}"));
    }
    let licences = chosen(word(&package["license"])).ok_or_else(|| {
        Error::other(format!("{name}: no licence that may be used: {}", package["license"]))
    })?;
    Ok(Crate { name, licences, notices, texts })
}

/// A line that says who holds the rights; not the blanks of a form, not a sentence about copyright.
fn notice(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("Copyright")?.trim();
    let of_a_form = rest.starts_with(['[', '{']);
    let dated = rest.starts_with("(c)") || rest.starts_with("(C)") || rest.starts_with('©');
    let year = rest.starts_with(|c: char| c.is_ascii_digit());
    (!of_a_form && (dated || year)).then(|| rest.to_owned())
}

/// `(MIT OR Apache-2.0) AND Unicode-3.0`: of each choice the first that is known here.
fn chosen(spdx: &str) -> Option<Vec<String>> {
    let known = || COMMON.iter().chain(&TEXTS).map(|(name, _)| *name);
    let plain = spdx.replace('/', " OR ").replace(['(', ')'], "");
    let choices = plain.split(" AND ").map(|choice| {
        let offered: Vec<&str> = choice.split(" OR ").map(str::trim).collect();
        known().find(|name| offered.contains(name)).map(str::to_owned)
    });
    choices.collect()
}

/// The text of each licence from the first crate that has it, without the notices of that crate.
fn texts(crates: &[Crate]) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    for (name, words) in TEXTS {
        let text = crates.iter().flat_map(|one| &one.texts).find(|text| {
            text.contains(words) && !text.contains("Apache License") && text.len() < 16 << 10
        });
        if let Some(text) = text {
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("Copyright"));
            found.insert(name, lines.collect::<Vec<_>>().join("\n").trim().to_owned());
        }
    }
    found
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
