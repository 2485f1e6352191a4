//! What the scene's agent answers, in the shape of a real agent's answers.

mod v1;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::cast::{Cast, Executor, Framework, Task};
use super::resources::{Format, summed, to_json, total};
use crate::model::Resource;

pub use v1::v1;

/// Host name the agent registered with.
pub const HOSTNAME: &str = "demo.plimsoll.example";
/// Its attributes.
pub const ATTRIBUTES: [(&str, &str); 2] = [("rack", "r1"), ("zone", "demo")];

/// `GET /state`.
pub fn state(cast: &Cast, port: u16) -> Value {
    let mut out = version();
    let capabilities = [
        "MULTI_ROLE",
        "HIERARCHICAL_ROLE",
        "RESERVATION_REFINEMENT",
        "RESOURCE_PROVIDER",
        "RESIZE_VOLUME",
        "AGENT_OPERATION_FEEDBACK",
        "AGENT_DRAINING",
        "TASK_RESOURCE_LIMITS",
    ];
    let held = || cast.live().flat_map(|(_, executor)| executor.all_resources());
    let held_reserved: Vec<&Resource> = held().filter(|r| !r.reservations.is_empty()).collect();
    let held_unreserved: Vec<&Resource> = held().filter(|r| r.reservations.is_empty()).collect();
    let mut full: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for resource in &cast.reserved {
        full.entry(resource.role()).or_default().push(to_json(resource, Format::State));
    }
    let unreserved: Vec<Value> =
        cast.unreserved.iter().map(|resource| to_json(resource, Format::State)).collect();
    let frameworks: Vec<Value> =
        cast.frameworks.iter().map(|framework| state_framework(cast, framework)).collect();
    let rest = json!({
        "start_time": cast.started,
        "id": cast.agent_id,
        "pid": format!("slave(1)@127.0.0.1:{port}"),
        "hostname": HOSTNAME,
        "capabilities": capabilities,
        "resources": summed(&cast.agent_resources),
        "reserved_resources": by_role(cast.reserved.iter()),
        "unreserved_resources": summed(&cast.unreserved),
        "reserved_resources_full": full,
        "unreserved_resources_full": unreserved,
        "reserved_resources_allocated": by_role(held_reserved),
        "unreserved_resources_allocated": summed(held_unreserved),
        "resource_providers": [],
        "attributes": BTreeMap::from(ATTRIBUTES),
        "master_hostname": "localhost",
        "flags": flags(cast, port),
        "frameworks": frameworks,
        "completed_frameworks": [],
    });
    if let (Some(out), Value::Object(rest)) = (out.as_object_mut(), rest) {
        out.extend(rest);
    }
    out
}

fn by_role<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Value {
    let mut roles: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
    for resource in resources {
        roles.entry(resource.role()).or_default().push(resource);
    }
    json!(roles.into_iter().map(|(role, list)| (role, summed(list))).collect::<BTreeMap<_, _>>())
}

fn state_framework(cast: &Cast, framework: &Framework) -> Value {
    let executors = |completed: bool| -> Vec<Value> {
        let of_kind = framework.executors.iter().filter(|e| e.completed == completed);
        of_kind.map(|executor| state_executor(cast, framework, executor)).collect()
    };
    json!({
        "id": framework.id,
        "name": framework.name,
        "user": "root",
        "failover_timeout": 3600.0,
        "checkpoint": framework.checkpoint,
        "hostname": "",
        "principal": framework.principal,
        "roles": [framework.role],
        "executors": executors(false),
        "completed_executors": executors(true),
    })
}

fn state_executor(cast: &Cast, framework: &Framework, executor: &Executor) -> Value {
    let tasks: Vec<Value> =
        executor.tasks.iter().map(|task| state_task(cast, framework, executor, task)).collect();
    // Tasks that are over no longer count.
    let resources: Vec<&Resource> = match executor.completed {
        true => executor.resources.iter().collect(),
        false => executor.all_resources().collect(),
    };
    let (live, over) = if executor.completed { (vec![], tasks) } else { (tasks, vec![]) };
    let mut out = json!({
        "id": executor.id,
        "name": executor.name(),
        "source": if executor.default { "" } else { &executor.id },
        "container": executor.container,
        "directory": cast.sandbox(&cast.agent_id, framework, executor),
        "resources": summed(resources),
        "role": framework.role,
        "tasks": live,
        "queued_tasks": [],
        "completed_tasks": over,
    });
    if executor.default {
        out["type"] = json!("DEFAULT");
    }
    out
}

fn state_task(cast: &Cast, framework: &Framework, executor: &Executor, task: &Task) -> Value {
    let statuses: Vec<Value> = executor
        .states()
        .iter()
        .map(|state| {
            json!({
                "state": state.as_str_name(),
                "timestamp": cast.started,
                "container_status": { "container_id": container_id(executor, task) },
            })
        })
        .collect();
    json!({
        "id": task.id,
        "name": task.name,
        "framework_id": framework.id,
        "executor_id": if executor.default { &executor.id } else { "" },
        "slave_id": cast.agent_id,
        "state": present_state(executor),
        "resources": summed(&task.resources),
        "role": framework.role,
        "statuses": statuses,
        "user": "root",
    })
}

fn present_state(executor: &Executor) -> &'static str {
    executor.states().last().map_or("TASK_STAGING", |state| state.as_str_name())
}

/// With its parent when it is nested.
fn container_id(executor: &Executor, task: &Task) -> Value {
    match &task.child {
        Some(child) => json!({ "value": child, "parent": { "value": executor.container } }),
        None => json!({ "value": executor.container }),
    }
}

/// `flags` of `GET /flags`: those of the posix isolators, where volumes are symbolic links.
pub fn flags(cast: &Cast, port: u16) -> Value {
    let attributes = ATTRIBUTES.map(|(name, text)| format!("{name}:{text}")).join(";");
    let resources: Vec<Value> =
        cast.agent_resources.iter().map(|resource| to_json(resource, Format::V1)).collect();
    json!({
        "attributes": attributes,
        "authenticate_http_readonly": "false",
        "authenticate_http_readwrite": "false",
        "cgroups_hierarchy": "/sys/fs/cgroup",
        "cgroups_root": "mesos",
        "container_disk_watch_interval": "15secs",
        "containerizers": "mesos",
        "default_role": "*",
        "disk_watch_interval": "1mins",
        "enforce_container_disk_quota": "false",
        "gc_delay": "1weeks",
        "gc_disk_headroom": "0.1",
        "gc_non_executor_container_sandboxes": "false",
        "hostname": HOSTNAME,
        "ip": "127.0.0.1",
        "isolation": "posix/cpu,posix/mem,disk/du,filesystem/posix",
        "launcher": "posix",
        "port": port.to_string(),
        "resources": Value::from(resources).to_string(),
        "runtime_dir": cast.runtime_dir,
        "sandbox_directory": "/mnt/mesos/sandbox",
        "work_dir": cast.work_dir,
    })
}

/// `GET /version`.
pub fn version() -> Value {
    json!({
        "build_date": "2024-08-01 00:00:00 UTC",
        "build_time": 1_722_470_400.0,
        "build_user": "demo",
        "git_sha": "0000000000000000000000000000000000000000",
        "version": "1.11.0",
    })
}

/// `GET /metrics/snapshot`, the part that tells of disk.
pub fn metrics(cast: &Cast) -> Value {
    let completed = cast.frameworks.iter().flat_map(|f| &f.executors).filter(|e| e.completed);
    let over = completed.count() as f64;
    let running = cast.live().count() as f64;
    let tasks: usize = cast.live().map(|(_, executor)| executor.tasks.len()).sum();
    let held = || cast.live().flat_map(|(_, executor)| executor.all_resources());
    json!({
        // Sandbox, executor directory and their three checkpoints for each run that is over, and
        // two for the former agent id.
        "gc/path_removals_failed": 0.0,
        "gc/path_removals_pending": 5.0 * over + 2.0,
        "gc/path_removals_succeeded": 0.0,
        "slave/cpus_total": total(&cast.agent_resources, "cpus"),
        "slave/cpus_used": total(held(), "cpus"),
        "slave/disk_total": total(&cast.agent_resources, "disk"),
        "slave/disk_used": total(held(), "disk"),
        "slave/executors_running": running,
        "slave/executors_terminated": over,
        "slave/mem_total": total(&cast.agent_resources, "mem"),
        "slave/mem_used": total(held(), "mem"),
        "slave/registered": 1.0,
        "slave/tasks_finished": over,
        "slave/tasks_running": tasks as f64,
        "slave/uptime_secs": now() - cast.started,
    })
}

/// `GET /containers`: the top containers of executors.
pub fn containers(cast: &Cast) -> Value {
    let list = cast.live().map(|(framework, executor)| {
        json!({
            "container_id": executor.container,
            "executor_id": executor.id,
            "executor_name": executor.name(),
            "framework_id": framework.id,
            "source": if executor.default { "" } else { &executor.id },
            "statistics": statistics(cast, framework, executor),
            "status": {
                "container_id": { "value": executor.container },
                "executor_pid": std::process::id(),
            },
        })
    });
    list.collect()
}

/// What the isolator disk/du measures, here measured on the spot.
fn statistics(cast: &Cast, framework: &Framework, executor: &Executor) -> Value {
    let mut out = limits(executor.all_resources());
    let mut each = Vec::new();
    for volume in executor.all_resources() {
        let (Some(persistence), Some(dir)) = (volume.persistence(), cast.volume_dir(volume)) else {
            continue;
        };
        let mut entry = json!({
            "persistence": { "id": persistence.id, "principal": persistence.principal },
            "limit_bytes": volume.bytes(),
            "used_bytes": used(&dir),
        });
        let source = &to_json(volume, Format::V1)["disk"]["source"];
        if !source.is_null() {
            entry["source"] = source.clone();
        }
        each.push(entry);
    }
    let own = || executor.all_resources().filter(|r| r.persistence().is_none());
    let limit = (total(own(), "disk") * 1_048_576.0) as u64;
    let sandbox = used(&cast.sandbox(&cast.agent_id, framework, executor));
    each.push(json!({ "limit_bytes": limit, "used_bytes": sandbox }));
    out.insert("disk_limit_bytes".into(), json!(limit));
    out.insert("disk_used_bytes".into(), json!(sandbox));
    out.insert("disk_statistics".into(), json!(each));
    Value::Object(out)
}

/// Time and limits of cpus and memory: all that is known of a nested or standalone container.
fn limits<'a>(resources: impl Iterator<Item = &'a Resource> + Clone) -> Map<String, Value> {
    let memory = (total(resources.clone(), "mem") * 1_048_576.0) as u64;
    let mut out = Map::new();
    out.insert("timestamp".into(), json!(now()));
    out.insert("cpus_soft_limit".into(), json!(total(resources, "cpus")));
    out.insert("mem_limit_bytes".into(), json!(memory));
    out.insert("mem_soft_limit_bytes".into(), json!(memory));
    out
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Allocated bytes below a directory of the scene, links not followed: a few hundred files at
/// most. What vanishes meanwhile counts nothing.
pub fn used(path: &Path) -> u64 {
    let own = std::fs::symlink_metadata(path).map_or(0, |meta| meta.blocks() * 512);
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    own + entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => used(&entry.path()),
            _ => entry.metadata().map_or(0, |meta| meta.blocks() * 512),
        })
        .sum::<u64>()
}
