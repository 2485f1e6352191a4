//! Families of sandboxes: live, nested and finished ones.

use super::bound::Plan;
use super::subjects::{Subjects, View};
use crate::expose::catalogue::sandbox::{
    APPARENT_BYTES, ERROR_BOUND_BYTES, FILES, FINISHED_SANDBOXES, FINISHED_UNMEASURED,
    FINISHED_USED_BYTES, FULL_AT, GROWTH, INFO, KERNEL_LIMIT_BYTES, KERNEL_LIMIT_FILES, LABEL_INFO,
    MEASURE_FAILED, MEASURED, NESTED_APPARENT_BYTES, NESTED_FILES, NESTED_INFO, NESTED_USED_BYTES,
    OVER_QUOTA_BYTES, OVER_QUOTA_SINCE, PEAK_BYTES, QUOTA_BYTES, QUOTA_FULL_AT, STATE, USED_BYTES,
};
use crate::expose::exposition::{Arena, Encoder, Labels};
use crate::expose::paths::{display, display_or_empty};
use crate::model::{Sandbox, SandboxState, SandboxView};

const OTHER: &str = r#"source="other",framework="other",executor="other",container="other""#;
const OTHER_NESTED: &str =
    r#"source="other",framework="other",executor="other",container="other",nested="other""#;

/// States that a sandbox with series of its own can be in.
const STATES: [SandboxState; 4] =
    [SandboxState::Live, SandboxState::Standalone, SandboxState::Missing, SandboxState::Unknown];

pub(super) fn write(encoder: &mut Encoder, plan: &Plan<'_>) {
    live(encoder, plan);
    finished(encoder, plan);
    nested(encoder, plan);
}

fn live(encoder: &mut Encoder, plan: &Plan<'_>) {
    let all = Subjects::new(&plan.sandboxes, name, OTHER, plan.folded_sandboxes);

    all.summed(encoder, &USED_BYTES, View::used_bytes, |sum| sum.used_bytes);
    all.summed(encoder, &APPARENT_BYTES, View::apparent_bytes, |sum| sum.apparent_bytes);
    all.summed(encoder, &QUOTA_BYTES, View::quota_bytes, |sum| sum.quota_bytes);
    all.summed(encoder, &FILES, View::files, |sum| sum.files);
    all.u64(encoder, &KERNEL_LIMIT_BYTES, View::kernel_limit_bytes);
    all.u64(encoder, &KERNEL_LIMIT_FILES, View::kernel_limit_files);
    all.u64(encoder, &PEAK_BYTES, View::peak_bytes);
    all.u64(encoder, &OVER_QUOTA_BYTES, View::over_quota_bytes);
    all.f64(encoder, &OVER_QUOTA_SINCE, View::over_quota_since);
    all.write(encoder, &STATE, |encoder, labels, view| {
        let states = STATES.iter().map(|state| (state.as_str(), *state == view.state));
        encoder.states(labels, states);
    });
    all.u64(encoder, &ERROR_BOUND_BYTES, View::error_bound_bytes);
    all.timestamp(encoder, &MEASURED, View::measured_at);
    all.bool(encoder, &MEASURE_FAILED, |view| view.measured.failure.is_some());
    all.f64(encoder, &GROWTH, View::confident_growth);
    all.f64(encoder, &FULL_AT, View::full_at);
    all.f64(encoder, &QUOTA_FULL_AT, View::quota_full_at);
    all.write(encoder, &INFO, info);
    all.write(encoder, &LABEL_INFO, |encoder, labels, view| {
        for (label, value) in view.sandbox.engine.iter().flat_map(|engine| &engine.labels) {
            encoder.info(labels, &[("label", label), ("value", value)]);
        }
    });
}

fn name(view: &SandboxView) -> [(&'static str, &str); 4] {
    let key = &view.sandbox.key;
    [
        ("source", key.source.as_str()),
        ("framework", &key.framework),
        ("executor", &key.executor),
        ("container", &key.container),
    ]
}

fn info(encoder: &mut Encoder, labels: Labels<'_>, view: &SandboxView) {
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
    let all = Subjects::new(&plan.nested, nested_name, OTHER_NESTED, plan.folded_nested);

    all.summed(encoder, &NESTED_USED_BYTES, View::used_bytes, |sum| sum.used_bytes);
    all.summed(encoder, &NESTED_APPARENT_BYTES, View::apparent_bytes, |sum| sum.apparent_bytes);
    all.summed(encoder, &NESTED_FILES, View::files, |sum| sum.files);
    all.write(encoder, &NESTED_INFO, |encoder, labels, view| {
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
    });
}

fn nested_name(view: &SandboxView) -> [(&'static str, &str); 5] {
    let key = &view.sandbox.key;
    // `parent.child.grandchild`: Mesos allows no dot inside an id.
    let (container, nested) = key.container.split_once('.').unwrap_or((&key.container, ""));
    [
        ("source", key.source.as_str()),
        ("framework", &key.framework),
        ("executor", &key.executor),
        ("container", container),
        ("nested", nested),
    ]
}

/// Id and name of the task, when there is exactly one.
fn only_task(sandbox: &Sandbox) -> (&str, &str) {
    match sandbox.tasks.as_slice() {
        [task] => (&task.id, &task.name),
        _ => ("", ""),
    }
}
