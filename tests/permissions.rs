//! The page, the drop-ins of the packages and the table in the code say the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plimsoll::commands::permissions::{FEATURES, table};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_page_has_the_table() {
    let page = std::fs::read_to_string(file("docs/permissions.md")).expect("read");
    let start = page.find("| feature |").expect("a table");
    let length = page[start..].find("\n\n").map_or(page.len() - start, |end| end + 1);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let renewed = format!("{}{}{}", &page[..start], table(), &page[start + length..]);
        std::fs::write(file("docs/permissions.md"), renewed).expect("write");
        return;
    }
    assert_eq!(page[start..start + length], table(), "UPDATE_DOCS=1 cargo test --test permissions");
}

/// Words after `key=` in a unit's text, over all its lines.
fn words(unit: &str, key: &str) -> BTreeSet<String> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

#[test]
fn a_drop_in_gives_the_capabilities_of_its_features_and_the_unit_only_one() {
    let unit = std::fs::read_to_string(file("packaging/systemd/plimsoll.service")).expect("read");
    let always = BTreeSet::from(["CAP_DAC_READ_SEARCH".to_owned()]);
    assert_eq!(words(&unit, "AmbientCapabilities"), always);
    assert_eq!(words(&unit, "CapabilityBoundingSet"), always);
    for feature in &FEATURES {
        let Some(name) = feature.drop_in else {
            let needs: BTreeSet<_> =
                feature.needs.iter().map(|one| one.name().to_owned()).collect();
            assert_eq!(needs, always, "{}", feature.name);
            continue;
        };
        let path = file("packaging/systemd/drop-ins").join(name);
        let drop_in = std::fs::read_to_string(&path).expect("read");
        let given = words(&drop_in, "AmbientCapabilities");
        assert_eq!(given, words(&drop_in, "CapabilityBoundingSet"), "{name}");
        assert_eq!(given.len(), 1, "{name}: one capability each");
        let needs: BTreeSet<_> = feature.needs.iter().map(|one| one.name().to_owned()).collect();
        assert!(given.is_subset(&needs), "{name}: {given:?} for {needs:?}");
        // What it needs beyond that the unit gives, or another drop-in that this one names.
        for other in needs.difference(&given).filter(|one| !always.contains(*one)) {
            let named = FEATURES.iter().filter_map(|one| one.drop_in).any(|another| {
                let path = file("packaging/systemd/drop-ins").join(another);
                let text = std::fs::read_to_string(path).expect("read");
                drop_in.contains(another) && words(&text, "AmbientCapabilities").contains(other)
            });
            assert!(named, "{name} does not say where {other} comes from");
        }
    }
}

#[test]
fn every_drop_in_is_on_the_page_and_says_how_it_is_used() {
    let page = std::fs::read_to_string(file("docs/permissions.md")).expect("read");
    let mut seen = 0;
    for entry in std::fs::read_dir(file("packaging/systemd/drop-ins")).expect("list") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("a name").to_str().expect("text");
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/permissions.md");
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(text.contains("/etc/systemd/system/plimsoll.service.d/"), "{name}");
        assert!(text.contains("[Service]\n"), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}
