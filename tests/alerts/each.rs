//! Each alert fires for its own host and no other of the same cluster, whose roles, volumes and mount
//! points have the same names; with the labels of the target, of the subject, and the severity.

use std::collections::BTreeSet;

use plimsoll::judge::conditions::{Condition, all, find};
use plimsoll::model::SubjectKind;

use crate::cases::{Case, MINUTES, cases, instead};
use crate::promtool::{Tests, bare_rules, labels, series};
use crate::samples::Samples;

/// The ill host is scraped by two jobs: neither is joined with the other's series. One label of the
/// target comes from service discovery, and stays.
const ILL: &str = r#"job="plimsoll",instance="ill",zone="b""#;
const TWICE: &str = r#"job="twice",instance="ill",zone="b""#;
const WELL: &str = r#"job="plimsoll",instance="well",zone="b""#;

/// What a host is scraped with as long as a case goes on.
fn scraped(host: &str, samples: &Samples) -> Vec<(String, String)> {
    let up = (series("up", host, ""), format!("1x{MINUTES}"));
    let own = samples.iter().map(|(family, labels, value)| {
        // A counter's value is what it gains in a minute.
        let (from, step) = if family.ends_with("_total") { (0.0, *value) } else { (*value, 0.0) };
        (series(family, host, labels), format!("{from}+{step}x{MINUTES}"))
    });
    std::iter::once(up).chain(own).collect()
}

fn write(tests: &mut Tests, name: &str, case: &Case, maintained: bool) {
    let (more, told) = if maintained { (r#",maintenance="true""#, false) } else { ("", true) };
    let [ill, twice, well] = [ILL, TWICE, WELL].map(|host| format!("{host}{more}"));
    let scrapes = [(&ill, &case.ill), (&twice, &case.ill), (&well, &case.well)];
    let input: Vec<_> = scrapes.iter().flat_map(|(host, samples)| scraped(host, samples)).collect();
    tests.test(name, &input);
    let mut fires = Vec::new();
    if told {
        let alert = find(case.condition).expect(case.condition).alert;
        fires.push((alert, labels(alert, &ill, case.labels)));
        fires.push((alert, labels(alert, &twice, case.labels)));
        if let Some((other, subject)) = instead(case) {
            let alert = find(other).expect(other).alert;
            fires.push((alert, labels(alert, &well, subject)));
        }
    }
    tests.expect_only(MINUTES, &fires);
}

#[test]
fn each_fires_for_its_own_host_and_no_other() {
    let covered: BTreeSet<&str> = cases().iter().map(|case| case.condition).collect();
    let all_of_them: BTreeSet<&str> =
        all().filter(|condition| condition.expr.is_some()).map(|condition| condition.id).collect();
    assert_eq!(covered, all_of_them, "an expression has no case");
    let mut tests = Tests::every(5);
    for (number, case) in cases().iter().enumerate() {
        write(&mut tests, &format!("{} {number}", case.condition), case, false);
    }
    tests.run(&bare_rules());
}

/// A label of the target takes a host out of alerting, whatever is wrong with it.
#[test]
fn none_fires_for_a_host_in_maintenance() {
    let mut tests = Tests::every(5);
    for (number, case) in cases().iter().enumerate() {
        write(&mut tests, &format!("{} {number}", case.condition), case, true);
    }
    tests.run(&bare_rules());
}

/// What no metric tells but the finding's own: the page has it with labels of all sorts of subjects,
/// those of others empty.
#[test]
fn a_finding_without_an_expression_is_an_alert_with_the_labels_of_its_subject() {
    let mut tests = Tests::new();
    let mut ids = Vec::new();
    for condition in all().filter(|condition| condition.expr.is_none()) {
        ids.push(condition.id);
        let subject = subject_of(condition);
        let finding = |id: &str| {
            let mut labels = format!(r#"kind="{id}",severity="{}""#, condition.severity.as_str());
            for kind in SubjectKind::ALL {
                for label in kind.labels() {
                    if !labels.contains(&format!("{label}=\"")) {
                        let own = condition.subject.labels().contains(label);
                        labels += &format!(r#",{label}="{}""#, if own { "x" } else { "" });
                    }
                }
            }
            vec![("plimsoll_finding", labels, 1.0)]
        };
        let input =
            [scraped(ILL, &finding(condition.id)), scraped(WELL, &finding("something_else"))];
        tests.test(condition.id, &input.concat());
        tests.expect_only(2, &[(condition.alert, labels(condition.alert, ILL, &subject))]);
    }
    assert_eq!(
        ids,
        [
            "volume_reattached",
            "volume_conflict",
            "volume_dangling_mount",
            "volume_mounted_elsewhere",
            "volume_mounted_twice",
            "volume_unmeasured",
            "io_neighbour",
            "reservation_idle",
            "sources_disagree",
        ]
    );
    tests.run(&bare_rules());
}

fn subject_of(condition: &Condition) -> String {
    let labels = condition.subject.labels().iter();
    labels.map(|label| format!(r#"{label}="x""#)).collect::<Vec<_>>().join(",")
}
