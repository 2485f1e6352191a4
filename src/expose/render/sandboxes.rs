//! Families of sandboxes: live, nested and finished ones.

use super::bound::{Folded, Plan};
use crate::expose::catalogue::sandbox::{
    APPARENT_BYTES, ERROR_BOUND_BYTES, FILES, FINISHED_SANDBOXES, FINISHED_UNMEASURED,
    FINISHED_USED_BYTES, FULL_AT, GROWTH, INFO, KERNEL_LIMIT_BYTES, KERNEL_LIMIT_FILES, LABEL_INFO,
    MEASURE_FAILED, MEASURED, NESTED_APPARENT_BYTES, NESTED_FILES, NESTED_INFO, NESTED_USED_BYTES,
    OVER_QUOTA_BYTES, OVER_QUOTA_SINCE, PEAK_BYTES, QUOTA_BYTES, QUOTA_FULL_AT, STATE, USED_BYTES,
};
use crate::expose::exposition::{Arena, Encoder, Labels};
use crate::expose::paths::{display, display_or_empty};
use crate::model::{Sandbox, SandboxState, SandboxView};

const OTHER: Labels<'static> =
    Labels::literal(r#"source="other",framework="other",executor="other",container="other""#);
const OTHER_NESTED: Labels<'static> = Labels::literal(
    r#"source="other",framework="other",executor="other",container="other",nested="other""#,
);

/// States that a sandbox with series of its own can be in.
const STATES: [SandboxState; 4] =
    [SandboxState::Live, SandboxState::Standalone, SandboxState::Missing, SandboxState::Unknown];

pub(super) fn write(encoder: &mut Encoder, plan: &Plan<'_>) {
    live(encoder, plan);
    finished(encoder, plan);
    nested(encoder, plan);
}

fn live(encoder: &mut Encoder, plan: &Plan<'_>) {
    let mut labels = Arena::default();
    let mut sandboxes: Vec<&SandboxView> = Vec::with_capacity(plan.sandboxes.len());
    for view in &plan.sandboxes {
        let key = &view.sandbox.key;
        if labels.push(&[
            ("source", key.source.as_str()),
            ("framework", &key.framework),
            ("executor", &key.executor),
            ("container", &key.container),
        ]) {
            sandboxes.push(view);
        }
    }
    let folded = (plan.folded_sandboxes.subjects > 0).then_some(plan.folded_sandboxes);
    let each = || sandboxes.iter().enumerate().map(|(index, view)| (labels.get(index), *view));

    encoder.family(&USED_BYTES);
    for (labels, view) in each() {
        if let Some(sample) = &view.measured.sample {
            encoder.u64(labels, sample.used_bytes);
        }
    }
    other(encoder, OTHER, folded, |sum| sum.used_bytes);
    encoder.family(&APPARENT_BYTES);
    for (labels, view) in each() {
        if let Some(bytes) = view.measured.sample.and_then(|sample| sample.apparent_bytes) {
            encoder.u64(labels, bytes);
        }
    }
    other(encoder, OTHER, folded, |sum| sum.apparent_bytes);
    encoder.family(&QUOTA_BYTES);
    for (labels, view) in each() {
        if let Some(bytes) = view.sandbox.quota_bytes {
            encoder.u64(labels, bytes);
        }
    }
    other(encoder, OTHER, folded, |sum| sum.quota_bytes);
    encoder.family(&FILES);
    for (labels, view) in each() {
        if let Some(files) = view.measured.sample.and_then(|sample| sample.files) {
            encoder.u64(labels, files);
        }
    }
    other(encoder, OTHER, folded, |sum| sum.files);
    encoder.family(&KERNEL_LIMIT_BYTES);
    for (labels, view) in each() {
        let limit = view.measured.kernel_limit.filter(|limit| limit.enforced);
        if let Some(limit) = limit.and_then(|limit| limit.bytes_hard) {
            encoder.u64(labels, limit);
        }
    }
    encoder.family(&KERNEL_LIMIT_FILES);
    for (labels, view) in each() {
        let limit = view.measured.kernel_limit.filter(|limit| limit.enforced);
        if let Some(limit) = limit.and_then(|limit| limit.files_hard) {
            encoder.u64(labels, limit);
        }
    }
    encoder.family(&PEAK_BYTES);
    for (labels, view) in each() {
        if let Some(peak) = view.history.peak {
            encoder.u64(labels, peak.bytes);
        }
    }
    encoder.family(&OVER_QUOTA_BYTES);
    for (labels, view) in each() {
        if let Some((sample, quota)) = view.measured.sample.as_ref().zip(view.sandbox.quota_bytes) {
            encoder.u64(labels, sample.used_bytes.saturating_sub(quota));
        }
    }
    encoder.family(&OVER_QUOTA_SINCE);
    for (labels, view) in each() {
        if let Some(since) = view.history.over_quota_since {
            encoder.f64(labels, since);
        }
    }
    encoder.family(&STATE);
    for (labels, view) in each() {
        encoder.states(labels, STATES.iter().map(|state| (state.as_str(), *state == view.state)));
    }
    encoder.family(&ERROR_BOUND_BYTES);
    for (labels, view) in each() {
        let sample = view.measured.sample.as_ref();
        if let Some(bound) = sample.and_then(|sample| sample.error_bound_bytes) {
            encoder.u64(labels, bound);
        }
    }
    encoder.family(&MEASURED);
    for (labels, view) in each() {
        if let Some(sample) = &view.measured.sample {
            encoder.timestamp(labels, sample.measured_at);
        }
    }
    encoder.family(&MEASURE_FAILED);
    for (labels, view) in each() {
        encoder.bool(labels, view.measured.failure.is_some());
    }
    encoder.family(&GROWTH);
    for (labels, view) in each() {
        if let Some(rate) = view.growth.and_then(|growth| growth.confident_rate()) {
            encoder.f64(labels, rate);
        }
    }
    encoder.family(&FULL_AT);
    for (labels, view) in each() {
        if let Some(full_at) = view.growth.and_then(|growth| growth.full_at) {
            encoder.f64(labels, full_at);
        }
    }
    encoder.family(&QUOTA_FULL_AT);
    for (labels, view) in each() {
        let full_at = view.growth.and_then(|growth| growth.quota_full_at());
        if let Some(full_at) = full_at.filter(|_| view.sandbox.quota_bytes.is_some()) {
            encoder.f64(labels, full_at);
        }
    }
    encoder.family(&INFO);
    for (labels, view) in each() {
        let sandbox = &view.sandbox;
        let (task, task_name) = only_task(sandbox);
        encoder.info(
            labels,
            &[
                ("path", &display(&sandbox.path)),
                ("kind", sandbox.kind.as_str()),
                ("containerizer", sandbox.containerizer.map_or("", |made_by| made_by.as_str())),
                ("framework_name", &sandbox.framework_name),
                ("role", &sandbox.role),
                ("task", task),
                ("task_name", task_name),
                ("enforcement", view.enforcement.as_str()),
                ("method", view.measured.sample.map_or("", |sample| sample.method.as_str())),
                ("filesystem", &display_or_empty(view.filesystem.as_deref())),
            ],
        );
    }
    encoder.family(&LABEL_INFO);
    for (labels, view) in each() {
        for (label, value) in view.sandbox.engine.iter().flat_map(|engine| &engine.labels) {
            encoder.info(labels, &[("label", label), ("value", value)]);
        }
    }
}

fn finished(encoder: &mut Encoder, plan: &Plan<'_>) {
    let mut labels = Arena::default();
    for (source, framework, state) in plan.finished.keys() {
        // The keys of a map are unique.
        labels.push(&[("source", source), ("framework", framework), ("state", state)]);
    }
    encoder.family(&FINISHED_SANDBOXES);
    for (index, sum) in plan.finished.values().enumerate() {
        encoder.u64(labels.get(index), sum.count);
    }
    encoder.family(&FINISHED_USED_BYTES);
    for (index, sum) in plan.finished.values().enumerate() {
        if sum.unmeasured < sum.count {
            encoder.u64(labels.get(index), sum.used_bytes);
        }
    }
    encoder.family(&FINISHED_UNMEASURED);
    for (index, sum) in plan.finished.values().enumerate() {
        encoder.u64(labels.get(index), sum.unmeasured);
    }
}

fn nested(encoder: &mut Encoder, plan: &Plan<'_>) {
    let mut labels = Arena::default();
    let mut sandboxes: Vec<&SandboxView> = Vec::with_capacity(plan.nested.len());
    for view in &plan.nested {
        let key = &view.sandbox.key;
        // `parent.child.grandchild`: Mesos allows no dot inside an id.
        let (container, nested) = key.container.split_once('.').unwrap_or((&key.container, ""));
        if labels.push(&[
            ("source", key.source.as_str()),
            ("framework", &key.framework),
            ("executor", &key.executor),
            ("container", container),
            ("nested", nested),
        ]) {
            sandboxes.push(view);
        }
    }
    let folded = (plan.folded_nested.subjects > 0).then_some(plan.folded_nested);
    let each = || sandboxes.iter().enumerate().map(|(index, view)| (labels.get(index), *view));

    encoder.family(&NESTED_USED_BYTES);
    for (labels, view) in each() {
        if let Some(sample) = &view.measured.sample {
            encoder.u64(labels, sample.used_bytes);
        }
    }
    other(encoder, OTHER_NESTED, folded, |sum| sum.used_bytes);
    encoder.family(&NESTED_APPARENT_BYTES);
    for (labels, view) in each() {
        if let Some(bytes) = view.measured.sample.and_then(|sample| sample.apparent_bytes) {
            encoder.u64(labels, bytes);
        }
    }
    other(encoder, OTHER_NESTED, folded, |sum| sum.apparent_bytes);
    encoder.family(&NESTED_FILES);
    for (labels, view) in each() {
        if let Some(files) = view.measured.sample.and_then(|sample| sample.files) {
            encoder.u64(labels, files);
        }
    }
    other(encoder, OTHER_NESTED, folded, |sum| sum.files);
    encoder.family(&NESTED_INFO);
    for (labels, view) in each() {
        let sandbox = &view.sandbox;
        let (task, task_name) = only_task(sandbox);
        encoder.info(
            labels,
            &[
                ("path", &display(&sandbox.path)),
                ("framework_name", &sandbox.framework_name),
                ("task", task),
                ("task_name", task_name),
                ("enforcement", view.enforcement.as_str()),
                ("method", view.measured.sample.map_or("", |sample| sample.method.as_str())),
                ("filesystem", &display_or_empty(view.filesystem.as_deref())),
            ],
        );
    }
}

fn other(
    encoder: &mut Encoder,
    labels: Labels<'_>,
    folded: Option<Folded>,
    value: impl Fn(&Folded) -> u64,
) {
    if let Some(sum) = folded {
        encoder.u64(labels, value(&sum));
    }
}

/// Id and name of the task, when there is exactly one.
fn only_task(sandbox: &Sandbox) -> (&str, &str) {
    match sandbox.tasks.as_slice() {
        [task] => (&task.id, &task.name),
        _ => ("", ""),
    }
}
