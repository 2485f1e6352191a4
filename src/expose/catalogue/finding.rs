//! Families of findings.

use super::families;

families! {
    "Findings",
    "Conditions worth telling a person, after hold times and hysteresis; docs/runbook.md explains each kind.";

    FINDINGS = Gauge "plimsoll_findings", None, &[], ["kind", "severity"], "one per kind",
        "Active findings by kind; 0 for a kind that nothing shows.";
    FINDING = Gauge "plimsoll_finding", None, &["kind", "severity"],
        ["source", "role", "volume", "disk", "framework", "executor", "container", "mount_point", "server", "export", "reservation", "collector", "subject"],
        "one per active finding, at most 1000, the gravest first",
        "1 for each active finding, with the labels that name its subject; labels that do not apply are empty.";
}
