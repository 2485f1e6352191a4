//! Recording rules: what a fleet's overview shows, summed up once instead of by every panel.

use super::yaml::{Group, Rule, file};

const HEAD: &str = "\
Recording rules of Plimsoll for Prometheus, made by `plimsoll rules --recording`: do not edit. Names say
by which labels they are summed up, of which metric, and how: level:metric:operation.";

/// Filesystems of the host itself: one on the network would count once for every host.
macro_rules! local {
    ($metric:literal) => {
        concat!(
            "(",
            $metric,
            " unless on (job, instance, mount_point) plimsoll_filesystem_info{remote=\"true\"})"
        )
    };
}

/// Series of orphaned volumes only.
macro_rules! orphaned {
    ($metric:literal) => {
        concat!(
            "(",
            $metric,
            " and on (job, instance, source, role, volume, disk) \
             plimsoll_volume_state{state=\"orphaned\"} == 1)"
        )
    };
}

/// Groups with the names and expressions of their rules. Each group is evaluated on its own thread.
const GROUPS: [(&str, &[(&str, &str)]); 6] = [
    (
        "plimsoll_fleet_hosts",
        &[
            (
                "job_version:plimsoll_build_info:count",
                "count by (job, version) (plimsoll_build_info)",
            ),
            ("job:plimsoll_build_info:count", "count by (job) (plimsoll_build_info)"),
            ("job:plimsoll_agent_up:count", "count by (job) (plimsoll_agent_up)"),
            ("job:plimsoll_agent_up:sum", "sum by (job) (plimsoll_agent_up)"),
            (
                "job_kind_severity:plimsoll_findings:sum",
                "sum by (job, kind, severity) (plimsoll_findings)",
            ),
            ("job:plimsoll_usage_debt_seconds:max", "max by (job) (plimsoll_usage_debt_seconds)"),
            ("job:plimsoll_series_dropped:sum", "sum by (job) (plimsoll_series_dropped)"),
            ("job:plimsoll_gc_pending_bytes:sum", "sum by (job) (plimsoll_gc_pending_bytes)"),
            (
                "job_role_reservation:plimsoll_agent_disk_bytes:sum",
                "sum by (job, role, reservation) (plimsoll_agent_disk_bytes)",
            ),
            (
                "job_role_reservation:plimsoll_agent_disk_allocated_bytes:sum",
                "sum by (job, role, reservation) (plimsoll_agent_disk_allocated_bytes)",
            ),
        ],
    ),
    (
        "plimsoll_fleet_filesystems",
        &[
            (
                "job:plimsoll_filesystem_size_bytes:sum",
                concat!("sum by (job) ", local!("plimsoll_filesystem_size_bytes")),
            ),
            (
                "job:plimsoll_filesystem_available_bytes:sum",
                concat!("sum by (job) ", local!("plimsoll_filesystem_available_bytes")),
            ),
            (
                "job:plimsoll_filesystem_promised_bytes:sum",
                concat!("sum by (job) ", local!("plimsoll_filesystem_promised_bytes")),
            ),
            (
                "instance:plimsoll_filesystem_used:ratio_max",
                "max by (job, instance) (1 - plimsoll_filesystem_available_bytes / \
                 (plimsoll_filesystem_size_bytes - plimsoll_filesystem_free_bytes + \
                 plimsoll_filesystem_available_bytes))",
            ),
            (
                "instance:plimsoll_filesystem_full_timestamp_seconds:min",
                "min by (job, instance) (plimsoll_filesystem_full_timestamp_seconds)",
            ),
        ],
    ),
    (
        "plimsoll_fleet_volumes",
        &[
            (
                "job_role:plimsoll_volume_used_bytes:sum",
                "sum by (job, role) (plimsoll_volume_used_bytes)",
            ),
            (
                "job_role:plimsoll_volume_quota_bytes:sum",
                "sum by (job, role) (plimsoll_volume_quota_bytes)",
            ),
            (
                "job_role:plimsoll_volume_over_quota_bytes:sum",
                "sum by (job, role) (plimsoll_volume_over_quota_bytes)",
            ),
            ("job_state:plimsoll_volume_state:sum", "sum by (job, state) (plimsoll_volume_state)"),
            (
                "instance:plimsoll_volume_orphaned_bytes:sum",
                concat!("sum by (job, instance) ", orphaned!("plimsoll_volume_used_bytes")),
            ),
            (
                "job:plimsoll_volume_orphaned_bytes:sum",
                "sum by (job) (instance:plimsoll_volume_orphaned_bytes:sum)",
            ),
            (
                "instance:plimsoll_volume_full_timestamp_seconds:min",
                "min by (job, instance) (plimsoll_volume_full_timestamp_seconds)",
            ),
        ],
    ),
    (
        "plimsoll_fleet_sandboxes",
        &[
            (
                "job_framework:plimsoll_sandbox_used_bytes:sum",
                "sum by (job, framework) (plimsoll_sandbox_used_bytes)",
            ),
            (
                "job_state:plimsoll_finished_sandboxes:sum",
                "sum by (job, state) (plimsoll_finished_sandboxes)",
            ),
            (
                "job_state:plimsoll_finished_sandbox_used_bytes:sum",
                "sum by (job, state) (plimsoll_finished_sandbox_used_bytes)",
            ),
        ],
    ),
    (
        "plimsoll_fleet_io",
        &[
            (
                "job_framework:plimsoll_container_io_read_bytes:rate5m",
                "sum by (job, framework) (rate(plimsoll_container_io_read_bytes_total[5m]))",
            ),
            (
                "job_framework:plimsoll_container_io_written_bytes:rate5m",
                "sum by (job, framework) (rate(plimsoll_container_io_written_bytes_total[5m]))",
            ),
            (
                "job_framework:plimsoll_container_io_read_throttled_seconds:rate5m",
                "sum by (job, framework) \
                 (rate(plimsoll_container_io_read_throttled_seconds_total[5m]))",
            ),
            (
                "job_framework:plimsoll_container_io_write_throttled_seconds:rate5m",
                "sum by (job, framework) \
                 (rate(plimsoll_container_io_write_throttled_seconds_total[5m]))",
            ),
        ],
    ),
    (
        "plimsoll_fleet_network",
        &[
            (
                "job_server_export:plimsoll_network_filesystem_responsive:count",
                "count by (job, server, export) (plimsoll_network_filesystem_responsive)",
            ),
            (
                "job_server_export:plimsoll_network_filesystem_responsive:sum",
                "sum by (job, server, export) (plimsoll_network_filesystem_responsive)",
            ),
            (
                "job_server_export:plimsoll_network_filesystem_read_bytes:rate5m",
                "sum by (job, server, export) \
                 (rate(plimsoll_network_filesystem_read_bytes_total[5m]))",
            ),
            (
                "job_server_export:plimsoll_network_filesystem_written_bytes:rate5m",
                "sum by (job, server, export) \
                 (rate(plimsoll_network_filesystem_written_bytes_total[5m]))",
            ),
            (
                "job_server_export:plimsoll_network_filesystem_operations:rate5m",
                "sum by (job, server, export) \
                 (rate(plimsoll_network_filesystem_operations_total{operation!=\"SESSION\"}[5m]))",
            ),
            (
                "job_server_export:plimsoll_network_filesystem_operation_execute_seconds:rate5m",
                "sum by (job, server, export) \
                 (rate(plimsoll_network_filesystem_operation_execute_seconds_total{operation!=\"SESSION\"}[5m]))",
            ),
        ],
    ),
];

/// The file of recording rules.
pub fn recording_rules() -> String {
    let groups = GROUPS.map(|(name, rules)| Group {
        name,
        rules: rules
            .iter()
            .map(|(record, expr)| Rule {
                makes: ("record", record),
                expr: (*expr).to_owned(),
                hold_seconds: 0.0,
                keep_seconds: 0.0,
                labels: Vec::new(),
                annotations: Vec::new(),
            })
            .collect(),
    });
    file(HEAD, &groups)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::expose::catalogue;

    #[test]
    fn each_is_named_once_after_a_metric_that_there_is() {
        let mut names = HashSet::new();
        for (_, rules) in GROUPS {
            for (record, expr) in rules {
                assert!(names.insert(*record), "{record} twice");
                let parts: Vec<&str> = record.split(':').collect();
                assert_eq!(parts.len(), 3, "{record}");
                // Every metric in it is declared, or recorded before.
                let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
                for word in words.filter(|word| word.contains("plimsoll_")) {
                    let known = catalogue::find(word).is_some() || names.contains(word);
                    assert!(known, "{record}: {word}");
                }
                for level in parts[0].split('_') {
                    assert!(expr.contains(level), "{record} by {level}");
                }
            }
        }
    }
}
