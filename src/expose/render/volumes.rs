//! Families of volumes.

use super::bound::{Filesystems, Plan};
use super::subjects::{Subjects, View};
use crate::expose::catalogue::volume::{
    APPARENT_BYTES, AVAILABLE_BYTES, CREATED, ERROR_BOUND_BYTES, FILES, FULL_AT, GROWTH,
    HOLDER_INFO, HOLDERS, INFO, KERNEL_LIMIT_BYTES, KERNEL_LIMIT_FILES, LABEL_INFO, LAST_USED,
    LOG_LIMIT_BYTES, MEASURE_FAILED, MEASURED, MOUNTS, NEWEST_CHANGE, OPEN_FILES, OVER_QUOTA_BYTES,
    OVER_QUOTA_SINCE, PEAK_BYTES, QUOTA_BYTES, QUOTA_FULL_AT, STATE, UNUSED_AFTER, UNUSED_SINCE,
    USED_BYTES,
};
use crate::expose::exposition::{Encoder, Labels};
use crate::expose::paths::display_or_empty;
use crate::judge::volume::unused_since;
use crate::model::{OpenFiles, Snapshot, VolumeState, VolumeView};

const OTHER: &str = r#"source="other",role="other",volume="other",disk="other""#;

pub(super) fn write(encoder: &mut Encoder, snapshot: &Snapshot, plan: &Plan<'_>) {
    let all = Subjects::new(&plan.volumes, name, OTHER, plan.folded_volumes);
    let filesystems = Filesystems::new(snapshot);

    all.summed(encoder, &USED_BYTES, View::used_bytes, |sum| sum.used_bytes);
    all.summed(encoder, &APPARENT_BYTES, View::apparent_bytes, |sum| sum.apparent_bytes);
    all.summed(encoder, &QUOTA_BYTES, View::quota_bytes, |sum| sum.quota_bytes);
    all.u64(encoder, &AVAILABLE_BYTES, |view| filesystems.available(view));
    all.summed(encoder, &FILES, View::files, |sum| sum.files);
    all.u64(encoder, &LOG_LIMIT_BYTES, |view| view.volume.engine.as_ref()?.log_limit_bytes);
    all.u64(encoder, &KERNEL_LIMIT_BYTES, View::kernel_limit_bytes);
    all.u64(encoder, &KERNEL_LIMIT_FILES, View::kernel_limit_files);
    all.u64(encoder, &PEAK_BYTES, View::peak_bytes);
    all.u64(encoder, &OVER_QUOTA_BYTES, View::over_quota_bytes);
    all.f64(encoder, &OVER_QUOTA_SINCE, View::over_quota_since);
    all.f64(encoder, &LAST_USED, |view| view.history.last_used);
    all.timestamp(encoder, &UNUSED_SINCE, unused_since);
    all.f64(encoder, &UNUSED_AFTER, |view| view.volume.unused_after);
    all.write(encoder, &STATE, |encoder, labels, view| {
        let states = VolumeState::ALL.iter().map(|state| (state.as_str(), *state == view.state));
        encoder.states(labels, states);
    });
    all.summed(encoder, &HOLDERS, |view| Some(view.volume.holders.len() as u64), |sum| sum.holders);
    all.summed(encoder, &MOUNTS, |view| Some(view.volume.mounts.len() as u64), |sum| sum.mounts);
    all.timestamp(encoder, &CREATED, |view| view.volume.created);
    all.timestamp(encoder, &NEWEST_CHANGE, |view| Some(view.measured.newest_change?.at));
    all.u64(encoder, &OPEN_FILES, |view| view.open_files.as_ref().and_then(OpenFiles::files));
    all.u64(encoder, &ERROR_BOUND_BYTES, View::error_bound_bytes);
    all.timestamp(encoder, &MEASURED, View::measured_at);
    all.bool(encoder, &MEASURE_FAILED, |view| view.measured.failure.is_some());
    all.f64(encoder, &GROWTH, View::confident_growth);
    all.f64(encoder, &FULL_AT, View::full_at);
    all.f64(encoder, &QUOTA_FULL_AT, View::quota_full_at);
    all.write(encoder, &INFO, info);
    all.write(encoder, &LABEL_INFO, |encoder, labels, view| {
        for (label, value) in view.volume.engine.iter().flat_map(|engine| &engine.labels) {
            encoder.info(labels, &[("label", label), ("value", value)]);
        }
    });
    all.write(encoder, &HOLDER_INFO, holders);
}

fn name(view: &VolumeView) -> [(&'static str, &str); 4] {
    let key = &view.volume.key;
    [
        ("source", key.source.as_str()),
        ("role", &key.role),
        ("volume", &key.volume),
        ("disk", &key.disk),
    ]
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
