use plimsoll::expose::api::Resource;
use plimsoll::expose::rows::{
    sandboxes, sandboxes_by_what_matters, volumes, volumes_by_what_matters,
};
use serde_json::{Value, json};

use crate::sample_snapshot;

fn answer(resource: Resource) -> Value {
    let json = resource.render(&sample_snapshot::troubled()).expect("plain data");
    serde_json::from_slice(&json).expect("valid JSON")
}

fn find<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    list.as_array()
        .expect("an array")
        .iter()
        .find(|row| row[key] == value)
        .unwrap_or_else(|| panic!("no row with {key} {value}"))
}

#[test]
fn a_volume_speaks_the_words_of_the_metrics() {
    let list = answer(Resource::Volumes);
    assert_eq!(
        *find(&list, "volume", "mariadb-1-data"),
        json!({
            "source": "mesos", "role": "galera", "volume": "mariadb-1-data", "disk": "ROOT", "disk_type": "ROOT",
            "kind": "persistent", "path": "/var/lib/mesos/volumes/roles/galera/mariadb-1-data", "state": "in_use",
            "reason": "A running task holds it.", "orphan_reason": null, "used_bytes": 27917287424_u64,
            "apparent_bytes": 31905471341_u64, "quota_bytes": 21474836480_u64, "available_bytes": 0, "files": 425985,
            "growth_bytes_per_second": 2097152.0, "full_timestamp_seconds": 1764102750.25, "full_by": "quota",
            "holders": [{
                "framework": "3d1f2c66-galera-0001", "framework_name": "galera", "executor": "node-0", "task": "node-0",
                "container": "c-node-0", "container_path": "data", "read_only": false, "sees": "whole",
            }],
            "mounts": [{ "mount_point": "/var/lib/mesos/slaves/S0/data", "container": "c1" }],
            "shared": false, "principal": "galera-principal", "reservation": "dynamic", "container_path": "data",
            "driver": null, "remote": null, "anonymous": null, "labels": {}, "enforcement": "soft_kill", "method": "walk", "filesystem": "/var/lib/mesos",
            "log_limit_bytes": null,
            "created_timestamp_seconds": 1761251550.375,
            "newest_change_timestamp_seconds": 1763842950.25, "measured_timestamp_seconds": 1763843460.125,
            "measure_failed": false, "measure_error": null,
            "first_seen_timestamp_seconds": 1763757150.25, "last_used_timestamp_seconds": 1763843545.25,
            "state_since_timestamp_seconds": null, "peak_bytes": 27918336000_u64,
            "peak_timestamp_seconds": 1763839950.25, "over_quota_bytes": 6442450944_u64,
            "over_quota_since_timestamp_seconds": 1763836350.25,
            "quota_changed_timestamp_seconds": 1763841750.25, "quota_before_bytes": 1073741824,
        })
    );
    let missing = find(&list, "volume", "binlog");
    assert_eq!(missing["used_bytes"], Value::Null);
    assert_eq!(missing["state"], "missing");
    let orphan = find(&list, "volume", "datanode-3-old");
    assert_eq!(orphan["orphan_reason"], "destroyed");
    assert_eq!(orphan["quota_bytes"], Value::Null);
    let hostile = find(&list, "disk", "HOST_PATH");
    assert_eq!(hostile["path"], "/srv/\\xff\\xfe<img src=x>/a\nb");
    assert_eq!(hostile["measure_failed"], true);
    assert_eq!(hostile["measure_error"], "reading /srv/<img src=x>: permission denied");
}

#[test]
fn every_sandbox_is_listed() {
    let list = answer(Resource::Sandboxes);
    assert_eq!(list.as_array().map(Vec::len), Some(sample_snapshot::troubled().sandboxes.len()));
    let leaked = find(&list, "state", "leaked");
    assert_eq!(leaked["executor"], "lost-0");
    assert_eq!(leaked["used_bytes"], 2_u64 << 30);
    let nested = find(&list, "kind", "nested");
    assert_eq!(nested["container"], "pod-1-5c0e-4d3a.db");
    let pod = find(&list, "kind", "default_executor");
    assert_eq!(
        pod["tasks"][1],
        json!({ "task": "backup-1", "task_name": "backup", "container": "pod-1-5c0e-4d3a.backup" })
    );
}

#[test]
fn filesystems_agent_and_sources() {
    let list = answer(Resource::Filesystems);
    assert_eq!(
        *find(&list, "mount_point", "/mnt/nfs"),
        json!({
            "mount_point": "/mnt/nfs", "device": "filer:/export/home", "fstype": "nfs4", "device_number": "0:77",
            "remote": true, "responsive": false, "readonly": null, "size_bytes": null, "free_bytes": null,
            "available_bytes": null, "unattributed_bytes": null, "promised_bytes": null, "growth_bytes_per_second": null,
            "full_timestamp_seconds": null, "files": null, "files_free": null,
            "measured_timestamp_seconds": null,
        })
    );
    let agent = answer(Resource::Agent);
    assert_eq!(agent["up"], true);
    assert_eq!(agent["attributes"], json!({ "rack": "4" }));
    assert!(agent.get("flags").is_none(), "flags may name secrets");
    assert_eq!(
        agent["resources"][1],
        json!({
            "role": "cassandra", "reservation": "dynamic", "cpus": 8.0, "cpus_allocated": 8.0,
            "memory_bytes": 34359738368_u64, "memory_allocated_bytes": 34359738368_u64,
            "disk_bytes": 225485783040_u64, "disk_allocated_bytes": 214748364800_u64, "ports": null,
            "ports_allocated": null,
        })
    );
    assert_eq!(
        agent["persistent_disk"],
        json!([
            { "role": "cassandra", "disk": "/mnt/ssd0", "bytes": 214748364800_u64 },
            { "role": "cassandra", "disk": "ROOT", "bytes": 10737418240_u64 },
        ])
    );
    let sources = answer(Resource::Sources);
    let runtime = find(&sources, "collector", "mesos_runtime");
    assert_eq!(runtime["health"], "failed");
    assert_eq!(runtime["errors"][0]["reason"], "permission");
    assert_eq!(runtime["errors"][0]["hint"], "Give the service CAP_DAC_READ_SEARCH.");
    assert_eq!(answer(Resource::Disagreements)[0]["subject"], "mysql / binlog");
}

#[test]
fn what_matters_comes_first() {
    let snapshot = sample_snapshot::troubled();
    let mut rows = volumes(&snapshot);
    rows.sort_by(volumes_by_what_matters);
    let order: Vec<&str> = rows.iter().map(|row| row.volume).collect();
    assert_eq!(
        order[..6],
        [
            "binlog",
            "mariadb-1-data",
            "datanode-3-old",
            "4a1f0c7e-commitlog",
            "shared-backups",
            "data-0"
        ]
    );
    let mut rows = sandboxes(&snapshot);
    rows.sort_by(sandboxes_by_what_matters);
    let order: Vec<&str> = rows.iter().map(|row| row.executor).collect();
    assert_eq!(order[..3], ["build-4711", "lost-0", "lost-1"]);
    assert_eq!(order[9], "mariadb-1");
}
