//! Families of volumes.

use super::bound::{Filesystems, Folded, Plan};
use crate::expose::catalogue::volume::{
    APPARENT_BYTES, AVAILABLE_BYTES, CREATED, ERROR_BOUND_BYTES, FILES, FULL_AT, GROWTH,
    HOLDER_INFO, HOLDERS, INFO, KERNEL_LIMIT_BYTES, KERNEL_LIMIT_FILES, LABEL_INFO, LAST_USED,
    LOG_LIMIT_BYTES, MEASURE_FAILED, MEASURED, MOUNTS, NEWEST_CHANGE, OPEN_FILES, OVER_QUOTA_BYTES,
    OVER_QUOTA_SINCE, PEAK_BYTES, QUOTA_BYTES, QUOTA_FULL_AT, STATE, UNUSED_AFTER, UNUSED_SINCE,
    USED_BYTES,
};
use crate::expose::exposition::{Arena, Encoder, Labels};
use crate::expose::paths::display_or_empty;
use crate::judge::volume::unused_since;
use crate::model::{OpenFiles, Snapshot, VolumeState, VolumeView};

const OTHER: Labels<'static> =
    Labels::literal(r#"source="other",role="other",volume="other",disk="other""#);

pub(super) fn write(encoder: &mut Encoder, snapshot: &Snapshot, plan: &Plan<'_>) {
    let mut labels = Arena::default();
    let mut volumes: Vec<&VolumeView> = Vec::with_capacity(plan.volumes.len());
    for view in &plan.volumes {
        let key = &view.volume.key;
        if labels.push(&[
            ("source", key.source.as_str()),
            ("role", &key.role),
            ("volume", &key.volume),
            ("disk", &key.disk),
        ]) {
            volumes.push(view);
        }
    }
    let folded = (plan.folded_volumes.subjects > 0).then_some(plan.folded_volumes);
    let each = || volumes.iter().enumerate().map(|(index, view)| (labels.get(index), *view));
    let filesystems = Filesystems::new(snapshot);

    encoder.family(&USED_BYTES);
    for (labels, view) in each() {
        if let Some(sample) = &view.measured.sample {
            encoder.u64(labels, sample.used_bytes);
        }
    }
    other(encoder, folded, |sum| sum.used_bytes);
    encoder.family(&APPARENT_BYTES);
    for (labels, view) in each() {
        if let Some(bytes) = view.measured.sample.and_then(|sample| sample.apparent_bytes) {
            encoder.u64(labels, bytes);
        }
    }
    other(encoder, folded, |sum| sum.apparent_bytes);
    encoder.family(&QUOTA_BYTES);
    for (labels, view) in each() {
        if let Some(bytes) = view.volume.quota_bytes {
            encoder.u64(labels, bytes);
        }
    }
    other(encoder, folded, |sum| sum.quota_bytes);
    encoder.family(&AVAILABLE_BYTES);
    for (labels, view) in each() {
        if let Some(bytes) = filesystems.available(view) {
            encoder.u64(labels, bytes);
        }
    }
    encoder.family(&FILES);
    for (labels, view) in each() {
        if let Some(files) = view.measured.sample.and_then(|sample| sample.files) {
            encoder.u64(labels, files);
        }
    }
    other(encoder, folded, |sum| sum.files);
    encoder.family(&LOG_LIMIT_BYTES);
    for (labels, view) in each() {
        let limit = view.volume.engine.as_ref().and_then(|engine| engine.log_limit_bytes);
        if let Some(limit) = limit {
            encoder.u64(labels, limit);
        }
    }
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
        if let Some((sample, quota)) = view.measured.sample.as_ref().zip(view.volume.quota_bytes) {
            encoder.u64(labels, sample.used_bytes.saturating_sub(quota));
        }
    }
    encoder.family(&OVER_QUOTA_SINCE);
    for (labels, view) in each() {
        if let Some(since) = view.history.over_quota_since {
            encoder.f64(labels, since);
        }
    }
    encoder.family(&LAST_USED);
    for (labels, view) in each() {
        if let Some(at) = view.history.last_used {
            encoder.f64(labels, at);
        }
    }
    encoder.family(&UNUSED_SINCE);
    for (labels, view) in each() {
        if let Some(since) = unused_since(view) {
            encoder.timestamp(labels, since);
        }
    }
    encoder.family(&UNUSED_AFTER);
    for (labels, view) in each() {
        if let Some(after) = view.volume.unused_after {
            encoder.f64(labels, after);
        }
    }
    encoder.family(&STATE);
    for (labels, view) in each() {
        encoder.states(
            labels,
            VolumeState::ALL.iter().map(|state| (state.as_str(), *state == view.state)),
        );
    }
    encoder.family(&HOLDERS);
    for (labels, view) in each() {
        encoder.u64(labels, view.volume.holders.len() as u64);
    }
    other(encoder, folded, |sum| sum.holders);
    encoder.family(&MOUNTS);
    for (labels, view) in each() {
        encoder.u64(labels, view.volume.mounts.len() as u64);
    }
    other(encoder, folded, |sum| sum.mounts);
    encoder.family(&CREATED);
    for (labels, view) in each() {
        if let Some(created) = view.volume.created {
            encoder.timestamp(labels, created);
        }
    }
    encoder.family(&NEWEST_CHANGE);
    for (labels, view) in each() {
        if let Some(newest) = &view.measured.newest_change {
            encoder.timestamp(labels, newest.at);
        }
    }
    encoder.family(&OPEN_FILES);
    for (labels, view) in each() {
        if let Some(files) = view.open_files.as_ref().and_then(OpenFiles::files) {
            encoder.u64(labels, files);
        }
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
        if let Some(full_at) = full_at.filter(|_| view.volume.quota_bytes.is_some()) {
            encoder.f64(labels, full_at);
        }
    }
    encoder.family(&INFO);
    for (labels, view) in each() {
        info(encoder, labels, view);
    }
    encoder.family(&LABEL_INFO);
    for (labels, view) in each() {
        for (label, value) in view.volume.engine.iter().flat_map(|engine| &engine.labels) {
            encoder.info(labels, &[("label", label), ("value", value)]);
        }
    }
    encoder.family(&HOLDER_INFO);
    for (labels, view) in each() {
        holders(encoder, labels, view);
    }
}

fn other(encoder: &mut Encoder, folded: Option<Folded>, value: impl Fn(&Folded) -> u64) {
    if let Some(sum) = folded {
        encoder.u64(OTHER, value(&sum));
    }
}

fn info(encoder: &mut Encoder, labels: Labels<'_>, view: &VolumeView) {
    let volume = &view.volume;
    encoder.info(
        labels,
        &[
            ("path", &display_or_empty(volume.path.as_deref())),
            ("principal", volume.principal.as_deref().unwrap_or("")),
            ("disk_type", volume.disk_type.as_str()),
            ("kind", volume.kind.as_str()),
            ("reservation", volume.reservation.map_or("", |kind| kind.as_str())),
            ("shared", if volume.shared { "true" } else { "false" }),
            ("enforcement", view.enforcement.as_str()),
            ("method", view.measured.sample.map_or("", |sample| sample.method.as_str())),
            ("driver", volume.driver.as_deref().unwrap_or("")),
            ("filesystem", &display_or_empty(view.filesystem.as_deref())),
            ("remote", volume.remote.as_deref().unwrap_or("")),
        ],
    );
}

fn holders(encoder: &mut Encoder, labels: Labels<'_>, view: &VolumeView) {
    let mut last = None;
    for holder in &view.volume.holders {
        // Holders are sorted: one that is listed twice would be a duplicate series.
        if last == Some(holder) {
            continue;
        }
        last = Some(holder);
        encoder.info(
            labels,
            &[
                ("framework", &holder.framework),
                ("framework_name", &holder.framework_name),
                ("executor", &holder.executor),
                ("task", &holder.task),
                ("container", &holder.container),
                ("container_path", &holder.container_path),
                ("read_only", if holder.read_only { "true" } else { "false" }),
            ],
        );
    }
}
