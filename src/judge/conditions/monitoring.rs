//! Alerts that only Prometheus can tell: that Plimsoll is not there, or does not do its work, and
//! what shows only when many hosts are looked at together. No finding says it, and nothing but
//! Prometheus sends it.

use crate::model::Severity;

/// One such alert.
#[derive(Debug)]
pub struct MonitoringAlert {
    /// Name of the alert.
    pub alert: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Seconds it must hold before anybody is told.
    pub hold_seconds: f64,
    /// The expression; `$job` stands for the name of the job that scrapes Plimsoll.
    pub expr: &'static str,
    /// Labels beside those that its expression keeps of the target.
    pub labels: &'static [&'static str],
    /// It speaks of many hosts, and has no label `instance`.
    pub fleet: bool,
    /// A few words.
    pub summary: &'static str,
    /// One sentence, a template over the labels.
    pub description: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// How to check it.
    pub check: &'static str,
    /// What to do.
    pub action: &'static str,
}

/// Plimsoll of one host cannot be scraped.
pub static DOWN: MonitoringAlert = MonitoringAlert {
    alert: "PlimsollDown",
    severity: Severity::Warning,
    hold_seconds: 300.0,
    expr: "up{job=\"$job\"} == 0",
    labels: &[],
    fleet: false,
    summary: "Plimsoll cannot be scraped",
    description: "Prometheus has not reached Plimsoll on {{ $labels.instance }} for five minutes: \
          nothing is known of its storage.",
    meaning: "The daemon does not run, the host is down, or the network between it and Prometheus is. \
          No alert of that host can fire meanwhile, except those that its own sidecar sends.",
    check: "Is the host up? `systemctl status plimsoll` and its journal; the page of the targets in \
          Prometheus has the error.",
    action: "Start the daemon; for planned work give the target the label `maintenance=\"true\"` \
          (docs/alerts.md).",
};

/// Many at once.
pub static MANY_DOWN: MonitoringAlert = MonitoringAlert {
    alert: "PlimsollManyDown",
    severity: Severity::Critical,
    hold_seconds: 300.0,
    expr: "count by (job) (up{job=\"$job\", maintenance!=\"true\"} == 0) / count by (job) \
          (up{job=\"$job\", maintenance!=\"true\"}) >= 0.2 and count by (job) \
          (up{job=\"$job\", maintenance!=\"true\"} == 0) >= 3",
    labels: &["job"],
    fleet: true,
    summary: "Plimsoll cannot be scraped on many hosts",
    description: "Prometheus does not reach {{ $value | humanizePercentage }} of the hosts of job \
          {{ $labels.job }}.",
    meaning: "A fifth of the hosts or more are not seen, and at least three: rather a network, a change \
          of configuration or a bad release than so many hosts.",
    check: "See what the hosts have in common (rack, zone, version in `plimsoll_build_info`), and \
          whether Prometheus reaches anything else there.",
    action: "Mend what they have in common. Alertmanager's example keeps the single hosts' \
          PlimsollDown quiet meanwhile.",
};

/// No host at all.
pub static ABSENT: MonitoringAlert = MonitoringAlert {
    alert: "PlimsollAbsent",
    severity: Severity::Critical,
    hold_seconds: 600.0,
    expr: "absent(up{job=\"$job\"})",
    labels: &["job"],
    fleet: true,
    summary: "No host with Plimsoll is known",
    description: "Prometheus has no target of job {{ $labels.job }}: no alert of Plimsoll can fire.",
    meaning: "The job is not in Prometheus' configuration, has another name than the rules were made \
          for (`plimsoll rules --job`), or its service discovery finds nothing.",
    check: "The pages of targets and of service discovery in Prometheus; `plimsoll discover --once` \
          where agents are found by it.",
    action: "Mend the scrape configuration or the discovery, or make the rules anew with the job's \
          name.",
};

/// It answers, and what it shows does not change.
pub static SNAPSHOT_STALE: MonitoringAlert = MonitoringAlert {
    alert: "PlimsollSnapshotStale",
    severity: Severity::Warning,
    hold_seconds: 300.0,
    expr: "time() - plimsoll_snapshot_timestamp_seconds >= 600",
    labels: &[],
    fleet: false,
    summary: "Plimsoll shows an old snapshot",
    description: "What Plimsoll on {{ $labels.instance }} shows is {{ $value | humanizeDuration }} \
          old.",
    meaning: "The daemon answers scrapes, but made no new snapshot for ten minutes; usually it makes \
          one every few seconds. Or the clocks of this host and of Prometheus differ.",
    check: "The journal of the daemon; `date` on both hosts; `plimsoll_usage_cpu_seconds_total` and \
          `process_threads`.",
    action: "Set the clock right; else restart the daemon and report it with its journal.",
};

/// It does not stay up.
pub static RESTARTING: MonitoringAlert = MonitoringAlert {
    alert: "PlimsollRestarting",
    severity: Severity::Warning,
    hold_seconds: 0.0,
    expr: "changes(process_start_time_seconds{job=\"$job\"}[30m]) >= 3",
    labels: &[],
    fleet: false,
    summary: "Plimsoll restarts again and again",
    description: "Plimsoll on {{ $labels.instance }} started {{ $value }} times within half an hour.",
    meaning: "The daemon ends soon after its start, or something restarts it: between the starts \
          values are old and hold times begin anew in Prometheus.",
    check: "`systemctl status plimsoll` and its journal: the last lines before the end; the kernel's \
          log for the out-of-memory killer.",
    action: "Mend what the journal says; if it is a panic, report it.",
};

/// It was told to take up a configuration, and refused.
pub static RELOAD_FAILED: MonitoringAlert = MonitoringAlert {
    alert: "PlimsollConfigReloadFailed",
    severity: Severity::Warning,
    hold_seconds: 600.0,
    expr: "plimsoll_config_last_reload_successful == 0",
    labels: &[],
    fleet: false,
    summary: "Plimsoll refused a new configuration",
    description: "Plimsoll on {{ $labels.instance }} works with the configuration before the last \
          reload, which was refused.",
    meaning: "The file that was there at the last reload has an error, and the daemon would not start \
          with it; or it asks for what the running daemon has locked itself out of (\"restart needed\"). \
          The configuration before stays in force.",
    check: "The journal of the daemon has the line and what is wrong with it; `plimsoll check` says the \
          same of a file with an error.",
    action: "Mend the file and reload again (`systemctl reload plimsoll`). Where the journal says \
          \"restart needed\", restart the daemon.",
};

/// One server, many hosts.
pub static NETWORK_STORAGE_MANY_HOSTS: MonitoringAlert = MonitoringAlert {
    alert: "PlimsollNetworkStorageManyHosts",
    severity: Severity::Critical,
    hold_seconds: 0.0,
    expr: "count by (job, server, export) (count by (job, instance, server, export) \
          (ALERTS{alertstate=\"firing\", alertname=~\"Plimsoll.+\", severity=\"critical\", \
          server!=\"\", instance!=\"\"})) >= 2",
    labels: &["job", "server", "export"],
    fleet: true,
    summary: "Network storage fails on many hosts",
    description: "{{ $labels.export }} of {{ $labels.server }} is in trouble on {{ $value }} hosts.",
    meaning: "Two hosts or more have a critical alert about one export: it is the server or the network \
          to it, not the hosts. This is the one page about it; Alertmanager's example keeps those of \
          the hosts quiet.",
    check: "`ALERTS{server=\"…\"}` lists the hosts with what each sees. Look whether the server is \
          there, and whether it is full.",
    action: "Bring the server back, or free space on it: the runbook's sections of the hosts' alerts \
          say more.",
};

/// The same, not as bad.
pub static NETWORK_STORAGE_MANY_HOSTS_DEGRADED: MonitoringAlert = MonitoringAlert {
    alert: "PlimsollNetworkStorageManyHostsDegraded",
    severity: Severity::Warning,
    hold_seconds: 0.0,
    expr: "count by (job, server, export) (count by (job, instance, server, export) \
          (ALERTS{alertstate=\"firing\", alertname=~\"Plimsoll.+\", severity=\"warning\", \
          server!=\"\", instance!=\"\"})) >= 2 unless on (job, server, export) \
          ALERTS{alertstate=\"firing\", alertname=\"PlimsollNetworkStorageManyHosts\"}",
    labels: &["job", "server", "export"],
    fleet: true,
    summary: "Network storage is in a bad way on many hosts",
    description: "{{ $labels.export }} of {{ $labels.server }} is slow, filling or losing requests on \
          {{ $value }} hosts.",
    meaning: "Two hosts or more have a warning about one export: it is the server or the network to \
          it, not the hosts.",
    check: "`ALERTS{server=\"…\"}` lists the hosts with what each sees.",
    action: "See the runbook's sections of the hosts' alerts; begin at the server.",
};

/// Every such alert, in the order of the runbook.
pub static MONITORING: [&MonitoringAlert; 8] = [
    &DOWN,
    &MANY_DOWN,
    &ABSENT,
    &SNAPSHOT_STALE,
    &RESTARTING,
    &RELOAD_FAILED,
    &NETWORK_STORAGE_MANY_HOSTS,
    &NETWORK_STORAGE_MANY_HOSTS_DEGRADED,
];

impl MonitoringAlert {
    /// The expression for that job. The name is that of a job in Prometheus' configuration, any
    /// text.
    pub fn promql(&self, job: &str) -> String {
        let quoted = job.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        self.expr.replace("$job", &quoted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::all;
    use super::*;

    #[test]
    fn entries_follow_the_customs_of_the_conditions() {
        let mut names: HashSet<&str> = all().map(|condition| condition.alert).collect();
        for entry in MONITORING {
            assert!(names.insert(entry.alert), "{} twice", entry.alert);
            assert!(entry.alert.starts_with("Plimsoll"));
            assert!(!entry.summary.ends_with('.'), "{}", entry.alert);
            for text in [entry.description, entry.meaning, entry.check, entry.action] {
                assert!(text.ends_with('.'), "{}: {text}", entry.alert);
            }
            // A host's alert keeps all labels of its target, a fleet's none but its own.
            assert_eq!(entry.labels.contains(&"job"), entry.fleet, "{}", entry.alert);
        }
    }

    #[test]
    fn the_name_of_the_job_cannot_break_out_of_its_quotes() {
        assert_eq!(DOWN.promql("storage"), r#"up{job="storage"} == 0"#);
        assert_eq!(DOWN.promql(r#"a"} or up{x="\"#), r#"up{job="a\"} or up{x=\"\\"} == 0"#);
    }
}
