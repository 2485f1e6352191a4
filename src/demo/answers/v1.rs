//! The versioned API: `POST /api/v1`.

use serde_json::{Value, json};

use super::super::cast::{Cast, Executor, Framework, Task};
use super::super::resources::{Format, to_json};
use super::{
    ATTRIBUTES, HOSTNAME, container_id, flags, limits, present_state, statistics, version,
};
use crate::discover::mesos::proto::TaskState;
use crate::model::Resource;

/// An answer of `POST /api/v1`; `None`: no such call here.
pub fn v1(cast: &Cast, port: u16, call: &Value) -> Option<Value> {
    let kind = call["type"].as_str()?;
    let inner = match kind {
        "GET_AGENT" => json!({ "agent_info": agent_info(cast, port) }),
        "GET_CONTAINERS" => json!({ "containers": v1_containers(cast, &call["get_containers"]) }),
        "GET_EXECUTORS" => v1_executors(cast),
        "GET_FLAGS" => {
            let flags = flags(cast, port);
            let list = flags.as_object().into_iter().flatten();
            let list = list.map(|(name, value)| json!({ "name": name, "value": value }));
            json!({ "flags": list.collect::<Vec<_>>() })
        }
        "GET_FRAMEWORKS" => v1_frameworks(cast),
        "GET_HEALTH" => json!({ "healthy": true }),
        "GET_OPERATIONS" | "GET_RESOURCE_PROVIDERS" => json!({}),
        "GET_TASKS" => v1_tasks(cast),
        "GET_VERSION" => json!({ "version_info": version() }),
        _ => return None,
    };
    let mut out = json!({ "type": kind });
    out[kind.to_lowercase()] = inner;
    Some(out)
}

fn agent_info(cast: &Cast, port: u16) -> Value {
    let attributes = ATTRIBUTES
        .map(|(name, text)| json!({ "name": name, "type": "TEXT", "text": { "value": text } }));
    json!({
        "hostname": HOSTNAME,
        "port": port,
        "resources": v1_resources(&cast.agent_resources),
        "attributes": attributes,
        "id": { "value": cast.agent_id },
    })
}

fn v1_resources(resources: &[Resource]) -> Vec<Value> {
    resources.iter().map(|resource| to_json(resource, Format::V1)).collect()
}

fn v1_containers(cast: &Cast, show: &Value) -> Vec<Value> {
    let mut list = Vec::new();
    let pid = std::process::id();
    for (framework, executor) in cast.live() {
        let id = json!({ "value": executor.container });
        list.push(json!({
            "framework_id": { "value": framework.id },
            "executor_id": { "value": executor.id },
            "executor_name": executor.name(),
            "container_id": id,
            "container_status": { "container_id": id, "executor_pid": pid },
            "resource_statistics": statistics(cast, framework, executor),
        }));
        if show["show_nested"] != json!(true) {
            continue;
        }
        for task in executor.tasks.iter().filter(|task| task.child.is_some()) {
            // As a real agent: only the status names the parent.
            list.push(json!({
                "container_id": { "value": task.child },
                "container_status": {
                    "container_id": container_id(executor, task),
                    "executor_pid": pid,
                },
                "resource_statistics": limits(task.resources.iter()),
            }));
        }
    }
    if show["show_standalone"] == json!(true) {
        let id = json!({ "value": cast.standalone });
        list.push(json!({
            "container_id": id,
            "container_status": { "container_id": id, "executor_pid": pid },
            "resource_statistics": limits([].iter()),
        }));
    }
    list
}

fn v1_executors(cast: &Cast) -> Value {
    let list = |completed: bool| -> Vec<Value> {
        let all = cast.frameworks.iter().flat_map(|f| f.executors.iter().map(move |e| (f, e)));
        let of_kind = all.filter(|(_, executor)| executor.completed == completed);
        of_kind.map(|(framework, executor)| v1_executor(framework, executor)).collect()
    };
    json!({ "executors": list(false), "completed_executors": list(true) })
}

fn v1_executor(framework: &Framework, executor: &Executor) -> Value {
    let mut info = json!({
        "executor_id": { "value": executor.id },
        "framework_id": { "value": framework.id },
        "resources": v1_resources(&executor.resources),
    });
    if executor.default {
        info["type"] = json!("DEFAULT");
        info["container"] = json!({ "type": "MESOS" });
    } else {
        info["name"] = json!(executor.name());
        info["source"] = json!(executor.id);
    }
    json!({ "executor_info": info })
}

fn v1_frameworks(cast: &Cast) -> Value {
    let list = cast.frameworks.iter().map(|framework| {
        json!({ "framework_info": {
            "user": "root",
            "name": framework.name,
            "id": { "value": framework.id },
            "failover_timeout": 3600.0,
            "checkpoint": framework.checkpoint,
            "roles": [framework.role],
            "principal": framework.principal,
            "capabilities": [{ "type": "MULTI_ROLE" }, { "type": "SHARED_RESOURCES" }],
        }})
    });
    json!({ "frameworks": list.collect::<Vec<_>>(), "completed_frameworks": [] })
}

fn v1_tasks(cast: &Cast) -> Value {
    let (mut launched, mut completed) = (Vec::new(), Vec::new());
    for framework in &cast.frameworks {
        for executor in &framework.executors {
            let list = if executor.completed { &mut completed } else { &mut launched };
            list.extend(executor.tasks.iter().map(|t| v1_task(cast, framework, executor, t)));
        }
    }
    json!({
        "pending_tasks": [],
        "queued_tasks": [],
        "launched_tasks": launched,
        "terminated_tasks": [],
        "completed_tasks": completed,
    })
}

fn v1_task(cast: &Cast, framework: &Framework, executor: &Executor, task: &Task) -> Value {
    let status = |state: &TaskState| {
        json!({
            "task_id": { "value": task.id },
            "state": state.as_str_name(),
            "source": "SOURCE_EXECUTOR",
            "agent_id": { "value": cast.agent_id },
            "executor_id": { "value": executor.id },
            "timestamp": cast.started,
            "container_status": {
                "container_id": container_id(executor, task),
                "executor_pid": std::process::id(),
            },
        })
    };
    let mut out = json!({
        "name": task.name,
        "task_id": { "value": task.id },
        "framework_id": { "value": framework.id },
        "agent_id": { "value": cast.agent_id },
        "state": present_state(executor),
        "resources": v1_resources(&task.resources),
        "statuses": executor.states().iter().map(status).collect::<Vec<_>>(),
        "status_update_state": present_state(executor),
        "user": "root",
    });
    if executor.default {
        out["executor_id"] = json!({ "value": executor.id });
    }
    out
}
