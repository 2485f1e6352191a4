//! The runbook is the catalogue's. `UPDATE_DOCS=1 cargo test --test runbook` writes it anew.

use std::path::Path;

use plimsoll::judge::conditions::{MONITORING, all, runbook_markdown};

#[test]
fn the_runbook_is_in_step_and_has_every_condition() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbook.md");
    let page = runbook_markdown();
    let names = all().map(|one| one.alert).chain(MONITORING.iter().map(|one| one.alert));
    for alert in names {
        let heading = format!("\n## {alert}\n");
        assert_eq!(page.matches(&heading).count(), 1, "{alert}");
    }
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/runbook.md is out of step: UPDATE_DOCS=1 cargo test --test runbook"
    );
}
