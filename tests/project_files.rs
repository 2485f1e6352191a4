//! The project's standing files say the same as each other.

use std::path::{Path, PathBuf};
use std::process::Command;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn ci_runs_the_readme_test_command_and_nothing_else() {
    let commands: Vec<String> = read(".ci/run")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(
        commands,
        ["set -euo pipefail", "cd \"$(dirname \"${BASH_SOURCE[0]}\")/..\"", "exec ./scripts/test"]
    );
    assert!(read("README.md").lines().any(|line| line == "./scripts/test"));
}

#[test]
fn scripts_parse_and_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let mut scripts = vec![file(".ci/run")];
    scripts.extend(std::fs::read_dir(file("scripts")).unwrap().map(|entry| entry.unwrap().path()));
    for script in scripts {
        let mode = std::fs::metadata(&script).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{} is not executable", script.display());
        let checked = Command::new("bash").arg("-n").arg(&script).output().unwrap();
        let errors = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "{}: {errors}", script.display());
    }
}

#[test]
fn a_stage_that_is_not_there_is_refused() {
    let run = Command::new(file("scripts/test")).arg("nonsense").output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&run.stderr),
        "error: there is no stage nonsense; there are: install fmt clippy docs deny guest packages dashboards fuzz tests\n"
    );
}

#[test]
fn the_changelog_has_this_version_and_its_prefixes() {
    let changelog = read("CHANGELOG.md");
    let version = format!("## {} ", env!("CARGO_PKG_VERSION"));
    assert!(changelog.lines().any(|line| line.starts_with(&version)), "no {version}");
    const PREFIXES: [&str; 5] = ["CHANGE", "FEATURE", "ENHANCEMENT", "BUGFIX", "SECURITY"];
    for line in changelog.lines().filter(|line| line.starts_with("- ")) {
        let prefix = line.strip_prefix("- [").and_then(|rest| rest.split(']').next());
        assert!(prefix.is_some_and(|prefix| PREFIXES.contains(&prefix)), "{line}");
    }
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let mut documents = vec!["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
    documents.extend(["docs/architecture.md", "docs/configuration.md"]);
    documents.extend(["docs/concepts.md", "docs/runbook.md"]);
    for document in documents {
        let text = read(document);
        let folder = file(document).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.starts_with("https://") {
                continue;
            }
            assert!(folder.join(target).exists(), "{document} links to {target}");
        }
    }
}
