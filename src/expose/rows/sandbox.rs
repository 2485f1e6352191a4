//! Sandboxes as rows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::volume::{labels, ratio};
use crate::expose::paths::display;
use crate::model::{SandboxView, TaskRef};

/// A sandbox.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SandboxRow<'a> {
    /// Source that reports it.
    pub source: &'static str,
    /// Framework id, empty for standalone containers.
    pub framework: &'a str,
    /// Framework name, empty when not known.
    pub framework_name: &'a str,
    /// Executor id.
    pub executor: &'a str,
    /// Container id; nested ids are joined with a dot.
    pub container: &'a str,
    /// `command_executor`, `default_executor`, `custom_executor`, `executor`, `nested`,
    /// `standalone`, `docker`.
    pub kind: &'static str,
    /// `mesos` or `docker`.
    pub containerizer: Option<&'static str>,
    /// Role of the executor's resources.
    pub role: &'a str,
    /// Directory on the host; bytes that are not UTF-8 as `\xNN`.
    pub path: Cow<'a, str>,
    /// Agent id the path lies below.
    pub agent_id: &'a str,
    /// State.
    pub state: &'static str,
    /// One sentence: why this state.
    pub reason: &'a str,
    /// Allocated bytes.
    pub used_bytes: Option<u64>,
    /// Sum of file sizes.
    pub apparent_bytes: Option<u64>,
    /// Bytes its tasks asked for.
    pub quota_bytes: Option<u64>,
    /// Inodes.
    pub files: Option<u64>,
    /// Bytes a second it grows; negative when it shrinks.
    pub growth_bytes_per_second: Option<f64>,
    /// When it is full at this pace.
    pub full_timestamp_seconds: Option<f64>,
    /// What is full then: `quota` or `filesystem`.
    pub full_by: Option<&'static str>,
    /// Image of an engine's container.
    pub image: Option<&'a str>,
    /// Its first process, while it runs.
    pub pid: Option<u32>,
    /// Labels that the configuration asks for.
    pub labels: BTreeMap<&'a str, &'a str>,
    /// Tasks in it.
    pub tasks: Vec<TaskRow<'a>>,
    /// What happens past the quota.
    pub enforcement: &'static str,
    /// How used bytes were obtained.
    pub method: Option<&'static str>,
    /// Mount point of its filesystem.
    pub filesystem: Option<Cow<'a, str>>,
    /// Last time an entry was added to or removed from the directory.
    pub modified_timestamp_seconds: Option<f64>,
    /// When the agent is expected to remove it.
    pub expected_removal_timestamp_seconds: Option<f64>,
    /// When the last whole measurement ended.
    pub measured_timestamp_seconds: Option<f64>,
    /// The newest attempt to measure it failed.
    pub measure_failed: bool,
    /// Why it did.
    pub measure_error: Option<&'a str>,
    /// When it was first seen.
    pub first_seen_timestamp_seconds: Option<f64>,
    /// Since when it is in its state.
    pub state_since_timestamp_seconds: Option<f64>,
    /// Most bytes it was seen to hold.
    pub peak_bytes: Option<u64>,
    /// When it held those.
    pub peak_timestamp_seconds: Option<f64>,
    /// Bytes beyond its quota.
    pub over_quota_bytes: Option<u64>,
    /// Since when it holds more than its quota.
    pub over_quota_since_timestamp_seconds: Option<f64>,
    /// When its quota was last seen to change.
    pub quota_changed_timestamp_seconds: Option<f64>,
    /// Its quota before that.
    pub quota_before_bytes: Option<u64>,
}

/// A task of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskRow<'a> {
    /// Task id.
    pub task: &'a str,
    /// Task name.
    pub task_name: &'a str,
    /// Nested container it runs in; empty when in the executor's own.
    pub container: &'a str,
}

impl<'a> From<&'a TaskRef> for TaskRow<'a> {
    fn from(task: &'a TaskRef) -> Self {
        Self { task: &task.id, task_name: &task.name, container: &task.container }
    }
}

impl SandboxRow<'_> {
    /// Every field, in the order of the struct: the columns of a CSV.
    pub const FIELDS: &'static [&'static str] = &[
        "source",
        "framework",
        "framework_name",
        "executor",
        "container",
        "kind",
        "containerizer",
        "role",
        "path",
        "agent_id",
        "state",
        "reason",
        "used_bytes",
        "apparent_bytes",
        "quota_bytes",
        "files",
        "growth_bytes_per_second",
        "full_timestamp_seconds",
        "full_by",
        "image",
        "pid",
        "labels",
        "tasks",
        "enforcement",
        "method",
        "filesystem",
        "modified_timestamp_seconds",
        "expected_removal_timestamp_seconds",
        "measured_timestamp_seconds",
        "measure_failed",
        "measure_error",
        "first_seen_timestamp_seconds",
        "state_since_timestamp_seconds",
        "peak_bytes",
        "peak_timestamp_seconds",
        "over_quota_bytes",
        "over_quota_since_timestamp_seconds",
        "quota_changed_timestamp_seconds",
        "quota_before_bytes",
    ];
}

impl<'a> From<&'a SandboxView> for SandboxRow<'a> {
    fn from(view: &'a SandboxView) -> Self {
        let sandbox = &view.sandbox;
        let sample = view.measured.sample.as_ref();
        let failure = view.measured.failure.as_ref();
        let history = &view.history;
        Self {
            source: sandbox.key.source.as_str(),
            framework: &sandbox.key.framework,
            framework_name: &sandbox.framework_name,
            executor: &sandbox.key.executor,
            container: &sandbox.key.container,
            kind: sandbox.kind.as_str(),
            containerizer: sandbox.containerizer.map(|made_by| made_by.as_str()),
            role: &sandbox.role,
            path: display(&sandbox.path),
            agent_id: &sandbox.agent_id,
            state: view.state.as_str(),
            reason: &view.reason,
            used_bytes: sample.map(|sample| sample.used_bytes),
            apparent_bytes: sample.and_then(|sample| sample.apparent_bytes),
            quota_bytes: sandbox.quota_bytes,
            files: sample.and_then(|sample| sample.files),
            growth_bytes_per_second: view.growth.and_then(|growth| growth.confident_rate()),
            full_timestamp_seconds: view.growth.and_then(|growth| growth.full_at),
            full_by: view.growth.and_then(|growth| growth.full_by).map(|full_by| full_by.as_str()),
            image: sandbox.engine.as_ref().map(|engine| engine.image.as_str()),
            pid: sandbox.engine.as_ref().and_then(|engine| engine.pid),
            labels: labels(sandbox.engine.as_ref().map(|engine| &engine.labels[..])),
            tasks: sandbox.tasks.iter().map(TaskRow::from).collect(),
            enforcement: view.enforcement.as_str(),
            method: sample.map(|sample| sample.method.as_str()),
            filesystem: view.filesystem.as_deref().map(display),
            modified_timestamp_seconds: sandbox.modified,
            expected_removal_timestamp_seconds: view.expected_removal,
            measured_timestamp_seconds: sample.map(|sample| sample.measured_at),
            measure_failed: failure.is_some(),
            measure_error: failure.map(|failure| failure.message.as_str()),
            first_seen_timestamp_seconds: history.first_seen,
            state_since_timestamp_seconds: history.state_since,
            peak_bytes: history.peak.map(|peak| peak.bytes),
            peak_timestamp_seconds: history.peak.map(|peak| peak.at),
            over_quota_bytes: sample
                .zip(sandbox.quota_bytes)
                .map(|(sample, quota)| sample.used_bytes.saturating_sub(quota)),
            over_quota_since_timestamp_seconds: history.over_quota_since,
            quota_changed_timestamp_seconds: history.quota_change.map(|change| change.at),
            quota_before_bytes: history.quota_change.and_then(|change| change.from_bytes),
        }
    }
}

impl SandboxRow<'_> {
    /// Used bytes as a part of the quota; absent when either is, or the quota is zero.
    pub fn fill_ratio(&self) -> Option<f64> {
        ratio(self.used_bytes, self.quota_bytes)
    }
}
