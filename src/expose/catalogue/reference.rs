//! The reference page of every metric.

use std::fmt::Write;

use super::{Family, GROUPS};

/// The reference as Markdown: what `plimsoll metrics` prints and `docs/metrics.md` holds.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Every metric Plimsoll exposes. This page is generated: `plimsoll metrics` prints it.\n\n\
         A value that is not known has no series; zero means zero. No sample carries a timestamp: the age of \
         measured values is a metric of its own. The number of series is bounded: past the bound the largest \
         subjects and those in trouble keep their own, the rest is summed into one subject whose labels all \
         say `other`, and `plimsoll_series_dropped` counts what was folded.\n",
    );
    for group in GROUPS {
        let _ = write!(page, "\n## {}\n\n{}\n", group.title, group.intro);
        page.push_str("\n| metric | type | unit | labels | series | what it says |\n|---|---|---|---|---|---|\n");
        for family in group.families {
            row(&mut page, family);
        }
    }
    page
}

fn row(page: &mut String, family: &Family) {
    let labels: Vec<String> = family.all_labels().map(|label| format!("`{label}`")).collect();
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} | {} |",
        family.name,
        family.kind.as_str(),
        family.unit.unwrap_or(""),
        labels.join(", "),
        family.bound,
        family.help.replace('|', "\\|"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_one_row() {
        let page = reference_markdown();
        for family in super::super::all() {
            let row = format!("\n| `{}` |", family.name);
            assert_eq!(page.matches(&row).count(), 1, "{}", family.name);
        }
        assert!(page.contains(
            "| `plimsoll_usage_cpu_seconds_total` | counter | seconds |  | one | CPU time spent measuring usage. |"
        ));
    }
}
