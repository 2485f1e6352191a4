//! Alert rules.

use super::labels::{IN_MAINTENANCE, MAINTENANCE, rule_labels};
use super::yaml::{Group, Rule, file};
use super::{RuleOptions, runbook_url};
use crate::judge::conditions::{Condition, MONITORING, MonitoringAlert, Thresholds, all};
use crate::model::{Severity, SubjectKind};

/// Seconds that an alert goes on firing after its expression has nothing to say any more: a restart of
/// Plimsoll and a few scrapes that failed are no end of the trouble.
const KEEP_SECONDS: f64 = 300.0;

/// Groups with the subjects whose conditions they hold.
const GROUPS: [(&str, &[SubjectKind]); 5] = [
    ("plimsoll_volumes", &[SubjectKind::Volume]),
    ("plimsoll_sandboxes", &[SubjectKind::Sandbox, SubjectKind::Framework]),
    ("plimsoll_filesystems", &[SubjectKind::Filesystem, SubjectKind::NetworkFilesystem]),
    ("plimsoll_agents", &[SubjectKind::Agent, SubjectKind::Reservation]),
    (
        "plimsoll_sources",
        &[SubjectKind::Collector, SubjectKind::Disagreement, SubjectKind::Plimsoll],
    ),
];

const HEAD: &str = "\
Alert rules of Plimsoll for Prometheus 2.42 or newer, made by `plimsoll rules`: do not edit, but set
`conditions` in the configuration and make them anew. docs/alerts.md says how to install them, which
labels an alert has, and how a host is taken out of alerting; docs/runbook.md what each one means.";

/// The file of alert rules: one for every condition of the catalogue, and what only Prometheus can
/// tell.
pub fn alert_rules(thresholds: &Thresholds, options: &RuleOptions) -> String {
    let mut groups: Vec<Group> = GROUPS
        .iter()
        .map(|(name, kinds)| {
            let mut conditions: Vec<&Condition> =
                all().filter(|condition| kinds.contains(&condition.subject)).collect();
            // Whoever gives way stands behind those it gives way to (and has more of them), so that
            // it is silent from the same evaluation on.
            conditions.sort_by_key(|condition| condition.gives_way_to().len());
            let rules = conditions.iter().filter_map(|one| of_condition(one, thresholds, options));
            // These look at the alerts before them, and must be told together with them.
            let fleet = MONITORING.iter().filter(|alert| {
                kinds.contains(&SubjectKind::NetworkFilesystem) && of_a_server(alert)
            });
            let fleet = fleet.map(|alert| of_monitoring(alert, options));
            Group { name, rules: rules.chain(fleet).collect() }
        })
        .collect();
    let others = MONITORING.iter().filter(|alert| !of_a_server(alert));
    let rules = others.map(|alert| of_monitoring(alert, options)).collect();
    groups.push(Group { name: "plimsoll_monitoring", rules });
    file(HEAD, &groups)
}

fn of_a_server(alert: &MonitoringAlert) -> bool {
    alert.labels.contains(&"server")
}

fn of_condition(
    condition: &Condition,
    thresholds: &Thresholds,
    options: &RuleOptions,
) -> Option<Rule> {
    // What gives way must not be kept: it would fire beside the graver one.
    let keep_seconds = if condition.gives_way_to().is_empty() { KEEP_SECONDS } else { 0.0 };
    let annotations = vec![
        ("summary", of_the_host(condition.summary)),
        ("description", condition.description.to_owned()),
        ("action", condition.next.to_owned()),
        ("runbook_url", runbook_url(&options.runbook, condition.alert)),
    ];
    Some(Rule {
        makes: ("alert", condition.alert),
        expr: outside_maintenance(&condition.promql(thresholds)?),
        hold_seconds: condition.rule_hold_seconds(),
        keep_seconds,
        labels: labels(condition.severity),
        annotations,
    })
}

fn of_monitoring(alert: &MonitoringAlert, options: &RuleOptions) -> Rule {
    let expr = alert.promql(&options.job);
    let summary = if alert.fleet { alert.summary.to_owned() } else { of_the_host(alert.summary) };
    Rule {
        makes: ("alert", alert.alert),
        expr: if alert.fleet { expr } else { outside_maintenance(&expr) },
        hold_seconds: alert.hold_seconds,
        keep_seconds: KEEP_SECONDS,
        labels: labels(alert.severity),
        annotations: vec![
            ("summary", summary),
            ("description", alert.description.to_owned()),
            ("runbook_url", runbook_url(&options.runbook, alert.alert)),
        ],
    }
}

fn labels(severity: Severity) -> Vec<(&'static str, String)> {
    rule_labels(severity).map(|(name, value)| (name, value.to_owned())).into()
}

fn of_the_host(summary: &str) -> String {
    format!("{{{{ $labels.instance }}}}: {summary}")
}

/// Without the hosts whose target says that they are in maintenance.
fn outside_maintenance(expr: &str) -> String {
    format!("({expr}) unless on (job, instance) up{{{MAINTENANCE}=\"{IN_MAINTENANCE}\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_and_every_alert_of_prometheus_alone_has_one_rule() {
        let text = alert_rules(&Thresholds::default(), &RuleOptions::default());
        let names = all().map(|one| one.alert).chain(MONITORING.iter().map(|one| one.alert));
        for name in names {
            assert_eq!(text.matches(&format!("      - alert: {name}\n")).count(), 1, "{name}");
            let section = format!("runbook_url: \"docs/runbook.md#{}\"\n", name.to_lowercase());
            assert_eq!(text.matches(&section).count(), 1, "{name}");
        }
        let rules = text.matches("      - alert: ").count();
        assert_eq!(rules, all().count() + MONITORING.len());
    }

    #[test]
    fn thresholds_and_options_are_the_configurations() {
        let thresholds = Thresholds { volume_near_quota: 0.75, ..Thresholds::default() };
        let options = RuleOptions { job: "storage".into(), runbook: "https://wiki/r".into() };
        let text = alert_rules(&thresholds, &options);
        assert!(text.contains(">= 0.75)\n") && text.contains(">= 0.72)\n"), "with the margin");
        assert!(text.contains(r#"up{job="storage"} == 0"#));
        assert!(text.contains("\"https://wiki/r#plimsollvolumeorphaned\""));
    }

    #[test]
    fn whoever_gives_way_comes_later() {
        let text = alert_rules(&Thresholds::default(), &RuleOptions::default());
        let place = |name: &str| text.find(&format!("alert: {name}\n")).expect(name);
        for condition in all() {
            for further in condition.gives_way_to() {
                assert!(place(further.alert) < place(condition.alert), "{}", condition.id);
            }
        }
    }
}
