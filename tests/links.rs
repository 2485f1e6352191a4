//! Every relative link of the documentation leads to a file that is there, and to a heading of it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Pages that readers start from, beside those in the folders below.
const PAGES: [&str; 4] = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md"];
const FOLDERS: [&str; 2] = ["docs", "docs/decisions"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = PAGES.iter().map(PathBuf::from).collect();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(root().join(folder)).expect("read the folder") {
            let name = PathBuf::from(entry.expect("an entry").file_name());
            if name.extension().is_some_and(|extension| extension == "md") {
                pages.push(Path::new(folder).join(name));
            }
        }
    }
    pages.sort();
    pages
}

/// Lines outside of fenced code, with their numbers from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        (!fence && !code).then_some((index + 1, line))
    })
}

/// Targets of `[text](target)`, images included.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading;
    // Of a link in a heading only its text counts.
    while let Some((before, after)) = rest.split_once("](") {
        text += before;
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    text += rest;
    let kept = text.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let base = anchor(heading);
        let mut name = base.clone();
        for n in 1.. {
            if found.insert(name) {
                break;
            }
            name = format!("{base}-{n}");
        }
    }
    found
}

/// `docs/../README.md` as `README.md`. A link may not leave the repository.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => plain.pop().then_some(())?,
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(plain)
}

/// What is wrong with a link of that page, if anything.
fn fault(page: &Path, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = match path {
        "" => Some(page.to_path_buf()),
        path => plain(&page.parent().expect("a page has a folder").join(path)),
    };
    let Some(file) = file.map(|file| root().join(file)) else {
        return Some("leaves the repository");
    };
    if !file.exists() {
        return Some("no such file");
    }
    if heading.is_empty() {
        return None;
    }
    let text = std::fs::read_to_string(file).expect("read the page of the heading");
    (!anchors(&text).contains(heading)).then_some("no such heading")
}

#[test]
fn every_relative_link_leads_somewhere() {
    let (mut faults, mut checked) = (Vec::new(), 0);
    for page in pages() {
        let text = std::fs::read_to_string(root().join(&page)).expect("read the page");
        for (number, line) in prose(&text) {
            for target in targets(line) {
                checked += 1;
                if let Some(fault) = fault(&page, target) {
                    faults.push(format!("{}:{number}: {target}: {fault}", page.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked > 100, "only {checked} links were found");
}

#[test]
fn what_is_broken_is_seen() {
    let page = Path::new("docs/concepts.md");
    assert_eq!(fault(page, "permissions.md#landlock"), None);
    assert_eq!(fault(page, "../README.md"), None);
    assert_eq!(fault(page, "https://example.org/nowhere"), None);
    assert_eq!(fault(page, "nowhere.md"), Some("no such file"));
    assert_eq!(fault(page, "permissions.md#nowhere"), Some("no such heading"));
    assert_eq!(fault(page, "../../elsewhere.md"), Some("leaves the repository"));
    assert_eq!(anchor(" A `usage.memory` of [its own](x.md), 2nd"), "a-usagememory-of-its-own-2nd");
    let twice = anchors("# One\n```\n# no heading\n```\n## One\n");
    assert_eq!(twice, BTreeSet::from(["one".to_owned(), "one-1".to_owned()]));
}
